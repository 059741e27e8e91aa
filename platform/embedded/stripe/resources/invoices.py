"""Invoices, their previews, and the payments made against them."""

import copy

from embedded.stripe.engine import changing, invoicing, subscribing, wallet
from embedded.stripe.engine.discounts import discount_shape
from embedded.stripe.engine.pending import pending
from embedded.stripe.engine.periods import period_end
from embedded.stripe.engine.prorations import period_line
from embedded.stripe.errors import Refused
from embedded.stripe.params import (
    PAGE,
    RANGE,
    choice,
    either,
    flag,
    listing,
    mapping,
    merged,
    metadata,
    required,
    stamp,
    text,
)
from embedded.stripe.resources.customers import live
from embedded.stripe.resources.routing import Route, retrieving
from embedded.stripe.resources.subscriptions import (
    ANCHOR_NEW,
    AUTOMATIC_TAX,
    BILLING_MODE,
    DISCOUNTS,
    ITEM_CHANGES,
    PRORATIONS,
    anchored,
)
from embedded.stripe.store import Body, Store


def create_preview(store: Store, params: Body) -> Body:
    """The next invoice as it would be: after a change by ``subscription_details``, or the first one of a new
    subscription.

    With ``always_invoice`` it is the one that the change makes at once; else the coming renewal with what waits for
    it.
    """
    details = anchored(params.get("subscription_details") or {})
    if params.get("subscription"):
        old = store.get("subscription", params["subscription"], "subscription")
        customer = live(store, old["customer"], "customer")
        return _preview_change(store, customer, old, {**details, **_own(params)}, params)
    if not params.get("customer"):
        raise Refused(
            "You must provide one of customer, subscription or schedule.", code="parameter_missing", param="customer"
        )
    customer = live(store, params["customer"], "customer")
    if not details.get("items"):
        raise Refused("Nothing to invoice for customer", code="invoice_upcoming_none")
    shape = subscribing.shape(store, customer, {**details, **_own(params), "currency": params.get("currency")})
    _discounts(store, shape, params)
    now = store.now()
    lines = subscribing.first_lines(store, shape)
    return _shown(
        invoicing.invoice_shape(store, customer, shape, lines, reason="subscription_create", period=(now, now)), None
    )


def _own(params: Body) -> Body:
    return {name: params[name] for name in ("automatic_tax",) if name in params}


def _discounts(store: Store, subscription: Body, params: Body) -> None:
    if "discounts" not in params:
        return
    given = params["discounts"] or []
    subscription["discounts"] = [one["discount"] for one in given if one.get("discount")]
    fresh = [one for one in given if not one.get("discount")]
    subscription["_preview_discounts"] = [
        discount_shape(store, coupon, code, customer=subscription["customer"], subscription=subscription["id"])
        for coupon, code in subscribing.coupons(store, fresh, subscription["customer"], subscription["currency"])
    ]


def _preview_change(store: Store, customer: Body, old: Body, terms: Body, params: Body) -> Body:
    if old["status"] in {"canceled", "incomplete_expired"}:
        raise Refused("No upcoming invoices for customer", status=404, code="invoice_upcoming_none")
    if terms.get("cancel_now"):
        return _preview_cancel(store, customer, old, terms)
    new, fresh = changing.changed(store, old, terms)
    _discounts(store, new, params)
    lines = changing.difference(store, old, new, terms, fresh=fresh)
    moment = terms.get("proration_date") or store.now()
    held = pending(store, old)
    changed_at = moment if terms.get("items") else None
    if params.get("preview_mode") == "recurring":
        return _shown(_renewal(store, customer, new, []), None)
    if fresh or (terms.get("proration_behavior") == "always_invoice" and lines):
        now = store.now()
        invoice = invoicing.invoice_shape(
            store, customer, new, [*held, *lines], reason="subscription_update", period=(now, now)
        )
        return _shown(invoice, changed_at)
    if new["cancel_at"] is not None and new["cancel_at"] <= period_end(new) and not (held or lines):
        raise Refused("No upcoming invoices for customer", status=404, code="invoice_upcoming_none")
    return _shown(_renewal(store, customer, new, [*held, *lines]), changed_at)


def _preview_cancel(store: Store, customer: Body, old: Body, terms: Body) -> Body:
    lines = changing.difference(store, old, {**old, "items": {**old["items"], "data": []}}, terms, fresh=False)
    now = store.now()
    held = pending(store, old)
    return _shown(
        invoicing.invoice_shape(store, customer, old, [*held, *lines], reason="subscription_update", period=(now, now)),
        now,
    )


def _renewal(store: Store, customer: Body, subscription: Body, held: list[Body]) -> Body:
    start = period_end(subscription)
    items = copy.deepcopy(subscription["items"]["data"])
    lines = []
    if subscription["cancel_at"] is None or subscription["cancel_at"] > start:
        lines = [
            period_line(store, item, *subscribing.next_period(subscription["billing_cycle_anchor"], item))
            for item in items
        ]
    began = min(item["current_period_start"] for item in items)
    invoice = invoicing.invoice_shape(
        store, customer, subscription, [*held, *lines], reason="upcoming", period=(began, start), at=start
    )
    return {**invoice, "next_payment_attempt": start + 3600}


def _shown(invoice: Body, changed_at: int | None) -> Body:
    identity = invoice["id"].replace("in_", "upcoming_in_")
    for line in invoice["lines"]["data"]:
        line["invoice"] = identity
    parent = invoice["parent"]
    if parent and changed_at is not None:
        parent = {
            **parent,
            "subscription_details": {**parent["subscription_details"], "subscription_proration_date": changed_at},
        }
    lines = {**invoice["lines"], "url": f"/v1/invoices/{identity}/lines"}
    return {**invoice, "id": identity, "auto_advance": None, "lines": lines, "parent": parent}


def listed(store: Store, params: Body) -> Body:
    equal: Body = {name: params[name] for name in ("customer", "status", "subscription") if name in params}
    return store.page("invoice", params, "/v1/invoices", **equal)


def lines_listed(store: Store, params: Body, identity: str) -> Body:
    lines: Body = store.get("invoice", identity)["lines"]
    data = lines["data"]
    if params.get("starting_after"):
        at = next((place for place, line in enumerate(data) if line["id"] == params["starting_after"]), -1)
        data = data[at + 1 :]
    most = min(max(params.get("limit", 10), 1), 100)
    return {**lines, "data": data[:most], "has_more": len(data) > most}


def update(store: Store, params: Body, identity: str) -> Body:
    invoice = store.get("invoice", identity)
    changes: Body = dict(params)
    if "metadata" in changes:
        changes["metadata"] = merged(invoice["metadata"], changes["metadata"])
    if changes.get("default_payment_method"):
        store.get("payment_method", changes["default_payment_method"], "default_payment_method")
    return store.update(invoice, "invoice.updated", **changes)


def finalize(store: Store, params: Body, identity: str) -> Body:
    """Out of draft; where it advances by itself it is charged within the hour."""
    invoice = invoicing.finalize(store, store.get("invoice", identity))
    if params.get("auto_advance", invoice["auto_advance"]):
        store.update(invoice, None, auto_advance=True, _due=store.now() + 3600)
    return invoice


def pay(store: Store, params: Body, identity: str) -> Body:
    invoice = store.get("invoice", identity)
    method = wallet.method_by_id(store, params["payment_method"]) if params.get("payment_method") else None
    if params.get("paid_out_of_band"):
        return invoicing.paid_elsewhere(store, invoice)
    invoicing.pay(store, invoice, method, on_session=not params.get("off_session", True))
    return store.get("invoice", identity)


def void(store: Store, _params: Body, identity: str) -> Body:
    return invoicing.void(store, store.get("invoice", identity))


def mark_uncollectible(store: Store, _params: Body, identity: str) -> Body:
    return invoicing.mark_uncollectible(store, store.get("invoice", identity))


def delete(store: Store, _params: Body, identity: str) -> Body:
    invoice = store.get("invoice", identity)
    if invoice["status"] != "draft" or invoice["_subscription"]:
        raise Refused("You can only delete draft invoices that no subscription made.")
    store.remove(identity)
    store.emit("invoice.deleted", invoice)
    return {"id": identity, "object": "invoice", "deleted": True}


def payments_listed(store: Store, params: Body) -> Body:
    equal: Body = {name: params[name] for name in ("invoice", "status") if name in params}
    payment = params.get("payment") or {}
    if payment.get("payment_intent"):
        equal["payment.payment_intent"] = payment["payment_intent"]
    return store.page("invoice_payment", params, "/v1/invoice_payments", **equal)


ROUTES = [
    Route(
        "POST",
        "/v1/invoices/create_preview",
        create_preview,
        {
            "automatic_tax": AUTOMATIC_TAX,
            "currency": text,
            "customer": text,
            "discounts": DISCOUNTS,
            "preview_mode": choice("next", "recurring"),
            "subscription": text,
            "subscription_details": mapping(
                {
                    "billing_cycle_anchor": ANCHOR_NEW,
                    "billing_mode": BILLING_MODE,
                    "cancel_at": stamp,
                    "cancel_at_period_end": flag,
                    "cancel_now": flag,
                    "items": listing(mapping(ITEM_CHANGES), most=20),
                    "proration_behavior": PRORATIONS,
                    "proration_date": stamp,
                    "trial_end": either(choice("now"), stamp),
                }
            ),
        },
    ),
    Route(
        "GET",
        "/v1/invoices",
        listed,
        {
            **PAGE,
            "created": RANGE,
            "customer": text,
            "status": choice("draft", "open", "paid", "uncollectible", "void"),
            "subscription": text,
        },
    ),
    Route("GET", "/v1/invoices/{id}", retrieving("invoice")),
    Route("GET", "/v1/invoices/{id}/lines", lines_listed, PAGE),
    Route(
        "POST",
        "/v1/invoices/{id}",
        update,
        {
            "auto_advance": flag,
            "default_payment_method": text,
            "description": text,
            "footer": text,
            "metadata": metadata,
        },
    ),
    Route("POST", "/v1/invoices/{id}/finalize", finalize, {"auto_advance": flag}),
    Route(
        "POST",
        "/v1/invoices/{id}/pay",
        pay,
        {"off_session": flag, "paid_out_of_band": flag, "payment_method": text},
    ),
    Route("POST", "/v1/invoices/{id}/void", void),
    Route("POST", "/v1/invoices/{id}/mark_uncollectible", mark_uncollectible),
    Route("DELETE", "/v1/invoices/{id}", delete),
    Route(
        "GET",
        "/v1/invoice_payments",
        payments_listed,
        {
            **PAGE,
            "invoice": text,
            "payment": mapping({"payment_intent": text, "type": required(choice("payment_intent"))}),
            "status": choice("canceled", "open", "paid"),
        },
    ),
    Route("GET", "/v1/invoice_payments/{id}", retrieving("invoice_payment")),
]
