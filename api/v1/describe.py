"""``GET /v1/types``: the record types this key may see, with their fields, options and what the key may do."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from api.views import ApiView
from crm.records.access.visibility import may_write, readable_fields
from crm.records.query.language import known_fields
from crm.records.query.operators import OPERATORS
from crm.records.schema.field import ID_FIELD, SYSTEM_FIELDS, Field
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.permissions import ACTIONS
from tenants.actors import Actor


def describe_field(actor: Actor, record_type: RecordType, field: Field) -> dict[str, Any]:
    return {
        "slug": field.slug,
        "label": str(field.label),
        "kind": field.kind.value,
        "required": field.required,
        "editable": may_write(actor, record_type, field),
        "sortable": field.sortable,
        "operators": sorted(OPERATORS[field.kind]) if field.slug in known_fields(actor, record_type) else [],
        "choices": [{"value": choice.value, "label": str(choice.label)} for choice in field.choices],
        "target": (field.target or None) if field is not ID_FIELD else None,
        "currency": field.currency or None,
        "max_length": field.max_length,
    }


def every_records_fields() -> list[Field]:
    """What every record has beside its declared fields."""
    return [ID_FIELD, *SYSTEM_FIELDS.values()]


def describe_type(actor: Actor, record_type: RecordType) -> dict[str, Any]:
    return {
        "slug": record_type.slug,
        "plural": record_type.plural,
        "label": str(record_type.label),
        "label_plural": str(record_type.label_plural),
        "title": record_type.title,
        "permissions": {action: actor.scope(record_type.slug, action).name.lower() for action in ACTIONS},
        "fields": [
            describe_field(actor, record_type, one)
            for one in (*readable_fields(actor, record_type), *every_records_fields())
        ],
    }


class TypeList(ApiView):
    component = "Type"

    def get(self, request: Request) -> Response:
        return Response(
            {
                "data": [
                    describe_type(self.actor, record_type)
                    for record_type in registry.all()
                    if self.actor.can(record_type.slug, "view")
                ]
            }
        )
