"""Tax ids of customers."""

from embedded.stripe.engine.tax_ids import tax_id_make
from embedded.stripe.errors import missing
from embedded.stripe.params import PAGE, required, text
from embedded.stripe.resources.routing import Route
from embedded.stripe.store import Body, Store


def create(store: Store, params: Body, customer: str) -> Body:
    return tax_id_make(store, store.get("customer", customer), params["type"], params["value"])


def retrieve(store: Store, _params: Body, customer: str, identity: str) -> Body:
    found = store.get("tax_id", identity)
    if found["customer"] != customer:
        raise missing("tax_id", identity)
    return found


def delete(store: Store, params: Body, customer: str, identity: str) -> Body:
    found = retrieve(store, params, customer, identity)
    store.remove(identity)
    store.emit("customer.tax_id.deleted", found)
    return {"id": identity, "object": "tax_id", "deleted": True}


def listed(store: Store, params: Body, customer: str) -> Body:
    store.get("customer", customer)
    return store.page("tax_id", params, f"/v1/customers/{customer}/tax_ids", customer=customer)


ADDRESS = "/v1/customers/{customer}/tax_ids"
ROUTES = [
    Route("POST", ADDRESS, create, {"type": required(text), "value": required(text)}),
    Route("GET", ADDRESS, listed, PAGE),
    Route("GET", f"{ADDRESS}/{{id}}", retrieve),
    Route("DELETE", f"{ADDRESS}/{{id}}", delete),
]
