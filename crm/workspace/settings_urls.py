"""Settings pages of the workspace and its members; included under the namespace ``settings``."""

from django.urls import path

from crm.workspace import settings_views as views

urlpatterns = [
    path("personal/", views.personal, name="personal"),
    path("workspace/", views.workspace, name="workspace"),
    path("members/", views.member_list, name="members"),
    path("members/<uuid:member_id>/", views.member_edit, name="member"),
    path("members/<uuid:member_id>/deactivate/", views.member_deactivate, name="member_deactivate"),
    path("members/<uuid:member_id>/reactivate/", views.member_reactivate, name="member_reactivate"),
    path("invitations/<uuid:invitation_id>/resend/", views.invitation_resend, name="invitation_resend"),
    path("invitations/<uuid:invitation_id>/revoke/", views.invitation_revoke, name="invitation_revoke"),
]
