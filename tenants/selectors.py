"""Shared rows, read inside ``shared()``."""

from collections.abc import Sequence
from uuid import UUID

from tenants.actors import TenantRef
from tenants.db.prepared import Among, PreparedInstances
from tenants.models import Domain, Tenant

BUILT = (Tenant.State.ACTIVE, Tenant.State.READ_ONLY, Tenant.State.SUSPENDED)
"""States in which there is a schema to read."""
PRIMARY = PreparedInstances(
    lambda ids: Domain.objects.filter(Among.of("tenant_id", ids), is_primary=True, tenant__state__in=BUILT).order_by(),
    list,
    related=("tenant",),
)


def tenant_find(tenant_id: UUID) -> TenantRef | None:
    domain = Domain.objects.select_related("tenant").filter(tenant_id=tenant_id, is_primary=True).first()
    return None if domain is None else domain.tenant.ref(domain)


def tenants_built() -> list[TenantRef]:
    return [tenant.ref() for tenant in Tenant.objects.filter(state__in=BUILT).order_by("created_at")]


def tenants_served(tenant_ids: Sequence[str]) -> list[TenantRef]:
    """Those of the tenants that have a schema of this release, in the order of their ids as given.

    What is done for one that is not paid for is for the work to ask (``why_not_writable``).
    """
    wanted = [UUID(one) for one in tenant_ids]
    found = {domain.tenant_id: domain.tenant.ref(domain) for domain in PRIMARY.all(wanted)}
    return [found[one] for one in wanted if one in found and not found[one].is_behind]
