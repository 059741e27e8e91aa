"""``/api/v1/…``: the same routes on a tenant's host and on the API host."""

from django.urls import URLPattern, URLResolver, path, re_path

from api.openapi import OpenApiDocument
from api.v1.change_sets import ChangeSetUndo
from api.v1.describe import TypeList
from api.v1.events import EventList
from api.v1.members import MemberDetail, MemberList
from api.v1.records import RecordDetail, RecordList, RecordQuery, RecordRestore, RecordView
from api.views import NotThere
from crm.records.types import RecordType, registry


def _routes(rt: RecordType) -> list[URLPattern]:
    def view(base: type[RecordView]) -> type[RecordView]:
        return type(
            f"{rt.slug.title().replace('_', '')}{base.__name__.removeprefix('Record')}", (base,), {"noun": rt.slug}
        )

    root = f"v1/{rt.plural}"
    return [
        path(root, view(RecordList).as_view(), name=f"{rt.slug}-list"),
        path(f"{root}/query", view(RecordQuery).as_view(), name=f"{rt.slug}-query"),
        path(f"{root}/<uuid:record_id>", view(RecordDetail).as_view(), name=f"{rt.slug}-detail"),
        path(f"{root}/<uuid:record_id>/restore", view(RecordRestore).as_view(), name=f"{rt.slug}-restore"),
    ]


app_name = "api"
urlpatterns: list[URLPattern | URLResolver] = [
    *(route for rt in registry.all() for route in _routes(rt)),
    path("v1/members", MemberList.as_view(), name="member-list"),
    path("v1/members/<uuid:record_id>", MemberDetail.as_view(), name="member-detail"),
    path("v1/types", TypeList.as_view(), name="types"),
    path("v1/events", EventList.as_view(), name="events"),
    path("v1/change-sets/<uuid:change_set_id>/undo", ChangeSetUndo.as_view(), name="undo"),
    path("v1/openapi.json", OpenApiDocument.as_view(), name="openapi"),
    re_path(r"^", NotThere.as_view(), name="not-there"),
]
