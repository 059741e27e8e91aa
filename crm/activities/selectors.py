"""Reading activities: what is planned and when, and the one timeline of a record."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from crm.activities.models import Place
from crm.activities.rules import DAY, UNDATED, WHEN
from crm.activities.visibility import NOUNS, PLANNED
from crm.records.access.visibility import may_read, readable_columns
from crm.records.events import history
from crm.records.events.history import Entry
from crm.records.query import paging
from crm.records.query.paging import SortKey
from crm.records.read import reading
from crm.records.schema.field import MEMBER_TARGET
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from tenants.actors import Actor, Scope

EVENT = "event"
TIMELINE_KINDS = frozenset({EVENT, *NOUNS})
TITLES = {"email": "subject", "note": ""}
TEXTS = {"email": "body", "note": "body"}
MOMENTS = {"email": "sent_at", "note": "created_at"}
FURTHER = (
    "minutes", "done", "done_at", "priority", "outcome", "next_step", "direction", "phone", "place", "repeat",
    "reminder",
)  # fmt: skip
LONGEST = timedelta(days=31)
PLACE_KEYS = (
    SortKey("at", True, F("at"), False, Kind.DATETIME),
    SortKey("id", True, F("activity_id"), False, Kind.RELATION),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRow:
    """An activity of any noun. ``at`` is when it is due, starts or was sent; ``day`` is set when it lasts all day.

    ``assignee`` is the one who does it, of a note its author. ``about`` and ``also`` have type, id and title (None when
    out of sight); ``late`` says open and past its time, ``ahead`` that it is a time of a
    series at which no record stands yet. What the reader may not read of it is empty.
    """

    noun: str
    id: UUID
    title: str
    text: str
    at: datetime | None
    day: date | None = None
    minutes: int | None = None
    done: bool = True
    done_at: datetime | None = None
    priority: str = ""
    outcome: str = ""
    next_step: str = ""
    direction: str = ""
    phone: str = ""
    place: str = ""
    repeat: str = ""
    reminder: int | None = None
    assignee_id: UUID | None = None
    assignee_name: str | None = None
    assignee_color: str | None = None
    about: dict[str, Any] | None = None
    also: list[dict[str, Any]] = field(default_factory=list)
    people: list[dict[str, Any]] = field(default_factory=list)
    late: bool = False
    ahead: bool = False
    version: int = 1
    is_sample: bool = False
    created_at: datetime
    created_by_id: UUID | None = None

    @property
    def record_type(self) -> RecordType:
        return registry.get(self.noun)

    @property
    def edited(self) -> bool:
        return self.version > 1

    @property
    def days(self) -> int:
        """On how many days something stands that lasts all day: a meeting may last several."""
        return max((self.minutes or DAY) // DAY, 1) if self.noun == "meeting" else 1

    @property
    def ends_at(self) -> datetime | None:
        return self.at + timedelta(minutes=self.minutes or 0) if self.at else None


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """Something on a timeline: an ``entry`` of the history or an ``activity``, as ``kind`` says."""

    kind: str
    at: datetime
    id: UUID
    entry: Entry | None = None
    activity: ActivityRow | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    items: list[TimelineItem]
    next_cursor: str | None


def columns_of(actor: Actor, noun: str) -> dict[str, str]:
    """The keys of an ActivityRow that the actor may read of a noun, and their columns."""
    record_type = registry.get(noun)
    moment, day = WHEN.get(noun, (MOMENTS.get(noun, ""), ""))
    wanted = {
        "title": TITLES.get(noun, "name"),
        "text": TEXTS.get(noun, "description"),
        "at": moment,
        "day": day,
        "people": "guests" if noun == "meeting" else "people",
        "also": "also",
        **{slug: slug for slug in FURTHER},
    }
    there = {key: slug for key, slug in wanted.items() if slug in record_type.by_slug or slug == "created_at"}
    return readable_columns(actor, record_type, there)


def activity_rows(actor: Actor, noun: str, rows: QuerySet[Any], *, titled: bool = True) -> list[ActivityRow]:
    """Activities of one noun with the name of who does them: one query, and one a type for the titles of what they
    are on and with."""
    columns = columns_of(actor, noun)
    holder = "created_by" if noun == "note" else "assignee"
    system = ("id", "version", "is_sample", "created_at", "created_by_id")
    places = ("about_type", "about_id")
    names = (f"{holder}_id", f"{holder}__name", f"{holder}__color")
    found: list[dict[str, Any]] = list(rows.values(*{*system, *columns.values(), *places, *names}))
    now = timezone.now()
    today = now.astimezone(actor.time_zone).date()
    made = []
    for row in found:
        values: dict[str, Any] = {"title": "", "text": "", "at": None, **{slug: row[slug] for slug in system}}
        values |= {key: row[slug] for key, slug in columns.items()}
        for key in ("also", "people"):
            values[key] = [{**one, "id": UUID(one["id"])} for one in values.get(key) or ()]
        if row["about_id"]:
            values["about"] = {"type": row["about_type"], "id": row["about_id"]}
        values |= dict(zip(("assignee_id", "assignee_name", "assignee_color"), map(row.get, names), strict=True))
        past = values["day"] < today if values.get("day") else values["at"] is not None and values["at"] < now
        made.append(ActivityRow(noun=noun, late=past and not values.get("done", True), **values))
    if titled:
        entitle(actor, made)
    return made


def entitle(actor: Actor, rows: Iterable[ActivityRow], *, on: bool = True) -> None:
    """Put the titles of who activities are with and, with ``on``, of what they are on: one query a type."""
    entries = [
        one
        for row in rows
        for one in [*row.people, *(row.also if on else ()), *([row.about] if on and row.about else ())]
    ]
    titles = reading.titles(actor, {(one["type"], one["id"]) for one in entries})
    for one in entries:
        one["title"] = titles.get((one["type"], one["id"]))


# -- what is planned ---------------------------------------------------------------------------------------------------


def places(actor: Actor, nouns: Collection[str]) -> QuerySet[Place]:
    """Where the activities that the actor may see stand, as far as they may read what these are on."""
    seen = Q()
    nothing = True
    for noun in nouns:
        record_type = registry.get(noun)
        if actor.scope(noun, "view") is Scope.NONE:
            continue
        nothing = False
        standing = Q(noun=noun)
        if not may_read(actor, record_type, "also"):
            main = record_type.rows.filter(pk=OuterRef("activity_id"), about_id=OuterRef("about_id"))
            standing &= Q(Exists(main))
        if not record_type.shows_all_to(actor):
            # EXISTS, not IN: Postgres would put all the team's activities into a hash, for a few places.
            standing &= Q(Exists(record_type.visible_to(actor).filter(pk=OuterRef("activity_id"))))
        seen |= standing
    return Place.objects.none() if nothing else Place.objects.filter(seen)


def planned_places(actor: Actor) -> QuerySet[Place]:
    """Of open tasks, calls and meetings, the next one first; those without a time are planned for ``UNDATED``."""
    return places(actor, PLANNED).filter(planned_at__isnull=False).order_by("planned_at")


def planned(actor: Actor, record_type: str, record_id: UUID, *, limit: int = 20) -> list[ActivityRow]:
    """The open activities on one record, the next one first."""
    found = (
        planned_places(actor).filter(about_type=record_type, about_id=record_id).order_by("planned_at", "activity_id")
    )
    order = list(found.values_list("noun", "activity_id")[:limit])
    return fetched(actor, order)


def fetched(actor: Actor, order: list[tuple[str, UUID]]) -> list[ActivityRow]:
    """Activities that the actor may see, in the order given, with the names of who they are with: a query a noun, and
    one a type of these."""
    by_noun: dict[str, list[UUID]] = {}
    for noun, pk in order:
        by_noun.setdefault(noun, []).append(pk)
    rows = {
        row.id: row
        for noun, ids in by_noun.items()
        for row in activity_rows(actor, noun, registry.get(noun).rows.filter(pk__in=ids), titled=False)
    }
    entitle(actor, rows.values(), on=False)
    return [rows[pk] for _noun, pk in order if pk in rows]


@dataclass(frozen=True, slots=True)
class Plan:
    """What somebody has to do, by when."""

    overdue: list[ActivityRow]
    today: list[ActivityRow]
    upcoming: list[ActivityRow]


def my_plan(actor: Actor, *, limit: int = 30) -> Plan:
    """The open tasks, calls and meetings that the actor takes part in: late ones, those of the rest of their day, and
    those of the seven days after it. A meeting that has begun is no longer due."""
    if actor.member_id is None:
        return Plan([], [], [])
    now = timezone.now()
    today = now.astimezone(actor.time_zone)
    day_ends = (today + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    rows: list[ActivityRow] = []
    for noun in PLANNED:
        moment, _day = WHEN[noun]
        mine = reading.visible(actor, registry.get(noun)).filter(
            takes_part(actor, noun, [actor.member_id]), done=False, **{f"{moment}__lt": day_ends + timedelta(days=7)}
        )
        if noun == "meeting":
            mine = mine.filter(starts_at__gte=now - timedelta(hours=12))
        rows += activity_rows(actor, noun, mine.order_by(moment, "pk")[: limit * 3], titled=False)
    rows.sort(key=lambda row: (row.at or UNDATED, row.id))
    due = Plan(
        [row for row in rows if row.late and row.noun != "meeting"][:limit],
        [row for row in rows if row.at and (not row.late or row.noun == "meeting") and row.at < day_ends][:limit],
        [row for row in rows if row.at and row.at >= day_ends][:limit],
    )
    entitle(actor, [*due.overdue, *due.today, *due.upcoming])
    return due


def agenda(
    actor: Actor,
    start: datetime,
    end: datetime,
    member_ids: Collection[UUID] | None = None,
    *,
    nouns: Collection[str] = PLANNED,
    limit: int = 500,
) -> list[ActivityRow]:
    """The tasks, calls and meetings that stand in a period, by time; with ``member_ids`` those that these do or, as
    far as meetings go, are guests of. What lasts all day is there by its ``day``, in whatever zone it is looked at."""
    first, last = (moment.astimezone(actor.time_zone).date() for moment in (start, end - timedelta(microseconds=1)))
    rows: list[ActivityRow] = []
    for noun in nouns:
        moment, day = WHEN[noun]
        when = Q(**{f"{moment}__lt": end, f"{moment}__gte": start - LONGEST})
        if day:
            when &= Q(**{f"{day}__isnull": True})
            when |= Q(**{f"{day}__lte": last, f"{day}__gte": first - LONGEST})
        found = reading.visible(actor, registry.get(noun)).filter(when)
        if member_ids is not None:
            found = found.filter(takes_part(actor, noun, member_ids))
        rows += [
            row
            for row in activity_rows(actor, noun, found.order_by(f"-{moment}", "pk")[:limit], titled=False)
            if stands_in(row, start, end, first)
        ]
    rows.sort(key=lambda row: (row.at or UNDATED, row.id))
    entitle(actor, rows)
    return rows


def replies_of(actor: Actor, meeting_ids: Collection[UUID]) -> dict[UUID, str]:
    """What the actor has answered to those of the meetings that they are a guest of and that are still to come."""
    record_type = registry.get("meeting")
    mine = reading.visible(actor, record_type).filter(
        Q(starts_at__gt=timezone.now()) | Q(starts_on__gte=timezone.now().astimezone(actor.time_zone).date()),
        pk__in=list(meeting_ids),
        done=False,
        guests__contains=[{"type": MEMBER_TARGET, "id": str(actor.member_id)}],
    )
    return {
        pk: one["reply"]
        for pk, guests in mine.values_list("pk", "guests")
        for one in guests
        if (one["type"], one["id"]) == (MEMBER_TARGET, str(actor.member_id))
    }


def takes_part(actor: Actor, noun: str, member_ids: Collection[UUID]) -> Q:
    """What one of the members does or is a guest of, as far as the actor may read whom meetings are with."""
    condition = Q(assignee_id__in=list(member_ids))
    if noun == "meeting":
        told = may_read(actor, registry.get(noun), "guests")
        for one in member_ids if told else {actor.member_id} & set(member_ids):
            condition |= Q(guests__contains=[{"type": MEMBER_TARGET, "id": str(one)}])
    return condition


def stands_in(row: ActivityRow, start: datetime, end: datetime, first: date) -> bool:
    if row.day is not None:
        return row.day + timedelta(days=row.days) > first
    return row.at is not None and (row.at >= start or (row.ends_at or row.at) > start)


# -- the timeline ------------------------------------------------------------------------------------------------------


def timeline(
    actor: Actor,
    record_type: RecordType,
    id: UUID,
    kinds: Collection[str] | None = None,
    limit: int = 30,
    cursor: str | None = None,
) -> Timeline:
    """What happened to a record, with the activities on it that are done, the newest first; open ones are ``planned``.

    ``kinds`` are some of TIMELINE_KINDS. Raises NotFound and BadCursor.
    """
    reading.get_record(actor, record_type, id, trashed="include")
    wanted = TIMELINE_KINDS if kinds is None else TIMELINE_KINDS & set(kinds)
    bound_to = history.cursor_binding(actor, f"{record_type.slug}:{id}")
    after = paging.decode(cursor, history.KEYS, bound_to) if cursor else None
    items: list[TimelineItem] = []
    if EVENT in wanted:
        events = (
            history.events_read(actor)
            .filter(record_type=record_type.slug, record_id=id)
            .exclude(type__in=record_type.event_types)
        )
        found = list(paging.ordered(events, history.KEYS, after)[: limit + 1])
        items += [
            TimelineItem(EVENT, entry.at, entry.id, entry=entry) for entry in history.entries(actor, found, bound_to)
        ]
    stand = places(actor, wanted - {EVENT}).filter(about_id=id, about_type=record_type.slug, at__isnull=False)
    stood = list(paging.ordered(stand, PLACE_KEYS, after).values_list("noun", "activity_id", "at")[: limit + 1])
    items += [TimelineItem(noun, at, pk) for noun, pk, at in stood]
    items.sort(key=lambda item: (item.at, item.id), reverse=True)
    shown = items[:limit]
    rows = {row.id: row for row in fetched(actor, [(one.kind, one.id) for one in shown if one.entry is None])}
    full = [
        one if one.entry else with_activity(actor, one, rows[one.id]) for one in shown if one.entry or one.id in rows
    ]
    more = len(items) > limit
    return Timeline(full, paging.encode([shown[-1].at, shown[-1].id], bound_to) if more else None)


def with_activity(actor: Actor, item: TimelineItem, row: ActivityRow) -> TimelineItem:
    """A line of the timeline with its activity, by its own time where the role does not show when it was done."""
    if item.kind in PLANNED and not may_read(actor, row.record_type, "done_at"):
        return replace(item, activity=row, at=row.at or row.created_at)
    return replace(item, activity=row)
