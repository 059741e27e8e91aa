"""Payment methods, payment intents, charges and refunds."""

from embedded.stripe.engine import refunding, wallet
from embedded.stripe.engine.cards import card_by_number
from embedded.stripe.errors import Refused
from embedded.stripe.params import ADDRESS, PAGE, RANGE, choice, count, mapping, merged, metadata, required, text
from embedded.stripe.resources.customers import live
from embedded.stripe.resources.routing import Route, listing_of, retrieving
from embedded.stripe.store import Body, Store

BILLING = mapping({"address": ADDRESS, "email": text, "name": text, "phone": text})


def method_create(store: Store, params: Body) -> Body:
    card = params.get("card")
    if not card:
        raise Refused("Missing required param: card.", code="parameter_missing", param="card")
    return wallet.method_make(
        store,
        card_by_number(card["number"]),
        exp_month=card["exp_month"],
        exp_year=card["exp_year"],
        billing=params.get("billing_details"),
    )


def method_attach(store: Store, params: Body, identity: str) -> Body:
    customer = live(store, params["customer"], "customer")
    return wallet.method_attach(store, wallet.method_by_id(store, identity), customer["id"])


def method_detach(store: Store, _params: Body, identity: str) -> Body:
    return wallet.method_detach(store, store.get("payment_method", identity))


def method_update(store: Store, params: Body, identity: str) -> Body:
    method = store.get("payment_method", identity)
    changes: Body = {}
    if "metadata" in params:
        changes["metadata"] = merged(method["metadata"], params["metadata"])
    if params.get("card"):
        changes["card"] = {**method["card"], **params["card"]}
    if params.get("billing_details"):
        changes["billing_details"] = {**method["billing_details"], **params["billing_details"]}
    return store.update(method, "payment_method.updated", **changes)


def customer_methods(store: Store, params: Body, customer: str) -> Body:
    live(store, customer)
    return store.page("payment_method", params, f"/v1/customers/{customer}/payment_methods", customer=customer)


def methods(store: Store, params: Body) -> Body:
    if not params.get("customer"):
        raise Refused(
            "The stand-in lists the payment methods of one customer.", code="parameter_missing", param="customer"
        )
    return store.page("payment_method", params, "/v1/payment_methods", customer=params["customer"])


def refund_create(store: Store, params: Body) -> Body:
    if params.get("payment_intent"):
        intent = store.get("payment_intent", params["payment_intent"], "payment_intent")
        identity = intent.get("latest_charge") or ""
        if intent["status"] != "succeeded":
            raise Refused("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
    elif params.get("charge"):
        identity = params["charge"]
    else:
        raise Refused("Missing required param: payment_intent.", code="parameter_missing", param="payment_intent")
    charge = store.get("charge", identity, "charge")
    return refunding.refund(
        store, charge, params.get("amount"), reason=params.get("reason"), noted=merged({}, params.get("metadata") or {})
    )


CARD_TIMES = {"exp_month": required(count), "exp_year": required(count)}
ROUTES = [
    Route(
        "POST",
        "/v1/payment_methods",
        method_create,
        {
            "billing_details": BILLING,
            "card": mapping({**CARD_TIMES, "cvc": text, "number": required(text)}),
            "type": required(choice("card")),
        },
    ),
    Route("GET", "/v1/payment_methods", methods, {**PAGE, "customer": text, "type": choice("card")}),
    Route("GET", "/v1/payment_methods/{id}", retrieving("payment_method")),
    Route(
        "POST",
        "/v1/payment_methods/{id}",
        method_update,
        {"billing_details": BILLING, "card": mapping({"exp_month": count, "exp_year": count}), "metadata": metadata},
    ),
    Route("POST", "/v1/payment_methods/{id}/attach", method_attach, {"customer": required(text)}),
    Route("POST", "/v1/payment_methods/{id}/detach", method_detach),
    Route("GET", "/v1/customers/{customer}/payment_methods", customer_methods, {**PAGE, "type": choice("card")}),
    Route(
        "GET",
        "/v1/payment_intents",
        listing_of("payment_intent", "/v1/payment_intents", "customer"),
        {**PAGE, "created": RANGE, "customer": text},
    ),
    Route("GET", "/v1/payment_intents/{id}", retrieving("payment_intent")),
    Route(
        "GET",
        "/v1/charges",
        listing_of("charge", "/v1/charges", "customer", "payment_intent"),
        {**PAGE, "created": RANGE, "customer": text, "payment_intent": text},
    ),
    Route("GET", "/v1/charges/{id}", retrieving("charge")),
    Route(
        "POST",
        "/v1/refunds",
        refund_create,
        {
            "amount": count,
            "charge": text,
            "metadata": metadata,
            "payment_intent": text,
            "reason": choice("duplicate", "fraudulent", "requested_by_customer"),
        },
    ),
    Route(
        "GET",
        "/v1/refunds",
        listing_of("refund", "/v1/refunds", "charge", "payment_intent"),
        {**PAGE, "charge": text, "created": RANGE, "payment_intent": text},
    ),
    Route("GET", "/v1/refunds/{id}", retrieving("refund")),
    Route(
        "GET",
        "/v1/disputes",
        listing_of("dispute", "/v1/disputes", "charge", "payment_intent"),
        {**PAGE, "charge": text, "created": RANGE, "payment_intent": text},
    ),
    Route("GET", "/v1/disputes/{id}", retrieving("dispute")),
]
