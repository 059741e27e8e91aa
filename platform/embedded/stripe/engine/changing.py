"""Changes of a subscription: what it would become, what that costs, and the change itself.

``changed`` and ``difference`` touch nothing, so that a preview and a change come to the same cents by the same way.
"""

import copy

from embedded.stripe.engine import discounts, invoicing
from embedded.stripe.engine.pending import forget, pend, pending
from embedded.stripe.engine.periods import FIRST_PAYMENT, OVER, period_end, save
from embedded.stripe.engine.prorations import change_lines
from embedded.stripe.engine.subscribing import (
    discounts_set,
    first_lines,
    item_make,
    period_after,
    trial_end_of,
    undone,
)
from embedded.stripe.errors import Refused
from embedded.stripe.params import merged
from embedded.stripe.store import Body, Store


def changed(store: Store, subscription: Body, terms: Body) -> tuple[Body, bool]:
    """A copy of the subscription as ``terms`` would make it, and whether a new period begins with it now: where the
    interval changes, the trial is ended, or it is told to.
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
    return new, _periods(subscription, new, terms, now)


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
    end = period_end(new)
    if terms.get("cancel_at_period_end"):
        new.update(cancel_at_period_end=True, cancel_at=end, canceled_at=new["canceled_at"] or store.now())
    elif "cancel_at" in terms:
        moment = terms["cancel_at"]
        moment = end if moment in {"min_period_end", "max_period_end"} else moment
        if moment is not None and moment < end and terms.get("proration_behavior") != "none":
            raise Refused(
                "The stand-in gives nothing back for a cancel_at within the period; pass proration_behavior=none.",
                param="cancel_at",
            )
        new.update(cancel_at_period_end=False, cancel_at=moment, canceled_at=store.now() if moment else None)
    elif "cancel_at_period_end" in terms and new["cancel_at_period_end"]:
        new.update(cancel_at_period_end=False, cancel_at=None, canceled_at=None)
    if new["cancel_at"] is None:
        new["cancellation_details"] = {"comment": None, "feedback": None, "reason": None}
    else:
        new["cancellation_details"] = {**(new["cancellation_details"] or {}), "reason": "cancellation_requested"}


def _periods(old: Body, new: Body, terms: Body, now: int) -> bool:
    if "trial_end" in terms:
        end = trial_end_of(now, terms)
        if end is None and old["status"] == "trialing":
            new.update(trial_end=now, status="active", billing_cycle_anchor=now)
        elif end is not None:
            new.update(
                trial_start=new["trial_start"] or now, trial_end=end, status="trialing", billing_cycle_anchor=end
            )
            for item in new["items"]["data"]:
                item.update(current_period_start=now, current_period_end=end)
            return False
    interval = {item["id"]: item["price"]["recurring"] for item in old["items"]["data"]}
    switched = any(
        item["price"]["recurring"] != interval.get(item["id"], item["price"]["recurring"])
        for item in new["items"]["data"]
    )
    restarted = old["status"] == "trialing" and new["status"] == "active"
    if not restarted and (new["status"] == "trialing" or not (switched or terms.get("billing_cycle_anchor") == "now")):
        return False
    new["billing_cycle_anchor"] = now
    for item in new["items"]["data"]:
        item.update(current_period_start=now, current_period_end=period_after(now, item["price"], 1))
    if new["cancel_at_period_end"]:
        new["cancel_at"] = period_end(new)
    return True


def difference(store: Store, old: Body, new: Body, terms: Body, *, fresh: bool) -> list[Body]:
    """The lines that the change makes; ``fresh`` says that a new period begins with it, which is invoiced at once."""
    if old["status"] in {"trialing", "paused"}:
        return first_lines(store, new) if fresh else []
    moment = terms.get("proration_date") or store.now()
    start = max(item["current_period_start"] for item in old["items"]["data"])
    if not start <= moment <= period_end(old):
        raise Refused("Cannot specify proration date outside of current subscription period.", param="proration_date")
    prorated = terms.get("proration_behavior", "create_prorations") != "none"
    kept = [] if fresh or new["status"] == "trialing" else new["items"]["data"]
    lines = change_lines(store, old["items"]["data"], kept, moment) if prorated else []
    return [*lines, *first_lines(store, new)] if fresh else lines


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
    if before["pending_update"] and terms.get("items"):
        _wish_drop(store, before)
    new, fresh = changed(store, before, terms)
    if "discounts" in terms:
        discounts_set(store, new, terms["discounts"])
    lines = difference(store, before, new, terms, fresh=fresh)
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
    invoice = invoice_at_once(store, customer, new, [*held, *lines])
    forget(store, new)
    outcome = invoicing.collect(store, invoice, on_session=on_session)
    if outcome.state != "succeeded" and behaviour == "error_if_incomplete":
        raise undone(outcome.error)
    found = store.get("subscription", new["id"])
    if outcome.state == "requires_action" and found["status"] == "active":
        save(store, found, status="past_due")
    return found


def invoice_at_once(store: Store, customer: Body, subscription: Body, lines: list[Body]) -> Body:
    """An open invoice over the lines, not yet charged."""
    now = store.now()
    invoice = invoicing.invoice_make(
        store, customer, subscription, lines, reason="subscription_update", period=(now, now)
    )
    invoicing.finalize(store, invoice)
    discounts.spend_once(store, subscription)
    save(store, subscription, latest_invoice=invoice["id"])
    return invoice


def _change_if_paid(store: Store, customer: Body, old: Body, new: Body, lines: list[Body], *, on_session: bool) -> Body:
    """Charge first: the change waits as ``pending_update`` for its payment, at most 23 hours."""
    invoice = invoice_at_once(store, customer, old, lines)
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
    forget(store, old)
    invoice = store.get("invoice", invoice["id"])
    invoicing.collect(store, invoice, on_session=on_session)
    return store.get("subscription", old["id"])


def _wish_drop(store: Store, subscription: Body) -> None:
    """Another change takes the place of one that waited for its payment."""
    save(store, subscription, pending_update=None)
    invoice = store.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        invoicing.void(store, invoice)


def invoice_pending(store: Store, subscription: Body) -> None:
    """Invoice at once what waits for the next invoice, if anything does."""
    lines = pending(store, subscription)
    if not lines:
        return
    customer = store.get("customer", subscription["customer"])
    invoice = invoice_at_once(store, customer, subscription, lines)
    forget(store, subscription)
    invoicing.collect(store, invoice)
