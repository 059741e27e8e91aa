"""The routes that every record type has: list, create, query, get, change, trash, restore."""

import re
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import ApiError
from api.params import LIST_PARAMETERS, chosen_fields, list_query, names, query_from, settled, unknown_parameter
from api.views import ANY, ONE, ApiView
from crm.records.errors import NotFound
from crm.records.lists.saved_views import Views
from crm.records.read import reading
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate
from tenants.actors import Actor

ETAG = re.compile(r'^(?:W/)?"?(?P<version>\d{1,9})"?$')


def etag(row: dict[str, Any]) -> str:
    return f'"{row["version"]}"'


def expected_version(request: Request) -> int | None:
    """The version in ``If-Match``; None without the header or for ``*``. Raises ApiError 400 for anything else."""
    raw = request.headers.get("If-Match", "").strip()
    if raw in {"", "*"}:
        return None
    match = ETAG.match(raw)
    if match is None:
        raise ApiError(
            400, "invalid_if_match", _("If-Match must be the ETag of the record, as it was given."), param="If-Match"
        )
    return int(match["version"])


class RecordView(ApiView):
    """A route of one record type; subclasses are made for each type with ``noun`` set."""

    @property
    def record_type(self) -> RecordType:
        return registry.get(self.noun)

    def answer(self, request: Request, record_id: UUID, *, status: int = 200) -> Response:
        """The record as this key may see it now. Raises NotFound."""
        row = reading.get_row(
            self.actor,
            self.record_type,
            record_id,
            fields=chosen_fields(self.actor, self.record_type, request.query_params.get("fields")),
            expand=names(request.query_params.get("expand")),
        )
        headers = {"ETag": etag(row)} if "version" in row else {}
        return Response(row, status=status, headers=headers)

    def answer_write(self, request: Request, record_id: UUID, *, status: int = 200) -> Response:
        """What was written; its id alone for a key that may not read it, or not any more."""
        if self.actor.can(self.noun, "view"):
            with suppress(NotFound):
                return self.answer(request, record_id, status=status)
        return Response({"id": record_id}, status=status)

    def require_right(self, action: str) -> None:
        if not self.actor.can(self.noun, action):
            raise ApiError(403, "forbidden", _("The role behind this key may not do that."))


class RecordList(RecordView):
    parameters = ANY

    def get(self, request: Request) -> Response:
        wanted = list_query(self.actor, self.record_type, request.query_params)
        if request.query_params.get("view"):
            wanted = seen_through(self.actor, self.record_type, request.query_params["view"], wanted)
        return Response(page_body(reading.page(self.actor, self.record_type, settled(wanted))))

    def post(self, request: Request) -> Response:
        self.require_right("create")
        change = gate.create(self.actor, self.record_type, self.body(request), source="api")
        response = self.answer_write(request, change.id, status=201)
        response.headers["Location"] = f"/api/v1/{self.record_type.plural}/{change.id}"
        return response


class RecordQuery(RecordView):
    """``POST /v1/<nouns>/query``: the full condition tree, and the same parameters as a list, in a JSON body."""

    reads_by_post = True
    parameters = frozenset()
    keys: ClassVar[frozenset[str]] = LIST_PARAMETERS | {"filter"}

    def post(self, request: Request) -> Response:
        return Response(page_body(reading.page(self.actor, self.record_type, settled(self.wanted(request)))))

    def wanted(self, request: Request) -> reading.Query:
        body = self.body(request)
        for name in body:
            if name not in self.keys:
                raise unknown_parameter(str(name), self.keys)
        tree = body.get("filter")
        if tree is not None and not isinstance(tree, dict):
            raise ApiError(400, "invalid_filter", _("filter must be a tree of conditions."), param="filter")
        given = {name: value for name, value in body.items() if name != "filter"}
        wanted = query_from(self.actor, self.record_type, given, tree)
        if given.get("view"):
            wanted = seen_through(self.actor, self.record_type, str(given["view"]), wanted)
        return wanted


class RecordDetail(RecordView):
    parameters = ONE

    def get(self, request: Request, record_id: UUID) -> Response:
        return self.answer(request, record_id)

    def patch(self, request: Request, record_id: UUID) -> Response:
        self.require_right("edit")
        gate.update(
            self.actor,
            self.record_type,
            record_id,
            self.body(request),
            if_version=expected_version(request),
            source="api",
        )
        return self.answer_write(request, record_id)

    def delete(self, request: Request, record_id: UUID) -> Response:
        """Put the record into the trash."""
        self.require_right("delete")
        gate.trash(self.actor, self.record_type, record_id, if_version=expected_version(request), source="api")
        return Response(status=204)


class RecordRestore(RecordView):
    takes_body = False

    def post(self, request: Request, record_id: UUID) -> Response:
        self.require_right("delete")
        gate.restore(self.actor, self.record_type, record_id, source="api")
        return self.answer_write(request, record_id)


def seen_through(actor: Actor, record_type: RecordType, key: str, wanted: reading.Query) -> reading.Query:
    """A query within a view: its filter holds as well, its sorting unless another one is asked for. Raises NotFound."""
    view = Views(actor, record_type).get_whole(key)
    tree = {"all": [view.filter, wanted.filter]} if view.filter and wanted.filter else view.filter or wanted.filter
    return replace(wanted, filter=tree, sort=wanted.sort or view.sort)


def page_body(page: reading.Page) -> dict[str, Any]:
    body: dict[str, Any] = {"data": page.rows, "next_cursor": page.next_cursor}
    if page.count is not None:
        body["count"] = page.count
    return body
