"""The bases of every Celery task: each says whether it speaks for one tenant or for the shared schema."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from celery import Task, current_app, shared_task
from django.conf import settings
from django.utils import timezone

from tenants.actors import TenantRef
from tenants.models import HandoverToken, Tenant
from tenants.scopes import shared, tenant_scope
from tenants.selectors import tenant_find
from tenants.sessions import SessionStore
from tenants.wakeups import wakeups_claim

if TYPE_CHECKING:
    Base = Task[Any, Any]
else:
    Base = Task

SERVED = (Tenant.State.ACTIVE, Tenant.State.READ_ONLY)


class TenantRefused(RuntimeError):
    """A task named no tenant, an unknown one, or one that is not in service."""


class TenantTask(Base):
    """Runs in the scope of the tenant that the keyword argument ``tenant_id`` names. Raises TenantRefused."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with tenant_scope(tenant_served(kwargs.get("tenant_id"))):
            return super().__call__(*args, **kwargs)


class SharedTask(Base):
    """Runs in the shared scope."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with shared():
            return super().__call__(*args, **kwargs)


def tenant_served(tenant_id: object) -> TenantRef:
    """The tenant with that id, if it is in service. Raises TenantRefused."""
    try:
        wanted = UUID(str(tenant_id))
    except ValueError:
        raise TenantRefused(f"{tenant_id!r} names no tenant.") from None
    with shared():
        found = tenant_find(wanted)
    if found is None or found.state not in SERVED:
        raise TenantRefused(f"The tenant {wanted} is {'unknown' if found is None else found.state}.")
    return found


@shared_task(base=SharedTask, name="tenants.tasks.dispatch", queue="timers", ignore_result=True)
def dispatch() -> int:
    """Queue the work of the tenants whose wake-ups are due; gives how many."""
    tenants = wakeups_claim()
    for tenant_id in tenants:
        current_app.send_task(settings.WAKEUP_TASK, kwargs={"tenant_id": str(tenant_id)}, queue="timers")
    return len(tenants)


@shared_task(base=SharedTask, name="tenants.tasks.sweep", queue="bulk", ignore_result=True)
def sweep() -> None:
    """Delete sessions and hand-over tokens that have expired."""
    HandoverToken.objects.filter(expires_at__lt=timezone.now()).delete()
    SessionStore.clear_expired()
