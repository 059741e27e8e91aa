"""What the API offers, one file a noun; ``ROUTES`` is all of it, in the order in which addresses are tried."""

from embedded.stripe.resources import (
    checkout_sessions,
    coupons,
    customers,
    events,
    invoices,
    payments,
    portal,
    prices,
    products,
    subscriptions,
    tax_ids,
)
from embedded.stripe.resources.routing import Route

ROUTES: list[Route] = [
    *customers.ROUTES,
    *tax_ids.ROUTES,
    *products.ROUTES,
    *prices.ROUTES,
    *coupons.ROUTES,
    *checkout_sessions.ROUTES,
    *portal.ROUTES,
    *subscriptions.ROUTES,
    *invoices.ROUTES,
    *payments.ROUTES,
    *events.ROUTES,
]
