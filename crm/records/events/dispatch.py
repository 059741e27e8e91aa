"""Gives committed events their positions, one drainer a workspace, and hands them to their readers.

A reader's effect on the workspace's database and its new position are one transaction, so each event has its effect
once, however often a worker is killed. A reader that fails waits, longer each time, and holds up no other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from time import monotonic

import structlog
from django.db import connection, transaction
from django.utils import timezone

from crm.records import wakeups
from crm.records.events.timers import waits
from crm.records.models import Event, HandlerPosition
from tenants.actors import TenantRef
from tenants.db.locks import advisory_lock_try
from tenants.registration import Table
from tenants.work.turns import Progress
from tenants.workspaces.entitlements import why_not_writable

log = structlog.get_logger(__name__)

type EventHandler = Callable[[TenantRef, Event], None]


@dataclass(frozen=True, slots=True)
class EventReader:
    """A handler with the types of events that it is called for: ``deal.created``, ``deal.*``, ``*.created``."""

    handler: EventHandler
    types: tuple[str, ...]

    def wants(self, type: str) -> bool:
        return any(fnmatchcase(type, pattern) for pattern in self.types)


readers = Table[EventReader]("reader of events")


def on(*types: str, name: str, handler: EventHandler) -> None:
    """Have each event of these types be handed to ``handler``, once; an app registers in its ``ready()``.

    The workspaces keep under ``name`` how far it has read. The handler runs in the workspace's scope, in the
    transaction that moves it on. Raises ImproperlyConfigured when the name is taken; ``manage.py check`` refuses a
    type that no app makes.
    """
    readers.add(name, EventReader(handler, types))


POSITIONS_AT_ONCE = 1000
EVENTS_AT_ONCE = 200
TURN_SECONDS = 2.0
COUNTER = ""
GIVE = """
    UPDATE records_event SET position = %s + numbered.number
    FROM (
        SELECT waiting.id, row_number() OVER (ORDER BY waiting.id) AS number
        FROM (SELECT id FROM records_event WHERE position IS NULL ORDER BY id LIMIT %s) AS waiting
    ) AS numbered
    WHERE records_event.id = numbered.id
"""


def drain(tenant: TenantRef, *, until: float | None = None) -> Progress:
    """Number new events and hand them over, as far as time (``monotonic``) allows.

    In a workspace that is not paid for they are numbered, for whoever reads them, and handed over when it is: what the
    readers do is lost to nobody (see ``entitlements_write``).
    """
    until = monotonic() + TURN_SECONDS if until is None else until
    while (given := give_positions()) == POSITIONS_AT_ONCE:
        if monotonic() >= until:
            return Progress.MORE
    reached = [Progress.DONE if given is not None else Progress.BUSY]
    if why_not_writable(tenant) is not None:
        return reached[0]
    reached += [run_handler(tenant, name, reader, until) for name, reader in readers.items()]
    return max(reached)


def give_positions() -> int | None:
    """Number the next events that have no position; None when another drainer is at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not advisory_lock_try("drain"):
            return None
        counter, _made = HandlerPosition.objects.get_or_create(handler=COUNTER)
        cursor.execute(GIVE, [counter.position, POSITIONS_AT_ONCE])
        given: int = cursor.rowcount
        if given:
            HandlerPosition.objects.filter(pk=counter.pk).update(position=counter.position + given)
    return given


def run_handler(tenant: TenantRef, name: str, reader: EventReader, until: float) -> Progress:
    """Hand a reader its next events until there are none."""
    HandlerPosition.objects.get_or_create(handler=name)
    at_once = EVENTS_AT_ONCE
    while monotonic() < until:
        try:
            handled = deliver(tenant, name, reader, at_once)
        except HandlerFailed as failed:
            if at_once == 1:
                note_failure(tenant, name, failed)
                return Progress.DONE
            at_once = 1
            continue
        if handled is None:
            return Progress.BUSY
        if handled < at_once:
            return Progress.DONE
    return Progress.MORE


class HandlerFailed(Exception):
    def __init__(self, event: Event) -> None:
        super().__init__(event.pk)
        self.event = event


def deliver(tenant: TenantRef, name: str, reader: EventReader, at_once: int) -> int | None:
    """One transaction: the effects of up to ``at_once`` events, and the reader's position behind them.

    Returns how many there were; None when another worker is at it.
    """
    with transaction.atomic():
        place = HandlerPosition.objects.filter(handler=name).select_for_update(skip_locked=True).first()
        if place is None:
            return None
        if place.retry_at is not None and place.retry_at > timezone.now():
            return 0
        events = list(
            Event.objects.filter(position__gt=place.position)
            .order_by("position")
            .prefetch_related("change_set")[:at_once]
        )
        if not events:
            return 0
        for event in filter(lambda one: reader.wants(one.type), events):
            try:
                reader.handler(tenant, event)
            except Exception as problem:
                raise HandlerFailed(event) from problem
        HandlerPosition.objects.filter(pk=place.pk).update(
            position=events[-1].position, failures=0, retry_at=None, error=""
        )
    return len(events)


def note_failure(tenant: TenantRef, name: str, failed: HandlerFailed) -> None:
    with transaction.atomic():
        place = HandlerPosition.objects.select_for_update().get(handler=name)
        retry_at = timezone.now() + waits(place.failures + 1)
        HandlerPosition.objects.filter(pk=place.pk).update(
            failures=place.failures + 1, retry_at=retry_at, error=repr(failed.__cause__)[:2000]
        )
        wakeups.wake(wakeups.EVENTS, retry_at)
    log.error(
        "event_handler.failed",
        tenant=tenant.schema_name,
        handler=name,
        event_id=str(failed.event.pk),
        type=failed.event.type,
        failures=place.failures + 1,
        exc_info=failed.__cause__,
    )
