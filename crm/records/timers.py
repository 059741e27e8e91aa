"""Things to be done about a record at a time, once. ``settings.TIMERS`` says by whom."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import IntEnum
from time import monotonic
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from crm.records import wakeups
from crm.records.models import Timer
from tenants.actors import TenantRef

log = structlog.get_logger(__name__)

type TimerHandler = Callable[[TenantRef, UUID, datetime], None]

LONGEST_WAIT = timedelta(hours=6)
MOMENTS = 20


def schedule(kind: str, record_type: str, record_id: UUID, due_at: datetime) -> None:
    """Set the timer of ``kind`` for a record, in place of the one it had; one that has fired is set again."""
    schedule_many(kind, record_type, [(record_id, due_at)])


def cancel(kind: str, record_ids: Iterable[UUID]) -> None:
    Timer.objects.filter(kind=kind, record_id__in=list(record_ids)).delete()


def schedule_many(kind: str, record_type: str, due: Iterable[tuple[UUID, datetime | None]]) -> None:
    """Set or (for None) cancel many timers, in two statements."""
    if kind not in settings.TIMERS:
        raise ValueError(f"settings.TIMERS has no {kind!r}.")
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
    now = timezone.now()
    moments = {max(timer.due_at, now) for timer in timers}
    if len(moments) > MOMENTS:
        moments = {(moment + timedelta(minutes=1)).replace(second=0, microsecond=0) for moment in moments}
    for moment in sorted(moments):
        wakeups.wake(moment)


def waits(failures: int) -> timedelta:
    """How long to wait after so many failures: a second, then doubling, at most six hours."""
    return min(timedelta(seconds=2 ** min(failures, 16)), LONGEST_WAIT)


class Progress(IntEnum):
    """How far some work came: to its end, up to what another worker is doing, or until time ran out."""

    DONE = 0
    BUSY = 1
    MORE = 2


def fire_due(tenant: TenantRef, *, until: float) -> Progress:
    """Fire timers that are due, each with its effect in one transaction, as far as time (``monotonic``) allows."""
    while monotonic() < until:
        if not fire_next(tenant):
            return Progress.BUSY if due_now(timezone.now()).exists() else Progress.DONE
    return Progress.MORE


def due_now(now: datetime) -> QuerySet[Timer]:
    return Timer.objects.filter(Q(retry_at=None) | Q(retry_at__lte=now), fired_at=None, due_at__lte=now)


def fire_next(tenant: TenantRef) -> bool:
    now = timezone.now()
    with transaction.atomic():
        timer = due_now(now).order_by("due_at").select_for_update(skip_locked=True).first()
        if timer is None:
            return False
        try:
            with transaction.atomic():
                handler: TimerHandler = import_string(settings.TIMERS[timer.kind])
                handler(tenant, timer.record_id, timer.due_at)
                Timer.objects.filter(pk=timer.pk).update(fired_at=now)
        except Exception as problem:
            failures = timer.failures + 1
            retry_at = now + waits(failures)
            Timer.objects.filter(pk=timer.pk).update(failures=failures, retry_at=retry_at, error=repr(problem)[:2000])
            wakeups.wake(retry_at)
            log.exception(
                "timer.failed",
                tenant=tenant.schema_name,
                kind=timer.kind,
                record_id=str(timer.record_id),
                failures=failures,
            )
    return True
