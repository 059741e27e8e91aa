"""Subscriptions: their beginning, their changes, and their end by wish.

The terms that ``begin`` and ``change`` take are parameters as ``resources.subscriptions`` checked them.
"""

import copy
from typing import Any

from embedded.stripe.clock import after
from embedded.stripe.engine import discounts, invoicing
from embedded.stripe.engine.periods import FIRST_PAYMENT, OVER, save
from embedded.stripe.engine.prorations import change_lines, period_line
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
    trial_end = _trial_end(now, terms)
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


def _trial_end(now: int, terms: Body) -> int | None:
    if terms.get("trial_period_days"):
        return int(now + terms["trial_period_days"] * 86400)
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
        error = outcome.error or {
            "message": "This payment requires additional user action.",
            "code": "authentication_required",
        }
        raise _undone(error)
    return store.get("subscription", subscription["id"])


def _undone(error: Body) -> Refused:
    told = declined(error["message"], error["code"], error.get("decline_code"))
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


def changed(store: Store, subscription: Body, terms: Body) -> Body:
    """A copy of the subscription as ``terms`` would make it, its periods begun anew where the interval changes or is
    told to.
    """
    new = copy.deepcopy(subscription)
    now = store.now()
    items = {item["id"]: item for item in new["items"]["data"]}
    for index, given in enumerate(terms.get("items") or []):
        _item_change(store, new, items, given, f"items[{index}]")
    if not items:
        raise Refused("A subscription must have at least one active item.", param="items")
    new["items"]["data"] = list(items.values())
    new["items"]["total_count"] = len(items)
    for name in ("default_payment_method", "description", "pause_collection"):
        if name in terms:
            new[name] = terms[name]
    if "automatic_tax" in terms:
        new["automatic_tax"] = {"enabled": terms["automatic_tax"]["enabled"], "liability": None}
    if "metadata" in terms:
        new["metadata"] = merged(new["metadata"], terms["metadata"])
    for name in ("payment_settings", "trial_settings"):
        if terms.get(name):
            new[name] = {**(new[name] or {}), **terms[name]}
    _cancel_terms(store, new, terms)
    _periods(subscription, new, terms, now)
    return new


def _item_change(store: Store, subscription: Body, items: dict[str, Body], given: Body, path: str) -> None:
    identity = given.get("id")
    if identity is None:
        if not given.get("price"):
            raise Refused(
                f"You must pass {path}[id] or {path}[price].", code="parameter_missing", param=f"{path}[price]"
            )
        made = item_make(store, subscription["id"], given, currency=subscription["currency"], path=path)
        first = next(iter(items.values()))
        made.update(current_period_start=first["current_period_start"], current_period_end=first["current_period_end"])
        items[made["id"]] = made
        return
    if identity not in items:
        raise Refused(f"No such subscription_item: '{identity}'", code="resource_missing", param=f"{path}[id]")
    if given.get("deleted"):
        del items[identity]
        return
    item = items[identity]
    if given.get("price") and given["price"] != item["price"]["id"]:
        fresh = item_make(store, subscription["id"], given, currency=subscription["currency"], path=path)
        item.update(price=fresh["price"], plan=fresh["plan"])
    if "quantity" in given:
        item["quantity"] = given["quantity"]
    if "metadata" in given:
        item["metadata"] = merged(item["metadata"], given["metadata"])


def _cancel_terms(store: Store, new: Body, terms: Body) -> None:
    if terms.get("cancel_at_period_end") is not None and "cancel_at" in terms and terms["cancel_at"] is not None:
        raise Refused("You can't set both cancel_at_period_end and cancel_at.", param="cancel_at")
    details = terms.get("cancellation_details")
    if details:
        new["cancellation_details"] = {**(new["cancellation_details"] or {}), **details}
    end = min(item["current_period_end"] for item in new["items"]["data"])
    if terms.get("cancel_at_period_end"):
        new.update(cancel_at_period_end=True, cancel_at=end, canceled_at=new["canceled_at"] or store.now())
    elif "cancel_at_period_end" in terms or "cancel_at" in terms:
        moment = terms.get("cancel_at")
        moment = end if moment in {"min_period_end", "max_period_end"} else moment
        new.update(cancel_at_period_end=False, cancel_at=moment, canceled_at=store.now() if moment else None)
    if new["cancel_at"] is None:
        new["cancellation_details"] = {"comment": None, "feedback": None, "reason": None}
    else:
        new["cancellation_details"] = {**(new["cancellation_details"] or {}), "reason": "cancellation_requested"}


def _periods(old: Body, new: Body, terms: Body, now: int) -> None:
    if "trial_end" in terms:
        end = _trial_end(now, terms)
        if end is None and old["status"] == "trialing":
            new.update(trial_end=now, status="active", billing_cycle_anchor=now)
        elif end is not None:
            new.update(
                trial_start=new["trial_start"] or now, trial_end=end, status="trialing", billing_cycle_anchor=end
            )
            for item in new["items"]["data"]:
                item.update(current_period_start=now, current_period_end=end)
            return
    interval = {item["id"]: item["price"]["recurring"] for item in old["items"]["data"]}
    switched = any(
        item["price"]["recurring"] != interval.get(item["id"], item["price"]["recurring"])
        for item in new["items"]["data"]
    )
    restarted = old["status"] == "trialing" and new["status"] == "active"
    if terms.get("billing_cycle_anchor") == "now" or restarted or (switched and new["status"] != "trialing"):
        new["billing_cycle_anchor"] = now
        for item in new["items"]["data"]:
            item.update(current_period_start=now, current_period_end=period_after(now, item["price"], 1))
        if new["cancel_at_period_end"]:
            new["cancel_at"] = min(item["current_period_end"] for item in new["items"]["data"])


def difference(store: Store, old: Body, new: Body, terms: Body) -> tuple[list[Body], bool]:
    """The lines that the change makes, and whether a new period began with it (which is invoiced at once)."""
    fresh = new["billing_cycle_anchor"] != old["billing_cycle_anchor"] and new["status"] != "trialing"
    if old["status"] in {"trialing", "paused"}:
        return (first_lines(store, new) if fresh else []), fresh
    moment = terms.get("proration_date") or store.now()
    start = max(item["current_period_start"] for item in old["items"]["data"])
    end = min(item["current_period_end"] for item in old["items"]["data"])
    if not start <= moment <= end:
        raise Refused("Cannot specify proration date outside of current subscription period.", param="proration_date")
    prorated = terms.get("proration_behavior", "create_prorations") != "none"
    if not fresh:
        return (change_lines(store, old["items"]["data"], new["items"]["data"], moment) if prorated else []), False
    credit = list(change_lines(store, old["items"]["data"], [], moment)) if prorated else []
    return [*credit, *first_lines(store, new)], True


def change(store: Store, subscription: Body, terms: Body, *, on_session: bool = False) -> Body:
    """Change it by ``terms``; raises Refused for one that is over, and (402) where ``payment_behavior`` makes a
    refusal an error.
    """
    if subscription["status"] in OVER:
        raise Refused(
            "A canceled subscription can only update its cancellation_details and metadata.", code="resource_missing"
        )
    behaviour = terms.get("payment_behavior") or "allow_incomplete"
    before = copy.deepcopy(subscription)
    new = changed(store, subscription, terms)
    if "discounts" in terms:
        discounts_set(store, new, terms["discounts"])
    lines, fresh = difference(store, before, new, terms)
    at_once = fresh or (terms.get("proration_behavior") == "always_invoice" and bool(lines))
    if not at_once:
        for line in lines:
            pend(store, new, line)
        return save(store, new)
    customer = store.get("customer", new["customer"])
    held = pending(store, new)
    if behaviour == "pending_if_incomplete":
        return _change_if_paid(store, customer, before, new, [*held, *lines], on_session=on_session)
    save(store, new)
    invoice = _change_invoice(store, customer, new, [*held, *lines])
    forget(store, new)
    outcome = invoicing.collect(store, invoice, on_session=on_session)
    if outcome.state != "succeeded" and behaviour == "error_if_incomplete":
        raise _undone(
            outcome.error
            or {"message": "This payment requires additional user action.", "code": "authentication_required"}
        )
    found = store.get("subscription", new["id"])
    if outcome.state == "requires_action" and found["status"] == "active":
        save(store, found, status="past_due")
    return found


def _change_invoice(store: Store, customer: Body, subscription: Body, lines: list[Body]) -> Body:
    now = store.now()
    invoice = invoicing.invoice_make(
        store, customer, subscription, lines, reason="subscription_update", period=(now, now)
    )
    invoicing.finalize(store, invoice)
    save(store, subscription, latest_invoice=invoice["id"])
    return invoice


def _change_if_paid(store: Store, customer: Body, old: Body, new: Body, lines: list[Body], *, on_session: bool) -> Body:
    """Charge first: the change waits as ``pending_update`` for its payment, at most 23 hours."""
    invoice = _change_invoice(store, customer, old, lines)
    wish = {
        "billing_cycle_anchor": None,
        "expires_at": store.now() + FIRST_PAYMENT,
        "subscription_items": new["items"]["data"],
        "trial_end": None,
        "trial_from_plan": None,
    }
    store.put(
        {
            **invoice,
            "_wish": {"items": new["items"], "billing_cycle_anchor": new["billing_cycle_anchor"]},
            "auto_advance": False,
        }
    )
    save(store, old, pending_update=wish)
    invoice = store.get("invoice", invoice["id"])
    invoicing.collect(store, invoice, on_session=on_session)
    return store.get("subscription", old["id"])


def pend(store: Store, subscription: Body, line: Body) -> None:
    """Keep a proration for the next invoice."""
    item = {
        "id": store.new_id("ii"),
        "object": "invoiceitem",
        "amount": line["amount"],
        "currency": line["currency"],
        "customer": subscription["customer"],
        "date": store.now(),
        "description": line["description"],
        "discountable": True,
        "discounts": [],
        "livemode": False,
        "metadata": {},
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": subscription["id"]}},
        "period": line["period"],
        "pricing": line["pricing"],
        "proration": True,
        "quantity": line["quantity"],
        "quantity_decimal": str(line["quantity"]),
        "tax_rates": [],
        "_line": line,
        "_subscription": subscription["id"],
    }
    store.put(item)
    store.emit("invoiceitem.created", item)


def pending(store: Store, subscription: Body) -> list[Body]:
    """The lines that wait for the next invoice."""
    lines: list[Body] = []
    for item in store.find("invoiceitem", subscription=subscription["id"]):
        line: dict[str, Any] = copy.deepcopy(item["_line"])
        line["parent"]["subscription_item_details"]["invoice_item"] = item["id"]
        lines.append(line)
    return lines


def forget(store: Store, subscription: Body) -> None:
    """What waited is on an invoice now."""
    for item in store.find("invoiceitem", subscription=subscription["id"]):
        store.put({**item, "_subscription": None, "invoice": subscription["latest_invoice"]})


def next_period(anchor: int, item: Body) -> tuple[int, int]:
    """The period after the item's current one, counted from the anchor, so that a 31st stays a 31st where there is
    one.
    """
    start, steps = item["current_period_end"], 1
    while period_after(anchor, item["price"], steps) <= start:
        steps += 1
    return start, period_after(anchor, item["price"], steps)


def invoice_pending(store: Store, subscription: Body) -> None:
    """Invoice at once what waits for the next invoice, if anything does."""
    lines = pending(store, subscription)
    if not lines:
        return
    customer = store.get("customer", subscription["customer"])
    invoice = _change_invoice(store, customer, subscription, lines)
    forget(store, subscription)
    invoicing.collect(store, invoice)


def resume(store: Store, subscription: Body) -> Body:
    """A paused one begins a new period now, whose invoice must be paid."""
    now = store.now()
    for item in subscription["items"]["data"]:
        item.update(current_period_start=now, current_period_end=period_after(now, item["price"], 1))
    subscription["billing_cycle_anchor"] = now
    save(store, subscription, event=None, status="active")
    store.emit("customer.subscription.resumed", subscription)
    customer = store.get("customer", subscription["customer"])
    invoice = _change_invoice(store, customer, subscription, first_lines(store, subscription))
    invoicing.collect(store, invoice)
    return store.get("subscription", subscription["id"])


def renew(store: Store, subscription: Body) -> None:
    """The next period, with its invoice: a draft for an hour, as Stripe leaves time to add to it."""
    for item in subscription["items"]["data"]:
        start, end = next_period(subscription["billing_cycle_anchor"], item)
        item.update(current_period_start=start, current_period_end=end)
    customer = store.get("customer", subscription["customer"])
    old_end = max(item["current_period_start"] for item in subscription["items"]["data"])
    lines = [
        period_line(store, item, item["current_period_start"], item["current_period_end"])
        for item in subscription["items"]["data"]
    ]
    lines = [*pending(store, subscription), *lines]
    began = subscription.get("_began") or subscription["created"]
    invoice = invoicing.invoice_make(
        store, customer, subscription, lines, reason="subscription_cycle", period=(began, old_end)
    )
    subscription["_began"] = old_end
    discounts.spend_once(store, subscription)
    save(store, subscription, latest_invoice=invoice["id"])
    forget(store, subscription)
    if (
        subscription["status"] == "unpaid"
        or (subscription["pause_collection"] or {}).get("behavior") == "keep_as_draft"
    ):
        store.update(invoice, None, auto_advance=False)
        return
    invoicing.draft_wait(store, invoice)
