"""What happened to records: events as people read them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, QuerySet

from crm.records.access.field_rights import tells_something
from crm.records.access.visibility import get_record, readable_fields
from crm.records.models import ChangeSet, Event
from crm.records.query import paging
from crm.records.query.language import native
from crm.records.query.paging import SortKey
from crm.records.read.reading import titles
from crm.records.schema.field import Field, Text
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from tenants.actors import Actor

MAX_ROUNDS = 5
KEYS = (
    SortKey("at", True, F("at"), False, Kind.DATETIME),
    SortKey("id", True, F("id"), False, Kind.RELATION),
)
type Title = tuple[str, UUID]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that changed. The labels name choices and related records, and are None for other kinds."""

    field: Field
    before: Any
    after: Any
    before_label: Text | None = None
    after_label: Text | None = None

    @property
    def slug(self) -> str:
        return self.field.slug

    @property
    def label(self) -> Text:
        return self.field.label


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. ``undone`` says that its change-set was taken back, ``undo_of`` that it itself takes one back, and
    ``redoes`` that doing so did something again.

    ``title`` is the record's, None when that is gone or out of sight; ``cursor`` asks for the entries after this one.
    """

    id: UUID
    at: datetime
    type: str
    record_type: str
    record_id: UUID
    title: str | None
    actor_kind: str
    actor_label: str
    member_id: UUID | None
    source: str
    change_set_id: UUID
    undone: bool
    undo_of: UUID | None
    redoes: bool
    changes: list[FieldChange]
    cursor: str

    @property
    def action(self) -> str:
        """The last part of the type: created, updated, stage_changed …"""
        return self.type.rpartition(".")[2]

    @property
    def is_silent(self) -> bool:
        """Whether nothing changed that is told, such as where a series keeps its place."""
        return self.action == "updated" and not self.changes


def record_history(
    actor: Actor, record_type: RecordType, id: UUID, limit: int = 50, cursor: str | None = None
) -> list[Entry]:
    """The newest events of one record first. Raises NotFound and BadCursor."""
    get_record(actor, record_type, id, trashed="include")
    bound_to = cursor_binding(actor, f"{record_type.slug}:{id}")
    events = events_read(actor).filter(record_type=record_type.slug, record_id=id)
    after = paging.decode(cursor, KEYS, bound_to) if cursor else None
    found = list(paging.ordered(events, KEYS, after)[:limit])
    return entries(actor, found, bound_to)


def recent(actor: Actor, limit: int = 20) -> list[Entry]:
    """What happened lately to records that the actor may see now, the newest first."""
    known = [record_type.slug for record_type in registry.all() if actor.can(record_type.slug, "view")]
    seen: list[Event] = []
    events = events_read(actor).filter(record_type__in=known).order_by("-id")
    last: UUID | None = None
    for _round in range(MAX_ROUNDS):
        batch = list((events.filter(id__lt=last) if last else events)[: limit * 2])
        visible = titles(actor, {(event.record_type, event.record_id) for event in batch})
        seen += [event for event in batch if (event.record_type, event.record_id) in visible]
        if len(seen) >= limit or len(batch) < limit * 2:
            break
        last = batch[-1].pk
    return entries(actor, seen[:limit], cursor_binding(actor, "recent"))


def events_read(actor: Actor) -> QuerySet[Event]:
    """Events with their changes, whether undone or not; none that tells of nothing but what the role hides."""
    undone = ChangeSet.objects.filter(undo_of=OuterRef("change_set_id"))
    events = Event.objects.select_related("change_set__undo_of__undo_of").annotate(undone=Exists(undone))
    return events.filter(tells_something(actor))


def cursor_binding(actor: Actor, what: str) -> bytes:
    return paging.binding(actor.tenant.schema_name, "history", what)


def entries(actor: Actor, events: Sequence[Event], bound_to: bytes) -> list[Entry]:
    """Events as people read them: titles are looked up for all of them together."""
    changes = {event.pk: list(changed_fields(actor, event)) for event in events}
    wanted = {(event.record_type, event.record_id) for event in events}
    for found in changes.values():
        for field, before, after in found:
            wanted.update(related(field, before))
            wanted.update(related(field, after))
    known = titles(actor, wanted)
    return [
        Entry(
            id=event.pk,
            at=event.at,
            type=event.type,
            record_type=event.record_type,
            record_id=event.record_id,
            title=known.get((event.record_type, event.record_id)),
            actor_kind=event.change_set.actor_kind,
            actor_label=event.change_set.actor_label,
            member_id=event.change_set.member_id,
            source=event.change_set.source,
            change_set_id=event.change_set_id,
            undone=event.undone,  # type: ignore[attr-defined]
            undo_of=event.change_set.undo_of_id,
            redoes=event.change_set.undo_of is not None and not event.change_set.takes_back,
            changes=[
                FieldChange(
                    field,
                    native(field, before),
                    native(field, after),
                    value_label(field, before, known),
                    value_label(field, after, known),
                )
                for field, before, after in changes[event.pk]
            ],
            cursor=paging.encode([event.at, event.pk], bound_to),
        )
        for event in events
    ]


def changed_fields(actor: Actor, event: Event) -> Iterable[tuple[Field, Any, Any]]:
    """The fields an event speaks of and the actor may read, in the order of their declaration."""
    if event.record_type not in registry:
        return
    for field in readable_fields(actor, registry.get(event.record_type)):
        if field.slug not in event.before and field.slug not in event.after:
            continue
        before, after = (field.redact(actor, values.get(field.slug)) for values in (event.before, event.after))
        if before != after or not field.partial_value:
            yield field, before, after


def related(field: Field, value: Any) -> list[Title]:
    if not value:
        return []
    match field.kind:
        case Kind.RELATION | Kind.MEMBER:
            return [(field.target, UUID(str(value)))]
        case Kind.LINKS:
            return [(field.target, UUID(str(one["id"]))) for one in value]
        case Kind.REFERENCE:
            return [(value["type"], UUID(str(value["id"])))]
        case Kind.REFERENCES:
            return [(one["type"], UUID(str(one["id"]))) for one in value]
    return []


def value_label(field: Field, value: Any, known: Mapping[Title, str]) -> Text | None:
    """The name of a choice or of related records; None for other kinds and for what is out of sight."""
    if field.kind is Kind.CHOICE and value:
        choice = field.choice(value)
        return choice.label if choice else str(value)
    places = related(field, value)
    marks = [marked(field, one) for one in value] if field.mark and value else [""] * len(places)
    names = [known[place] + mark for place, mark in zip(places, marks, strict=True) if place in known]
    return ", ".join(names) if names else None


def marked(field: Field, entry: Mapping[str, Any]) -> str:
    """What is said of one of several references, such as a guest's reply; nothing of the first, usual choice."""
    choice = field.choice(str(entry.get(field.mark) or ""))
    return f" ({choice.label})" if choice and choice != field.choices[0] else ""
