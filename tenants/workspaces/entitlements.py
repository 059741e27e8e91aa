"""What a workspace may do by what was paid for it: its plan's limits and features, and whether it may be written."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from tenants.actors import TenantRef
from tenants.db.scopes import shared
from tenants.models import Tenant
from tenants.work.wakeups import wake_all
from tenants.workspaces.announcements import announcements_follow
from tenants.workspaces.provisioning import tenant_state_set

LIMITS = frozenset(
    """
    seats contacts pipelines custom_fields record_types automations storage_mb api_reads_per_minute
    api_writes_per_minute mails_per_minute history_days
    """.split()  # noqa: SIM905
)
"""What a plan may count. A limit that a workspace does not have named does not exist for it."""
SETTLED = frozenset({Tenant.State.ACTIVE, Tenant.State.READ_ONLY, Tenant.State.SUSPENDED})
"""States between which payment moves a workspace; the others are steps of being made and of being deleted."""


class NotEntitled(Exception):
    """What was paid does not include this: 402, with a message for people and the page where that is changed.

    ``param`` names the limit or the feature, where it is one.
    """

    status: ClassVar[int] = 402
    code: ClassVar[str] = "not_entitled"
    where: ClassVar[str] = "/settings/billing/"

    def __init__(self, message: str, *, param: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class WorkspaceClosed(NotEntitled):
    """The workspace is read-only, suspended or being deleted, and nothing was changed in it."""

    code = "workspace_read_only"


class WorkspaceSuspended(WorkspaceClosed):
    """The workspace is suspended, and this is not among what is open until it is deleted."""

    status = 403
    code = "workspace_suspended"


def require_open(tenant: TenantRef) -> None:
    """Raises WorkspaceSuspended, with the reason that an operator gave, for a workspace that is."""
    if tenant.state == Tenant.State.SUSPENDED:
        text = _("This workspace is suspended.")
        raise WorkspaceSuspended(f"{text} {tenant.access_note}" if tenant.access_note else text)


def why_not_writable(tenant: TenantRef) -> str | None:
    """Why nothing can be changed in a workspace as it was when the request or the turn of work began; None if it can.

    The one answer for the write gate, the services of members, settings and keys, jobs, timers and readers of events.
    """
    match tenant.state:
        case Tenant.State.READ_ONLY:
            return _("This workspace is read-only, so nothing was changed.")
        case Tenant.State.SUSPENDED:
            return _("This workspace is suspended, so nothing was changed.")
        case Tenant.State.DELETING | Tenant.State.DELETED:
            return _("This workspace is being deleted, so nothing was changed.")
    return None


def require_writable(tenant: TenantRef) -> None:
    """Raises WorkspaceClosed where nothing can be changed."""
    if (why := why_not_writable(tenant)) is not None:
        raise WorkspaceClosed(why)


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

    A workspace that is being made or deleted keeps its state and gets the rest. In one that opens again what had to
    wait is looked at: jobs, timers, readers of events, mails. Raises ValueError for an unknown limit.
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
        moved = (tenant.plan_name, tenant.access_state) != (granted.plan_name, granted.access_state)
        if changed:
            Tenant.objects.filter(id=tenant_id).update(**values, metadata_version=F("metadata_version") + 1)
        if moved:
            announcements_follow(tenant_id)
        if tenant.state in SETTLED and tenant.state != granted.tenant_state:
            tenant_state_set(tenant, granted.tenant_state, detail=detail or granted.access_state)
            if granted.tenant_state != Tenant.State.SUSPENDED:
                wake_all(tenant.schema_name)
            changed = True
    return changed
