"""Customers."""

import secrets
from typing import Any

from embedded.stripe.engine import checkout, invoicing, wallet
from embedded.stripe.engine.periods import OVER
from embedded.stripe.engine.tax_ids import tax_id_make
from embedded.stripe.errors import missing
from embedded.stripe.params import (
    ADDRESS,
    PAGE,
    RANGE,
    Schema,
    choice,
    integer,
    listing,
    mapping,
    merged,
    metadata,
    required,
    text,
)
from embedded.stripe.resources.routing import Route, listing_of
from embedded.stripe.store import Body, Store

FIELDS: Schema = {
    "address": ADDRESS,
    "balance": integer,
    "business_name": text,
    "description": text,
    "email": text,
    "individual_name": text,
    "invoice_prefix": text,
    "invoice_settings": mapping({"default_payment_method": text, "footer": text}),
    "metadata": metadata,
    "name": text,
    "phone": text,
    "preferred_locales": listing(text),
    "tax": mapping({"ip_address": text, "validate_location": choice("auto", "deferred", "immediately")}),
    "tax_exempt": choice("none", "exempt", "reverse"),
}


def create(store: Store, params: Body) -> Body:
    customer: Body = {
        "id": store.new_id("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": store.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "email": None,
        "invoice_prefix": secrets.token_hex(4).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "tax_exempt": "none",
    }
    customer.update(_fields(customer, params))
    store.put(customer)
    store.emit("customer.created", customer)
    if params.get("payment_method"):
        wallet.method_attach(store, wallet.method_by_id(store, params["payment_method"]), customer["id"])
    for given in params.get("tax_id_data") or []:
        tax_id_make(store, customer, given["type"], given["value"])
    return customer


def _fields(customer: Body, params: Body) -> Body:
    found: dict[str, Any] = {name: value for name, value in params.items() if name in FIELDS and name != "tax"}
    if "metadata" in params:
        found["metadata"] = merged(customer["metadata"], params["metadata"])
    if params.get("invoice_settings") is not None:
        found["invoice_settings"] = {**customer["invoice_settings"], **params["invoice_settings"]}
    if params.get("address") is not None:
        blank = {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}
        found["address"] = {**blank, **params["address"]}
    found["tax_exempt"] = found.get("tax_exempt") or customer["tax_exempt"]
    return found


def retrieve(store: Store, _params: Body, identity: str) -> Body:
    return store.get("customer", identity)


def update(store: Store, params: Body, identity: str) -> Body:
    customer = live(store, identity)
    chosen = (params.get("invoice_settings") or {}).get("default_payment_method")
    if (
        chosen
        and store.get("payment_method", chosen, "invoice_settings[default_payment_method]")["customer"] != identity
    ):
        raise missing("PaymentMethod", chosen, "invoice_settings[default_payment_method]", status=400)
    return store.update(customer, "customer.updated", **_fields(customer, params))


def live(store: Store, identity: str, param: str | None = None) -> Body:
    """The customer, one that was deleted being no such customer."""
    customer = store.get("customer", identity, param)
    if customer.get("deleted"):
        raise missing("customer", identity, param or "id", status=400 if param else 404)
    return customer


def delete(store: Store, _params: Body, identity: str) -> Body:
    """Its subscriptions end at once and its open checkouts expire; its invoices stay."""
    customer = live(store, identity)
    for subscription in store.find("subscription", customer=identity):
        if subscription["status"] not in OVER:
            invoicing.ended(store, subscription, "cancellation_requested")
    for session in store.find("checkout.session", customer=identity, status="open"):
        checkout.expire(store, session)
    store.emit("customer.deleted", customer)
    gone = {"id": identity, "object": "customer", "deleted": True}
    store.put({**gone, "created": customer["created"]})
    return gone


ROUTES = [
    Route(
        "POST",
        "/v1/customers",
        create,
        {
            **FIELDS,
            "payment_method": text,
            "tax_id_data": listing(mapping({"type": required(text), "value": required(text)})),
        },
    ),
    Route(
        "GET",
        "/v1/customers",
        listing_of("customer", "/v1/customers", "email"),
        {**PAGE, "created": RANGE, "email": text},
    ),
    Route("GET", "/v1/customers/{id}", retrieve),
    Route("POST", "/v1/customers/{id}", update, FIELDS),
    Route("DELETE", "/v1/customers/{id}", delete),
]
