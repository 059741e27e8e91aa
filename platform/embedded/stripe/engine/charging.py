"""Payments: what a bank says to a card, and the payment intent and charge that remember it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from embedded.stripe.engine.cards import card_by_number
from embedded.stripe.store import Body, Store


@dataclass(frozen=True)
class Outcome:
    """``error`` is Stripe's payment error where the bank refused or nobody could be asked."""

    state: Literal["succeeded", "failed", "requires_action"]
    error: Body | None = None


def intent_make(
    store: Store, *, customer: str, amount: int, currency: str, invoice: str | None, description: str
) -> Body:
    identity = store.new_id("pi")
    intent = {
        "id": identity,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "capture_method": "automatic",
        "client_secret": store.new_id(f"{identity}_secret", 25),
        "confirmation_method": "automatic",
        "created": store.now(),
        "currency": currency,
        "customer": customer,
        "description": description,
        "livemode": False,
        "metadata": {},
        "payment_method_types": ["card"],
        "setup_future_usage": "off_session",
        "status": "requires_payment_method",
        "_invoice": invoice,
    }
    store.put(intent)
    store.emit("payment_intent.created", intent)
    return intent


def intent_confirm(
    store: Store, intent: Body, method: Body | None, *, on_session: bool, authenticated: bool = False
) -> Outcome:
    """Try to take the money. ``on_session``: the customer is there and can do 3-D Secure; ``authenticated``: they
    did.
    """
    if method is None:
        return Outcome(
            "failed", {"type": "invalid_request_error", "code": "payment_intent_payment_method_missing"} | SAID_NO_CARD
        )
    card = card_by_number(method["_card"])
    if _expired(store, method):
        return _failed(store, intent, method, "expired_card", "expired_card", "Your card has expired.")
    wants = card.behaviour == "authenticate" and not authenticated and (card.always or not method.get("_confirmed"))
    if wants:
        if on_session:
            return _waiting(store, intent, method)
        return _failed(
            store,
            intent,
            method,
            "authentication_required",
            "authentication_required",
            "This payment requires authentication.",
        )
    if card.behaviour in {"declined", "attaches"}:
        return _failed(store, intent, method, card.code, card.decline_code, card.message)
    charge = _charge(store, intent, method, "succeeded")
    intent.update(
        status="succeeded",
        amount_received=intent["amount"],
        latest_charge=charge["id"],
        payment_method=method["id"],
        next_action=None,
        last_payment_error=None,
    )
    store.put(intent)
    if authenticated and not method.get("_confirmed"):
        store.put({**method, "_confirmed": True})
    store.emit("charge.succeeded", charge)
    store.emit("payment_intent.succeeded", intent)
    return Outcome("succeeded")


SAID_NO_CARD = {"message": "You cannot confirm this PaymentIntent because it's missing a payment method."}


def _expired(store: Store, method: Body) -> bool:
    """Whether the month printed on the card is over."""
    now = datetime.fromtimestamp(store.now(), UTC)
    return (method["card"]["exp_year"], method["card"]["exp_month"]) < (now.year, now.month)


def _waiting(store: Store, intent: Body, method: Body) -> Outcome:
    action = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
    intent.update(status="requires_action", payment_method=method["id"], next_action=action)
    store.put(intent)
    store.emit("payment_intent.requires_action", intent)
    return Outcome("requires_action")


def authentication_failed(store: Store, intent: Body) -> Outcome:
    """The customer failed 3-D Secure or gave it up."""
    method = store.get("payment_method", intent["payment_method"])
    return _failed(
        store,
        intent,
        method,
        "payment_intent_authentication_failure",
        None,
        "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
    )


def _failed(store: Store, intent: Body, method: Body, code: str, decline_code: str | None, message: str) -> Outcome:
    charge = _charge(store, intent, method, "failed", code, message)
    error = {
        "type": "card_error",
        "code": code,
        "decline_code": decline_code,
        "message": message,
        "charge": charge["id"],
    }
    error = {name: value for name, value in error.items() if value is not None}
    intent.update(
        status="requires_payment_method",
        latest_charge=charge["id"],
        payment_method=None,
        next_action=None,
        last_payment_error={**error, "payment_method": method},
    )
    store.put(intent)
    store.emit("charge.failed", charge)
    store.emit("payment_intent.payment_failed", intent)
    return Outcome("failed", error)


def _charge(
    store: Store, intent: Body, method: Body, status: str, code: str | None = None, message: str | None = None
) -> Body:
    paid = status == "succeeded"
    identity = store.new_id("ch")
    return store.put(
        {
            "id": identity,
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount"] if paid else 0,
            "amount_refunded": 0,
            "billing_details": method["billing_details"],
            "captured": paid,
            "created": store.now(),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_code": code,
            "failure_message": message,
            "livemode": False,
            "metadata": {},
            "paid": paid,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": {"type": "card"},
            "receipt_url": f"{store.origin}/r/{identity}" if paid else None,
            "refunded": False,
            "status": status,
        }
    )
