"""The values of a row as the write gate and the rules see them: native, by the slugs of the fields."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.apps import apps

from crm.records.fields.parsing import as_json, keys
from crm.records.models import Record
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType


class Links:
    """The LINKS rows of a batch, read once, and only if somebody looks at them."""

    def __init__(self, record_type: RecordType, ids: Sequence[UUID]) -> None:
        self.record_type = record_type
        self.ids = ids
        self.read: dict[str, dict[UUID, dict[UUID, Any]]] = {}

    def rows(self, slug: str) -> dict[UUID, dict[UUID, Any]]:
        """Record id → target id → row of the through model."""
        if slug not in self.read:
            one = self.record_type.by_slug[slug]
            found: dict[UUID, dict[UUID, Any]] = {}
            if self.ids:
                mine, theirs = f"{self.record_type.slug}_id", f"{one.target}_id"
                for row in apps.get_model(one.through)._default_manager.filter(**{f"{mine}__in": self.ids}):
                    found.setdefault(getattr(row, mine), {})[getattr(row, theirs)] = row
            self.read[slug] = found
        return self.read[slug]

    def native(self, slug: str, record_id: UUID) -> list[dict[str, Any]]:
        rows = self.rows(slug).get(record_id, {})
        return [{"id": target, "role": rows[target].role} for target in sorted(rows)]


class Values(dict[str, Any]):
    """Native values by field slug; LINKS are read from the database when they are first looked at."""

    def __init__(self, values: Mapping[str, Any], links: Links, record_id: UUID) -> None:
        super().__init__(values)
        self.links = links
        self.record_id = record_id

    def __missing__(self, slug: str) -> Any:
        if self.links.record_type.by_slug[slug].kind is not Kind.LINKS:
            raise KeyError(slug)
        self[slug] = self.links.native(slug, self.record_id)
        return self[slug]

    def get(self, slug: str, default: Any = None) -> Any:
        return self[slug] if slug in self.links.record_type.by_slug else default


def snapshot(record_type: RecordType, record: Record) -> dict[str, Any]:
    """The native values of a row, LINKS left out."""
    return {one.slug: native(one, record) for one in record_type.fields if one.kind is not Kind.LINKS}


def native(one: Field, record: Record) -> Any:
    if one.kind is Kind.REFERENCE:
        target = getattr(record, f"{one.slug}_id")
        return {"type": getattr(record, f"{one.slug}_type"), "id": target} if target else None
    if one.kind is Kind.REFERENCES:
        return [{**entry, "id": UUID(entry["id"])} for entry in getattr(record, one.column)]
    return getattr(record, one.column)


def put(one: Field, record: Record, value: Any, region: str | None) -> list[str]:
    """Set the columns of a field on a row, and say which they are."""
    if one.kind is Kind.LINKS:
        return []
    if one.kind is Kind.REFERENCE:
        setattr(record, f"{one.slug}_type", value["type"] if value else "")
        setattr(record, f"{one.slug}_id", value["id"] if value else None)
        return [f"{one.slug}_type", f"{one.slug}_id"]
    setattr(record, one.column, as_json(value) if one.kind is Kind.REFERENCES else value)
    if one.keys_column:
        setattr(record, one.keys_column, keys(one, value, region))
        return [one.column, one.keys_column]
    return [one.column]
