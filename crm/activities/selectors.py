"""Reading tasks and notes: what is due, and the one timeline of a record."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from crm.activities.models import Note, Task
from crm.records import history, paging, reading
from crm.records.history import KEYS, Entry
from crm.records.types import RecordType, registry
from crm.workspace.selectors import actor_for_member
from tenants.actors import Actor, TenantRef

EVENT, NOTE, TASK = "event", "note", "task"
TIMELINE_KINDS = frozenset({EVENT, NOTE, TASK})


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task; ``about`` has type, id and title (None when out of sight), ``late`` says open and past its time."""

    id: UUID
    name: str
    description: str
    due_at: datetime | None
    done: bool
    done_at: datetime | None
    priority: str
    assignee_id: UUID | None
    assignee_name: str | None
    assignee_color: str | None
    about: dict[str, Any] | None
    late: bool
    version: int
    is_sample: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NoteRow:
    id: UUID
    body: str
    author_id: UUID | None
    author_name: str | None
    author_color: str | None
    version: int
    is_sample: bool
    created_at: datetime
    updated_at: datetime

    @property
    def edited(self) -> bool:
        return self.version > 1


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """Something on a timeline: exactly one of ``entry``, ``note`` and ``task``, as ``kind`` says."""

    kind: str
    at: datetime
    id: UUID
    entry: Entry | None = None
    note: NoteRow | None = None
    task: TaskRow | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    items: list[TimelineItem]
    next_cursor: str | None


def task_rows(actor: Actor, tasks: QuerySet[Task]) -> list[TaskRow]:
    """Tasks with the names of who does them and what they are about, in two queries and one more a type."""
    rows_found: QuerySet[Any, Any] = tasks.annotate(
        assignee_name=F("assignee__name"), assignee_color=F("assignee__color")
    ).values(
        "id",
        "name",
        "description",
        "due_at",
        "done",
        "done_at",
        "priority",
        "assignee_id",
        "assignee_name",
        "assignee_color",
        "about_type",
        "about_id",
        "version",
        "is_sample",
        "created_at",
    )
    found: list[dict[str, Any]] = list(rows_found)
    titles = reading.titles(actor, {(row["about_type"], row["about_id"]) for row in found if row["about_id"]})
    now = timezone.now()
    rows = []
    for row in found:
        place = (row.pop("about_type"), row.pop("about_id"))
        about = {"type": place[0], "id": place[1], "title": titles.get(place)} if place[1] else None
        late = not row["done"] and row["due_at"] is not None and row["due_at"] < now
        rows.append(TaskRow(**row, about=about, late=late))
    return rows


def seen_by(tenant: TenantRef, member_id: UUID, rt: RecordType, record_id: UUID) -> bool:
    """Whether an active member may see a record: what must hold before he is told of it."""
    actor = actor_for_member(tenant, member_id)
    return actor is not None and reading.visible(actor, rt).filter(pk=record_id).exists()


@dataclass(frozen=True, slots=True)
class DueTasks:
    overdue: list[TaskRow]
    today: list[TaskRow]
    upcoming: list[TaskRow]


def my_tasks(actor: Actor, *, limit: int = 30) -> DueTasks:
    """The actor's own open tasks: late ones, those of the rest of his day, and those of the seven days after it."""
    if actor.member_id is None:
        return DueTasks([], [], [])
    now = timezone.now()
    today = now.astimezone(actor.time_zone)
    day_ends = (today + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    mine = reading.visible(actor, registry.get("task")).filter(assignee_id=actor.member_id, done=False)
    due = mine.filter(due_at__lt=day_ends + timedelta(days=7)).order_by("due_at", "pk")
    rows = task_rows(actor, due[: limit * 3])
    return DueTasks(
        overdue=[row for row in rows if row.late][:limit],
        today=[row for row in rows if not row.late and row.due_at and row.due_at < day_ends][:limit],
        upcoming=[row for row in rows if row.due_at and row.due_at >= day_ends][:limit],
    )


def open_tasks(actor: Actor, record_type: str, record_id: UUID, *, limit: int = 20) -> list[TaskRow]:
    """The open tasks about one record, the next one first."""
    tasks = reading.visible(actor, registry.get("task")).filter(about_type=record_type, about_id=record_id, done=False)
    return task_rows(actor, tasks.order_by(F("due_at").asc(nulls_last=True), "pk")[:limit])


def timeline(
    actor: Actor,
    rt: RecordType,
    id: UUID,
    kinds: Collection[str] | None = None,
    limit: int = 30,
    cursor: str | None = None,
) -> Timeline:
    """What happened to a record, with the notes and tasks about it, the newest first; a task stands where it was done.

    ``kinds`` are some of event, note and task. Raises NotFound and BadCursor.
    """
    reading.get_record(actor, rt, id, trashed="include")
    wanted = TIMELINE_KINDS if kinds is None else TIMELINE_KINDS & set(kinds)
    bound_to = history.cursor_binding(actor, f"{rt.slug}:{id}")
    after = paging.decode(cursor, KEYS, bound_to) if cursor else None
    items: list[TimelineItem] = []
    if EVENT in wanted:
        events = history.events_read().filter(record_type=rt.slug, record_id=id).exclude(type__in=rt.event_types)
        found = list(paging.ordered(events, KEYS, after)[: limit + 1])
        items += [
            TimelineItem(EVENT, entry.at, entry.id, entry=entry) for entry in history.entries(actor, found, bound_to)
        ]
    if NOTE in wanted:
        items += [
            TimelineItem(NOTE, note.created_at, note.id, note=note) for note in _notes(actor, rt, id, after, limit)
        ]
    if TASK in wanted:
        items += [
            TimelineItem(TASK, task.done_at or task.created_at, task.id, task=task)
            for task in _tasks(actor, rt, id, after, limit)
        ]
    items.sort(key=lambda item: (item.at, item.id), reverse=True)
    shown = items[:limit]
    more = len(items) > limit
    return Timeline(shown, paging.encode([shown[-1].at, shown[-1].id], bound_to) if more else None)


def _notes(actor: Actor, rt: RecordType, id: UUID, after: list[Any] | None, limit: int) -> list[NoteRow]:
    rows: QuerySet[Note] = (
        reading.visible(actor, registry.get("note"))
        .filter(about_type=rt.slug, about_id=id)
        .annotate(at=F("created_at"))
    )
    return [
        NoteRow(**row)
        for row in paging.ordered(rows, KEYS, after)
        .annotate(author_id=F("created_by_id"), author_name=F("created_by__name"), author_color=F("created_by__color"))
        .values(
            "id",
            "body",
            "author_id",
            "author_name",
            "author_color",
            "version",
            "is_sample",
            "created_at",
            "updated_at",
        )[: limit + 1]
    ]


def _tasks(actor: Actor, rt: RecordType, id: UUID, after: list[Any] | None, limit: int) -> list[TaskRow]:
    rows: QuerySet[Task] = (
        reading.visible(actor, registry.get("task"))
        .filter(about_type=rt.slug, about_id=id)
        .annotate(at=Coalesce("done_at", "created_at"))
    )
    return task_rows(actor, paging.ordered(rows, KEYS, after)[: limit + 1])
