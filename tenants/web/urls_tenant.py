"""The door of a workspace's own host."""

from django.urls import path

from tenants.web import tenant_views

urlpatterns = [
    path("handover/", tenant_views.handover, name="handover"),
    path("signout/", tenant_views.signout, name="signout"),
    path("verify/again/", tenant_views.verify_again, name="verify_again"),
]
