"""The work of one workspace, a turn at a time: events handed to their readers, timers fired, jobs worked on."""

from functools import partial
from uuid import UUID

from celery import shared_task
from django.db import transaction
from django.utils import timezone

from crm.records import wakeups
from crm.records.events import timers
from crm.records.events.dispatch import TURN_SECONDS, drain
from crm.records.jobs import jobs
from crm.records.models import Job
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
    enqueue_due(tenant)
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
        send(tenant, UUID(job_id))


def enqueue_due(tenant: TenantRef) -> None:
    """Queue the jobs that are to be looked at now, a few of a workspace at once.

    Whoever works on one puts ``next_at`` off; a job whose worker was lost comes up again by itself. One that changes
    something in a workspace that is not paid for stays where it is until it is (see ``entitlements_write``).
    """
    now = timezone.now()
    open_ones = Job.objects.filter(jobs.going_on(tenant), state__in=jobs.OPEN)
    with transaction.atomic():
        busy = open_ones.filter(state=Job.State.RUNNING, next_at__gt=now).count()
        due = open_ones.filter(next_at__lte=now).order_by("next_at", "id")
        ids = list(
            due.select_for_update(skip_locked=True).values_list("pk", flat=True)[: max(0, jobs.MAX_RUNNING - busy)]
        )
        if not ids:
            return
        Job.objects.filter(pk__in=ids).update(state=Job.State.RUNNING, next_at=now + jobs.LEASE)
        wakeups.wake(wakeups.EVENTS, now + jobs.LEASE)
        for job_id in ids:
            transaction.on_commit(partial(send, tenant, job_id), robust=True)


def send(tenant: TenantRef, job_id: UUID) -> None:
    job_work.apply_async(kwargs={"tenant_id": str(tenant.id), "job_id": str(job_id)}, queue="bulk", retry=False)
