"""What a workspace does in the background."""

from uuid import UUID

from celery import shared_task

from crm.workspace.actors import actor_for_user
from crm.workspace.hooks import sample_load
from crm.workspace.notifications import mailing
from crm.workspace.notifications.notify import MAILS
from tenants.actors import TenantRef
from tenants.db.scopes import current_tenant
from tenants.models import Tenant
from tenants.selectors import tenants_served
from tenants.work.task_classes import SharedTask, TenantTask
from tenants.work.turns import Progress, Reached, turns


@shared_task(base=TenantTask, name="crm.workspace.tasks.sample_fill", queue="interactive")
def sample_fill(*, tenant_id: str, user_id: str) -> None:
    """Load the sample data that was asked for at sign-up, as the new owner."""
    tenant = current_tenant()
    actor = actor_for_user(tenant, UUID(user_id)) if tenant is not None else None
    if actor is not None:
        sample_load(actor)


def sample_request(tenant: TenantRef, *, user_id: UUID) -> None:
    """Queue it."""
    sample_fill.apply_async(kwargs={"tenant_id": str(tenant.id), "user_id": str(user_id)})


@shared_task(base=SharedTask, name="crm.workspace.tasks.mails_send", ignore_result=True)
def mails_send(*, tenant_ids: list[str]) -> None:
    """Send mails of notifications for about a second; those left over are queued behind other workspaces'.

    Those of a suspended workspace wait until it opens.
    """

    def act(tenant: TenantRef, until: float) -> Reached:
        if tenant.state == Tenant.State.SUSPENDED:
            return Progress.DONE, None
        progress = mailing.send_due(tenant, until)
        return progress, mailing.next_due() if progress is Progress.DONE else None

    turns(MAILS, tenants_served(tenant_ids), mailing.TURN_SECONDS, act)
