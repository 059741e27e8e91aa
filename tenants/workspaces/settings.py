"""What a workspace says of itself: name, language, currency, time zone; and what it asks of those who enter."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.actors import Actor, TenantRef
from tenants.db.scopes import shared
from tenants.hooks import audit_note
from tenants.models import Membership, Tenant
from tenants.permission_checks import check
from tenants.selectors import tenant_find
from tenants.workspaces.entitlements import require_writable

MAX_GRACE = 90
COLUMNS = ("name", "locale", "currency", "time_zone")


def workspace_update(actor: Actor, **values: str) -> None:
    """Change some of ``COLUMNS``, already checked. Raises PermissionDenied for who may not."""
    check(actor, "workspace", "settings")
    require_writable(actor.tenant)
    if unknown := values.keys() - set(COLUMNS):
        raise TypeError(f"A workspace has no {sorted(unknown)}.")
    changed = {slug: value for slug, value in values.items() if getattr(actor.tenant, slug) != value}
    if not changed:
        return
    with transaction.atomic():
        with shared():
            Tenant.objects.filter(id=actor.tenant.id).update(**changed, metadata_version=F("metadata_version") + 1)
        audit_note(
            actor,
            "settings.updated",
            record_id=actor.tenant.id,
            before={slug: getattr(actor.tenant, slug) for slug in changed},
            after=changed,
        )


def workspace_now(tenant: TenantRef) -> TenantRef:
    """The workspace as it is after what this request wrote."""
    with shared():
        return tenant_find(tenant.id) or tenant


def metadata_changed(tenant: TenantRef) -> None:
    """What processes keep of this workspace's settings is of yesterday, once the transaction commits."""
    with shared():
        Tenant.objects.filter(id=tenant.id).update(metadata_version=F("metadata_version") + 1)


class SecondFactorRefused(Exception):
    """A workspace's demand that cannot be made; the text is for people."""


def _check_guard(actor: Actor) -> None:
    """What guards the workspace is changed by its own members only, never by an operator on a visit."""
    check(actor, "workspace", "settings")
    if actor.visitor:
        raise PermissionDenied


def second_factor_require(actor: Actor, *, days: int) -> datetime:
    """Ask all members for a second factor: nobody enters without after ``days``. Gives from when on.

    Who asks for it must have one themselves. Raises PermissionDenied for who may not, SecondFactorRefused.
    """
    _check_guard(actor)
    require_writable(actor.tenant)
    if not 0 <= days <= MAX_GRACE:
        raise SecondFactorRefused(_("Give members between 0 and %(most)s days.") % {"most": MAX_GRACE})
    since = timezone.now() + timedelta(days=days)
    with transaction.atomic():
        with shared():
            own = Membership.objects.select_related("user").filter(
                tenant_id=actor.tenant.id, member_id=actor.member_id, user__has_second_factor=True
            )
            if actor.member_id is None or not own.exists():
                raise SecondFactorRefused(_("Set up a second factor of your own first, so that you are not shut out."))
            Tenant.objects.filter(id=actor.tenant.id).update(
                requires_second_factor=True,
                second_factor_from=since,
                metadata_version=F("metadata_version") + 1,
            )
        _second_factor_told(actor, {"requires_second_factor": True, "second_factor_from": since.isoformat()})
    return since


def second_factor_release(actor: Actor) -> None:
    """Ask for no second factor any more."""
    _check_guard(actor)
    require_writable(actor.tenant)
    with transaction.atomic():
        with shared():
            rows = Tenant.objects.filter(id=actor.tenant.id, requires_second_factor=True)
            changed = rows.update(
                requires_second_factor=False,
                second_factor_from=None,
                metadata_version=F("metadata_version") + 1,
            )
        if changed:
            _second_factor_told(actor, {"requires_second_factor": False})


def _second_factor_told(actor: Actor, after: dict[str, Any]) -> None:
    audit_note(actor, "settings.updated", record_id=actor.tenant.id, after=after)


@dataclass(frozen=True, slots=True)
class SecondFactorState:
    """What a workspace asks for, and whose members (by their ids) have no second factor."""

    required: bool
    since: datetime | None
    without: frozenset[UUID | None]


def second_factor_state(actor: Actor) -> SecondFactorState:
    check(actor, "workspace", "settings")
    with shared():
        tenant = Tenant.objects.get(id=actor.tenant.id)
        rows = Membership.objects.filter(
            tenant=tenant, state=Membership.State.ACTIVE, user__has_second_factor=False, member_id__isnull=False
        )
        without = frozenset(rows.values_list("member_id", flat=True))
    return SecondFactorState(tenant.requires_second_factor, tenant.second_factor_from, without)
