"""The work of one workspace: its events handed to their readers, its timers fired."""

from time import monotonic

from celery import shared_task

from crm.records import timers, wakeups
from crm.records.drainer import SECONDS, drain
from crm.records.timers import Progress
from tenants.scopes import current_tenant
from tenants.tasks import TenantTask
from tenants.wakeups import wakeups_begin, wakeups_done


@shared_task(base=TenantTask, name=wakeups.TASK, ignore_result=True)
def tenant_work(*, tenant_id: str) -> None:
    """Drain events and fire timers for less than a minute; what is left is queued again.

    Wake-ups are forgotten only when all that they stand for is done: what another worker was busy with at the moment
    is looked at again.
    """
    tenant = current_tenant()
    if tenant is None:
        raise RuntimeError("tenant_work runs inside a tenant's scope.")
    until = monotonic() + SECONDS
    begun = wakeups_begin(tenant)
    reached = max(drain(tenant, until=until), timers.fire_due(tenant, until=until))
    if reached is Progress.DONE:
        wakeups_done(tenant, begun)
    elif reached is Progress.MORE:
        wakeups.send(tenant)
