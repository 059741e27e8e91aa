"""Accounts and workspaces on the public host."""

from django.urls import path

from tenants.web import account_views, address_views, password_views, signin_views, workspace_views

urlpatterns = [
    path("signup/", signin_views.signup, name="signup"),
    path("signup/address/", signin_views.address_check, name="address_check"),
    path("signin/", signin_views.signin, name="signin"),
    path("signin/", signin_views.signin, name="account_login"),
    path("signin/passkey/", signin_views.signin_passkey, name="signin_passkey"),
    path("signin/second/", signin_views.second_step, name="second_step"),
    path("signout/", signin_views.signout, name="signout"),
    path("signout/everywhere/", signin_views.signout_everywhere, name="signout_everywhere"),
    path("password/", password_views.reset, name="password_reset"),
    path("password/new/", password_views.password_new, name="password_new"),
    path("password/<str:uid>/<str:token>/", password_views.reset_key, name="password_reset_key"),
    path("verify/again/", address_views.verify_again, name="verify_again"),
    path("verify/<str:key>/", address_views.verify, name="verify"),
    path("take-over/<str:token>/", address_views.take_over_page, name="take_over"),
    path("workspaces/", workspace_views.workspaces, name="workspaces"),
    path("workspaces/new/", workspace_views.workspace_new, name="workspace_new"),
    path("account/", account_views.account, name="account"),
    path("account/confirm/", account_views.confirm, name="confirm"),
    path("account/app/", account_views.totp_new, name="totp_new"),
    path("account/app/remove/", account_views.totp_remove, name="totp_remove"),
    path("account/passkeys/", account_views.passkey_new, name="passkey_new"),
    path("account/passkeys/<uuid:passkey_id>/", account_views.passkey_rename, name="passkey_rename"),
    path("account/passkeys/<uuid:passkey_id>/remove/", account_views.passkey_remove, name="passkey_remove"),
    path("account/codes/", account_views.codes_renew, name="codes_renew"),
    path("account/sessions/others/end/", account_views.sessions_end_others, name="sessions_end_others"),
    path("account/sessions/<str:session_id>/end/", account_views.session_end, name="session_end"),
    path("account/browsers/forget/", account_views.browsers_forget, name="browsers_forget"),
    path("account/password/", account_views.password, name="password_change"),
    path("account/email/", account_views.email, name="email_change"),
    path("account/email/cancel/", account_views.email_cancel, name="email_cancel"),
    path("account/email/confirm/<str:token>/", account_views.email_confirm, name="email_confirm"),
    path("account/email/undo/<str:token>/", account_views.email_undo, name="email_undo"),
    path("handover/<uuid:tenant_id>/", workspace_views.handover, name="handover"),
]
