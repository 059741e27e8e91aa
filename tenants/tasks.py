"""The bases of every Celery task: each says whether it speaks for one tenant or for the shared schema."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from celery import Task, shared_task
from django.utils import timezone

from tenants.actors import TenantRef
from tenants.browsers import browsers_sweep
from tenants.finishing import setups_finish
from tenants.models import AccountEvent, HandoverToken, Tenant
from tenants.scopes import shared, tenant_scope
from tenants.selectors import BUILT, tenant_find
from tenants.sessions import SessionStore

if TYPE_CHECKING:
    Base = Task[Any, Any]
else:
    Base = Task

ACCOUNT_EVENTS_KEPT = timedelta(days=366)


class TenantRefused(RuntimeError):
    """A task named no tenant, an unknown one, or one that is not in service."""


class TenantTask(Base):
    """Runs in the scope of the tenant that the keyword argument ``tenant_id`` names. Raises TenantRefused.

    A task that is declared with ``serves_suspended`` runs for a suspended one too; each asks by itself what it may
    change in a workspace that is not paid for (``why_not_writable``).
    """

    abstract = True
    serves_suspended = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with tenant_scope(tenant_served(kwargs.get("tenant_id"), suspended=self.serves_suspended)):
            return super().__call__(*args, **kwargs)


class SharedTask(Base):
    """Runs in the shared scope."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with shared():
            return super().__call__(*args, **kwargs)


def tenant_served(tenant_id: object, *, suspended: bool = False) -> TenantRef:
    """The tenant with that id, if it is in service, or ``suspended`` where that will do. Raises TenantRefused."""
    try:
        wanted = UUID(str(tenant_id))
    except ValueError:
        raise TenantRefused(f"{tenant_id!r} names no tenant.") from None
    with shared():
        found = tenant_find(wanted)
    if found is None or found.state not in BUILT or (found.state == Tenant.State.SUSPENDED and not suspended):
        raise TenantRefused(f"The tenant {wanted} is {'unknown' if found is None else found.state}.")
    if found.is_behind:
        raise TenantRefused(f"The tenant {wanted} is not at this release yet.")
    return found


@shared_task(base=SharedTask, name="tenants.tasks.sweep", queue="bulk", ignore_result=True)
def sweep() -> None:
    """Delete sessions and hand-over tokens that have expired, browsers not seen for long, and old account events."""
    HandoverToken.objects.filter(expires_at__lt=timezone.now()).delete()
    SessionStore.clear_expired()
    browsers_sweep()
    AccountEvent.objects.filter(at__lt=timezone.now() - ACCOUNT_EVENTS_KEPT).delete()


@shared_task(base=SharedTask, name="tenants.tasks.setups_sweep", queue="bulk", ignore_result=True)
def setups_sweep() -> None:
    """Go on with workspaces whose setup stopped half way."""
    setups_finish()
