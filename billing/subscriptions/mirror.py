"""Copies of what Stripe has: a subscription, its customer, the invoices; written under the account's row lock."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing.access import GRACE
from billing.models import LIVE, BillingAccount, InvoiceMirror, PlanPrice, Subscription
from billing.money import Money
from billing.outgoing import Fetched
from billing.seats import paid_in_period

FAILED = ("past_due", "unpaid")


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def moment_of(body: Fetched, name: str) -> datetime | None:
    """The time under a name, where there is one."""
    return None if body.get(name) is None else moment(body[name])


def customer_mirror(account: BillingAccount, customer: Fetched, subscription: Fetched | None) -> None:
    """Set on ``account`` what Stripe knows of who pays and by which card; the caller saves it."""
    address = customer.get("address") or {}
    account.name = (customer.get("name") or "")[:150]
    account.email = (customer.get("email") or account.email)[:254]
    account.address = {name: value for name, value in address.items() if value}
    account.country = (address.get("country") or "")[:2]
    ids = (customer.get("tax_ids") or {}).get("data") or []
    account.vat_id = str(ids[0]["value"])[:40] if ids else ""
    account.vat_status = str((ids[0].get("verification") or {}).get("status") or "")[:20] if ids else ""
    if customer.get("currency"):
        account.currency = str(customer["currency"]).upper()
    settings = customer.get("invoice_settings") or {}
    _card_mirror(account, [(subscription or {}).get("default_payment_method"), settings.get("default_payment_method")])


def _card_mirror(account: BillingAccount, methods: Sequence[Any]) -> None:
    cards = [one["card"] for one in methods if isinstance(one, dict) and one.get("card")]
    account.card_brand = str(cards[0]["brand"])[:30] if cards else ""
    account.card_last4 = str(cards[0]["last4"])[:4] if cards else ""
    account.card_expires_on = _last_day(cards[0]["exp_year"], cards[0]["exp_month"]) if cards else None


def _last_day(year: int, month: int) -> date:
    following = date(year + month // 12, month % 12 + 1, 1)
    return date.fromordinal(following.toordinal() - 1)


def plan_item(fetched: Fetched) -> tuple[Fetched, PlanPrice | None]:
    """What is paid a seat, with its price here: the item whose price is one of ours, whatever else an operator has
    added at Stripe; else the first with None. Empty where the subscription has no items."""
    items = fetched["items"]["data"]
    for item in items:
        if (price := _price_known(item["price"])) is not None:
            return item, price
    return (items[0] if items else {}), None


def _price_known(price: Fetched) -> PlanPrice | None:
    """The price by Stripe's id, by its lookup key or by the plan it names; None where it is none of ours."""
    rows = PlanPrice.objects.select_related("plan")
    found = rows.filter(stripe_price_id=price["id"]).first()
    if found is None and price.get("lookup_key"):
        found = rows.filter(lookup_key=price["lookup_key"]).first()
    return found or _price_by_metadata(price)


def _price_by_metadata(price: Fetched) -> PlanPrice | None:
    """A price of ours that another has taken the lookup key from, since what is sold costs something else by now."""
    plan, recurring = (price.get("metadata") or {}).get("plan"), price.get("recurring") or {}
    rows = PlanPrice.objects.select_related("plan").filter(plan_id=plan, interval=recurring.get("interval"))
    return rows.filter(currency=price["currency"].upper()).first() if plan else None


def subscription_mirror(
    account: BillingAccount, fetched: Fetched, invoices: Sequence[Fetched], now: datetime
) -> Subscription:
    """Keep a subscription as it was fetched, with the grace that a failed payment is given."""
    before = Subscription.objects.filter(stripe_id=fetched["id"]).first()
    row = before or Subscription(stripe_id=fetched["id"])
    item, price = plan_item(fetched)
    quantity = 1 if item.get("quantity") is None else item["quantity"]
    period_start = moment_of(item, "current_period_start")
    period_end = moment_of(item, "current_period_end")
    paid = paid_in_period(before, period=(period_start, period_end), quantity=quantity)
    failed_at = _failed_at(fetched, invoices, before, now) if fetched["status"] in FAILED else None
    row.account = account
    row.item_id = item.get("id", "")
    row.status = fetched["status"]
    row.price = price
    row.quantity, row.paid_quantity = quantity, paid
    row.period_start, row.period_end = period_start, period_end
    row.trial_end = moment_of(fetched, "trial_end")
    row.cancel_at = moment_of(fetched, "cancel_at") or (period_end if fetched.get("cancel_at_period_end") else None)
    row.ended_at = moment_of(fetched, "ended_at")
    row.is_paused = fetched.get("pause_collection") is not None
    if row.status in LIVE:
        # One that ends for want of payment keeps what it was given: when it stopped being paid for counts from there.
        row.past_due_since = failed_at
        row.grace_until = None if failed_at is None else failed_at + GRACE
    row.coupon = _coupon(fetched)
    row.raw = fetched
    row.synced_at = now
    row.started_at = moment(fetched.get("start_date") or fetched["created"])
    row.save()
    return row


def _failed_at(fetched: Fetched, invoices: Sequence[Fetched], before: Subscription | None, now: datetime) -> datetime:
    """When the oldest invoice that is still unpaid was to be paid first."""
    times = [
        issued_at(one)
        for one in invoices
        if one["status"] in ("open", "uncollectible") and one["attempted"] and subscription_of(one) == fetched["id"]
    ]
    if times:
        return min(times)
    return before.past_due_since if before is not None and before.past_due_since is not None else now


def _coupon(fetched: Fetched) -> str:
    for one in fetched.get("discounts") or []:
        if isinstance(one, dict):
            coupon = (one.get("source") or {}).get("coupon")
            return str(coupon.get("name") or coupon["id"] if isinstance(coupon, dict) else coupon or "")[:200]
    return ""


def subscription_of(invoice: Fetched) -> str:
    """Stripe's id of the subscription that an invoice is for; empty where it is for none."""
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    found = details.get("subscription")
    return str(found["id"] if isinstance(found, dict) else found or "")


def payment_intents(invoice: Fetched) -> list[str]:
    payments = (invoice.get("payments") or {}).get("data") or []
    found = [(one.get("payment") or {}).get("payment_intent") for one in payments]
    return [one["id"] if isinstance(one, dict) else one for one in found if one]


def issued_at(invoice: Fetched) -> datetime:
    return moment((invoice.get("status_transitions") or {}).get("finalized_at") or invoice["created"])


def invoices_mirror(
    account: BillingAccount, invoices: Sequence[Fetched], charges: Sequence[Fetched], now: datetime
) -> list[InvoiceMirror]:
    """Keep invoices as they were fetched, with what was paid back and disputed; those that changed."""
    by_intent = {one["payment_intent"]: one for one in charges if one.get("payment_intent") and one.get("paid")}
    known = {row.stripe_id: row for row in InvoiceMirror.objects.filter(stripe_id__in=[one["id"] for one in invoices])}
    changed = []
    for one in invoices:
        row = known.get(one["id"]) or InvoiceMirror(stripe_id=one["id"], account=account)
        paid_by = [by_intent[intent] for intent in payment_intents(one) if intent in by_intent]
        values = _invoice_values(one) | {
            "refunded": _sum([charge["amount_refunded"] for charge in paid_by], one["currency"]),
            "is_disputed": any(charge["disputed"] for charge in paid_by),
        }
        if row._state.adding or any(getattr(row, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(row, name, value)
            row.synced_at = now
            row.save()
            changed.append(row)
    return changed


def _sum(coins: Sequence[int], currency: str) -> Decimal:
    return Money.of_coins(sum(coins), currency).amount


def _invoice_values(one: Fetched) -> dict[str, Any]:
    currency = one["currency"]
    net = one["subtotal"] if one.get("total_excluding_tax") is None else one["total_excluding_tax"]
    transitions = one.get("status_transitions") or {}
    # An invoice's own period is the one before: what is paid for stands on its lines.
    periods = [line["period"] for line in one["lines"]["data"]]
    starts = [at for period in periods if (at := moment_of(period, "start"))]
    ends = [at for period in periods if (at := moment_of(period, "end"))]
    return {
        "number": (one.get("number") or "")[:60],
        "status": one["status"] or "draft",
        "reason": (one.get("billing_reason") or "")[:40],
        "currency": currency.upper(),
        "subtotal": _sum([net], currency),
        "tax": _sum([tax["amount"] for tax in one.get("total_taxes") or []], currency),
        "total": _sum([one["total"]], currency),
        "paid": _sum([one["amount_paid"]], currency),
        "remaining": _sum([one["amount_remaining"]], currency),
        "period_start": min(starts, default=None),
        "period_end": max(ends, default=None),
        "page_url": one.get("hosted_invoice_url") or "",
        "pdf_url": one.get("invoice_pdf") or "",
        "next_attempt_at": moment_of(one, "next_payment_attempt"),
        "issued_at": issued_at(one),
        "paid_at": moment_of(transitions, "paid_at"),
    }
