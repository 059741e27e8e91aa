"""Settings pages of the workspace and its members; included under the namespace ``settings``."""

from django.urls import path

from crm.workspace.currencies import views as currency_views
from crm.workspace.notifications import views as notification_views
from crm.workspace.people import member_views, role_views, team_views
from crm.workspace.settings import personal_views, security_views, support_views
from crm.workspace.settings import views as workspace_views

urlpatterns = [
    path("notifications/", notification_views.notifications, name="notifications"),
    path("personal/", personal_views.personal, name="personal"),
    path("workspace/", workspace_views.workspace, name="workspace"),
    path("workspace/logo/", workspace_views.logo, name="logo"),
    path("address/", workspace_views.address, name="address"),
    path("formats/", workspace_views.formats_example, name="formats_example"),
    path("hours/", workspace_views.hours, name="hours"),
    path("hours/escalation/", workspace_views.escalation, name="escalation"),
    path("hours/holidays/", workspace_views.holiday_new, name="holiday_new"),
    path("hours/holidays/take/", workspace_views.holiday_take, name="holiday_take"),
    path("hours/holidays/<uuid:holiday_id>/remove/", workspace_views.holiday_remove, name="holiday_remove"),
    path("security/", security_views.security, name="security"),
    path("support/", support_views.support, name="support"),
    path("currencies/", currency_views.currencies, name="currencies"),
    path("currencies/use/", currency_views.currency_use, name="currency_use"),
    path("currencies/file/", currency_views.rate_file, name="rate_file"),
    path("currencies/take/", currency_views.rate_take, name="rate_take"),
    path("currencies/own/", currency_views.currency_own, name="currency_own"),
    path("currencies/rates/<uuid:rate_id>/remove/", currency_views.rate_remove, name="rate_remove"),
    path("currencies/<str:code>/", currency_views.currency, name="currency"),
    path("currencies/<str:code>/remove/", currency_views.currency_remove, name="currency_remove"),
    path("members/", member_views.member_list, name="members"),
    path("members/<uuid:member_id>/reactivate/", member_views.member_reactivate, name="member_reactivate"),
    path("invitations/<uuid:invitation_id>/resend/", member_views.invitation_resend, name="invitation_resend"),
    path("invitations/<uuid:invitation_id>/revoke/", member_views.invitation_revoke, name="invitation_revoke"),
    path("teams/", team_views.team_list, name="teams"),
    path("teams/<uuid:team_id>/", team_views.team_edit, name="team"),
    path("teams/<uuid:team_id>/add/", team_views.team_member_add, name="team_member_add"),
    path(
        "teams/<uuid:team_id>/members/<uuid:member_id>/remove/",
        team_views.team_member_remove,
        name="team_member_remove",
    ),
    path("teams/<uuid:team_id>/remove/", team_views.team_remove, name="team_remove"),
    path("roles/", role_views.role_list, name="roles"),
    path("roles/new/", role_views.role_new, name="role_new"),
    path("roles/<uuid:role_id>/", role_views.role_edit, name="role"),
    path("roles/<uuid:role_id>/delete/", role_views.role_delete, name="role_delete"),
]
