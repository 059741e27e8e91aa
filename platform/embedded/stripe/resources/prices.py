"""Prices: an amount a unit, once or by interval. An amount never changes: a new price takes the lookup key over."""

from decimal import Decimal, InvalidOperation

from embedded.stripe.errors import Refused
from embedded.stripe.params import PAGE, RANGE, choice, count, flag, listing, mapping, merged, metadata, required, text
from embedded.stripe.resources.routing import Route, retrieving
from embedded.stripe.store import Body, Store

INTERVALS = ("day", "month", "week", "year")


def create(store: Store, params: Body) -> Body:
    product = store.get("product", params["product"], "product")
    amount = _amount(params)
    recurring = params.get("recurring")
    if params.get("lookup_key"):
        _key_take(store, params["lookup_key"], transfer=params.get("transfer_lookup_key", False))
    price = {
        "id": store.new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": "per_unit",
        "created": store.now(),
        "currency": params["currency"].lower(),
        "livemode": False,
        "lookup_key": params.get("lookup_key"),
        "metadata": merged({}, params.get("metadata") or {}),
        "nickname": params.get("nickname"),
        "product": product["id"],
        "recurring": {
            "interval": recurring["interval"],
            "interval_count": recurring.get("interval_count", 1),
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
        }
        if recurring
        else None,
        "tax_behavior": params.get("tax_behavior") or "unspecified",
        "type": "recurring" if recurring else "one_time",
        "unit_amount": amount,
        "unit_amount_decimal": str(amount),
    }
    store.put(price)
    store.emit("price.created", price)
    return price


def _amount(params: Body) -> int:
    if ("unit_amount" in params) == ("unit_amount_decimal" in params):
        raise Refused("You must specify either `unit_amount` or `unit_amount_decimal`, not both.", param="unit_amount")
    if "unit_amount" in params:
        return int(params["unit_amount"])
    try:
        amount = Decimal(params["unit_amount_decimal"] or "")
    except InvalidOperation:
        amount = Decimal(-1)
    if amount < 0 or amount != amount.to_integral_value():
        raise Refused("The stand-in takes whole cents.", param="unit_amount_decimal")
    return int(amount)


def _key_take(store: Store, key: str, *, transfer: bool) -> None:
    for price in store.find("price", lookup_key=key):
        if not transfer:
            raise Refused(
                f"A price (`{price['id']}`) already uses that lookup key (`{key}`). Pass `transfer_lookup_key=true` to "
                "transfer it.",
                code="resource_already_exists",
                param="lookup_key",
            )
        store.update(price, "price.updated", lookup_key=None)


def update(store: Store, params: Body, identity: str) -> Body:
    price = store.get("price", identity)
    transfer = params.pop("transfer_lookup_key", False)
    if params.get("lookup_key") and params["lookup_key"] != price["lookup_key"]:
        _key_take(store, params["lookup_key"], transfer=transfer)
    if "metadata" in params:
        params["metadata"] = merged(price["metadata"], params["metadata"])
    return store.update(price, "price.updated", **params)


def listed(store: Store, params: Body) -> Body:
    keys = params.get("lookup_keys")
    if keys and len(keys) > 10:
        raise Refused("You may only specify up to 10 lookup_keys.", param="lookup_keys")
    equal = {name: params[name] for name in ("active", "currency", "product", "type") if name in params}
    if keys:
        data = [one for one in store.find("price", **equal) if one["lookup_key"] in keys]
        return {"object": "list", "data": data[::-1], "has_more": False, "url": "/v1/prices"}
    return store.page("price", params, "/v1/prices", **equal)


ROUTES = [
    Route(
        "POST",
        "/v1/prices",
        create,
        {
            "active": flag,
            "currency": required(text),
            "lookup_key": text,
            "metadata": metadata,
            "nickname": text,
            "product": required(text),
            "recurring": mapping({"interval": required(choice(*INTERVALS)), "interval_count": count}),
            "tax_behavior": choice("exclusive", "inclusive", "unspecified"),
            "transfer_lookup_key": flag,
            "unit_amount": count,
            "unit_amount_decimal": text,
        },
    ),
    Route(
        "GET",
        "/v1/prices",
        listed,
        {
            **PAGE,
            "active": flag,
            "created": RANGE,
            "currency": text,
            "lookup_keys": listing(text),
            "product": text,
            "type": choice("one_time", "recurring"),
        },
    ),
    Route("GET", "/v1/prices/{id}", retrieving("price")),
    Route(
        "POST",
        "/v1/prices/{id}",
        update,
        {
            "active": flag,
            "lookup_key": text,
            "metadata": metadata,
            "nickname": text,
            "tax_behavior": choice("exclusive", "inclusive", "unspecified"),
            "transfer_lookup_key": flag,
        },
    ),
]
