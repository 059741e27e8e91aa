"""The OpenAPI 3.1 document, built from the record types' declarations, one for each tenant and set of permissions."""

import hashlib
import threading
from collections.abc import Mapping
from typing import Any, ClassVar

import orjson
from django.conf import settings
from django.core.cache import caches
from django.urls import include, path
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import TYPES
from api.params import MAX_LIMIT
from api.schema_parts import TEXT, ref
from api.schemas import component_name, record_schemas, shared_schemas
from api.v1.describe import every_records_fields
from api.views import ApiView
from crm.records.access.visibility import hidden_slugs
from crm.records.query.operators import OPERATORS, Operator
from crm.records.schema.field import Field, Text
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from tenants.actors import Actor
from tenants.workspaces.hosts import api_url, tenant_url

CACHE_SECONDS = 3600
BUILDING = threading.Lock()
"""One thread builds at a time: drf-spectacular finds its extensions while it builds, and no two at once."""
ROUTES = {
    "api.v1.records",
    "api.v1.jobs",
    "api.v1.exports",
    "api.v1.views",
    "api.v1.activities",
    "api.v1.pipelines",
    "api.v1.why",
}
VERBS = {
    "GET": _("Get: %(noun)s"),
    "POST": _("Create: %(noun)s"),
    "PATCH": _("Change: %(noun)s"),
    "DELETE": _("Move to the trash: %(noun)s"),
}
WITHOUT_BODY = {"RecordRestore", "RecordSkip", "RecordEndSeries"}
OWN_VERBS = {
    "RecordWhy": _("Why it is seen, and by whom else: %(noun)s"),
    "RecordCopy": _("Copy with its stages: %(noun)s"),
    "RecordArchive": _("Archive with a move of its deals: %(noun)s"),
    "RecordBoard": _("Stages with counts, sums and cards: %(noun)s"),
    "RecordRemove": _("Remove with a move of its deals: %(noun)s"),
    "RecordSkip": _("Leave out this time of a series: %(noun)s"),
    "RecordEndSeries": _("End the series with this one: %(noun)s"),
    "RecordFollowing": _("Change this one and all that follow in the series: %(noun)s"),
    "RecordSeries": _("Change all open ones of the series: %(noun)s"),
    "RecordReply": _("Answer as a guest: %(noun)s"),
}


def json_body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}, "required": True}


def json_answer(schema: dict[str, Any], description: Text) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}, "description": description}


def query_parameter(name: str, description: Text, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"in": "query", "name": name, "description": description, "schema": schema or {"type": "string"}}


LIST_QUERY = [
    query_parameter(
        "limit", _("Records in one page."), {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 50}
    ),
    query_parameter("cursor", _("next_cursor of the page before.")),
    query_parameter("sort", _("Fields to sort by, with - for falling: -created_at,name.")),
    query_parameter("search", _("Words to find in names, emails and phone numbers.")),
    query_parameter("view", _("The id of a saved view, or all, mine, done: its filter holds as well.")),
    query_parameter("include", _("count adds the number of all records found."), {"type": "string", "enum": ["count"]}),
    query_parameter(
        "deleted",
        _("Whether records in the trash are listed."),
        {"type": "string", "enum": ["exclude", "include", "only"], "default": "exclude"},
    ),
]
CHOOSE_QUERY = [
    query_parameter("fields", _("Only these fields: name,amount.")),
    query_parameter("expand", _("Related records to put in place of their ids: company,owner.")),
]


OWN_SCHEMAS = {
    "RecordBulk": "BulkChange",
    "RecordExport": "ExportNew",
    "RecordQuery": "Query",
    "RecordReply": "MeetingReply",
    "RecordViews": "ViewChange",
    "RecordSavedView": "ViewChange",
    "RecordCopy": "PipelineCopy",
    "RecordArchive": "PipelineArchive",
    "RecordRemove": "StageRemoval",
}
BOARD_QUERY = [
    query_parameter("quick", _("mine, team, closing, stale, idle, several with commas.")),
    query_parameter("search", _("Words to find in names, emails and phone numbers.")),
]


class DeclaredSchema(AutoSchema):
    """Describes a route from its record type, or from the ``describe`` mapping its view declares."""

    view: Any

    @property
    def record_type(self) -> RecordType | None:
        noun = self.view.noun
        return next((record_type for record_type in registry.all() if record_type.slug == noun), None)

    @property
    def kind(self) -> str:
        return next((base.__name__ for base in type(self.view).__mro__ if base.__module__ in ROUTES), "")

    def get_operation_id(self) -> str:
        words = [part for part in self.path.split("/") if part and part not in {"api", "v1"} and "{" not in part]
        one = "one_" if "{" in self.path else ""
        return f"{self.method.lower()}_{one}{'_'.join(words)}".replace("-", "_").replace(".json", "")

    def get_tags(self) -> list[str]:
        record_type = self.record_type
        return [str(record_type.label_plural)] if record_type else [self.path.split("/")[3].removesuffix(".json")]

    def get_summary(self) -> str | None:
        record_type = self.record_type
        if record_type is None:
            return None
        summary = VERBS[self.method]
        if self.kind == "RecordQuery":
            summary = _("Query: %(nouns)s")
        elif self.kind == "RecordRestore":
            summary = _("Restore from the trash: %(noun)s")
        elif self.kind == "RecordList" and self.method == "GET":
            summary = _("List: %(nouns)s")
        elif self.kind == "RecordBulk":
            summary = _("Change many in the background: %(nouns)s")
        elif self.kind == "RecordExport":
            summary = _("Write to a file in the background: %(nouns)s")
        elif self.kind in OWN_VERBS:
            summary = OWN_VERBS[self.kind]
        elif self.kind in {"RecordViews", "RecordSavedView"}:
            summary = _("Saved views: %(nouns)s")
        return str(summary % {"noun": record_type.label, "nouns": record_type.label_plural})

    def get_description(self) -> str:  # type: ignore[override]
        return (type(self.view).__doc__ or "").strip() if self.record_type is None else ""

    def _get_parameters(self) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = [
            {
                "in": "path",
                "name": name,
                "required": True,
                "schema": {"type": "string", "format": "date" if name == "on" else "uuid"},
            }
            for name in (
                "record_id",
                "change_set_id",
                "team_id",
                "role_id",
                "invitation_id",
                "job_id",
                "view_id",
                "rate_id",
                "on",
            )
            if f"{{{name}}}" in self.path
        ]
        if self.record_type is None:
            return parameters + [query_parameter(name, "") for name in sorted(self.view.parameters)]
        if self.kind == "RecordList" and self.method == "GET":
            return parameters + LIST_QUERY + CHOOSE_QUERY + self._filters(self.record_type)
        if self.kind == "RecordWhy":
            return [*parameters, query_parameter("member", _("Another member's id, for who looks after members."))]
        if self.kind in OWN_SCHEMAS:
            return parameters
        if self.kind == "RecordBoard":
            return parameters + BOARD_QUERY
        if self.method != "DELETE" and self.kind not in {"RecordQuery", "RecordSkip", "RecordRemove"}:
            parameters += CHOOSE_QUERY
        if self._takes_if_match():
            parameters.append(
                {
                    "in": "header",
                    "name": "If-Match",
                    "description": _("The ETag of the record as you know it; 412 when it has changed since."),
                    "schema": {"type": "string"},
                }
            )
        return parameters

    def _filters(self, record_type: RecordType) -> list[dict[str, Any]]:
        """A parameter for each operator of each field; what equals needs none."""
        fields = [*(one for one in record_type.shown_fields if one.filterable), *every_records_fields()]
        return [
            parameter
            for one in fields
            for parameter in (
                query_parameter(one.slug, _("%(label)s is this.") % {"label": one.label}),
                *(operator_parameter(one, operator) for operator in OPERATORS[one.kind].values()),
            )
            if one.slug not in {"version"}
        ]

    def _get_request_body(self, direction: str = "request") -> dict[str, Any] | None:
        record_type = self.record_type
        if self.view.component and self.method in {"POST", "PATCH"} and self.view.takes_body:
            return json_body(ref(f"{self.view.component}{'Change' if self.method == 'PATCH' else 'New'}"))
        if record_type is None or self.method not in {"POST", "PATCH"} or self.kind in WITHOUT_BODY:
            return None
        if self.kind in OWN_SCHEMAS:
            return json_body(ref(OWN_SCHEMAS[self.kind]))
        suffix = "Change" if self.method == "PATCH" else "New"
        return json_body(ref(component_name(record_type) + suffix))

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        answers = {str(status): json_answer(ref("Error"), TYPES[status]) for status in sorted(self._errors())}
        if self.method in self.view.answers:
            found = self.view.answers[self.method]
            return {status: json_answer(ref(name), name) for status, name in found.items()} | answers
        if self.method == "DELETE" or self.kind in {"RecordSkip", "RecordRemove"}:
            return {"204": {"description": _("Done")}, **answers}
        if self.kind == "JobFile":
            return {"200": {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "CSV"}, **answers}
        if self.kind in {"RecordBulk", "RecordExport", "JobUndo"}:
            return {"202": json_answer(ref("Job"), _("Accepted")), **answers}
        if self.kind in {"JobDetail", "JobCancel"}:
            return {"200": json_answer(ref("Job"), _("A job")), **answers}
        if self.kind in {"RecordViews", "RecordSavedView"}:
            listed = self.kind == "RecordViews" and self.method == "GET"
            status = "201" if self.kind == "RecordViews" and self.method == "POST" else "200"
            return {status: json_answer(ref("ViewPage" if listed else "View"), _("Saved view")), **answers}
        if self.kind == "RecordWhy":
            return {"200": json_answer(ref("Why"), _("Why it is seen")), **answers}
        record_type = self.record_type
        if self.view.component:
            return self._answers_of_people() | answers
        assert record_type is not None, f"{self.path} does not say what it answers with."
        name = component_name(record_type)
        if self.kind == "RecordQuery" or (self.kind == "RecordList" and self.method == "GET"):
            return {"200": json_answer(ref(f"{name}Page"), _("A page")), **answers}
        if self.kind == "RecordBoard":
            return {"200": json_answer(ref("Board"), _("A board")), **answers}
        if self.kind == "RecordArchive":
            answers["202"] = json_answer(ref("Job"), _("Accepted"))
        status = "201" if self.kind in {"RecordList", "RecordCopy"} else "200"
        return {status: json_answer(ref(name), str(record_type.label)), **answers}

    def _errors(self) -> set[int]:
        """What may go wrong."""
        found = set(ERRORS)
        writes = self.method != "GET" and not self.view.reads_by_post
        if writes:
            found |= {402, 409, 422}
        if self.method in {"POST", "PATCH"}:
            found |= {411, 413, 415, 422}
        if self._takes_if_match():
            found.add(412)
        return found

    def _takes_if_match(self) -> bool:
        return self.kind in {"RecordDetail", "RecordFollowing", "RecordSeries"} and self.method in {"PATCH", "DELETE"}

    def _answers_of_people(self) -> dict[str, Any]:
        """Of what is no record: a page, one, or one that was made."""
        name, listed = self.view.component, "{" not in self.path
        if name == "HandOver":
            return {status: json_answer(ref(name), "") for status in ("200", "202")}
        if listed and self.method == "GET":
            return {"200": json_answer(ref(f"{name}Page"), _("A page"))}
        return {"201" if listed else "200": json_answer(ref(name), "")}


ERRORS = {400, 401, 403, 404, 429, 500, 503}


def operator_parameter(field: Field, operator: Operator) -> dict[str, Any]:
    """``amount[gte]`` and its kin."""
    description = f"{field.label} {operator.label}"
    name = f"{field.slug}[{operator.slug}]"
    match operator.value_shape:
        case "none":
            return query_parameter(name, description, {"type": "boolean"})
        case "days":
            return query_parameter(name, description, {"type": "integer", "minimum": 0})
        case "many" | "range":
            listed = {"type": "array", "items": TEXT}
            return {**query_parameter(name, description, listed), "style": "form", "explode": False}
    return query_parameter(name, description)


def visible_types(actor: Actor) -> list[RecordType]:
    return [record_type for record_type in registry.all() if actor.can(record_type.slug, "view")]


def document(actor: Actor) -> bytes:
    """The document as JSON, as ``actor`` may use the API; cached by release, metadata and permissions."""
    rights = [actor.permissions.to_json(), actor.permissions.fields]
    permissions = orjson.dumps(rights, option=orjson.OPT_SORT_KEYS)
    scopes = ",".join(sorted(actor.scopes or ()))
    key = hashlib.sha256(
        b"|".join(
            [
                settings.RELEASE.encode(),
                str(actor.tenant.metadata_version).encode(),
                permissions,
                scopes.encode(),
                tenant_url(actor.tenant, "").encode(),
            ]
        )
    ).hexdigest()
    slot = f"openapi:{actor.tenant.schema_name}:{translation.get_language()}:{key}"
    cache = caches["default"]
    found: bytes | None = cache.get(slot)
    if found is not None:
        return found
    with BUILDING:
        found = cache.get(slot)  # whoever was before may have built it
        if found is None:
            found = orjson.dumps(_build(actor, visible_types(actor)))
            cache.set(slot, found, CACHE_SECONDS)
    return found


def _build(actor: Actor, shown: list[RecordType]) -> dict[str, Any]:
    generator = SchemaGenerator(patterns=[path("api/", include("api.urls"))])  # type: ignore[no-untyped-call]
    schema = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    result: dict[str, Any] = orjson.loads(orjson.dumps(schema, default=str))
    hidden = {f"/api/v1/{record_type.plural}" for record_type in registry.all() if record_type not in shown}
    result["paths"] = {
        route: operations
        for route, operations in result["paths"].items()
        if "/v1/" in route and not any(route == root or route.startswith(f"{root}/") for root in hidden)
    }
    result["servers"] = [
        {"url": tenant_url(actor.tenant, ""), "description": str(_("The workspace"))},
        {"url": api_url(""), "description": str(_("The API of every workspace: the key says which"))},
    ]
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(shared_schemas())
    for record_type in shown:
        schemas.update(record_schemas(actor, record_type))
        unseen = hidden_slugs(actor, record_type)
        listed = result["paths"].get(f"/api/v1/{record_type.plural}", {}).get("get", {})
        if unseen and listed:
            listed["parameters"] = [one for one in listed["parameters"] if one["name"].partition("[")[0] not in unseen]
    return result


class OpenApiDocument(ApiView):
    """This document."""

    answers: ClassVar[Mapping[str, Mapping[str, str]]] = {"GET": {"200": "Document"}}

    def get(self, request: Request) -> Response:
        return Response(orjson.Fragment(document(self.actor)))
