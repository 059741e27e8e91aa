"""Products."""

from typing import Any

from embedded.stripe.errors import Refused
from embedded.stripe.params import PAGE, RANGE, Schema, flag, listing, mapping, merged, metadata, required, text
from embedded.stripe.resources.routing import Route, listing_of, retrieving
from embedded.stripe.store import Body, Store

FIELDS: Schema = {
    "active": flag,
    "description": text,
    "marketing_features": listing(mapping({"name": required(text)}), most=15),
    "metadata": metadata,
    "statement_descriptor": text,
    "tax_code": text,
    "unit_label": text,
    "url": text,
}


def create(store: Store, params: Body) -> Body:
    identity = params.get("id") or store.new_id("prod", 14)
    if store.peek(identity):
        raise Refused("Product already exists.", code="resource_already_exists", param="id")
    product: Body = {
        "id": identity,
        "object": "product",
        "active": True,
        "created": store.now(),
        "default_price": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "type": "service",
        "updated": store.now(),
    }
    product.update(_fields(product, params))
    store.put(product)
    store.emit("product.created", product)
    return product


def _fields(product: Body, params: Body) -> Body:
    found: dict[str, Any] = {name: value for name, value in params.items() if name != "id"}
    if "metadata" in params:
        found["metadata"] = merged(product["metadata"], params["metadata"])
    if "marketing_features" in found:
        found["marketing_features"] = found["marketing_features"] or []
    return found


def update(store: Store, params: Body, identity: str) -> Body:
    product = store.get("product", identity)
    if params.get("default_price"):
        price = store.get("price", params["default_price"], "default_price")
        if price["product"] != identity:
            raise Refused("The price must belong to the product.", param="default_price")
    return store.update(product, "product.updated", **_fields(product, params), updated=store.now())


def delete(store: Store, _params: Body, identity: str) -> Body:
    product = store.get("product", identity)
    if store.find("price", product=identity):
        raise Refused("This product cannot be deleted because it has one or more user-created prices.")
    store.remove(identity)
    store.emit("product.deleted", product)
    return {"id": identity, "object": "product", "deleted": True}


def listed(store: Store, params: Body) -> Body:
    if params.get("ids"):
        data = [one for one in store.find("product") if one["id"] in params["ids"]]
        return {"object": "list", "data": data[::-1], "has_more": False, "url": "/v1/products"}
    return listing_of("product", "/v1/products", "active")(store, params)


ROUTES = [
    Route("POST", "/v1/products", create, {**FIELDS, "id": text, "name": required(text)}),
    Route("GET", "/v1/products", listed, {**PAGE, "active": flag, "created": RANGE, "ids": listing(text)}),
    Route("GET", "/v1/products/{id}", retrieving("product")),
    Route("POST", "/v1/products/{id}", update, {**FIELDS, "default_price": text, "name": required(text).check}),
    Route("DELETE", "/v1/products/{id}", delete),
]
