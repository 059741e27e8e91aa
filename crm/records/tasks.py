"""The work of one workspace: its events handed to their readers, its timers fired."""

from time import monotonic

from celery import shared_task

from crm.records import timers, wakeups
from crm.records.drainer import SECONDS, drain
from tenants.scopes import current_tenant
from tenants.tasks import TenantTask
from tenants.wakeups import wakeups_begin, wakeups_done


@shared_task(base=TenantTask, name=wakeups.TASK, queue="timers", ignore_result=True)
def tenant_work(*, tenant_id: str) -> None:
    """Drain events and fire timers for less than a minute; what is left is queued again."""
    tenant = current_tenant()
    if tenant is None:
        raise RuntimeError("tenant_work runs inside a tenant's scope.")
    until = monotonic() + SECONDS
    begun = wakeups_begin(tenant)
    drained = drain(tenant, until=until)
    fired = timers.fire_due(tenant, until=until)
    if drained and fired:
        wakeups_done(tenant, begun)
    else:
        wakeups.send(tenant)
