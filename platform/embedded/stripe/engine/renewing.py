"""The next period of a subscription, by the calendar or out of a pause."""

from embedded.stripe.engine import discounts, invoicing
from embedded.stripe.engine.changing import invoice_at_once
from embedded.stripe.engine.pending import forget, pending
from embedded.stripe.engine.periods import save
from embedded.stripe.engine.prorations import period_line
from embedded.stripe.engine.subscribing import first_lines, next_period, period_after
from embedded.stripe.store import Body, Store


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


def resume(store: Store, subscription: Body) -> Body:
    """A paused one begins a new period now, whose invoice must be paid."""
    now = store.now()
    for item in subscription["items"]["data"]:
        item.update(current_period_start=now, current_period_end=period_after(now, item["price"], 1))
    subscription["billing_cycle_anchor"] = now
    save(store, subscription, event=None, status="active")
    store.emit("customer.subscription.resumed", subscription)
    customer = store.get("customer", subscription["customer"])
    invoice = invoice_at_once(store, customer, subscription, first_lines(store, subscription))
    invoicing.collect(store, invoice)
    return store.get("subscription", subscription["id"])
