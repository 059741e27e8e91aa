"""Visits of operators in a workspace, as one of its members: asked for, seen by everybody there, and soon over.

The session of a visit is the operator's, never the member's. Each request looks at the visit again, so that it is over
at once when somebody ends it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from tenants.actors import Actor, TenantRef
from tenants.models import Membership, SupportConsent, SupportVisit, Tenant, User
from tenants.scopes import shared, tenant_scope
from tenants.selectors import BUILT

VISIT = "_support_visit"
"""In a session on a workspace's host: the visit that it belongs to."""
ENTERED = (Tenant.State.ACTIVE, Tenant.State.READ_ONLY)
"""States in which there is something to see for a member, and so for support."""
LONGEST = timedelta(hours=1)
CONSENT_HOURS = (1, 4, 24, 72)
MOST_TOLD = 50


class SupportRefused(Exception):
    """A visit or a consent that cannot be; the text is for people."""


def _open(rows: QuerySet[SupportVisit]) -> QuerySet[SupportVisit]:
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
    return _open(rows).first()


def visit_waiting(*, operator_id: UUID, tenant_id: UUID) -> SupportVisit | None:
    """The operator's open visit in a workspace, if there is one. Called inside ``shared()``."""
    rows = SupportVisit.objects.select_related("tenant").filter(operator_id=operator_id, tenant_id=tenant_id)
    return _open(rows).order_by("-id").first()


def visits_open(tenant_id: UUID) -> QuerySet[SupportVisit]:
    """The visits that go on in a workspace. Called inside ``shared()``."""
    return _open(SupportVisit.objects.filter(tenant_id=tenant_id))


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
        _mark(locked.id)
        _tell(ref, user.pk, "session.support_entered", request_id, operator=operator.email, reason=reason)
    return made


def visit_end(visit: SupportVisit, *, by: str, request_id: str = "") -> bool:
    """End a visit at once; False when it was over. Called inside ``shared()``."""
    with transaction.atomic():
        rows = SupportVisit.objects.filter(id=visit.id, ended_at=None, expires_at__gt=timezone.now())
        if not rows.update(ended_at=timezone.now(), ended_by=by[:254]):
            return False
        _mark(visit.tenant_id)
        tenant = Tenant.objects.get(id=visit.tenant_id)
        ref = tenant.ref()
        if tenant.state in BUILT and not ref.is_behind:
            _tell(ref, visit.user_id, "session.support_left", request_id, operator=visit.operator.email)
    return True


def _mark(tenant_id: UUID) -> None:
    """Note on the workspace who is in it and until when, so that its pages say so without asking."""
    last = visits_open(tenant_id).order_by("-expires_at").first()
    Tenant.objects.filter(id=tenant_id).update(
        support_until=last.expires_at if last else None, support_by=last.operator.email if last else ""
    )


def _tell(ref: TenantRef, user_id: UUID, type: str, request_id: str, **about: str) -> None:
    with tenant_scope(ref):
        import_string(settings.SESSION_SINK)(ref, user_id, type, request_id=request_id, **about)


# What members do about it


def _own(actor: Actor) -> UUID:
    """The user behind a member. Raises PermissionDenied for an operator on a visit, and for what is no member."""
    if actor.visitor or actor.member_id is None:
        raise PermissionDenied
    return UUID(str(actor.details["user_id"]))


def consent_give(actor: Actor, *, hours: int) -> datetime:
    """Let operators in as this member for some hours; gives until when. Raises SupportRefused, PermissionDenied."""
    user_id = _own(actor)
    if hours not in CONSENT_HOURS:
        raise SupportRefused(_("Choose one of the times."))
    until = timezone.now() + timedelta(hours=hours)
    with transaction.atomic():
        with shared():
            SupportConsent.objects.filter(tenant_id=actor.tenant.id, user_id=user_id, withdrawn_at=None).update(
                withdrawn_at=timezone.now()
            )
            SupportConsent.objects.create(tenant_id=actor.tenant.id, user_id=user_id, until=until)
        _audit(actor, "session.support_allowed", {"until": until.isoformat()})
    return until


def consent_withdraw(actor: Actor) -> None:
    """Take the consent back: visits that rested on it end at once. Raises PermissionDenied."""
    user_id = _own(actor)
    with transaction.atomic():
        with shared():
            consents = SupportConsent.objects.filter(tenant_id=actor.tenant.id, user_id=user_id, withdrawn_at=None)
            ids = list(consents.values_list("id", flat=True))
            consents.update(withdrawn_at=timezone.now())
            visits = list(_open(SupportVisit.objects.filter(consent__in=ids)))
            for one in visits:
                visit_end(one, by=actor.email, request_id=actor.request_id)
        if ids:
            _audit(actor, "session.support_withdrawn", {})


def visits_end(actor: Actor) -> int:
    """End the visits that the actor may end, and give how many: an owner's are all, a member's those as that member,
    an operator's the one that it is."""
    rows = SupportVisit.objects.filter(tenant_id=actor.tenant.id)
    with shared(), transaction.atomic():
        return sum(
            visit_end(one, by=actor.visitor or actor.email, request_id=actor.request_id)
            for one in _open(rows.filter(_ended_by(actor)))
        )


def _ended_by(actor: Actor) -> Q:
    if actor.visitor:
        return Q(id=actor.details["visit_id"])
    return Q() if actor.can("workspace", "owners") else Q(user_id=_own(actor))


def support_of(actor: Actor) -> tuple[SupportConsent | None, Sequence[SupportVisit]]:
    """The member's consent that holds, and the visits that they may know of, the newest first: an owner all of them."""
    user_id = UUID(str(actor.details["user_id"]))
    with shared():
        seen: dict[str, Any] = {} if actor.can("workspace", "owners") else {"user_id": user_id}
        rows = SupportVisit.objects.select_related("operator", "user").filter(tenant_id=actor.tenant.id, **seen)
        return consent_of(actor.tenant.id, user_id), list(rows.order_by("-id")[:MOST_TOLD])


def _audit(actor: Actor, type: str, after: dict[str, Any]) -> None:
    import_string(settings.AUDIT_SINK)(actor, type, record_id=actor.member_id, after=after)
