"""Saved views: the same trees as queries and lists take."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from api.params import unknown_parameter
from api.v1.records import RecordView
from crm.records.access.visibility import require_scope
from crm.records.lists import saved_views, view_services
from crm.records.models import SavedView
from crm.records.schema.record_type import RecordType
from tenants.actors import Actor

KEYS = frozenset(
    {"name", "layout", "sharing", "filter", "sort", "columns", "grouping", "footers", "card_fields", "quick"},
)


def view_body(actor: Actor, record_type: RecordType, saved: SavedView) -> dict[str, Any]:
    """A view as this key may read it: without conditions and fields that are hidden from it."""
    view = saved_views.view_of(actor, record_type, saved)
    return {
        "id": saved.pk,
        "noun": saved.noun,
        "name": saved.name,
        "layout": saved.layout,
        "sharing": saved.sharing,
        "owner": saved.owner_id,
        "filter": view.filter or {},
        "sort": list(view.sort),
        "columns": [{"field": slug} for slug in view.columns],
        "grouping": view.grouping,
        "footers": dict(view.footers),
        "card_fields": list(view.card_fields),
        "quick": list(view.quick),
        "created_at": saved.created_at,
        "updated_at": saved.updated_at,
    }


class ViewRoute(RecordView):
    """What is kept or changed is answered with too, so that takes the scope to read as well."""

    parameters = frozenset()

    def check_scope(self, request: Request) -> None:
        super().check_scope(request)
        require_scope(self.actor, self.noun)

    def values(self, request: Request) -> dict[str, Any]:
        body = self.body(request)
        for name in body:
            if name not in KEYS:
                raise unknown_parameter(str(name), KEYS)
        return dict(body)


class RecordViews(ViewRoute):
    """The saved views of a noun that the member behind the key may open."""

    def get(self, request: Request) -> Response:
        found = saved_views.Views(self.actor, self.record_type).saved
        return Response({"data": [view_body(self.actor, self.record_type, one) for one in found], "next_cursor": None})

    def post(self, request: Request) -> Response:
        saved = view_services.view_create(self.actor, self.record_type, self.values(request))
        return Response(view_body(self.actor, self.record_type, saved), status=201)


class RecordSavedView(ViewRoute):
    """One saved view."""

    def get(self, request: Request, view_id: UUID) -> Response:
        return Response(
            view_body(self.actor, self.record_type, view_services.view_get(self.actor, self.record_type, view_id))
        )

    def patch(self, request: Request, view_id: UUID) -> Response:
        saved = view_services.view_update(self.actor, self.record_type, view_id, self.values(request))
        return Response(view_body(self.actor, self.record_type, saved))

    def delete(self, request: Request, view_id: UUID) -> Response:
        view_services.view_delete(self.actor, self.record_type, view_id)
        return Response(status=204)
