"""What a workspace does in the background."""

from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.utils.module_loading import import_string

from crm.workspace.selectors import actor_for_user
from tenants.scopes import current_tenant
from tenants.tasks import TenantTask


@shared_task(base=TenantTask, name="crm.workspace.tasks.sample_fill", queue="interactive")
def sample_fill(*, tenant_id: str, user_id: str) -> None:
    """Load the sample data that was asked for at sign-up, as the new owner."""
    tenant = current_tenant()
    actor = actor_for_user(tenant, UUID(user_id)) if tenant is not None else None
    if actor is not None:
        import_string(settings.SAMPLE_LOADER)(actor)
