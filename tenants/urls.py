"""Accounts and workspaces on the public host."""

from django.urls import path

from tenants import views

urlpatterns = [
    path("signup/", views.signup, name="signup"),
    path("signup/address/", views.address_check, name="address_check"),
    path("signin/", views.signin, name="signin"),
    path("signin/", views.signin, name="account_login"),
    path("signout/", views.signout, name="signout"),
    path("signout/everywhere/", views.signout_everywhere, name="signout_everywhere"),
    path("password/", views.reset, name="password_reset"),
    path("password/new/", views.password_new, name="password_new"),
    path("password/<str:uid>/<str:token>/", views.reset_key, name="password_reset_key"),
    path("verify/again/", views.verify_again, name="verify_again"),
    path("verify/<str:key>/", views.verify, name="verify"),
    path("take-over/<str:token>/", views.take_over_page, name="take_over"),
    path("workspaces/", views.workspaces, name="workspaces"),
    path("workspaces/new/", views.workspace_new, name="workspace_new"),
    path("handover/<uuid:tenant_id>/", views.handover, name="handover"),
]
