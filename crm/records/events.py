"""Events of things that are no records, and the feed of all events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from crm.records import wakeups
from crm.records.models import ChangeSet, Event
from crm.records.noting import save_events
from crm.records.parsing import as_json
from crm.records.types import MEMBER_TARGET, RecordType, registry
from crm.records.visibility import may_read
from crm.records.writing import change_set_new
from crm.workspace.auditing import AUDITED
from tenants.actors import Actor

ROUNDS = 10
OF_MEMBERS = frozenset({MEMBER_TARGET, "team", "role"})
"""What is told of to whom may view members."""
MOST = 500


def note(
    actor: Actor,
    *,
    type: str,
    record_type: str,
    record_id: UUID,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    change_set: ChangeSet | None = None,
    source: str = "ui",
) -> Event:
    """Note that something happened, in the transaction that does it."""
    with transaction.atomic():
        change_set = change_set or change_set_new(actor, source)
        event = Event(
            change_set=change_set,
            type=type,
            record_type=record_type,
            record_id=record_id,
            before=as_json(before or {}),
            after=as_json(after or {}),
            at=timezone.now(),
        )
        save_events(change_set, [event])
        wakeups.wake_now(actor.tenant)
    return event


@dataclass(frozen=True, slots=True)
class Feed:
    """Rows ready for JSON, and the last position that was looked at: where the next call goes on."""

    rows: list[dict[str, Any]]
    position: int


def feed(actor: Actor, after: int = 0, limit: int = 50) -> Feed:
    """What happened after a position, in order: only records and fields that the actor may see now."""
    rows: list[dict[str, Any]] = []
    position = after
    limit = max(1, min(limit, MOST))
    for _round in range(ROUNDS):
        found = list(
            Event.objects.filter(position__gt=position).order_by("position").select_related("change_set")[:limit]
        )
        seen = visible_ids(actor, found)
        for event in found:
            if len(rows) == limit:
                return Feed(rows, position)
            position = event.position or position
            if (event.record_type, event.record_id) in seen and tells_something(actor, event):
                rows.append(row(actor, event))
        if len(found) < limit or len(rows) == limit:
            break
    return Feed(rows, position)


def visible_ids(actor: Actor, events: Sequence[Event]) -> set[tuple[str, UUID]]:
    """Which of the records that events tell of the actor may see, in a query a type."""
    wanted: dict[str, set[UUID]] = {}
    for event in events:
        wanted.setdefault(event.record_type, set()).add(event.record_id)
    seen: set[tuple[str, UUID]] = set()
    for slug, ids in wanted.items():
        if slug in OF_MEMBERS:
            if actor.can(MEMBER_TARGET, "view"):
                seen |= {(slug, record_id) for record_id in ids}
        elif slug in AUDITED:
            if actor.can("workspace", "audit"):
                seen |= {(slug, record_id) for record_id in ids}
        elif slug in registry:
            rt = registry.get(slug)
            rows = rt.visible_to(actor, rt.rows.filter(pk__in=ids))
            seen |= {(slug, record_id) for record_id in rows.values_list("pk", flat=True)}
    return seen


def readable(actor: Actor, rt: RecordType, values: Mapping[str, Any]) -> dict[str, Any]:
    """Of an event's values, those of fields that are shown today, and to the actor."""
    return {
        slug: rt.by_slug[slug].seen(actor, value)
        for slug, value in values.items()
        if slug in rt.by_slug and may_read(actor, rt, slug)
    }


def tells_something(actor: Actor, event: Event) -> bool:
    """Whether an event is of anything that the actor may read: a change of hidden fields alone is none for him."""
    if event.record_type not in registry or not actor.permissions.fields.get(event.record_type):
        return True
    rt = registry.get(event.record_type)
    told = event.before.keys() | event.after.keys()
    return not told or any(slug in rt.by_slug and may_read(actor, rt, slug) for slug in told)


def row(actor: Actor, event: Event) -> dict[str, Any]:
    change_set = event.change_set
    known = event.record_type in registry
    rt = registry.get(event.record_type) if known else None
    return {
        "id": str(event.pk),
        "position": event.position,
        "type": event.type,
        "at": as_json(event.at),
        "record_type": event.record_type,
        "record_id": str(event.record_id),
        "before": readable(actor, rt, event.before) if rt else event.before,
        "after": readable(actor, rt, event.after) if rt else event.after,
        "actor": {
            "kind": change_set.actor_kind,
            "id": as_json(change_set.actor_id),
            "member": as_json(change_set.member_id),
            "label": change_set.actor_label,
        },
        "source": change_set.source,
        "request_id": change_set.request_id,
        "cause_id": as_json(change_set.cause_id),
        "change_set": str(change_set.pk),
    }
