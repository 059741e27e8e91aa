"""``GET /v1/types``: the record types this key may see, with their fields, options and what the key may do."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from api.views import ApiView
from crm.records import query
from crm.records.types import Field, RecordType, registry
from tenants.actors import Actor


def describe_field(field: Field) -> dict[str, Any]:
    return {
        "slug": field.slug,
        "label": str(field.label),
        "kind": field.kind.value,
        "required": field.required,
        "editable": field.editable,
        "sortable": field.sortable,
        "operators": sorted(query.OPERATORS[field.kind]) if field.filterable else [],
        "choices": [{"value": choice.value, "label": str(choice.label)} for choice in field.choices],
        "target": field.target or None,
        "currency": field.currency or None,
        "max_length": field.max_length,
    }


def describe_type(actor: Actor, rt: RecordType) -> dict[str, Any]:
    return {
        "slug": rt.slug,
        "plural": rt.plural,
        "label": str(rt.label),
        "label_plural": str(rt.label_plural),
        "title": rt.title,
        "permissions": {
            action: actor.scope(rt.slug, action).name.lower() for action in ("view", "create", "edit", "delete")
        },
        "fields": [describe_field(field) for field in rt.fields if not field.hidden],
    }


class TypeList(ApiView):
    def get(self, request: Request) -> Response:
        return Response(
            {"data": [describe_type(self.actor, rt) for rt in registry.all() if self.actor.can(rt.slug, "view")]}
        )
