"""The beginning of a subscription, and what it is made of.

``terms`` are parameters as ``resources.subscriptions`` checked them.
"""

from embedded.stripe.clock import DAY, after
from embedded.stripe.engine import discounts, invoicing
from embedded.stripe.engine.periods import OVER, save
from embedded.stripe.engine.prorations import period_line
from embedded.stripe.errors import Refused, declined
from embedded.stripe.params import merged
from embedded.stripe.store import Body, Store


def item_make(store: Store, subscription: str, given: Body, *, currency: str | None, path: str = "items[0]") -> Body:
    """An item from ``{price, quantity, metadata}`` without periods yet; raises Refused for a price that cannot
    recur.
    """
    price = store.get("price", given["price"], f"{path}[price]")
    if not price["active"]:
        raise Refused("The price specified is inactive. This field only accepts active prices.", param=f"{path}[price]")
    if price["type"] != "recurring":
        raise Refused(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
            param=f"{path}[price]",
        )
    if currency and price["currency"] != currency:
        raise Refused(
            f"The price specified only supports `{price['currency']}`. This doesn't match the expected currency: "
            f"`{currency}`.",
            param=f"{path}[price]",
        )
    return {
        "id": store.new_id("si", 14),
        "object": "subscription_item",
        "created": store.now(),
        "discounts": [],
        "metadata": merged({}, given.get("metadata") or {}),
        "plan": plan_of(price),
        "price": price,
        "quantity": given.get("quantity", 1),
        "subscription": subscription,
        "tax_rates": [],
    }


def plan_of(price: Body) -> Body:
    """The old name of a recurring price, which items still carry."""
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": price["created"],
        "currency": price["currency"],
        "interval": price["recurring"]["interval"],
        "interval_count": price["recurring"]["interval_count"],
        "livemode": False,
        "metadata": price["metadata"],
        "product": price["product"],
        "usage_type": "licensed",
    }


def shape(store: Store, customer: Body, terms: Body) -> Body:
    """A subscription that begins now by ``terms``, with its items' first periods, not yet kept."""
    now = store.now()
    identity = store.new_id("sub")
    items: list[Body] = []
    for index, given in enumerate(terms["items"]):
        currency = items[0]["price"]["currency"] if items else terms.get("currency")
        items.append(item_make(store, identity, given, currency=currency, path=f"items[{index}]"))
    if len({(one["price"]["recurring"]["interval"], one["price"]["recurring"]["interval_count"]) for one in items}) > 1:
        raise Refused("The stand-in takes prices of one interval in a subscription.", param="items")
    trial_end = trial_end_of(now, terms)
    anchor = trial_end or now
    for item in items:
        end = trial_end or period_after(anchor, item["price"], 1)
        item.update(current_period_start=now, current_period_end=end)
    return {
        "id": identity,
        "object": "subscription",
        "automatic_tax": {"enabled": bool((terms.get("automatic_tax") or {}).get("enabled")), "liability": None},
        "billing_cycle_anchor": anchor,
        "billing_mode": {"type": "flexible", "flexible": {"proration_discounts": "included"}, "updated_at": None},
        "billing_schedules": [],
        "cancel_at": terms.get("cancel_at"),
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": now,
        "currency": items[0]["price"]["currency"],
        "customer": customer["id"],
        "default_payment_method": terms.get("default_payment_method"),
        "default_tax_rates": [],
        "description": terms.get("description"),
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"issuer": {"type": "self"}},
        "items": {
            "object": "list",
            "data": items,
            "has_more": False,
            "url": f"/v1/subscription_items?subscription={identity}",
            "total_count": len(items),
        },
        "latest_invoice": None,
        "livemode": False,
        "metadata": merged({}, terms.get("metadata") or {}),
        "pause_collection": None,
        "payment_settings": {"payment_method_types": None, "save_default_payment_method": "off"}
        | (terms.get("payment_settings") or {}),
        "pending_update": None,
        "start_date": now,
        "status": "trialing" if trial_end else "incomplete",
        "trial_end": trial_end,
        "trial_settings": {
            "end_behavior": {"missing_payment_method": "create_invoice"}
            | ((terms.get("trial_settings") or {}).get("end_behavior") or {})
        },
        "trial_start": now if trial_end else None,
    }


def one_currency(store: Store, customer: Body, currency: str) -> None:
    """Raise Refused where the customer already pays or owes in another currency."""
    live = [one["currency"] for one in store.find("subscription", customer=customer["id"]) if one["status"] not in OVER]
    if customer["balance"] and customer["currency"]:
        live.append(customer["currency"])
    other = next((one for one in live if one != currency), None)
    if other:
        raise Refused(
            "You cannot combine currencies on a single customer. This customer has an active subscription, "
            f"subscription schedule, discount, quote, or invoice item with currency {other}."
        )


def period_after(anchor: int, price: Body, steps: int) -> int:
    return after(anchor, price["recurring"]["interval"], steps * price["recurring"]["interval_count"])


def next_period(anchor: int, item: Body) -> tuple[int, int]:
    """The period after the item's current one, counted from the anchor, so that a 31st stays a 31st where there is
    one.
    """
    start, steps = item["current_period_end"], 1
    while period_after(anchor, item["price"], steps) <= start:
        steps += 1
    return start, period_after(anchor, item["price"], steps)


def trial_end_of(now: int, terms: Body) -> int | None:
    if terms.get("trial_period_days"):
        return int(now + terms["trial_period_days"] * DAY)
    end = terms.get("trial_end")
    if end in (None, "now"):
        return None
    if end <= now:
        raise Refused("Trial end timestamp must be in the future, or 'now'.", param="trial_end")
    return int(end)


def first_lines(store: Store, subscription: Body) -> list[Body]:
    return [
        period_line(
            store,
            item,
            item["current_period_start"],
            item["current_period_end"],
            trial=subscription["status"] == "trialing",
        )
        for item in subscription["items"]["data"]
    ]


def begin(store: Store, customer: Body, terms: Body, *, behaviour: str, on_session: bool = False) -> Body:
    """A new subscription with its first invoice, charged unless it is on trial.

    ``behaviour`` is ``payment_behavior``: what a refused first payment means. Raises Refused (402) with nothing kept
    for ``error_if_incomplete``.
    """
    subscription = shape(store, customer, terms)
    one_currency(store, customer, subscription["currency"])
    if customer["currency"] != subscription["currency"]:
        store.update(customer, "customer.updated", currency=subscription["currency"])
    store.put(subscription)
    discounts_set(store, subscription, terms.get("discounts"))
    if subscription["status"] == "trialing":
        save(store, subscription, event=None)
        store.emit("customer.subscription.created", subscription)
        _first_invoice(store, customer, subscription)
        invoice = store.get("invoice", subscription["latest_invoice"])
        invoicing.collect(store, invoice)
        return store.get("subscription", subscription["id"])
    save(store, subscription, event=None)
    invoice = _first_invoice(store, customer, subscription)
    store.emit("customer.subscription.created", subscription)
    if behaviour == "default_incomplete" and invoice["amount_due"]:
        return subscription
    outcome = invoicing.collect(store, invoice, on_session=on_session)
    if outcome.state != "succeeded" and behaviour == "error_if_incomplete":
        raise undone(outcome.error)
    return store.get("subscription", subscription["id"])


def undone(error: Body | None) -> Refused:
    """The bank's refusal, or its wish for 3-D Secure, as an error that undoes what was begun."""
    waits = {
        "message": "Payment for this subscription requires additional user action before it can be completed.",
        "code": "subscription_payment_intent_requires_action",
    }
    said = error or waits
    told = declined(said["message"], said["code"], said.get("decline_code"))
    told.keeps = False
    return told


def _first_invoice(store: Store, customer: Body, subscription: Body) -> Body:
    start, end = subscription["created"], subscription["created"]
    lines = first_lines(store, subscription)
    invoice = invoicing.invoice_make(
        store, customer, subscription, lines, reason="subscription_create", period=(start, end)
    )
    invoicing.finalize(store, invoice)
    discounts.spend_once(store, subscription)
    save(store, subscription, event=None, latest_invoice=invoice["id"])
    return invoice


def coupons(store: Store, given: list[Body] | None, customer: str, currency: str) -> list[tuple[Body, Body | None]]:
    """The coupons that new discounts name, each with its promotion code."""
    return [discounts.coupon_use(store, one, customer=customer, currency=currency) for one in given or []]


def discounts_set(store: Store, subscription: Body, given: list[Body] | None) -> None:
    """Replace the subscription's discounts; an existing one is kept by naming it."""
    kept = []
    for one in given or []:
        if one.get("discount"):
            if one["discount"] not in subscription["discounts"]:
                raise Refused(f"No such discount: '{one['discount']}'", code="resource_missing", param="discounts")
            kept.append(one["discount"])
            continue
        ((coupon, code),) = coupons(store, [one], subscription["customer"], subscription["currency"])
        made = discounts.discount_shape(
            store, coupon, code, customer=subscription["customer"], subscription=subscription["id"]
        )
        kept.append(discounts.redeem(store, made)["id"])
    for gone in set(subscription["discounts"]) - set(kept):
        store.emit("customer.discount.deleted", store.get("discount", gone))
    subscription["discounts"] = kept
