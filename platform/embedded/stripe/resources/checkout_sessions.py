"""Checkout sessions for subscriptions, open for 24 hours or as told."""

from embedded.stripe.clock import DAY
from embedded.stripe.engine import checkout, subscribing
from embedded.stripe.errors import Refused
from embedded.stripe.params import (
    PAGE,
    RANGE,
    choice,
    count,
    flag,
    integer,
    listing,
    mapping,
    merged,
    metadata,
    required,
    stamp,
    text,
)
from embedded.stripe.resources import customers
from embedded.stripe.resources.routing import Route, retrieving
from embedded.stripe.resources.subscriptions import AUTOMATIC_TAX, BILLING_MODE, TRIAL_SETTINGS
from embedded.stripe.store import Body, Store

AUTO = choice("auto", "never")


def create(store: Store, params: Body) -> Body:
    now = store.now()
    expires = params.get("expires_at") or now + DAY
    if not now + 1800 <= expires <= now + DAY:
        raise Refused(
            "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from Checkout Session "
            "creation.",
            param="expires_at",
        )
    if params.get("customer") and params.get("customer_email"):
        raise Refused("You may only specify one of these parameters: customer, customer_email.", param="customer")
    if params.get("discounts") and params.get("allow_promotion_codes"):
        raise Refused(
            "You may only specify one of these parameters: allow_promotion_codes, discounts.", param="discounts"
        )
    if (
        params.get("tax_id_collection", {}).get("enabled")
        and (params.get("customer_update") or {}).get("name") != "auto"
    ):
        raise Refused(
            "Tax ID collection requires updating business name on the customer. To enable tax ID collection for an "
            "existing customer, please set `customer_update[name]` to `auto`.",
            param="customer_update",
        )
    customer = (
        customers.live(store, params["customer"], "customer")
        if params.get("customer")
        else customers.create(store, {"email": params.get("customer_email")})
    )
    if (params.get("automatic_tax") or {}).get("enabled") and not _located(customer, params):
        raise Refused(
            "Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid "
            "address to the Customer or set `customer_update[address]` to 'auto' to keep the one typed in Checkout.",
            code="customer_tax_location_invalid",
            param="automatic_tax",
        )
    session = _shape(store, params, customer, expires)
    subscribing.one_currency(
        store, customer, store.get("price", params["line_items"][0]["price"], "line_items[0][price]")["currency"]
    )
    return checkout.totals_put(store, session)


def _located(customer: Body, params: Body) -> bool:
    return (
        bool((customer["address"] or {}).get("country"))
        or (params.get("customer_update") or {}).get("address") == "auto"
    )


def _shape(store: Store, params: Body, customer: Body, expires: int) -> Body:
    identity = store.new_id("cs_test", 58)
    data = params.get("subscription_data") or {}
    quantity = {"quantity": 1}
    return {
        "id": identity,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "allow_promotion_codes": params.get("allow_promotion_codes", False),
        "automatic_tax": {"enabled": bool((params.get("automatic_tax") or {}).get("enabled")), "status": None},
        "billing_address_collection": params.get("billing_address_collection"),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "created": store.now(),
        "custom_fields": [],
        "custom_text": {},
        "customer": customer["id"],
        "customer_creation": None,
        "customer_details": {"email": customer["email"], "tax_exempt": "none"},
        "customer_email": params.get("customer_email"),
        "expires_at": expires,
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": merged({}, params.get("metadata") or {}),
        "mode": "subscription",
        "payment_method_collection": params.get("payment_method_collection") or "always",
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "success_url": params.get("success_url"),
        "tax_id_collection": {
            "enabled": bool((params.get("tax_id_collection") or {}).get("enabled")),
            "required": (params.get("tax_id_collection") or {}).get("required") or "never",
        },
        "ui_mode": "hosted_page",
        "url": f"{store.origin}/c/pay/{identity}",
        "_customer_update": params.get("customer_update") or {},
        "_due": expires,
        "_terms": {
            **{name: value for name, value in data.items() if name != "billing_mode"},
            "automatic_tax": params.get("automatic_tax") or {},
            "discounts": params.get("discounts"),
            "items": [{**quantity, **one} for one in params["line_items"]],
        },
    }


def expire(store: Store, _params: Body, identity: str) -> Body:
    session = store.get("checkout.session", identity)
    if session["status"] != "open":
        raise Refused(
            f"Only Checkout Sessions with a status in ['open'] can be expired. This one is {session['status']}."
        )
    return checkout.expire(store, session)


def line_items(store: Store, params: Body, identity: str) -> Body:
    del params
    return checkout.line_items(store, store.get("checkout.session", identity))


def listed(store: Store, params: Body) -> Body:
    equal = {name: params[name] for name in ("customer", "status", "subscription") if name in params}
    if "subscription" in equal:
        data = [one for one in store.find("checkout.session") if one.get("subscription") == equal["subscription"]]
        return {"object": "list", "data": data, "has_more": False, "url": "/v1/checkout/sessions"}
    return store.page("checkout.session", params, "/v1/checkout/sessions", **equal)


ROUTES = [
    Route(
        "POST",
        "/v1/checkout/sessions",
        create,
        {
            "allow_promotion_codes": flag,
            "automatic_tax": AUTOMATIC_TAX,
            "billing_address_collection": choice("auto", "required"),
            "cancel_url": text,
            "client_reference_id": text,
            "customer": text,
            "customer_email": text,
            "customer_update": mapping({"address": AUTO, "name": AUTO}),
            "discounts": listing(mapping({"coupon": text, "promotion_code": text}), most=1),
            "expires_at": stamp,
            "line_items": required(listing(mapping({"price": required(text), "quantity": count}), most=20)),
            "locale": text,
            "metadata": metadata,
            "mode": required(choice("subscription")),
            "payment_method_collection": choice("always", "if_required"),
            "saved_payment_method_options": mapping({"payment_method_save": choice("enabled", "disabled")}),
            "subscription_data": mapping(
                {
                    "billing_mode": BILLING_MODE,
                    "description": text,
                    "metadata": metadata,
                    "proration_behavior": choice("create_prorations", "none"),
                    "trial_end": stamp,
                    "trial_period_days": integer,
                    "trial_settings": TRIAL_SETTINGS,
                }
            ),
            "success_url": required(text),
            "tax_id_collection": mapping({"enabled": required(flag), "required": choice("if_supported", "never")}),
            "ui_mode": choice("hosted_page"),
        },
    ),
    Route(
        "GET",
        "/v1/checkout/sessions",
        listed,
        {
            **PAGE,
            "created": RANGE,
            "customer": text,
            "status": choice("complete", "expired", "open"),
            "subscription": text,
        },
    ),
    Route("GET", "/v1/checkout/sessions/{id}", retrieving("checkout.session")),
    Route("GET", "/v1/checkout/sessions/{id}/line_items", line_items, PAGE),
    Route("POST", "/v1/checkout/sessions/{id}/expire", expire),
]
