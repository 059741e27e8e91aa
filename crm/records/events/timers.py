"""Things to be done about a record at a time, once, by whom an app has registered for it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.utils import timezone

from crm.records import wakeups
from crm.records.models import Timer
from tenants.actors import TenantRef
from tenants.registration import Table
from tenants.work.turns import Progress, Reached
from tenants.workspaces.entitlements import why_not_writable

log = structlog.get_logger(__name__)

TAKE = """
    SET LOCAL synchronous_commit = off;
    SELECT id, kind, record_id, due_at, failures FROM records_timer
    WHERE fired_at IS NULL AND due_at <= %(now)s AND (retry_at IS NULL OR retry_at <= %(now)s)
    AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s))
    ORDER BY due_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
"""
FIRED = """
    WITH fired AS (
        UPDATE records_timer SET fired_at = %(at)s WHERE id = ANY(%(ids)s) AND due_at <= %(now)s
    )
    SELECT min(due_at) FROM records_timer
    WHERE fired_at IS NULL AND retry_at IS NULL AND (due_at > %(now)s OR id <> ALL(%(ids)s))
    AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s))
"""


class Due(NamedTuple):
    """A record whose timer is due, and since when."""

    record_id: UUID
    due_at: datetime


class Taken(NamedTuple):
    """A timer that this worker has locked."""

    id: UUID
    kind: str
    record_id: UUID
    due_at: datetime
    failures: int


class HandlerFailed(Exception):
    """The handler of some timers raised what is its cause."""


type TimerHandler = Callable[[TenantRef, Sequence[Due]], None]
"""Is handed timers of one kind that are due together. What it does, it does once however often it is called."""


@dataclass(frozen=True, slots=True)
class TimerKind:
    handler: TimerHandler
    alone: bool
    unpaid: bool


kinds = Table[TimerKind]("kind of timer")


def register(kind: str, handler: TimerHandler, *, alone: bool = False, unpaid: bool = False) -> None:
    """Have timers of a kind be handed to ``handler`` when they are due; an app registers in its ``ready()``.

    One whose work takes long gets them one at a time (``alone``), so that a turn ends in time. One that changes nothing
    which a member wrote does not wait while a workspace is not paid for (``unpaid``). Raises ImproperlyConfigured when
    the kind is taken.
    """
    kinds.add(kind, TimerKind(handler, alone, unpaid))


LONGEST_WAIT = timedelta(hours=6)
STEP = timedelta(milliseconds=250)
BATCH_SIZE = 100
TURN_SECONDS = 0.3
"""A turn's length: nobody waits longer for a workspace that has thousands of timers due."""


def schedule(kind: str, record_type: str, record_id: UUID, due_at: datetime) -> None:
    """Set the timer of ``kind`` for a record, in place of the one it had; one that has fired is set again."""
    schedule_many(kind, record_type, [(record_id, due_at)])


def cancel(kind: str, record_ids: Iterable[UUID]) -> None:
    Timer.objects.filter(kind=kind, record_id__in=list(record_ids)).delete()


def schedule_many(kind: str, record_type: str, due: Iterable[tuple[UUID, datetime | None]]) -> None:
    """Set or (for None) cancel many timers, in two statements."""
    if kind not in kinds:
        raise ValueError(f"There is no kind of timer named {kind!r}.")
    wanted = dict(due)
    gone = [record_id for record_id, when in wanted.items() if when is None]
    if gone:
        cancel(kind, gone)
    timers = [
        Timer(kind=kind, record_type=record_type, record_id=record_id, due_at=when)
        for record_id, when in wanted.items()
        if when is not None
    ]
    if not timers:
        return
    Timer.objects.bulk_create(
        timers,
        update_conflicts=True,
        unique_fields=["kind", "record_id"],
        update_fields=["record_type", "due_at", "fired_at", "failures", "retry_at", "error"],
    )
    wakeups.wake(wakeups.TIMERS, moment(min(timer.due_at for timer in timers)))


def look_again(kinds: Iterable[str], record_ids: Iterable[UUID] | None = None) -> None:
    """Hand waiting timers to their handlers now, since what their time follows from has changed: a handler puts off
    what is not due yet to its own time."""
    now = timezone.now()
    waiting = Timer.objects.filter(kind__in=list(kinds), fired_at=None, due_at__gt=now)
    if record_ids is not None:
        waiting = waiting.filter(record_id__in=list(record_ids))
    if waiting.update(due_at=now):
        wakeups.wake(wakeups.TIMERS, now)


def moment(due_at: datetime) -> datetime:
    """When to look for what is due at ``due_at``: then, or up to a quarter of a second later, together with others.

    One wake-up for the first is enough: whoever has fired that one looks when the next is due.
    """
    beyond = timedelta(microseconds=due_at.microsecond % STEP.microseconds)
    return max(due_at + STEP - beyond if beyond else due_at, timezone.now())


def waits(failures: int) -> timedelta:
    """How long to wait after so many failures: a second, then doubling, at most six hours."""
    return min(timedelta(seconds=2 ** min(failures, 16)), LONGEST_WAIT)


def fire_due(tenant: TenantRef, until: float) -> Reached:
    """Fire timers that are due, each with its effect or not at all, as far as time (``monotonic``) allows."""
    while True:
        looked_at, next_at = fire_some(tenant, until)
        if monotonic() >= until:
            return Progress.MORE, None
        if looked_at < BATCH_SIZE:
            return Progress.DONE, next_at


def fire_some(tenant: TenantRef, until: float) -> tuple[int, datetime | None]:
    """Fire the timers that are due for the longest, in one transaction; how many were taken, and when to look again.

    Where a handler fails, nothing of it stands and each timer is fired by itself, so that only those wait that fail.
    In a workspace that is not paid for most kinds wait until it is (see ``entitlements_write``).
    """
    now = timezone.now()
    some = None if why_not_writable(tenant) is None else [kind for kind, one in kinds.items() if one.unpaid]
    try:
        with transaction.atomic():
            taken = take(now, some)
            fired = [one for batch in batches(taken) if monotonic() < until for one in handled(tenant, batch)]
            return len(taken), note_fired(fired, now, some)
    except HandlerFailed:
        pass
    with transaction.atomic():
        taken = take(now, some)
        fired = []
        for timer in taken:
            if monotonic() >= until:
                break
            try:
                with transaction.atomic():
                    fired += handled(tenant, [timer])
            except HandlerFailed as failed:
                note_failure(tenant, timer, now, failed)
        return len(taken), note_fired(fired, now, some)


def take(now: datetime, some: list[str] | None) -> list[Taken]:
    """Lock what is due for the longest and no other worker has; of ``some`` kinds, None for all.

    The commit does not wait for the disk: were it lost with the machine, so would be the effects, and both come again.
    """
    with connection.cursor() as cursor:
        cursor.execute(TAKE, {"now": now, "kinds": some, "most": BATCH_SIZE})
        return [Taken(*row) for row in cursor.fetchall()]


def batches(taken: Sequence[Taken]) -> Iterator[list[Taken]]:
    """What is handed to a handler together: timers of one kind."""
    alone = {kind for kind, one in kinds.items() if one.alone}
    by_kind: dict[str, list[Taken]] = {}
    for timer in taken:
        by_kind.setdefault(timer.kind, []).append(timer)
    for kind, group in by_kind.items():
        yield from ([one] for one in group) if kind in alone else [group]


def handled(tenant: TenantRef, batch: list[Taken]) -> list[Taken]:
    """Raises HandlerFailed."""
    try:
        kinds[batch[0].kind].handler(tenant, [Due(timer.record_id, timer.due_at) for timer in batch])
    except Exception as problem:
        raise HandlerFailed from problem
    return batch


def note_fired(fired: Sequence[Taken], now: datetime, some: list[str] | None) -> datetime | None:
    """Note those that have fired, but for what a handler has put off; when to look for the first that is left.

    At once, if another worker has it and may fail.
    """
    with connection.cursor() as cursor:
        about: dict[str, Any] = {"ids": [timer.id for timer in fired], "kinds": some, "now": now, "at": timezone.now()}
        cursor.execute(FIRED, about)
        first: datetime | None = cursor.fetchone()[0]
    return None if first is None else moment(first)


def note_failure(tenant: TenantRef, timer: Taken, now: datetime, failed: HandlerFailed) -> None:
    failures = timer.failures + 1
    retry_at = now + waits(failures)
    Timer.objects.filter(pk=timer.id).update(failures=failures, retry_at=retry_at, error=repr(failed.__cause__)[:2000])
    wakeups.wake(wakeups.TIMERS, retry_at)
    log.error(
        "timer.failed",
        tenant=tenant.schema_name,
        kind=timer.kind,
        record_id=str(timer.record_id),
        failures=failures,
        exc_info=failed.__cause__,
    )
