"""Payment methods: cards that a customer's invoices are charged to.

For pages: ``method_make`` and ``method_attach`` take a card as typed, ``default_set`` makes it what invoices are
charged to.
"""

from typing import Any

from embedded.stripe.engine.cards import Card, card_by_alias, card_by_number
from embedded.stripe.errors import Refused, declined
from embedded.stripe.store import Body, Store


def method_make(
    store: Store,
    card: Card,
    *,
    exp_month: int = 12,
    exp_year: int = 2034,
    billing: Body | None = None,
    confirmed: bool = False,
) -> Body:
    """A payment method of nobody yet. ``confirmed`` says that 3-D Secure was done for later payments too."""
    return store.put(
        {
            "id": store.new_id("pm"),
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": {
                "address": None,
                "email": None,
                "name": None,
                "phone": None,
                "tax_id": None,
                **(billing or {}),
            },
            "card": {
                "brand": card.brand,
                "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
                "country": "US",
                "display_brand": card.brand,
                "exp_month": exp_month,
                "exp_year": exp_year,
                "fingerprint": f"standin{card.number[-8:]}",
                "funding": "credit",
                "generated_from": None,
                "last4": card.number[-4:],
                "networks": {"available": [card.brand], "preferred": None},
                "regulated_status": "unregulated",
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
            "created": store.now(),
            "customer": None,
            "livemode": False,
            "metadata": {},
            "type": "card",
            "_card": card.number,
            "_confirmed": confirmed,
        }
    )


def method_by_id(store: Store, identity: str, param: str = "payment_method") -> Body:
    """The payment method; ``pm_card_visa`` and its like make a new one of that test card."""
    card = card_by_alias(identity)
    return method_make(store, card) if card else store.get("payment_method", identity, param)


def method_attach(store: Store, method: Body, customer: str) -> Body:
    """Give the method to that customer; raises Refused for a card that its bank declines and for one of somebody
    else.
    """
    if method["customer"] == customer:
        return method
    if method["customer"] is not None or method.get("_detached"):
        raise Refused(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_unexpected_state",
            param="payment_method",
        )
    card = card_by_number(method["_card"])
    if card.behaviour == "declined":
        raise declined(card.message, card.code, card.decline_code)
    store.put({**method, "customer": customer})
    method["customer"] = customer
    store.emit("payment_method.attached", method)
    return method


def method_detach(store: Store, method: Body) -> Body:
    """Take the method from its customer and from all that pays with it."""
    owner = method["customer"]
    if owner is None:
        raise Refused(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            code="payment_method_not_attached",
        )
    customer = store.get("customer", owner)
    if customer["invoice_settings"]["default_payment_method"] == method["id"]:
        default_set(store, customer, None)
    for subscription in store.find("subscription", customer=owner, default_payment_method=method["id"]):
        store.update(subscription, "customer.subscription.updated", default_payment_method=None)
    method.update(customer=None, _detached=True)
    store.put(method)
    store.emit("payment_method.detached", method, {"customer": owner})
    return method


def default_set(store: Store, customer: Body, method: str | None) -> Body:
    settings: dict[str, Any] = {**customer["invoice_settings"], "default_payment_method": method}
    return store.update(customer, "customer.updated", invoice_settings=settings)


def method_of(store: Store, customer: Body, subscription: Body | None) -> Body | None:
    """What an invoice is charged to: the subscription's own method, else the customer's default."""
    for holder in (
        (subscription or {}).get("default_payment_method"),
        customer["invoice_settings"]["default_payment_method"],
    ):
        if holder:
            return store.peek(holder)
    return None


def default_replace(store: Store, customer: Body, method: str) -> None:
    """What the portal does: the method pays from now on, for subscriptions with a method of their own too."""
    default_set(store, customer, method)
    for subscription in store.find("subscription", customer=customer["id"]):
        if subscription["default_payment_method"] is not None and subscription["status"] not in {
            "canceled",
            "incomplete_expired",
        }:
            store.update(subscription, "customer.subscription.updated", default_payment_method=method)
