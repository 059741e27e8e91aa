"""The customer portal: what it may be used for, and sessions that open it for an hour."""

from embedded.stripe.clock import HOUR
from embedded.stripe.errors import Refused
from embedded.stripe.params import PAGE, Schema, choice, flag, listing, mapping, merged, metadata, required, text
from embedded.stripe.resources.customers import live
from embedded.stripe.resources.routing import Route, listing_of, retrieving
from embedded.stripe.store import Body, Store

KIND = "billing_portal.configuration"
SWITCH = mapping({"enabled": required(flag)})
FEATURES = mapping(
    {
        "customer_update": mapping(
            {
                "allowed_updates": listing(choice("address", "email", "name", "phone", "tax_id")),
                "enabled": required(flag),
            }
        ),
        "invoice_history": SWITCH,
        "payment_method_update": SWITCH,
        "subscription_cancel": mapping(
            {
                "enabled": required(flag),
                "mode": choice("at_period_end", "immediately"),
                "proration_behavior": choice("always_invoice", "create_prorations", "none"),
            }
        ),
        "subscription_update": SWITCH,
    }
)
FIELDS: Schema = {
    "business_profile": mapping({"headline": text, "privacy_policy_url": text, "terms_of_service_url": text}),
    "default_return_url": text,
    "metadata": metadata,
    "name": text,
}
OFF = {"enabled": False}


def configuration_create(store: Store, params: Body) -> Body:
    made = {
        "id": store.new_id("bpc"),
        "object": KIND,
        "active": True,
        "business_profile": params.get("business_profile") or {},
        "created": store.now(),
        "default_return_url": params.get("default_return_url"),
        "features": _features({}, params["features"]),
        "is_default": False,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": merged({}, params.get("metadata") or {}),
        "name": params.get("name"),
        "updated": store.now(),
    }
    store.put(made)
    store.emit("billing_portal.configuration.created", made)
    return made


def _features(old: Body, given: Body) -> Body:
    blank = {
        "customer_update": {"allowed_updates": [], "enabled": False},
        "invoice_history": OFF,
        "payment_method_update": {"enabled": False, "payment_method_configuration": None},
        "subscription_cancel": {
            "cancellation_reason": {"enabled": False, "options": []},
            "enabled": False,
            "mode": "at_period_end",
            "proration_behavior": "none",
        },
        "subscription_pause": {"duration": {"interval_options": [], "type": "interval_options"}, "enabled": False},
        "subscription_update": {
            "billing_cycle_anchor": None,
            "default_allowed_updates": [],
            "enabled": False,
            "proration_behavior": "none",
            "schedule_at_period_end": {"conditions": []},
            "trial_update_behavior": "end_trial",
        },
        **old,
    }
    if (given.get("subscription_update") or {}).get("enabled"):
        raise Refused(
            "The stand-in's portal does not change plan or quantity.", param="features[subscription_update][enabled]"
        )
    return {name: {**one, **(given.get(name) or {})} for name, one in blank.items()}


def configuration_update(store: Store, params: Body, identity: str) -> Body:
    found = store.get(KIND, identity)
    changes = dict(params)
    if "features" in changes:
        changes["features"] = _features(found["features"], changes["features"] or {})
    if "metadata" in changes:
        changes["metadata"] = merged(found["metadata"], changes["metadata"])
    return store.update(found, "billing_portal.configuration.updated", **changes, updated=store.now())


def session_create(store: Store, params: Body) -> Body:
    customer = live(store, params["customer"], "customer")
    if params.get("configuration"):
        configuration = store.get(KIND, params["configuration"], "configuration")
        if not configuration["active"]:
            raise Refused("The configuration is inactive.", param="configuration")
    else:
        usable = store.find(KIND, active=1)
        if not usable:
            raise Refused(
                "No configuration provided and your test mode default configuration has not been created. Provide a "
                "configuration or create your default."
            )
        configuration = usable[0]
    identity = store.new_id("bps")
    return store.put(
        {
            "id": identity,
            "object": "billing_portal.session",
            "configuration": configuration["id"],
            "created": store.now(),
            "customer": customer["id"],
            "flow": _flow(params.get("flow_data")),
            "livemode": False,
            "locale": params.get("locale"),
            "return_url": params.get("return_url") or configuration["default_return_url"],
            "url": f"{store.origin}/p/session/{identity}",
            "_until": store.now() + HOUR,
        }
    )


def _flow(given: Body | None) -> Body | None:
    if not given:
        return None
    after = given.get("after_completion") or {"type": "portal_homepage"}
    return {"after_completion": after, "type": given["type"]}


ROUTES = [
    Route(
        "POST", "/v1/billing_portal/configurations", configuration_create, {**FIELDS, "features": required(FEATURES)}
    ),
    Route(
        "GET",
        "/v1/billing_portal/configurations",
        listing_of(KIND, "/v1/billing_portal/configurations", "active", "is_default"),
        {**PAGE, "active": flag, "is_default": flag},
    ),
    Route("GET", "/v1/billing_portal/configurations/{id}", retrieving(KIND)),
    Route(
        "POST",
        "/v1/billing_portal/configurations/{id}",
        configuration_update,
        {**FIELDS, "active": flag, "features": FEATURES},
    ),
    Route(
        "POST",
        "/v1/billing_portal/sessions",
        session_create,
        {
            "configuration": text,
            "customer": required(text),
            "flow_data": mapping(
                {
                    "after_completion": mapping(
                        {
                            "redirect": mapping({"return_url": required(text)}),
                            "type": required(choice("portal_homepage", "redirect")),
                        }
                    ),
                    "type": required(choice("payment_method_update")),
                }
            ),
            "locale": text,
            "return_url": text,
        },
    ),
]
