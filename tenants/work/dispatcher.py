"""Looks where there is work, and queues a turn for whom it is. Two at once share what is due."""

import threading
from datetime import datetime
from uuid import UUID

import structlog
from django.db import DatabaseError, connection
from django.utils import timezone

from tenants.work.turns import send
from tenants.work.wakeups import wakeups_claim, wakeups_next

log = structlog.get_logger(__name__)

LONGEST = 0.25
SHORTEST = 0.02
AFTER_FAILURE = 1.0


def dispatch() -> int:
    """Queue a turn for every workspace and sort of work whose wake-ups are due; gives how many."""
    due: dict[str, list[UUID]] = {}
    for tenant_id, work in wakeups_claim():
        due.setdefault(work, []).append(tenant_id)
    for work, tenant_ids in due.items():
        send(tenant_ids, work)
    return sum(map(len, due.values()))


def pause(next_at: datetime | None) -> float:
    """Seconds until it is worth looking again: when the next wake-up is due, and soon for those yet to come."""
    if next_at is None:
        return LONGEST
    return min(max((next_at - timezone.now()).total_seconds(), SHORTEST), LONGEST)


def run(stopping: threading.Event) -> None:
    """Dispatch until told to stop; what fails is logged and tried again."""
    seconds = 0.0
    while not stopping.wait(seconds):
        try:
            dispatch()
            seconds = pause(wakeups_next())
        except (DatabaseError, OSError) as problem:
            log.warning("dispatch.failed", error=repr(problem))
            connection.close()
            seconds = AFTER_FAILURE
