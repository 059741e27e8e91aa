"""What billing does in the background."""

from uuid import UUID

from celery import shared_task

from billing import webhooks
from billing.errors import AccountBusy, StripeAway
from billing.mails import outbox
from billing.outgoing import requests_finish
from billing.stripe_writes import OPERATIONS
from billing.subscriptions import seat_sync
from billing.subscriptions.sync import subscription_sync
from billing.sweeps import lifecycle, reconcile
from tenants.work.task_classes import SharedTask


@shared_task(base=SharedTask, name="billing.tasks.events_pick_up", queue="interactive", ignore_result=True)
def events_pick_up() -> None:
    webhooks.events_pick_up()


@shared_task(
    base=SharedTask,
    name="billing.tasks.account_sync",
    queue="interactive",
    autoretry_for=(StripeAway, AccountBusy),
    retry_backoff=5,
    retry_backoff_max=600,
    max_retries=50,
    ignore_result=True,
)
def account_sync(*, account_id: str) -> None:
    """Find out what a page could not: Stripe was away, or somebody else was asking."""
    subscription_sync(UUID(account_id))


@shared_task(base=SharedTask, name="billing.tasks.requests_finish", queue="interactive", ignore_result=True)
def finish_requests() -> None:
    """Close requests that got no answer, and fetch the accounts that they were for."""
    closed = requests_finish(OPERATIONS)
    for account_id in {one.account_id for one in closed if one.account_id is not None}:
        account_sync.delay(account_id=str(account_id))


@shared_task(base=SharedTask, name="billing.tasks.events_sweep", queue="bulk", ignore_result=True)
def events_sweep() -> None:
    if reconcile.events_sweep().finished_at is None:
        events_sweep.delay()


@shared_task(base=SharedTask, name="billing.tasks.reconcile_all", queue="bulk", ignore_result=True)
def reconcile_all() -> None:
    if reconcile.reconcile_all().finished_at is None:
        reconcile_all.delay()
    else:
        webhooks.events_forget()


@shared_task(base=SharedTask, name="billing.tasks.seats_tell", queue="interactive", ignore_result=True)
def seats_tell(*, tenant_id: str) -> None:
    seat_sync.seats_tell(UUID(tenant_id))


@shared_task(base=SharedTask, name="billing.tasks.seats_sweep", queue="bulk", ignore_result=True)
def seats_sweep() -> None:
    """What was not told to Stripe is told, and what renews within a day is billed for who is there."""
    for tenant_id in seat_sync.seats_due():
        seats_tell.delay(tenant_id=str(tenant_id))


@shared_task(base=SharedTask, name="billing.tasks.lifecycle_sweep", queue="bulk", ignore_result=True)
def lifecycle_sweep() -> None:
    lifecycle.lifecycle_sweep()


@shared_task(base=SharedTask, name="billing.tasks.mails_pick_up", queue="interactive", ignore_result=True)
def mails_pick_up() -> None:
    outbox.mails_pick_up()
