"""The door of a workspace's own host."""

from django.urls import path

from tenants import views_tenant

urlpatterns = [
    path("handover/", views_tenant.handover, name="handover"),
    path("signout/", views_tenant.signout, name="signout"),
    path("verify/again/", views_tenant.verify_again, name="verify_again"),
]
