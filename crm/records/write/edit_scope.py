"""How far a change of a record may reach, where the form asks that."""

from collections.abc import Callable
from dataclasses import dataclass

from crm.records.models import Record
from crm.records.schema.field import Text
from crm.records.schema.record_type import RecordType
from crm.records.write.change import Change
from tenants.registration import Table


@dataclass(frozen=True, kw_only=True)
class EditScopeOption:
    """A choice of the form, sent as ``name``; ``save`` takes what an update of the write gate takes."""

    name: str
    label: Text
    save: Callable[..., Change]


@dataclass(frozen=True, kw_only=True)
class EditScope:
    """How far a change of some fields may reach, for a record that ``holds`` names: ``only`` to it, or further."""

    fields: frozenset[str]
    holds: Callable[[Record], bool]
    only: Text
    options: tuple[EditScopeOption, ...]


by_record_type: Table[EditScope] = Table("edit scope")


def edit_scope_register(record_type: RecordType, scope: EditScope) -> None:
    """Raises ImproperlyConfigured when the type has one."""
    by_record_type.add(record_type.slug, scope)


def edit_scope_of(record_type: RecordType) -> EditScope | None:
    return by_record_type.get(record_type.slug)
