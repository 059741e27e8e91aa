"""Work of workspaces in the background, a short turn at a time: who has much to do queues again behind the others."""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import IntEnum
from time import monotonic
from uuid import UUID

import structlog
from celery import current_app
from django.db import connection

from tenants.actors import TenantRef
from tenants.db.scopes import tenant_scope
from tenants.work.wakeups import turn_end, turn_take, wakeups_begin, wakeups_done, wakeups_put_off, works

log = structlog.get_logger(__name__)

MESSAGE_SECONDS = 0.5
"""After so long what is left of a message goes behind the others: one in it may have had its whole turn."""

type Reached = tuple[Progress, datetime | None]
"""How far a turn came and, when it came to the end, the moment from which on there will be more."""
type Act = Callable[[TenantRef, float], Reached]


class Progress(IntEnum):
    """How far some work came: to its end, up to what another worker is doing, or until time ran out."""

    DONE = 0
    BUSY = 1
    MORE = 2


def turns(work: str, tenants: Sequence[TenantRef], seconds: float, act: Act) -> None:
    """Let tenants ``act`` one after the other, each until a time (``monotonic``); what is left is queued again.

    Those without a wake-up that is due have had their turn since the message was sent. Wake-ups are forgotten only
    when all that they stand for is done. What fails is raised when the others are done.
    """
    begun = wakeups_begin(tenants, work)
    tenants = [tenant for tenant in tenants if begun[tenant.schema_name]]
    end = monotonic() + MESSAGE_SECONDS
    again: list[TenantRef] = []
    failed: list[Exception] = []
    busy: list[str] = []
    done: dict[str, datetime | None] = {}
    rest = list(tenants)
    while rest and (len(rest) == len(tenants) or monotonic() < end):
        tenant = rest.pop(0)
        with tenant_scope(tenant):
            if not turn_take(work):
                busy.append(tenant.schema_name)
                continue
            try:
                progress, next_at = act(tenant, monotonic() + seconds)
            except Exception as problem:
                log.error("turn.failed", tenant=tenant.schema_name, work=work, exc_info=problem)
                if not connection.in_atomic_block:
                    connection.close_if_unusable_or_obsolete()
                failed.append(problem)
                continue
            finally:
                turn_end(work)
        if progress is Progress.MORE:
            again.append(tenant)
        elif progress is Progress.DONE:
            done[tenant.schema_name] = next_at
    if done:
        later = {schema: at for schema, at in done.items() if at is not None}
        wakeups_done(work, {schema: begun[schema] for schema in done}, later)
    if busy:
        wakeups_put_off(work, {schema: begun[schema] for schema in busy})
    send([tenant.id for tenant in [*rest, *again]], work)
    if failed:
        raise failed[0]


def send(tenant_ids: Sequence[UUID], work: str, *, retry: bool = True) -> None:
    """Queue a turn for each of the tenants, as many to a message as go together."""
    found = works[work]
    ids = [str(one) for one in tenant_ids]
    for place in range(0, len(ids), found.together):
        some = {"tenant_ids": ids[place : place + found.together]}
        current_app.send_task(found.task.name, kwargs=some, queue=found.queue, retry=retry)
