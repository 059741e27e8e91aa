"""Visits of operators in a workspace, as one of its members: asked for, seen by everybody there, and soon over.

The session of a visit is the operator's, never the member's. Each request looks at the visit again, so that it is over
at once when somebody ends it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.actors import Actor, TenantRef
from tenants.db.scopes import shared, tenant_scope
from tenants.hooks import audit_note, session_note
from tenants.models import Membership, SupportConsent, SupportVisit, Tenant, User

VISIT = "_support_visit"
"""In a session on a workspace's host: the visit that it belongs to."""
ENTERED = (Tenant.State.ACTIVE, Tenant.State.READ_ONLY)
"""States in which there is something to see for a member, and so for support."""
LONGEST = timedelta(hours=1)
CONSENT_HOURS = (1, 4, 24, 72)
MAX_TOLD = 50


class SupportRefused(Exception):
    """A visit or a consent that cannot be; the text is for people."""


def open_among(rows: QuerySet[SupportVisit]) -> QuerySet[SupportVisit]:
    """Those that go on."""
    return rows.filter(
        ended_at=None, expires_at__gt=timezone.now(), operator__is_staff=True, operator__is_active=True
    ).select_related("operator", "user")


def visit_of_session(visit_id: str, *, tenant_id: UUID, operator_id: UUID) -> SupportVisit | None:
    """The open visit that a session belongs to; None when it is over. Called inside ``shared()``."""
    try:
        wanted = UUID(visit_id)
    except ValueError:
        return None
    rows = SupportVisit.objects.filter(id=wanted, tenant_id=tenant_id, operator_id=operator_id)
    return open_among(rows).first()


def visit_waiting(*, operator_id: UUID, tenant_id: UUID) -> SupportVisit | None:
    """The operator's open visit in a workspace, if there is one. Called inside ``shared()``."""
    rows = SupportVisit.objects.select_related("tenant").filter(operator_id=operator_id, tenant_id=tenant_id)
    return open_among(rows).order_by("-id").first()


def visits_open(tenant_id: UUID) -> QuerySet[SupportVisit]:
    """The visits that go on in a workspace. Called inside ``shared()``."""
    return open_among(SupportVisit.objects.filter(tenant_id=tenant_id))


def consent_of(tenant_id: UUID, user_id: UUID) -> SupportConsent | None:
    """The member's consent that holds now. Called inside ``shared()``."""
    rows = SupportConsent.objects.filter(tenant_id=tenant_id, user_id=user_id, withdrawn_at=None)
    return rows.filter(until__gt=timezone.now()).order_by("-until").first()


def consenting(tenant_id: UUID) -> set[UUID]:
    """The users in a workspace whose consent holds now. Called inside ``shared()``."""
    rows = SupportConsent.objects.filter(tenant_id=tenant_id, withdrawn_at=None, until__gt=timezone.now())
    return set(rows.values_list("user_id", flat=True))


def visit_start(operator: User, tenant: Tenant, user: User, *, reason: str, request_id: str = "") -> SupportVisit:
    """Let an operator in as a member, for an hour at most, and tell the workspace's audit.

    With the member's consent no reason is needed. Called inside ``shared()``. Raises SupportRefused.
    """
    now = timezone.now()
    with transaction.atomic():
        locked = Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)
        ref = locked.ref()
        if locked.state not in ENTERED or ref.is_behind:
            raise SupportRefused(_("Nobody can enter this workspace now."))
        present = Membership.objects.filter(tenant=locked, state=Membership.State.ACTIVE)
        if present.filter(user=operator).exists():
            raise SupportRefused(_("You are a member of this workspace: go in as yourself."))
        if not present.filter(user=user).exists():
            raise SupportRefused(_("Choose an active member of this workspace."))
        if visit_waiting(operator_id=operator.pk, tenant_id=locked.id) is not None:
            raise SupportRefused(_("You are in this workspace already: leave it first."))
        consent = consent_of(locked.id, user.pk)
        if consent is None and not reason:
            raise SupportRefused(_("The member has not agreed: write down why you have to go in."))
        made = SupportVisit.objects.create(
            tenant=locked,
            operator=operator,
            user=user,
            reason=reason,
            consent=consent,
            expires_at=min(now + LONGEST, consent.until) if consent and not reason else now + LONGEST,
        )
        mark(locked.id)
        tell(ref, user.pk, "session.support_entered", request_id, operator=operator.email, reason=reason)
    return made


def mark(tenant_id: UUID) -> None:
    """Note on the workspace who is in it and until when, so that its pages say so without asking."""
    last = visits_open(tenant_id).order_by("-expires_at").first()
    Tenant.objects.filter(id=tenant_id).update(
        support_until=last.expires_at if last else None, support_by=last.operator.email if last else ""
    )


def tell(ref: TenantRef, user_id: UUID, type: str, request_id: str, **about: str) -> None:
    with tenant_scope(ref):
        session_note(ref, user_id, type, request_id=request_id, **about)


# What members do about it


def user_of(actor: Actor) -> UUID:
    """The user behind a member. Raises PermissionDenied for an operator on a visit, and for what is no member."""
    if actor.visitor or actor.member_id is None:
        raise PermissionDenied
    return UUID(str(actor.details["user_id"]))


def consent_give(actor: Actor, *, hours: int) -> datetime:
    """Let operators in as this member for some hours; gives until when. Raises SupportRefused, PermissionDenied."""
    user_id = user_of(actor)
    if hours not in CONSENT_HOURS:
        raise SupportRefused(_("Choose one of the times."))
    until = timezone.now() + timedelta(hours=hours)
    with transaction.atomic():
        with shared():
            SupportConsent.objects.filter(tenant_id=actor.tenant.id, user_id=user_id, withdrawn_at=None).update(
                withdrawn_at=timezone.now()
            )
            SupportConsent.objects.create(tenant_id=actor.tenant.id, user_id=user_id, until=until)
        own_audit(actor, "session.support_allowed", {"until": until.isoformat()})
    return until


def support_of(actor: Actor) -> tuple[SupportConsent | None, Sequence[SupportVisit]]:
    """The member's consent that holds, and the visits that they may know of, the newest first: an owner all of them."""
    user_id = UUID(str(actor.details["user_id"]))
    with shared():
        seen: dict[str, Any] = {} if actor.can("workspace", "owners") else {"user_id": user_id}
        rows = SupportVisit.objects.select_related("operator", "user").filter(tenant_id=actor.tenant.id, **seen)
        return consent_of(actor.tenant.id, user_id), list(rows.order_by("-id")[:MAX_TOLD])


def own_audit(actor: Actor, type: str, after: dict[str, Any]) -> None:
    audit_note(actor, type, record_id=actor.member_id, after=after)
