"""What templates ask of billing."""

from datetime import datetime

from django import template
from django.conf import settings
from django.utils.functional import Promise

from billing import clock
from billing.models import InvoiceMirror
from billing.plans.wording import INVOICE_COLORS, INVOICES

register = template.Library()

DAY_SECONDS = 24 * 60 * 60


@register.simple_tag
def payments_are_a_test() -> bool:
    """Whether the stand-in or Stripe's test mode takes the place of real money."""
    return not settings.STRIPE_LIVEMODE


@register.filter
def by_our_clock(at: datetime | None) -> datetime | None:
    """A moment of billing's clock as far from now by ours: a stand-in's clock can be moved."""
    return None if at is None else clock.by_our_clock(at)


@register.filter
def invoice_state(invoice: InvoiceMirror) -> str | Promise:
    return INVOICES.get(invoice.status, invoice.status)


@register.filter
def invoice_color(invoice: InvoiceMirror) -> str:
    return INVOICE_COLORS.get(invoice.status, "gray")


@register.filter
def days_left(until: datetime | None) -> int | None:
    """How many days are left until a moment, the one that has begun included; 0 when it is past."""
    if until is None:
        return None
    return max(0, -int((clock.now() - until).total_seconds() // DAY_SECONDS))
