"""What is read at Stripe; one function a call that we make."""

from typing import Any, cast

from billing import stripe_client
from billing.errors import StripeMissing, StripeRefused
from billing.outgoing import Fetched, Params
from billing.stripe_client import ask, client, listed


def customer_fetch(customer_id: str) -> Fetched:
    """``deleted`` is true where it was deleted at Stripe."""
    expand = ["tax_ids", "invoice_settings.default_payment_method"]
    try:
        return ask(lambda: client().v1.customers.retrieve(customer_id, {"expand": expand}))
    except StripeMissing:
        raise
    except StripeRefused:
        # Of one that was deleted nothing is left to expand.
        return ask(lambda: client().v1.customers.retrieve(customer_id))


def customers_with_email(email: str) -> list[Fetched]:
    return listed(lambda params: client().v1.customers.list(cast(Any, params)), {"email": email}, pages=3)


def subscriptions_of(customer_id: str) -> list[Fetched]:
    """All that the customer ever had, with the card each is paid by."""
    expand = ["data.default_payment_method", "data.discounts.source.coupon"]
    params = {"customer": customer_id, "status": "all", "expand": expand}
    return listed(lambda params: client().v1.subscriptions.list(cast(Any, params)), params)


def subscription_fetch(subscription_id: str) -> Fetched:
    return ask(lambda: client().v1.subscriptions.retrieve(subscription_id, {"expand": ["discounts"]}))


def invoices_of(customer_id: str, *, pages: int = 1) -> list[Fetched]:
    """The newest invoices with what was paid on them."""
    params = {"customer": customer_id, "expand": ["data.payments"]}
    return listed(lambda params: client().v1.invoices.list(cast(Any, params)), params, pages)


def charges_of(customer_id: str, *, pages: int = 1) -> list[Fetched]:
    return listed(lambda params: client().v1.charges.list(cast(Any, params)), {"customer": customer_id}, pages)


def charge_fetch(charge_id: str) -> Fetched:
    return ask(lambda: client().v1.charges.retrieve(charge_id))


def checkout_fetch(session_id: str) -> Fetched:
    return ask(lambda: client().v1.checkout.sessions.retrieve(session_id))


def checkouts_of(customer_id: str) -> list[Fetched]:
    return listed(
        lambda params: client().v1.checkout.sessions.list(cast(Any, params)), {"customer": customer_id}, pages=1
    )


def promotions_used(customer_id: str) -> set[str]:
    """The promotion codes that a customer has typed at checkouts that were paid."""
    paid = [one for one in checkouts_of(customer_id) if one["status"] == "complete"]
    return {used["promotion_code"] for one in paid for used in one.get("discounts") or [] if used.get("promotion_code")}


def refunds_of(payment_intent: str) -> list[Fetched]:
    return listed(
        lambda params: client().v1.refunds.list(cast(Any, params)), {"payment_intent": payment_intent}, pages=1
    )


def prices_with_keys(lookup_keys: list[str]) -> list[Fetched]:
    """Prices by lookup key, at most ten, as Stripe allows."""
    params = {"lookup_keys": lookup_keys, "active": True}
    return listed(lambda params: client().v1.prices.list(cast(Any, params)), params, pages=1)


def product_find(product_id: str) -> Fetched | None:
    try:
        return ask(lambda: client().v1.products.retrieve(product_id))
    except StripeMissing:
        return None


def promotion_code_find(code: str) -> Fetched | None:
    """The active code of that name."""
    found = listed(
        lambda params: client().v1.promotion_codes.list(cast(Any, params)), {"code": code, "active": True}, pages=1
    )
    return found[0] if found else None


def events_since(*, created: int, after: str = "") -> Fetched:
    """One page of events of that second or later, the newest first; ``after``: those older than that event."""
    params: dict[str, Any] = {"created": {"gte": created}, "limit": stripe_client.PAGE}
    if after:
        params["starting_after"] = after
    return ask(lambda: client().v1.events.list(cast(Any, params)))


def change_preview_fetch(params: Params) -> Fetched:
    """The invoice that a change of a subscription would make."""
    return ask(lambda: client().v1.invoices.create_preview(cast(Any, dict(params))))
