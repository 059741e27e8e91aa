"""Coupons and the promotion codes that people type."""

import re
import secrets
from typing import Any

from embedded.stripe.engine.discounts import code_usable, coupon_valid
from embedded.stripe.errors import Refused
from embedded.stripe.params import (
    PAGE,
    RANGE,
    choice,
    count,
    flag,
    mapping,
    merged,
    metadata,
    number,
    required,
    stamp,
    text,
)
from embedded.stripe.resources.routing import Route, listing_of, retrieving
from embedded.stripe.store import Body, Store


def coupon_create(store: Store, params: Body) -> Body:
    percent, amount = params.get("percent_off"), params.get("amount_off")
    if (percent is None) == (amount is None):
        raise Refused("You must pass either percent_off or amount_off, and not both.", param="percent_off")
    if percent is not None and not 0 < percent <= 100:
        raise Refused("percent_off must be greater than 0 and at most 100.", param="percent_off")
    if amount is not None and not params.get("currency"):
        raise Refused("You must pass currency when passing amount_off", code="parameter_missing", param="currency")
    duration = params.get("duration") or "once"
    if (duration == "repeating") != bool(params.get("duration_in_months")):
        raise Refused(
            "You must pass duration_in_months for, and only for, duration repeating.", param="duration_in_months"
        )
    identity = params.get("id") or store.new_id("", 8)[1:]
    if store.peek(identity):
        raise Refused("Coupon already exists.", code="resource_already_exists", param="id")
    coupon = {
        "id": identity,
        "object": "coupon",
        "amount_off": amount,
        "created": store.now(),
        "currency": (params.get("currency") or "").lower() or None,
        "duration": duration,
        "duration_in_months": params.get("duration_in_months"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": merged({}, params.get("metadata") or {}),
        "name": params.get("name"),
        "percent_off": percent,
        "redeem_by": params.get("redeem_by"),
        "times_redeemed": 0,
        "valid": True,
    }
    store.put(coupon)
    store.emit("coupon.created", coupon)
    return coupon


def coupon_update(store: Store, params: Body, identity: str) -> Body:
    coupon = store.get("coupon", identity)
    changes = dict(params)
    if "metadata" in changes:
        changes["metadata"] = merged(coupon["metadata"], changes["metadata"])
    return store.update(coupon, "coupon.updated", **changes)


def coupon_delete(store: Store, _params: Body, identity: str) -> Body:
    """Nobody can redeem it any more; discounts that it gave stay."""
    coupon = store.get("coupon", identity)
    if coupon.get("deleted"):
        raise Refused(f"No such coupon: '{identity}'", status=404, code="resource_missing", param="id")
    store.put({**coupon, "valid": False, "redeem_by": store.now()})
    store.emit("coupon.deleted", coupon)
    return {"id": identity, "object": "coupon", "deleted": True}


def code_create(store: Store, params: Body) -> Body:
    coupon = store.get("coupon", params["promotion"]["coupon"], "promotion[coupon]")
    if not coupon_valid(store, coupon):
        raise Refused("This coupon is no longer valid.", param="promotion[coupon]")
    code = params.get("code") or secrets.token_hex(4).upper()
    if not re.fullmatch(r"[A-Za-z0-9-]{1,500}", code):
        raise Refused("Promotion codes may only have letters, digits and dashes.", param="code")
    for one in store.find("promotion_code", active=1):
        if one["code"].lower() == code.lower() and one["customer"] == params.get("customer"):
            raise Refused(
                "An active promotion code with `code: {code}` already exists.", code="resource_already_exists"
            )
    restrictions: dict[str, Any] = {
        "first_time_transaction": False,
        "minimum_amount": None,
        "minimum_amount_currency": None,
    }
    made = {
        "id": store.new_id("promo"),
        "object": "promotion_code",
        "active": params.get("active", True),
        "code": code,
        "created": store.now(),
        "customer": params.get("customer"),
        "expires_at": params.get("expires_at"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": merged({}, params.get("metadata") or {}),
        "promotion": {"coupon": coupon["id"], "type": "coupon"},
        "restrictions": {**restrictions, **(params.get("restrictions") or {})},
        "times_redeemed": 0,
    }
    store.put(made)
    store.emit("promotion_code.created", made)
    return made


def code_update(store: Store, params: Body, identity: str) -> Body:
    code = store.get("promotion_code", identity)
    changes = dict(params)
    if "metadata" in changes:
        changes["metadata"] = merged(code["metadata"], changes["metadata"])
    return store.update(code, "promotion_code.updated", **changes)


def codes(store: Store, params: Body) -> Body:
    """By ``code`` without regard to case; ``active`` as it is usable now."""
    equal: Body = {name: params[name] for name in ("customer",) if name in params}
    found = [{**one, "active": code_usable(store, one)} for one in store.find("promotion_code", **equal)]
    if params.get("code"):
        found = [one for one in found if one["code"].lower() == params["code"].lower()]
    if "active" in params:
        found = [one for one in found if one["active"] == params["active"]]
    if params.get("coupon"):
        found = [one for one in found if one["promotion"]["coupon"] == params["coupon"]]
    most = min(max(params.get("limit", 10), 1), 100)
    return {"object": "list", "data": found[::-1][:most], "has_more": len(found) > most, "url": "/v1/promotion_codes"}


ROUTES = [
    Route(
        "POST",
        "/v1/coupons",
        coupon_create,
        {
            "amount_off": count,
            "currency": text,
            "duration": choice("forever", "once", "repeating"),
            "duration_in_months": count,
            "id": text,
            "max_redemptions": count,
            "metadata": metadata,
            "name": text,
            "percent_off": number,
            "redeem_by": stamp,
        },
    ),
    Route("GET", "/v1/coupons", listing_of("coupon", "/v1/coupons"), {**PAGE, "created": RANGE}),
    Route("GET", "/v1/coupons/{id}", retrieving("coupon")),
    Route("POST", "/v1/coupons/{id}", coupon_update, {"metadata": metadata, "name": text}),
    Route("DELETE", "/v1/coupons/{id}", coupon_delete),
    Route(
        "POST",
        "/v1/promotion_codes",
        code_create,
        {
            "active": flag,
            "code": text,
            "customer": text,
            "expires_at": stamp,
            "max_redemptions": count,
            "metadata": metadata,
            "promotion": required(mapping({"coupon": required(text), "type": required(choice("coupon"))})),
            "restrictions": mapping({"first_time_transaction": flag}),
        },
    ),
    Route(
        "GET",
        "/v1/promotion_codes",
        codes,
        {"active": flag, "code": text, "coupon": text, "customer": text, "limit": count},
    ),
    Route("GET", "/v1/promotion_codes/{id}", retrieving("promotion_code")),
    Route("POST", "/v1/promotion_codes/{id}", code_update, {"active": flag, "metadata": metadata}),
]
