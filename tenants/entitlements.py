"""What a workspace may do by what was paid for it: its plan's limits and features, and whether it may be written."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from tenants.models import Tenant
from tenants.provisioning import tenant_state_set
from tenants.scopes import shared

LIMITS = frozenset(
    """
    seats contacts pipelines custom_fields record_types automations storage_mb api_reads_per_minute
    api_writes_per_minute mails_per_minute history_days
    """.split()  # noqa: SIM905
)
"""What a plan may count. A limit that a workspace does not have named does not exist for it."""
SETTLED = frozenset({Tenant.State.ACTIVE, Tenant.State.READ_ONLY, Tenant.State.SUSPENDED})
"""States between which payment moves a workspace; the others are steps of being made and of being deleted."""


@dataclass(frozen=True, slots=True)
class Entitlements:
    """What billing grants: ``features`` None is all of them, a limit not named does not exist.

    ``tenant_state`` is active, read_only or suspended.
    """

    tenant_state: str
    access_state: str
    access_until: datetime | None
    plan_name: str
    limits: Mapping[str, int]
    features: Collection[str] | None
    note: str = ""


def entitlements_write(tenant_id: UUID, granted: Entitlements, *, detail: str = "") -> bool:
    """Give a workspace what billing grants, and say whether anything changed; called inside ``shared()`` or outside.

    A workspace that is being made or deleted keeps its state and gets the rest. Raises ValueError for an
    unknown limit.
    """
    if unknown := granted.limits.keys() - LIMITS:
        raise ValueError(f"There are no limits named {sorted(unknown)}.")
    values = {
        "access_state": granted.access_state,
        "access_until": granted.access_until,
        "plan_name": granted.plan_name,
        "limits": dict(granted.limits),
        "features": None if granted.features is None else sorted(granted.features),
        "access_note": granted.note,
    }
    with shared(), transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(id=tenant_id)
        changed = any(getattr(tenant, name) != value for name, value in values.items())
        if changed:
            Tenant.objects.filter(id=tenant_id).update(**values, metadata_version=F("metadata_version") + 1)
        if tenant.state in SETTLED and tenant.state != granted.tenant_state:
            tenant_state_set(tenant, granted.tenant_state, detail=detail or granted.access_state)
            changed = True
    return changed
