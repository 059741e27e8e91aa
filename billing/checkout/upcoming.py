"""The next invoice, as Stripe would make it now."""

from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache

from billing import stripe_reads
from billing.checkout.changes import Line, line_of
from billing.models import LIVE, BillingAccount
from billing.money import Money
from tenants.db.scopes import shared

KEPT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class NextInvoice:
    """``total`` is what will be asked for, ``tax`` is in it; ``at`` is when."""

    lines: list[Line]
    tax: Money
    total: Money
    at: datetime | None


def next_invoice(account: BillingAccount) -> NextInvoice | None:
    """What Stripe was told a few minutes ago at most, or is asked now; None where no invoice follows.

    Raises StripeAway and StripeRefused.
    """
    with shared():
        subscription = account.subscriptions.filter(status__in=LIVE).first()
    if subscription is None or subscription.cancel_at is not None:
        return None
    key = f"next-invoice:{account.id}:{subscription.synced_at.timestamp()}"
    found: NextInvoice | None = cache.get(key)
    if found is None:
        invoice = stripe_reads.change_preview_fetch({"subscription": subscription.stripe_id})
        currency = invoice["currency"]
        taxes = [one["amount"] for one in invoice.get("total_taxes") or []]
        found = NextInvoice(
            lines=[line_of(one) for one in invoice["lines"]["data"]],
            tax=Money.of_coins(sum(taxes), currency),
            total=Money.of_coins(invoice["amount_due"], currency),
            at=subscription.period_end,
        )
        cache.set(key, found, KEPT_SECONDS)
    return found
