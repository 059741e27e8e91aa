"""Settings pages that see every noun: a member with what is his, and the audit. Under the namespace ``settings``."""

from django.urls import path

from crm.records import audit_views, people_views, undo_views

urlpatterns = [
    path("members/<uuid:member_id>/", people_views.member, name="member"),
    path("members/<uuid:member_id>/leave/", people_views.member_leave, name="member_leave"),
    path("members/<uuid:member_id>/move/", people_views.member_move, name="member_move"),
    path("changes/", undo_views.own_changes, name="changes"),
    path("audit/", audit_views.audit_page, name="audit"),
]
