"""What comes in a month: a row each time that changes, from which the operator's figures are sums.

A yearly price counts a twelfth. Discounts that the next invoice has too are taken off: those for good, and those for
some months while they last beyond the period; one of a single invoice recurs no more than tax, and is left out as that
is. A subscription counts while it is active or its payment has failed; not in a trial at Stripe, paused, or given up.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from billing.models import BillingAccount, PlanPrice, Subscription, SubscriptionChange
from billing.money import Money
from billing.outgoing import Fetched

COUNTED = ("active", "past_due")
CENT = Decimal("0.01")
Kind = SubscriptionChange.Kind


def monthly(subscription: Subscription | None) -> Decimal:
    """What a subscription comes to in a month, to the cent, half to even; zero for one that does not count."""
    if subscription is None or subscription.price is None or subscription.is_paused:
        return Decimal(0)
    if subscription.status not in COUNTED:
        return Decimal(0)
    months = 12 if subscription.price.interval == PlanPrice.Interval.YEAR else 1
    amount = subscription.price.amount * subscription.quantity
    for coupon in _coupons_going_on(subscription):
        amount -= min(_taken_off(coupon, amount, subscription.price.currency), amount)
    return (amount / months).quantize(CENT)


def _coupons_going_on(subscription: Subscription) -> Iterator[Fetched]:
    """The coupons that the next invoice has too, in the order in which Stripe takes them off."""
    period_end = subscription.period_end.timestamp() if subscription.period_end is not None else 0
    for discount in subscription.raw.get("discounts") or []:
        coupon = (discount.get("source") or {}).get("coupon") if isinstance(discount, dict) else None
        if not isinstance(coupon, dict) or coupon.get("duration") == "once":
            continue
        if discount.get("end") is None or discount["end"] > period_end:
            yield coupon


def _taken_off(coupon: Fetched, amount: Decimal, currency: str) -> Decimal:
    if coupon.get("percent_off") is not None:
        return (amount * Decimal(str(coupon["percent_off"])) / 100).quantize(CENT, ROUND_HALF_UP)
    in_currency = (coupon.get("currency_options") or {}).get(currency.lower()) or {}
    own = coupon.get("amount_off") if str(coupon.get("currency") or "").upper() == currency else None
    coins = own if own is not None else in_currency.get("amount_off")
    return Money.of_coins(coins or 0, currency).amount


def change_note(account: BillingAccount, subscription: Subscription | None, now: datetime) -> None:
    """Note what changed since the last row, in each currency; nothing where nothing did."""
    last = SubscriptionChange.objects.filter(account=account).order_by("-at", "-id").first()
    after = monthly(subscription)
    price = subscription.price if subscription is not None and after else None
    before = Decimal(0) if last is None else last.after
    if last is not None and before and price is not None and price.currency != last.currency:
        _add(account, last, now, Kind.CHURN, last.currency, Decimal(0), "", 0)
        last, before = SubscriptionChange.objects.filter(account=account).order_by("-at", "-id").first(), Decimal(0)
    if after == before:
        return
    currency = price.currency if price is not None else last.currency if last is not None else ""
    quantity = subscription.quantity if subscription is not None and after else 0
    _add(account, last, now, _kind(last, before, after), currency, after, price.plan_id if price else "", quantity)


def _kind(last: SubscriptionChange | None, before: Decimal, after: Decimal) -> Kind:
    if not before:
        return Kind.NEW if last is None else Kind.REACTIVATION
    if not after:
        return Kind.CHURN
    return Kind.EXPANSION if after > before else Kind.CONTRACTION


def _add(
    account: BillingAccount,
    last: SubscriptionChange | None,
    now: datetime,
    kind: Kind,
    currency: str,
    after: Decimal,
    plan: str,
    quantity: int,
) -> None:
    same = last is not None and last.currency == currency
    SubscriptionChange.objects.create(
        account=account,
        at=now,
        kind=kind,
        currency=currency,
        before=last.after if last is not None and same else Decimal(0),
        after=after,
        plan_before=last.plan_after if last is not None else "",
        plan_after=plan,
        quantity=quantity,
    )
