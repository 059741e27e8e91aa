"""``expand[]``: ids replaced by what they name, and parts that come only when asked for."""

from collections.abc import Callable
from typing import Any

from embedded.stripe.engine import checkout
from embedded.stripe.errors import NotValid
from embedded.stripe.store import Body, Store

DEEPEST = 4


def expanded(store: Store, answer: Body, wishes: list[str]) -> Body:
    """``answer`` with each dotted path of ``wishes`` opened; raises NotValid for what cannot be."""
    for wish in wishes:
        parts = wish.split(".")
        if len(parts) > DEEPEST:
            raise NotValid(f"You cannot expand more than {DEEPEST} levels of a property ({wish}).", param="expand")
        answer = _open(store, answer, parts, wish)
    return answer


def _open(store: Store, value: Any, parts: list[str], wish: str) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        return [_open(store, one, parts, wish) for one in value]
    if isinstance(value, str):
        found = store.peek(value)
        if found is None:
            raise _refused(wish)
        value = found
    if not parts:
        return value
    if not isinstance(value, dict):
        raise _refused(wish)
    name, rest = parts[0], parts[1:]
    made = INCLUDED.get((value.get("object", ""), name))
    if made is not None and not isinstance(value.get(name), dict):
        return {**value, name: _open(store, made(store, value), rest, wish)}
    if name not in value:
        if value.get("object") and not value.get("deleted") and name in NULLABLE.get(value["object"], ()):
            return value
        raise _refused(wish)
    inside = value[name]
    if not rest and not isinstance(inside, (str, dict, list)) and inside is not None:
        raise _refused(wish)
    return {**value, name: _open(store, inside, rest, wish)}


def _refused(wish: str) -> NotValid:
    return NotValid(f"This property cannot be expanded ({wish}).", param="expand")


def _list(data: list[Body], url: str) -> Body:
    return {"object": "list", "data": data, "has_more": False, "url": url}


def _payments(store: Store, invoice: Body) -> Body:
    return _list(store.find("invoice_payment", invoice=invoice["id"]), "/v1/invoice_payments")


def _secret(store: Store, invoice: Body) -> Body | None:
    if not invoice.get("_intent") or invoice["status"] != "open":
        return None
    return {"client_secret": store.get("payment_intent", invoice["_intent"])["client_secret"], "type": "payment_intent"}


def _subscriptions(store: Store, customer: Body) -> Body:
    found = [one for one in store.find("subscription", customer=customer["id"]) if one["status"] != "canceled"]
    return _list(found[::-1][:10], f"/v1/customers/{customer['id']}/subscriptions")


def _tax_ids(store: Store, customer: Body) -> Body:
    return _list(store.find("tax_id", customer=customer["id"])[::-1], f"/v1/customers/{customer['id']}/tax_ids")


def _refunds(store: Store, charge: Body) -> Body:
    return _list(store.find("refund", charge=charge["id"])[::-1], f"/v1/charges/{charge['id']}/refunds")


INCLUDED: dict[tuple[str, str], Callable[[Store, Body], Body | None]] = {
    ("invoice", "payments"): _payments,
    ("invoice", "confirmation_secret"): _secret,
    ("customer", "subscriptions"): _subscriptions,
    ("customer", "tax_ids"): _tax_ids,
    ("charge", "refunds"): _refunds,
    ("checkout.session", "line_items"): checkout.line_items,
}
# What may be null and is expandable once it is set.
NULLABLE = {
    "checkout.session": ("subscription", "invoice", "payment_intent", "setup_intent"),
    "subscription": ("latest_invoice", "default_payment_method", "pending_setup_intent", "schedule"),
    "invoice": ("default_payment_method",),
    "payment_intent": ("latest_charge", "payment_method"),
    "charge": ("balance_transaction",),
    "price": ("product",),
}
