"""Events of things that are no records, and the feed of all events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from crm.records import wakeups
from crm.records.access.field_rights import kinds_seen, sees, tells_something
from crm.records.access.visibility import may_read
from crm.records.events.dispatch import COUNTER
from crm.records.fields.parsing import as_json
from crm.records.models import ChangeSet, Event, HandlerPosition
from crm.records.schema.field import MEMBER_TARGET
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write.event_store import id_from, save_events
from crm.records.write.gate import change_set_new
from tenants.actors import Actor
from tenants.workspaces.limits import history_from

MAX_EVENTS = 500
MAX_LOOKED_AT = 5000


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
    """Rows ready for JSON. ``position`` is where the next call goes on, ``has_more`` whether there is more by now.

    ``since`` is from when on the plan shows events, None from the beginning.
    """

    rows: list[dict[str, Any]]
    position: int
    has_more: bool
    since: datetime | None


def feed(actor: Actor, after: int = 0, limit: int = 50) -> Feed:
    """What happened after a position, in order: only records and fields that the actor may see now.

    A page is full unless it is the last. Nothing from before the days that the plan shows.
    """
    limit = max(1, min(limit, MAX_EVENTS))
    since = history_from(actor.tenant)
    if since is not None:
        after = max(after, position_before(since))
    end = HandlerPosition.objects.filter(handler=COUNTER).values_list("position", flat=True).first() or 0
    told = Event.objects.filter(tells_something(actor), record_type__in=kinds_seen(actor), position__lte=end)
    found: list[int] = []
    reached, at_once = after, limit + 1
    while len(found) <= limit:
        looked_at = list(
            told.filter(position__gt=reached)
            .order_by("position")
            .values_list("position", "record_type", "record_id")[:at_once]
        )
        seen = visible_ids(actor, [(kind, record_id) for _position, kind, record_id in looked_at])
        found += [position for position, *about in looked_at if position and tuple(about) in seen]
        if len(looked_at) < at_once:
            break
        reached, at_once = looked_at[-1][0] or end, min(at_once * 4, MAX_LOOKED_AT)
    has_more = len(found) > limit
    events = Event.objects.filter(position__in=found[:limit]).order_by("position").select_related("change_set")
    rows = [row(actor, event) for event in events]
    return Feed(rows, found[limit - 1] if has_more else max(after, end), has_more, since)


def position_before(moment: datetime) -> int:
    """The position after which everything happened at a moment or later; that of the last event where nothing did."""
    told = Event.objects.filter(position__isnull=False)
    first = told.filter(id__gte=id_from(moment)).order_by("id").values_list("position", flat=True).first()
    if first is not None:
        return first - 1
    return told.order_by("-position").values_list("position", flat=True).first() or 0


def visible_ids(actor: Actor, about: Iterable[tuple[str, UUID]]) -> set[tuple[str, UUID]]:
    """Of what events of kinds that the actor sees tell of, what they see: in a query a record type."""
    wanted: dict[str, set[UUID]] = {}
    for kind, record_id in about:
        wanted.setdefault(kind, set()).add(record_id)
    seen: set[tuple[str, UUID]] = set()
    for kind, ids in wanted.items():
        if kind in registry:
            record_type = registry.get(kind)
            ids = set(record_type.visible_to(actor, record_type.rows.filter(pk__in=ids)).values_list("pk", flat=True))
        seen |= {(kind, record_id) for record_id in ids}
    return seen


def readable(actor: Actor, record_type: RecordType, values: Mapping[str, Any]) -> dict[str, Any]:
    """Of an event's values, those of fields that are shown today, and to the actor."""
    return {
        slug: record_type.by_slug[slug].redact(actor, value)
        for slug, value in values.items()
        if slug in record_type.by_slug and may_read(actor, record_type, slug)
    }


def row(actor: Actor, event: Event) -> dict[str, Any]:
    change_set = event.change_set
    known = event.record_type in registry
    record_type = registry.get(event.record_type) if known else None
    return {
        "id": str(event.pk),
        "position": event.position,
        "type": event.type,
        "at": as_json(event.at),
        "record_type": event.record_type,
        "record_id": str(event.record_id),
        "before": readable(actor, record_type, event.before) if record_type else event.before,
        "after": readable(actor, record_type, event.after) if record_type else event.after,
        "actor": {
            "kind": change_set.actor_kind,
            "id": as_json(change_set.actor_id),
            "member": as_json(change_set.member_id),
            "label": change_set.actor_label if names_whom(actor, change_set) else None,
        },
        "source": change_set.source,
        "request_id": change_set.request_id,
        "cause_id": as_json(change_set.cause_id),
        "change_set": str(change_set.pk),
    }


def names_whom(actor: Actor, change_set: ChangeSet) -> bool:
    """Whether the actor may read who did something: themselves, no member at all, or one of those whom they see."""
    return change_set.member_id in (None, actor.member_id) or sees(actor, MEMBER_TARGET)
