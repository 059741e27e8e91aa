"""Accepting an invitation, on the public host."""

from django.urls import path

from crm.workspace import joining

urlpatterns = [path("invitations/<str:token>/", joining.invitation, name="invitation")]
