"""Accepting an invitation, on the public host."""

from django.urls import path

from crm.workspace.people import invitation_views

urlpatterns = [path("invitations/<str:token>/", invitation_views.invitation, name="invitation")]
