"""Seats: who counts, how many may be taken, how many are billed.

A **seat is billed** for each active member: a row of Membership that is active. Nobody else counts: no deactivated
members, no people of the sample data, no API keys, and not who was invited and has not come. A workspace that nobody
works in is billed for one.

A **seat is taken** by an active member and by an open invitation, so that the place is there when its guest comes. How
many can be taken is ``seat_limit``: those paid for, and never more than the plan sells; in our own trial TRIAL_SEATS;
by contract what the contract says.

**More is charged at once**, for the rest of the period and to the cent that was shown. **Fewer is billed from the next
period on**: within a period the seats that were paid stay, and whoever leaves makes room for the next. So the quantity
at Stripe is lowered on the last day of a period (RENEWAL), without an invoice; what is added on that day up to what
was paid costs nothing. **Another interval begins a new period**, which is paid for who is there then. Seats by contract
are what the contract says, and Stripe is told nothing of them.
"""

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from celery import current_app
from django.db import transaction

from billing.models import LIVE, BillingAccount, PlanPrice, SeatChange, Subscription
from tenants.models import Membership

TRIAL_SEATS = 10
RENEWAL = timedelta(days=1)


def seats_billable(tenant_id: UUID) -> int:
    """The active members of a workspace; read in the shared scope."""
    return Membership.objects.filter(tenant_id=tenant_id, state=Membership.State.ACTIVE).count()


def seats_to_bill(*, members: int, paid: int, is_renewing: bool) -> int:
    """The quantity that Stripe should have; ``paid`` is the most that this period was charged for."""
    return max(members, 1) if is_renewing else max(members, paid)


def paid_in_period(
    before: Subscription | None, *, period: tuple[datetime | None, datetime | None], quantity: int
) -> int:
    """The most seats that a period, from when to when, was charged for: by what was known ``before`` and what Stripe
    says now."""
    if before is None or (before.period_start, before.period_end) != period:
        return quantity
    return max(before.paid_quantity, quantity)


def seats_kept(subscription: Subscription, price: PlanPrice) -> int:
    """How many seats a change to that price has to keep: those paid in this period, which another interval ends."""
    ends = subscription.price is not None and subscription.price.interval != price.interval
    return 0 if ends else subscription.paid_quantity


def renews_soon(subscription: Subscription, now: datetime) -> bool:
    """Whether what is billed next is the next period already."""
    end = subscription.period_end
    return end is not None and subscription.cancel_at is None and end - RENEWAL <= now < end


def subscription_live(account: BillingAccount) -> Subscription | None:
    """The account's subscription that exists at Stripe, with its price and plan."""
    found = account.subscriptions.select_related("price__plan").filter(status__in=LIVE)
    return found.first()


def seat_limit(account: BillingAccount, now: datetime) -> int | None:
    """How many seats can be taken; None for as many as one likes."""
    if (contract := account.contract_at(now)) is not None:
        return contract.limits.get("seats") if account.contract_seats is None else account.contract_seats
    subscription = subscription_live(account)
    if subscription is not None:
        most = subscription.price.plan.limits.get("seats") if subscription.price is not None else None
        return least(subscription.paid_quantity, most)
    return least(TRIAL_SEATS, account.trial_plan.limits.get("seats") if account.trial_plan is not None else None)


def least(seats: int, most: int | None) -> int:
    return seats if most is None else min(seats, most)


def seats_changed(tenant_id: UUID) -> None:
    """Note that members came or went, in the transaction and the shared scope of that; Stripe is told after it.

    Where the message is lost billing.subscriptions.seat_sync finds the note.
    """
    SeatChange.objects.create(tenant_id=tenant_id)
    ask = partial(
        current_app.send_task,
        "billing.tasks.seats_tell",
        kwargs={"tenant_id": str(tenant_id)},
        queue="interactive",
        retry=False,
    )
    transaction.on_commit(ask, robust=True)
