"""Tell the workers that this workspace has work, now or at a time: written with the change, so never lost."""

from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import DateTimeField, Min
from django.db.models.functions import Trunc
from django.utils import timezone

from crm.records.models import Event, HandlerPosition, Timer
from tenants import wakeups
from tenants.actors import TenantRef

log = structlog.get_logger(__name__)

NUDGE_PAUSE = 0.5
SERVED = {"active", "read_only"}
TASK = "crm.records.tasks.tenant_work"

_nudged: dict[UUID, float] = {}


def wake(due_at: datetime | None = None) -> None:
    """Note, in this transaction, that there will be work at ``due_at`` (now, if not given)."""
    wakeups.wake(due_at or timezone.now())


def wake_now(tenant: TenantRef) -> None:
    """Note that there is work, and after the commit ask a worker to look at once."""
    wake()
    transaction.on_commit(partial(nudge, tenant), robust=True)


def nudge(tenant: TenantRef) -> None:
    """Queue the workspace's work; only quickness is lost when the queue cannot be reached or was just told.

    A workspace that is still being made, or is not in service, is left to its wake-ups.
    """
    if tenant.state not in SERVED:
        return
    now = monotonic()
    if now - _nudged.get(tenant.id, -NUDGE_PAUSE) < NUDGE_PAUSE:
        return
    if len(_nudged) > 10_000:
        _nudged.clear()
    _nudged[tenant.id] = now
    try:
        send(tenant)
    except Exception as problem:
        log.warning("nudge.failed", tenant=tenant.schema_name, error=repr(problem))


def send(tenant: TenantRef) -> None:
    from crm.records.tasks import tenant_work

    tenant_work.apply_async(kwargs={"tenant_id": str(tenant.id)}, queue="timers", retry=False)


def wakeups_rebuild(tenant: TenantRef) -> int:
    """Make the wake-ups of a workspace anew from what its own schema says is to be done; returns how many."""
    now = timezone.now()
    due: set[datetime] = set()
    last = HandlerPosition.objects.filter(handler="").values_list("position", flat=True).first() or 0
    behind = HandlerPosition.objects.exclude(handler="").filter(position__lt=last)
    if Event.objects.filter(position=None).exists() or behind.exists():
        due.add(now)
    minutes = (
        Timer.objects.filter(fired_at=None)
        .annotate(minute=Trunc("due_at", "minute", output_field=DateTimeField()))
        .values("minute")
        .annotate(last=Min("due_at"))
        .values_list("minute", flat=True)
    )
    due.update(max(now, minute + timedelta(minutes=1)) for minute in minutes)
    for moment in sorted(due):
        wake(moment)
    return len(due)
