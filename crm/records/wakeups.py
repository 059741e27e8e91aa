"""Tell the workers that this workspace has work, now or at a time: written with the change, so never lost."""

from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from crm.records.models import Event, HandlerPosition, Job, Timer
from tenants.actors import TenantRef
from tenants.work import turns, wakeups

log = structlog.get_logger(__name__)

SERVED = {"active", "read_only"}
EVENTS = "events"
TIMERS = "timers"
NUDGE_PAUSE = timedelta(milliseconds=500)
"""At most so often a worker is asked for a workspace's events at once."""

_nudged: dict[UUID, float] = {}


def wake(work: str, due_at: datetime | None = None) -> None:
    """Note, in this transaction, that there will be work at ``due_at`` (now, if not given)."""
    wakeups.wake(due_at or timezone.now(), work)


def wake_now(tenant: TenantRef) -> None:
    """Note that there are events, and after the commit ask a worker to look at once."""
    wake(EVENTS)
    transaction.on_commit(partial(request_turn, tenant), robust=True)


def request_turn(tenant: TenantRef) -> None:
    """Queue the reading of events; only quickness is lost when the queue cannot be reached or was just told.

    A workspace that is still being made, or is not in service, is left to its wake-ups.
    """
    if tenant.state not in SERVED:
        return
    now = monotonic()
    pause = NUDGE_PAUSE.total_seconds()
    if now - _nudged.get(tenant.id, -pause) < pause:
        return
    if len(_nudged) > 10_000:
        _nudged.clear()
    _nudged[tenant.id] = now
    try:
        send(tenant)
    except Exception as problem:
        log.warning("nudge.failed", tenant=tenant.schema_name, error=repr(problem))


def send(tenant: TenantRef) -> None:
    turns.send([tenant.id], EVENTS, retry=False)


def wakeups_rebuild(tenant: TenantRef) -> int:
    """Make the wake-ups of a workspace anew from what its own schema says is to be done; returns how many."""
    now = timezone.now()
    made = 0
    last = HandlerPosition.objects.filter(handler="").values_list("position", flat=True).first() or 0
    behind = HandlerPosition.objects.exclude(handler="").filter(position__lt=last)
    working = Job.objects.filter(state__in=(Job.State.QUEUED, Job.State.RUNNING))
    if Event.objects.filter(position=None).exists() or behind.exists() or working.exists():
        wake(EVENTS, now)
        made += 1
    first = Timer.objects.filter(fired_at=None).aggregate(first=Min("due_at"))["first"]
    if first is not None:
        wake(TIMERS, max(first, now))
        made += 1
    return made
