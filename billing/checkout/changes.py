"""Changes of a subscription that exists: its price shown before and kept to the cent, cancelling, codes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing import clock, stripe_reads, stripe_writes
from billing.checkout.hosted import seats_require
from billing.errors import BillingRefused, StripeMissing
from billing.models import LIVE, BillingAccount, PlanPrice, StripeRequest, Subscription
from billing.money import Money
from billing.outgoing import Fetched, Params
from billing.plans.prices import price_ensure
from billing.seats import seats_kept
from billing.subscriptions.mirror import moment
from billing.subscriptions.sync import subscription_sync
from tenants.db.scopes import shared

REASONS = (
    "too_expensive",
    "missing_features",
    "switched_service",
    "unused",
    "customer_service",
    "too_complex",
    "low_quality",
    "other",
)
"""Stripe's words for why somebody cancels."""
COMMENT_LENGTH = 1000


class PriceChanged(BillingRefused):
    """What was shown is not what it would cost now: show it again."""


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    amount: Money


@dataclass(frozen=True, slots=True)
class ChangePreview:
    """What a change costs. ``due_now`` is charged at once; ``credit`` is kept for the next invoices; ``next`` is each
    period from then on, tax in both. ``proration_date`` goes with it to ``change_apply``."""

    lines: list[Line]
    due_now: Money
    credit: Money
    next: Money
    next_at: datetime | None
    proration_date: int

    @property
    def balance(self) -> Money:
        """What is due now, or below zero what is left over."""
        return Money(self.due_now.amount - self.credit.amount, self.due_now.currency)


def subscription_require(account: BillingAccount) -> Subscription:
    """The subscription that exists, as Stripe has it now: what we know may be old. Raises BillingRefused, AccountBusy
    and StripeAway."""
    subscription_sync(account.id)
    found = account.subscriptions.select_related("price__plan").filter(status__in=LIVE).first()
    if found is None:
        raise BillingRefused(_("There is no subscription to change. Choose a plan first."))
    return found


def _current(account: BillingAccount) -> Subscription:
    """The subscription that exists, as Stripe has it now. Raises BillingRefused, AccountBusy and StripeAway."""
    subscription_require(account)
    subscription_sync(account.id)
    account.refresh_from_db()
    return subscription_require(account)


@shared()
def change_preview(account: BillingAccount, price: PlanPrice, quantity: int) -> ChangePreview:
    """What it costs to have so many seats at that price from now on. Raises BillingRefused and StripeAway."""
    subscription = subscription_require(account)
    _require_change(account, subscription, price, quantity)
    try:
        return _preview(subscription, price_ensure(price), quantity, int(clock.now().timestamp()))
    except StripeMissing:
        # It ended at Stripe, and nobody has told us yet.
        _current(account)
        raise


def _require_change(account: BillingAccount, subscription: Subscription, price: PlanPrice, quantity: int) -> None:
    if subscription.status not in ("active", "trialing"):
        raise BillingRefused(_("Pay the open invoice first; then the plan can be changed."))
    if subscription.price is not None and subscription.price.currency != price.currency:
        raise BillingRefused(
            _("The subscription is in {currency}: choose a price in it.").format(currency=subscription.price.currency)
        )
    if not price.plan.is_sold and subscription.price_id != price.id:
        raise BillingRefused(_("This plan is not sold any more. Choose another one."))
    if (subscription.price_id, subscription.quantity) == (price.id, quantity):
        raise BillingRefused(_("That is what you have already."))
    if quantity < (kept := seats_kept(subscription, price)):
        raise BillingRefused(
            _("{seats} seats are paid for until the period ends. From then on each member is billed.").format(
                seats=kept
            )
        )
    if subscription.quantity < subscription.paid_quantity and subscription.period_end is not None:
        # Lowered for the renewal: seats that are paid for would be charged once more.
        renews = date_format(timezone.localtime(subscription.period_end), "SHORT_DATETIME_FORMAT")
        raise BillingRefused(
            _("The subscription renews on {moment}, for {seats} seats. Change it after that.").format(
                moment=renews, seats=subscription.quantity
            )
        )
    seats_require(account, price, quantity)


def _preview(subscription: Subscription, price_id: str, quantity: int, proration_date: int) -> ChangePreview:
    items = [{"id": subscription.item_id, "price": price_id, "quantity": quantity}]
    now = stripe_reads.change_preview_fetch(
        {
            "subscription": subscription.stripe_id,
            "subscription_details": {
                "items": items,
                "proration_behavior": "always_invoice",
                "proration_date": proration_date,
            },
        }
    )
    later = stripe_reads.change_preview_fetch(
        {
            "subscription": subscription.stripe_id,
            "subscription_details": {"items": items, "proration_behavior": "none"},
            "preview_mode": "recurring",
        }
    )
    currency = now["currency"]
    return ChangePreview(
        lines=[line_of(one) for one in now["lines"]["data"]],
        due_now=Money.of_coins(now["amount_due"], currency),
        credit=Money.of_coins(max(-now["total"], 0), currency),
        next=Money.of_coins(later["total"], currency),
        next_at=moment(now["lines"]["data"][-1]["period"]["end"]) if now["lines"]["data"] else subscription.period_end,
        proration_date=proration_date,
    )


def line_of(one: Fetched) -> Line:
    """A line of an invoice that Stripe made or would make."""
    return Line(one["description"] or "", Money.of_coins(one["amount"], one["currency"]))


@shared()
def change_apply(
    account: BillingAccount, price: PlanPrice, quantity: int, proration_date: int, expected: Money
) -> Subscription:
    """Make the change that was shown, at the very moment it was reckoned for.

    Raises PriceChanged where its balance would be anything but ``expected`` now, StripeRefused where the card is
    declined: the subscription then stays as it was. Raises BillingRefused, AccountBusy, and StripeAway: then nobody
    knows yet.
    """
    subscription = subscription_require(account)
    _require_change(account, subscription, price, quantity)
    price_id = price_ensure(price)
    if not _is_recent(subscription, proration_date):
        raise PriceChanged(_("The price was shown too long ago. Look at it again."))

    def check() -> None:
        if _preview(subscription, price_id, quantity, proration_date).balance != expected:
            raise PriceChanged(_("The price has changed since it was shown. Look at it again."))

    stripe_writes.subscription_update(
        account,
        subscription.stripe_id,
        {
            "items": [{"id": subscription.item_id, "price": price_id, "quantity": quantity}],
            "proration_behavior": "always_invoice",
            "proration_date": proration_date,
            "payment_behavior": "error_if_incomplete",
        },
        check=check,
    )
    return _synced(account)


PREVIEW_SECONDS = 30 * 60
"""How long a price that was shown can be accepted."""


def _is_recent(subscription: Subscription, proration_date: int) -> bool:
    age = clock.now().timestamp() - proration_date
    begun = subscription.period_start
    return 0 <= age <= PREVIEW_SECONDS and (begun is None or proration_date >= begun.timestamp())


def _synced(account: BillingAccount) -> Subscription:
    found = subscription_sync(account.id)
    account.refresh_from_db()
    assert found is not None
    return found


@shared()
def cancel(account: BillingAccount, reason: str, comment: str) -> Subscription:
    """End the subscription with what is paid for; until then all stays. Raises BillingRefused, AccountBusy and
    StripeAway."""
    subscription = _current(account)
    if reason not in REASONS:
        raise BillingRefused(_("Choose one of the reasons."))
    if len(comment) > COMMENT_LENGTH:
        raise BillingRefused(_("The comment is too long: at most {most} characters.").format(most=COMMENT_LENGTH))
    if subscription.cancel_at is not None:
        raise BillingRefused(_("The subscription is cancelled already."))
    details = {"feedback": reason} | ({"comment": comment} if comment else {})
    _update(account, subscription, {"cancel_at_period_end": True, "cancellation_details": details})
    with transaction.atomic():
        BillingAccount.objects.filter(id=account.id).update(cancel_reason=reason, cancel_comment=comment)
    return _synced(account)


@shared()
def reactivate(account: BillingAccount) -> Subscription:
    """Take cancelling back while the subscription still runs. Raises BillingRefused, AccountBusy and StripeAway."""
    subscription = _current(account)
    if subscription.cancel_at is None:
        raise BillingRefused(_("The subscription is not cancelled."))
    # Stripe's own pages set a date instead.
    is_at_end = subscription.raw.get("cancel_at_period_end")
    _update(account, subscription, {"cancel_at_period_end": False} if is_at_end else {"cancel_at": ""})
    BillingAccount.objects.filter(id=account.id).update(cancel_reason="", cancel_comment="")
    return _synced(account)


def _update(account: BillingAccount, subscription: Subscription, params: Params) -> None:
    stripe_writes.subscription_update(account, subscription.stripe_id, params)


@shared()
def coupon_apply(account: BillingAccount, code: str, *, instead_of: str = "") -> Subscription:
    """Give the subscription the discount of a promotion code, once, typed here or at the checkout.

    A subscription has one coupon: another ends the one that runs, which is to be named by ``instead_of``. Raises
    BillingRefused, AccountBusy and StripeAway.
    """
    subscription = _current(account)
    found = stripe_reads.promotion_code_find(code.strip()) if code.strip() else None
    if found is None:
        raise BillingRefused(_("There is no such code, or its time is over."))
    used = StripeRequest.objects.filter(
        account=account,
        operation=stripe_writes.SUBSCRIPTION_UPDATE.name,
        state=StripeRequest.State.DONE,
        params__discounts=[{"promotion_code": found["id"]}],
    )
    if used.exists() or found["id"] in stripe_reads.promotions_used(str(account.customer_id)):
        raise BillingRefused(_("This code was used already, and counts once."))
    if subscription.coupon not in ("", instead_of):
        raise BillingRefused(
            _("The coupon {running} runs. The new one would take its place: send it again if you want that.").format(
                running=subscription.coupon
            )
        )
    params: dict[str, Any] = {"discounts": [{"promotion_code": found["id"]}]}
    stripe_writes.subscription_update(account, subscription.stripe_id, params)
    return _synced(account)
