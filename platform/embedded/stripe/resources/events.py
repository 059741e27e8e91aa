"""Events, kept for thirty days, and the endpoints that they are sent to."""

from urllib.parse import urlsplit

import stripe

from embedded.stripe.clock import DAY
from embedded.stripe.errors import Refused
from embedded.stripe.params import PAGE, RANGE, choice, flag, listing, merged, metadata, required, text
from embedded.stripe.resources.routing import Route, listing_of, retrieving
from embedded.stripe.store import Body, Store

KEPT = 30 * DAY


def events(store: Store, params: Body) -> Body:
    """Newest first. ``type`` is one or a family with ``*``, ``types`` several."""
    if params.get("type") and params.get("types"):
        raise Refused("You may only specify one of these parameters: type, types.", param="types")
    wanted = params.get("types") or ([params["type"]] if params.get("type") else [])
    return store.page("event", params, "/v1/events", _types=wanted, _since=store.now() - KEPT)


def endpoint_create(store: Store, params: Body) -> Body:
    _address(params["url"])
    if params.get("api_version") not in (None, stripe.api_version):
        raise Refused(f"The stand-in speaks {stripe.api_version} only.", param="api_version")
    secret = store.new_id("whsec", 32)
    made = {
        "id": store.new_id("we"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "created": store.now(),
        "description": params.get("description"),
        "enabled_events": params["enabled_events"],
        "livemode": False,
        "metadata": merged({}, params.get("metadata") or {}),
        "status": "enabled",
        "url": params["url"],
        "_secret": secret,
    }
    store.put(made)
    return {**made, "secret": secret}


def _address(url: str) -> None:
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise Refused(
            "Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid", param="url"
        )


def endpoint_update(store: Store, params: Body, identity: str) -> Body:
    endpoint = store.get("webhook_endpoint", identity)
    changes = {name: value for name, value in params.items() if name != "disabled"}
    if "url" in changes:
        _address(changes["url"])
    if "metadata" in changes:
        changes["metadata"] = merged(endpoint["metadata"], changes["metadata"])
    if "disabled" in params:
        changes["status"] = "disabled" if params["disabled"] else "enabled"
    return store.update(endpoint, None, **changes)


def endpoint_delete(store: Store, _params: Body, identity: str) -> Body:
    store.get("webhook_endpoint", identity)
    store.remove(identity)
    return {"id": identity, "object": "webhook_endpoint", "deleted": True}


ROUTES = [
    Route("GET", "/v1/events", events, {**PAGE, "created": RANGE, "type": text, "types": listing(text, most=20)}),
    Route("GET", "/v1/events/{id}", retrieving("event")),
    Route(
        "POST",
        "/v1/webhook_endpoints",
        endpoint_create,
        {
            "api_version": choice(stripe.api_version),
            "description": text,
            "enabled_events": required(listing(text)),
            "metadata": metadata,
            "url": required(text),
        },
    ),
    Route("GET", "/v1/webhook_endpoints", listing_of("webhook_endpoint", "/v1/webhook_endpoints"), PAGE),
    Route("GET", "/v1/webhook_endpoints/{id}", retrieving("webhook_endpoint")),
    Route(
        "POST",
        "/v1/webhook_endpoints/{id}",
        endpoint_update,
        {"description": text, "disabled": flag, "enabled_events": listing(text), "metadata": metadata, "url": text},
    ),
    Route("DELETE", "/v1/webhook_endpoints/{id}", endpoint_delete),
]
