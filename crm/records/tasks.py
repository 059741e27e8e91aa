"""The work of one workspace, a turn at a time: events handed to their readers, timers fired, jobs worked on."""

from uuid import UUID

from celery import shared_task

from crm.records import wakeups
from crm.records.events import timers
from crm.records.events.dispatch import TURN_SECONDS, drain
from crm.records.jobs import jobs
from tenants.actors import TenantRef
from tenants.db.scopes import current_tenant
from tenants.selectors import tenants_served
from tenants.work.task_classes import SharedTask, TenantTask
from tenants.work.turns import Progress, Reached, turns


@shared_task(base=SharedTask, name="crm.records.tasks.events_drain", ignore_result=True)
def events_drain(*, tenant_ids: list[str]) -> None:
    turns(wakeups.EVENTS, tenants_served(tenant_ids), TURN_SECONDS, events_turn)


def events_turn(tenant: TenantRef, until: float) -> Reached:
    """Hand events to their readers, and jobs that are due to the queue of bulk work."""
    jobs.enqueue_due(tenant)
    return drain(tenant, until=until), None


@shared_task(base=SharedTask, name="crm.records.tasks.timers_fire", ignore_result=True)
def timers_fire(*, tenant_ids: list[str]) -> None:
    turns(wakeups.TIMERS, tenants_served(tenant_ids), timers.TURN_SECONDS, timers.fire_due)


@shared_task(base=TenantTask, name="crm.records.tasks.job_work", ignore_result=True, serves_suspended=True)
def job_work(*, tenant_id: str, job_id: str) -> None:
    """Work on one job for less than a minute; what is left is queued again, behind the work of others."""
    tenant = current_tenant()
    if tenant is None:
        raise RuntimeError("job_work runs inside a tenant's scope.")
    if jobs.run(tenant, UUID(job_id)) is Progress.MORE:
        jobs.send(tenant, UUID(job_id))
