"""Workspaces whose setup stopped half way: found, gone on with, and each try noted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.core.cache import cache
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.db.scopes import shared
from tenants.models import Membership, Tenant, TenantStep, User
from tenants.workspaces.provisioning import tenant_provision

log = structlog.get_logger(__name__)

UNFINISHED = (Tenant.State.RESERVED, Tenant.State.PROVISIONING)
SETUP = timedelta(minutes=2)
"""So long a setup may take; after that it has stopped."""
PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
"""How long to wait after each failed try; the last holds for all that follow."""
BATCH_SIZE = 20
TURN_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A workspace that is not ready: how often it was tried again, when last, and what went wrong."""

    tenant: Tenant
    attempts: int
    last_at: datetime | None
    error: str

    @property
    def next_at(self) -> datetime:
        if self.last_at is None:
            return self.tenant.created_at + SETUP
        return self.last_at + PAUSES[min(self.attempts, len(PAUSES)) - 1]


def unfinished() -> list[Unfinished]:
    """Those whose setup has stopped, the oldest first. Called inside ``shared()``."""
    rows: QuerySet[Tenant] = Tenant.objects.filter(state__in=UNFINISHED, created_at__lt=timezone.now() - SETUP)
    failed = TenantStep.objects.filter(tenant=OuterRef("pk"), kind=TenantStep.Kind.FAILED).order_by("-id")
    found = rows.annotate(
        attempts=Count("steps", filter=Q(steps__kind=TenantStep.Kind.FAILED)),
        last_at=Max("steps__at", filter=Q(steps__kind=TenantStep.Kind.FAILED)),
        error=Subquery(failed.values("detail")[:1]),
    )
    return [Unfinished(one, one.attempts, one.last_at, one.error or "") for one in found.order_by("id")]


def setup_finish(tenant: Tenant) -> str:
    """Go on with a setup where it stopped; gives what went wrong, empty when the workspace is ready.

    One at a time: whoever comes while another is at it is told so. Called inside ``shared()``.
    """
    turn = f"setup:{tenant.id}"
    if not cache.add(turn, 1, TURN_SECONDS):
        return _("Somebody is at it already.")
    try:
        tenant_provision(tenant, _owner_of(tenant))
    except Exception as problem:  # Whatever stopped it is kept for whoever has to mend it.
        log.exception("setup.failed", tenant=tenant.schema_name)
        said = f"{type(problem).__name__}: {problem}"[:500]
        with shared():
            TenantStep.objects.create(tenant=tenant, kind=TenantStep.Kind.FAILED, name="setup", detail=said)
        return said
    finally:
        cache.delete(turn)
    return ""


def _owner_of(tenant: Tenant) -> User | None:
    """Whoever signed up for it: the first who belongs to it."""
    first = Membership.objects.select_related("user").filter(tenant=tenant).order_by("id").first()
    return first.user if first else None


def setups_finish() -> Mapping[str, str]:
    """Go on with all that are due, and give what came of each by its schema. Called inside ``shared()``."""
    due = [one for one in unfinished() if one.next_at <= timezone.now()]
    return {one.tenant.schema_name: setup_finish(one.tenant) for one in due[:BATCH_SIZE]}
