"""``/api/v1/…``: the same routes on a tenant's host and on the API host."""

from django.urls import URLPattern, URLResolver, path, re_path

from api.openapi import OpenApiDocument
from api.v1.activities import RecordEndSeries, RecordFollowing, RecordReply, RecordSeries, RecordSkip
from api.v1.change_sets import ChangeSetUndo
from api.v1.describe import TypeList
from api.v1.events import EventList
from api.v1.exports import JobFile, RecordExport
from api.v1.invitations import InvitationDetail, InvitationList, InvitationResend
from api.v1.jobs import JobCancel, JobDetail, JobList, JobUndo, RecordBulk
from api.v1.members import MemberDeactivate, MemberDetail, MemberList, MemberReactivate
from api.v1.pipelines import RecordArchive, RecordBoard, RecordCopy, RecordRemove
from api.v1.records import RecordDetail, RecordList, RecordQuery, RecordRestore, RecordView
from api.v1.roles import RoleDetail, RoleList
from api.v1.teams import TeamDetail, TeamList
from api.v1.views import RecordSavedView, RecordViews
from api.v1.why import RecordWhy
from api.v1.workspace import HolidayDetail, HolidayList, Me, RateDetail, RateList, WorkspaceDetail
from api.views import NotThere
from crm.activities.visibility import PLANNED
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry


def _routes(record_type: RecordType) -> list[URLPattern]:
    def view(base: type[RecordView]) -> type[RecordView]:
        return type(
            f"{record_type.slug.title().replace('_', '')}{base.__name__.removeprefix('Record')}",
            (base,),
            {"noun": record_type.slug},
        )

    root = f"v1/{record_type.plural}"
    verbs: dict[str, type[RecordView]] = {}
    if record_type.slug in PLANNED:
        verbs |= {
            "skip": RecordSkip,
            "end-series": RecordEndSeries,
            "following": RecordFollowing,
            "series": RecordSeries,
        }
    if record_type.slug == "meeting":
        verbs["reply"] = RecordReply
    if record_type.slug == "pipeline":
        verbs |= {"copy": RecordCopy, "archive": RecordArchive, "board": RecordBoard}
    if record_type.slug == "stage":
        verbs["remove"] = RecordRemove
    return [
        path(root, view(RecordList).as_view(), name=f"{record_type.slug}-list"),
        path(f"{root}/query", view(RecordQuery).as_view(), name=f"{record_type.slug}-query"),
        path(f"{root}/bulk", view(RecordBulk).as_view(), name=f"{record_type.slug}-bulk"),
        path(f"{root}/export", view(RecordExport).as_view(), name=f"{record_type.slug}-export"),
        path(f"{root}/views", view(RecordViews).as_view(), name=f"{record_type.slug}-views"),
        path(f"{root}/views/<uuid:view_id>", view(RecordSavedView).as_view(), name=f"{record_type.slug}-view"),
        path(f"{root}/<uuid:record_id>", view(RecordDetail).as_view(), name=f"{record_type.slug}-detail"),
        path(f"{root}/<uuid:record_id>/why", view(RecordWhy).as_view(), name=f"{record_type.slug}-why"),
        path(f"{root}/<uuid:record_id>/restore", view(RecordRestore).as_view(), name=f"{record_type.slug}-restore"),
        *(
            path(f"{root}/<uuid:record_id>/{verb}", view(base).as_view(), name=f"{record_type.slug}-{verb}")
            for verb, base in verbs.items()
        ),
    ]


app_name = "api"
urlpatterns: list[URLPattern | URLResolver] = [
    *(route for record_type in registry.all() for route in _routes(record_type)),
    path("v1/members", MemberList.as_view(), name="member-list"),
    path("v1/members/<uuid:record_id>", MemberDetail.as_view(), name="member-detail"),
    path("v1/members/<uuid:record_id>/deactivate", MemberDeactivate.as_view(), name="member-deactivate"),
    path("v1/members/<uuid:record_id>/reactivate", MemberReactivate.as_view(), name="member-reactivate"),
    path("v1/teams", TeamList.as_view(), name="team-list"),
    path("v1/teams/<uuid:team_id>", TeamDetail.as_view(), name="team-detail"),
    path("v1/roles", RoleList.as_view(), name="role-list"),
    path("v1/roles/<uuid:role_id>", RoleDetail.as_view(), name="role-detail"),
    path("v1/invitations", InvitationList.as_view(), name="invitation-list"),
    path("v1/invitations/<uuid:invitation_id>", InvitationDetail.as_view(), name="invitation-detail"),
    path("v1/invitations/<uuid:invitation_id>/resend", InvitationResend.as_view(), name="invitation-resend"),
    path("v1/workspace", WorkspaceDetail.as_view(), name="workspace"),
    path("v1/me", Me.as_view(), name="me"),
    path("v1/holidays", HolidayList.as_view(), name="holiday-list"),
    path("v1/holidays/<str:on>", HolidayDetail.as_view(), name="holiday-detail"),
    path("v1/exchange-rates", RateList.as_view(), name="rate-list"),
    path("v1/exchange-rates/<uuid:rate_id>", RateDetail.as_view(), name="rate-detail"),
    path("v1/types", TypeList.as_view(), name="types"),
    path("v1/events", EventList.as_view(), name="events"),
    path("v1/jobs", JobList.as_view(), name="jobs"),
    path("v1/jobs/<uuid:job_id>", JobDetail.as_view(), name="job"),
    path("v1/jobs/<uuid:job_id>/file", JobFile.as_view(), name="job-file"),
    path("v1/jobs/<uuid:job_id>/cancel", JobCancel.as_view(), name="job-cancel"),
    path("v1/jobs/<uuid:job_id>/undo", JobUndo.as_view(), name="job-undo"),
    path("v1/change-sets/<uuid:change_set_id>/undo", ChangeSetUndo.as_view(), name="undo"),
    path("v1/openapi.json", OpenApiDocument.as_view(), name="openapi"),
    re_path(r"^", NotThere.as_view(), name="not-there"),
]
