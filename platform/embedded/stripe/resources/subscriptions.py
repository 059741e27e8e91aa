"""Subscriptions and their items."""

from embedded.stripe.engine import changing, invoicing, renewing, subscribing, wallet
from embedded.stripe.engine.pending import pend
from embedded.stripe.engine.periods import OVER, save
from embedded.stripe.engine.prorations import change_lines
from embedded.stripe.errors import Refused
from embedded.stripe.params import (
    PAGE,
    RANGE,
    Schema,
    choice,
    count,
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
from embedded.stripe.store import Body, Store

FEEDBACK = (
    "customer_service",
    "low_quality",
    "missing_features",
    "other",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
)
BEHAVIOURS = ("allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete")
PRORATIONS = choice("always_invoice", "create_prorations", "none")
DETAILS = mapping({"comment": text, "feedback": choice(*FEEDBACK)})
DISCOUNTS = listing(mapping({"coupon": text, "discount": text, "promotion_code": text}), most=20)
BILLING_MODE = mapping(
    {"type": required(choice("flexible")), "flexible": mapping({"proration_discounts": choice("included")})}
)
AUTOMATIC_TAX = mapping({"enabled": required(flag)})
TRIAL_SETTINGS = mapping(
    {
        "end_behavior": required(
            mapping({"missing_payment_method": required(choice("cancel", "create_invoice", "pause"))})
        )
    }
)
SHARED: Schema = {
    "automatic_tax": AUTOMATIC_TAX,
    "cancel_at": either(choice("max_period_end", "min_period_end"), stamp),
    "cancel_at_period_end": flag,
    "collection_method": choice("charge_automatically"),
    "default_payment_method": text,
    "description": text,
    "discounts": DISCOUNTS,
    "metadata": metadata,
    "off_session": flag,
    "payment_behavior": choice(*BEHAVIOURS),
    "payment_settings": mapping(
        {
            "payment_method_types": listing(choice("card")),
            "save_default_payment_method": choice("off", "on_subscription"),
        }
    ),
    "proration_behavior": PRORATIONS,
    "trial_end": either(choice("now"), stamp),
    "trial_settings": TRIAL_SETTINGS,
}
ITEM_CHANGES: Schema = {"deleted": flag, "id": text, "metadata": metadata, "price": text, "quantity": count}
ANCHOR_NEW = mapping({"type": required(choice("now", "unchanged"))})


def create(store: Store, params: Body) -> Body:
    customer = live(store, params["customer"], "customer")
    behaviour = params.get("payment_behavior") or "allow_incomplete"
    if behaviour == "pending_if_incomplete":
        raise Refused("payment_behavior=pending_if_incomplete is for updates only.", param="payment_behavior")
    trial = params.get("trial_end") not in (None, "now") or params.get("trial_period_days")
    _method_check(store, params, customer["id"])
    if not trial and behaviour != "default_incomplete" and _unpayable(store, params, customer):
        raise Refused(
            "This customer has no attached payment source or default payment method. Please consider adding a default "
            "payment method.",
            code="resource_missing",
        )
    if params.get("cancel_at_period_end"):
        raise Refused("The stand-in takes cancel_at_period_end on updates only.", param="cancel_at_period_end")
    return subscribing.begin(
        store, customer, params, behaviour=behaviour, on_session=not params.get("off_session", False)
    )


def _unpayable(store: Store, params: Body, customer: Body) -> bool:
    holder = {"default_payment_method": params.get("default_payment_method")}
    return wallet.method_of(store, customer, holder) is None


def _method_check(store: Store, params: Body, customer: str) -> None:
    chosen = params.get("default_payment_method")
    if chosen and store.get("payment_method", chosen, "default_payment_method")["customer"] != customer:
        raise Refused(
            f"The customer does not have a payment method with the ID {chosen}. The payment method must be attached to "
            "the customer.",
            code="resource_missing",
            param="default_payment_method",
        )


def update(store: Store, params: Body, identity: str) -> Body:
    subscription = store.get("subscription", identity)
    if subscription["status"] in OVER and set(params) <= {"metadata", "cancellation_details"}:
        details = {**(subscription["cancellation_details"] or {}), **(params.get("cancellation_details") or {})}
        noted = merged(subscription["metadata"], params.get("metadata", {}))
        return save(store, subscription, metadata=noted, cancellation_details=details)
    if params.get("payment_behavior") == "default_incomplete":
        raise Refused("The stand-in takes default_incomplete for new subscriptions only.", param="payment_behavior")
    if subscription["status"] == "incomplete" and set(params) - {"default_payment_method", "metadata"}:
        raise Refused(
            "This subscription's first payment is not made yet: only default_payment_method and metadata can be "
            "updated."
        )
    _method_check(store, params, subscription["customer"])
    return changing.change(store, subscription, anchored(params), on_session=not params.get("off_session", False))


def anchored(params: Body) -> Body:
    """``billing_cycle_anchor`` is an object over the wire: ``{"type": "now"}``."""
    anchor = params.get("billing_cycle_anchor")
    return {**params, "billing_cycle_anchor": anchor["type"]} if anchor else params


def cancel(store: Store, params: Body, identity: str) -> Body:
    """End it at once. ``prorate`` gives the unused time back, ``invoice_now`` as an invoice of its own."""
    subscription = store.get("subscription", identity)
    if subscription["status"] in OVER:
        raise Refused(f"No such subscription: '{identity}'", status=404, code="resource_missing", param="id")
    if params.get("prorate") and subscription["status"] not in {"trialing", "incomplete"}:
        lines = change_lines(store, subscription["items"]["data"], [], store.now())
        for line in lines:
            pend(store, subscription, line)
    if params.get("invoice_now"):
        changing.invoice_pending(store, subscription)
        subscription = store.get("subscription", identity)
    return invoicing.ended(store, subscription, "cancellation_requested", params.get("cancellation_details"))


def resume(store: Store, params: Body, identity: str) -> Body:
    """Out of ``paused``, with a new period from now that is charged at once."""
    subscription = store.get("subscription", identity)
    if subscription["status"] != "paused":
        raise Refused("Only paused subscriptions can be resumed.")
    del params
    return renewing.resume(store, subscription)


def listed(store: Store, params: Body) -> Body:
    """Without ``status`` all but canceled ones; ``all`` and ``ended`` as Stripe reads them."""
    status = params.get("status")
    equal: Body = {name: params[name] for name in ("customer",) if name in params}
    if status not in (None, "all", "ended"):
        equal["status"] = status
    if params.get("price"):
        equal["items.data[0].price.id"] = params["price"]
    if status in (None, "ended"):
        return store.page("subscription", params, "/v1/subscriptions", **equal, _live=status is None)
    return store.page("subscription", params, "/v1/subscriptions", **equal)


def items_listed(store: Store, params: Body) -> Body:
    subscription = store.get("subscription", params["subscription"], "subscription")
    return {**subscription["items"], "url": "/v1/subscription_items"}


ROUTES = [
    Route(
        "POST",
        "/v1/subscriptions",
        create,
        {
            **SHARED,
            "billing_mode": BILLING_MODE,
            "currency": text,
            "customer": required(text),
            "items": required(
                listing(mapping({"metadata": metadata, "price": required(text), "quantity": count}), most=20)
            ),
            "trial_period_days": count,
        },
    ),
    Route(
        "GET",
        "/v1/subscriptions",
        listed,
        {
            **PAGE,
            "created": RANGE,
            "customer": text,
            "price": text,
            "status": choice(
                "active",
                "all",
                "canceled",
                "ended",
                "incomplete",
                "incomplete_expired",
                "past_due",
                "paused",
                "trialing",
                "unpaid",
            ),
        },
    ),
    Route("GET", "/v1/subscriptions/{id}", retrieving("subscription")),
    Route(
        "POST",
        "/v1/subscriptions/{id}",
        update,
        {
            **SHARED,
            "billing_cycle_anchor": ANCHOR_NEW,
            "cancellation_details": DETAILS,
            "items": listing(mapping(ITEM_CHANGES), most=20),
            "pause_collection": mapping(
                {"behavior": required(choice("keep_as_draft", "mark_uncollectible", "void")), "resumes_at": stamp}
            ),
            "proration_date": stamp,
        },
    ),
    Route(
        "DELETE",
        "/v1/subscriptions/{id}",
        cancel,
        {"cancellation_details": DETAILS, "invoice_now": flag, "prorate": flag},
    ),
    Route("POST", "/v1/subscriptions/{id}/resume", resume, {"billing_cycle_anchor": choice("now")}),
    Route("GET", "/v1/subscription_items", items_listed, {**PAGE, "subscription": required(text)}),
]
