"""The work of one workspace: its events handed to their readers, its timers fired."""

from time import monotonic

from celery import shared_task

from crm.records import timers, wakeups
from crm.records.drainer import SECONDS, drain
from tenants.scopes import current_tenant
from tenants.tasks import TenantTask


@shared_task(base=TenantTask, name=wakeups.TASK, queue="timers", ignore_result=True)
def tenant_work(*, tenant_id: str) -> None:
    """Drain events and fire timers for less than a minute; what is left is queued again."""
    tenant = current_tenant()
    if tenant is None:
        raise RuntimeError("tenant_work runs inside a tenant's scope.")
    until = monotonic() + SECONDS
    drained = drain(tenant, until=until)
    fired = timers.fire_due(tenant, until=until)
    if not (drained and fired):
        wakeups.send(tenant)
