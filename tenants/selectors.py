"""Shared rows, read inside ``shared()``."""

from uuid import UUID

from tenants.actors import TenantRef
from tenants.models import Domain


def tenant_find(tenant_id: UUID) -> TenantRef | None:
    domain = Domain.objects.select_related("tenant").filter(tenant_id=tenant_id, is_primary=True).first()
    return None if domain is None else domain.tenant.ref(domain)
