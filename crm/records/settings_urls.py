"""Settings pages that see every noun: a member with what is theirs, and the audit. Under the namespace ``settings``."""

from django.urls import path

from crm.records.views import audit, ownership_transfer, undo

urlpatterns = [
    path("members/<uuid:member_id>/", ownership_transfer.member, name="member"),
    path("members/<uuid:member_id>/leave/", ownership_transfer.member_leave, name="member_leave"),
    path("members/<uuid:member_id>/move/", ownership_transfer.member_move, name="member_move"),
    path("changes/", undo.own_changes, name="changes"),
    path("audit/", audit.audit_page, name="audit"),
]
