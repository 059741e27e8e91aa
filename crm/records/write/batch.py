"""What rules and hooks get: the rows of one write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from crm.records.errors import FieldError
from crm.records.schema.field import Text
from crm.records.schema.record_type import RecordType
from tenants.actors import Actor

if TYPE_CHECKING:
    from crm.records.models import ChangeSet, Record
    from crm.records.write.row_values import Links

type Action = Literal["create", "update", "trash", "restore"]

EVENT_ENDINGS: Mapping[Action, str] = {
    "create": "created",
    "update": "updated",
    "trash": "trashed",
    "restore": "restored",
}


@dataclass(slots=True)
class ExtraEvent:
    type: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(slots=True, kw_only=True, eq=False)
class Draft:
    """One row of a write. ``before`` and ``after`` hold every field of the type, by slug, as native values.

    ``given`` are the slugs the caller named, ``changed`` those whose value differs from before. ``record`` is the
    locked row, or None for a create until it is saved. ``at`` is when the change counts as made.
    """

    batch: "Batch"
    index: int
    record: "Record | None"
    before: Mapping[str, Any]
    after: dict[str, Any]
    given: frozenset[str] = frozenset()
    at: datetime
    errors: list[FieldError] = field(default_factory=list)
    events: list[ExtraEvent] = field(default_factory=list)

    @property
    def changed(self) -> set[str]:
        return {slug for slug, value in self.after.items() if self.before.get(slug) != value}

    def set(self, slug: str, value: Any) -> None:
        """Set a native value; fields that people may not edit included."""
        self.batch.record_type.by_slug[slug]
        self.after[slug] = value

    def error(self, slug: str, code: str, message: Text) -> None:
        """Refuse the write: all errors of all rows are shown together. An empty slug concerns the whole row."""
        if slug:
            self.batch.record_type.field(slug)
        self.errors.append(FieldError(slug, code, message, self.index))

    def event(self, type: str, *, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Note a further event of this record, such as ``deal.stage_changed``, beside the usual one."""
        if type not in self.batch.record_type.event_types:
            raise ValueError(f"{self.batch.record_type.slug} does not declare the event {type}.")
        self.events.append(ExtraEvent(type, before, after))


@dataclass(slots=True, kw_only=True, eq=False)
class Batch:
    """The rows of one write; one record is a batch of one. ``restoring`` writes bring back what was: no rule refuses
    values that were there before it."""

    actor: Actor
    record_type: RecordType
    action: Action
    source: str
    at: datetime
    drafts: list[Draft]
    change_set: "ChangeSet"
    links: "Links | None" = None
    restoring: bool = False
    details: dict[str, Any] = field(default_factory=dict)
