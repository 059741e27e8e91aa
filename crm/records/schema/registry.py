"""The record types that code declares, by their names."""

from crm.records.errors import UnknownType
from crm.records.schema.field import Misdeclared
from crm.records.schema.record_type import RecordType


class Registry:
    """Record types by their names, in the order they were registered in."""

    def __init__(self) -> None:
        self._by_slug: dict[str, RecordType] = {}
        self._by_plural: dict[str, RecordType] = {}
        self._models: set[str] = set()

    def register(self, *types: RecordType) -> None:
        for record_type in types:
            if self._by_slug.get(record_type.slug) is record_type:
                continue
            if (
                record_type.slug in self._by_slug
                or record_type.plural in self._by_plural
                or record_type.model.lower() in self._models
            ):
                raise Misdeclared(f"Record type {record_type.slug!r}: its slug, plural or model is taken.")
            self._by_slug[record_type.slug] = self._by_plural[record_type.plural] = record_type
            self._models.add(record_type.model.lower())

    def get(self, slug: str) -> RecordType:
        try:
            return self._by_slug[slug]
        except KeyError:
            raise UnknownType(slug) from None

    def by_plural(self, plural: str) -> RecordType:
        try:
            return self._by_plural[plural]
        except KeyError:
            raise UnknownType(plural) from None

    def all(self) -> tuple[RecordType, ...]:
        return tuple(self._by_slug.values())

    def __contains__(self, slug: object) -> bool:
        return slug in self._by_slug


registry = Registry()
register = registry.register
