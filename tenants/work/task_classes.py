"""The bases of every Celery task: each says whether it speaks for one tenant or for the shared schema."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from celery import Task

from tenants.actors import TenantRef
from tenants.db.scopes import shared, tenant_scope
from tenants.models import Tenant
from tenants.selectors import BUILT, tenant_find

if TYPE_CHECKING:
    Base = Task[Any, Any]
else:
    Base = Task


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
