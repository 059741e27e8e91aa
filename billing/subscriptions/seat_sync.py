"""The outbox of seats: Stripe's quantity follows the members, tried again until it is right."""

from uuid import UUID

import structlog
from django.db.models import F, OuterRef, Q, Subquery
from django.db.models.aggregates import Count

from billing import clock, stripe_writes
from billing.errors import AccountBusy, BillingRefused, StripeAway
from billing.models import LIVE, BillingAccount, SeatChange, SeatLedger, Subscription
from billing.seats import RENEWAL, renews_soon, seats_billable, seats_to_bill, subscription_live
from billing.subscriptions.sync import subscription_sync
from tenants.db.scopes import shared
from tenants.models import Membership

log = structlog.get_logger(__name__)

MAX_ROUNDS = 5
PAYING = ("active", "trialing")
"""Stripe's states in which a seat more is charged; one that is not paid for is not made dearer."""


class MembersMoved(Exception):
    """Somebody came or went since it was counted."""


def seats_wanted(account: BillingAccount, subscription: Subscription) -> int:
    """The quantity that Stripe should have now."""
    members = seats_billable(account.tenant_id)
    now = clock.now()
    return seats_to_bill(members=members, paid=subscription.paid_quantity, is_renewing=renews_soon(subscription, now))


def steps_to(wanted: int, *, quantity: int, paid: int) -> list[tuple[int, str]]:
    """The quantities to set one after the other, each with how Stripe charges it: up to what was paid, not at all."""
    if wanted == quantity:
        return []
    if wanted <= paid:
        return [(wanted, "none")]
    before: list[tuple[int, str]] = [(paid, "none")] if quantity < paid else []
    return [*before, (wanted, "always_invoice")]


@shared()
def seats_tell(tenant_id: UUID) -> bool:
    """Make Stripe's quantity what the rule says; whether it is.

    What members did while Stripe was told is told in the next round. What went wrong is kept on the account, and the
    changes stay noted, so that the sweep comes back to it.
    """
    account = BillingAccount.objects.filter(tenant_id=tenant_id).first()
    if account is None:
        return False
    noted = list(SeatChange.objects.filter(tenant_id=tenant_id).values_list("id", flat=True))
    try:
        is_right = account.customer_id is None or _told(account)
    except (StripeAway, AccountBusy, BillingRefused) as problem:
        _failed(account, problem)
        return False
    if is_right:
        SeatChange.objects.filter(id__in=noted).delete()
        BillingAccount.objects.filter(id=account.id).update(seats_changed_at=None, seats_attempts=0, seats_error="")
    return is_right


def _told(account: BillingAccount) -> bool:
    for _round in range(MAX_ROUNDS):
        subscription_sync(account.id)
        subscription = subscription_live(account)
        if subscription is None or account.contract_at(clock.now()) is not None:
            return True
        wanted = seats_wanted(account, subscription)
        quantity = subscription.quantity
        steps = steps_to(wanted, quantity=quantity, paid=subscription.paid_quantity)
        seats_note(account, billed=quantity)
        if not steps:
            return True
        if wanted > subscription.paid_quantity and subscription.status not in PAYING:
            return False
        try:
            quantity_set(account, subscription, *steps[0], wanted=wanted)
        except MembersMoved:
            continue
    return False


def quantity_set(
    account: BillingAccount, subscription: Subscription, quantity: int, proration: str, *, wanted: int | None = None
) -> None:
    """Set the quantity at Stripe. Raises MembersMoved where it is not what is ``wanted`` any more, when nobody else
    can come between, and what a call to Stripe raises."""

    def check() -> None:
        if wanted is not None and seats_wanted(account, subscription) != wanted:
            raise MembersMoved

    params = {"items": [{"id": subscription.item_id, "quantity": quantity}], "proration_behavior": proration}
    stripe_writes.subscription_update(account, subscription.stripe_id, params, check=check)


def seats_note(account: BillingAccount, *, billed: int, reason: str = "members") -> None:
    """Add to the ledger how many members there are and how many seats are billed, where either changed."""
    members = seats_billable(account.tenant_id)
    last = account.seats.first()
    if last is None or (last.members, last.billed) != (members, billed):
        SeatLedger.objects.create(account=account, members=members, billed=billed, reason=reason)


def _failed(account: BillingAccount, problem: Exception) -> None:
    oldest = SeatChange.objects.filter(tenant_id=account.tenant_id).order_by("id").values_list("at", flat=True).first()
    BillingAccount.objects.filter(id=account.id).update(
        seats_changed_at=oldest or clock.now(),
        seats_attempts=F("seats_attempts") + 1,
        seats_error=f"{type(problem).__name__}: {problem}"[:500],
    )
    log.warning("seats.not_told", account=str(account.id), error=type(problem).__name__)


@shared()
def seats_due() -> list[UUID]:
    """The workspaces whose members changed since Stripe was told, and those that renew with fewer than are billed."""
    noted = set(SeatChange.objects.values_list("tenant_id", flat=True).distinct())
    now = clock.now()
    members = (
        Membership.objects.filter(tenant_id=OuterRef("account__tenant_id"), state=Membership.State.ACTIVE)
        .order_by()
        .values("tenant_id")
        .annotate(number=Count("id"))
        .values("number")
    )
    renewing = (
        Subscription.objects.filter(
            Q(status__in=LIVE), cancel_at=None, period_end__gt=now, period_end__lte=now + RENEWAL, quantity__gt=1
        )
        .annotate(members=Subquery(members))
        .filter(Q(members=None) | Q(members__lt=F("quantity")))
    )
    return sorted(noted | set(renewing.values_list("account__tenant_id", flat=True)))
