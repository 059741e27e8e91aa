"""Operators' visits in workspaces, as the console starts and ends them."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from console.auditing import Action, Operator, audit_note
from tenants.accounts import support_ends
from tenants.models import Membership, SupportVisit, Tenant, User
from tenants.workspaces import support


def visit_start(operator: Operator, tenant: Tenant, *, user_id: UUID, reason: str) -> SupportVisit:
    """Let the operator in as a member. Raises SupportRefused."""
    user = User.objects.filter(id=user_id).first()
    if user is None:
        raise support.SupportRefused
    with transaction.atomic():
        made = support.visit_start(operator.user, tenant, user, reason=reason, request_id=operator.request_id)
        audit_note(
            operator,
            Action.VISIT_STARTED,
            tenant_id=tenant.id,
            about=user.email,
            reason=reason,
            consent=made.consent_id is not None,
        )
    return made


def visit_choices(tenant: Tenant) -> list[tuple[Membership, str]]:
    """The active members, those who have agreed first, each with what to call them."""
    rows = Membership.objects.select_related("user").filter(tenant=tenant, state=Membership.State.ACTIVE)
    agreed = support.consenting(tenant.id)
    found = [(one, one.user_id in agreed) for one in rows.order_by("user__email", "id")]
    return [
        (one, _("%(email)s, has agreed") % {"email": one.user.email} if has_agreed else one.user.email)
        for one, has_agreed in sorted(found, key=lambda pair: not pair[1])
    ]


def visits_open(tenant: Tenant) -> list[SupportVisit]:
    return list(support.visits_open(tenant.id))


def visits_end(operator: Operator, tenant: Tenant, *, reason: str) -> int:
    """End all visits in a workspace; gives how many there were."""

    def note(visit: SupportVisit) -> None:
        _end_note(operator, visit, reason=reason)

    with transaction.atomic():
        return sum(
            support_ends.visit_end(one, by=operator.user.email, request_id=operator.request_id, note=note)
            for one in visits_open(tenant)
        )


def visit_end_note(visit: SupportVisit) -> None:
    """Note that an operator's visit has ended, by somebody in the workspace or by its time."""
    _end_note(Operator(user=visit.operator), visit)


def _end_note(operator: Operator, visit: SupportVisit, *, reason: str = "") -> None:
    audit_note(
        operator,
        Action.VISIT_ENDED,
        tenant_id=visit.tenant_id,
        about=visit.user.email,
        reason=reason,
        visitor=visit.operator.email,
        by=visit.ended_by or "time",
    )
