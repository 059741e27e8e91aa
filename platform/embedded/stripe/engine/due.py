"""What the clock brings: each object whose moment has come is handed to ``happen``."""

from embedded.stripe.engine import checkout, invoicing, renewing, wallet
from embedded.stripe.engine.periods import TRIAL_WARNING, period_end, save
from embedded.stripe.store import Body, Store


def happen(store: Store, identity: str) -> None:
    body = store.peek(identity)
    if body is None:
        return
    match body["object"]:
        case "subscription":
            _subscription(store, body)
        case "invoice":
            _invoice(store, body)
        case "checkout.session":
            checkout.expire(store, body)


def _subscription(store: Store, subscription: Body) -> None:
    now = store.now()
    status, pause = subscription["status"], subscription["pause_collection"] or {}
    update = subscription["pending_update"] or {}
    if status == "incomplete":
        invoice = store.get("invoice", subscription["latest_invoice"])
        save(store, subscription, status="incomplete_expired", ended_at=now)
        if invoice["status"] == "open":
            invoicing.void(store, invoice)
    elif subscription["cancel_at"] is not None and subscription["cancel_at"] <= now:
        invoicing.ended(store, subscription, "cancellation_requested")
    elif update and update["expires_at"] <= now:
        save(store, subscription, event=None, pending_update=None)
        store.emit("customer.subscription.pending_update_expired", subscription)
        invoice = store.get("invoice", subscription["latest_invoice"])
        if invoice["status"] == "open":
            invoicing.void(store, invoice)
    elif pause.get("resumes_at") is not None and pause["resumes_at"] <= now:
        save(store, subscription, pause_collection=None)
    elif status == "trialing":
        _trial(store, subscription)
    elif period_end(subscription) <= now:
        renewing.renew(store, subscription)
    else:
        save(store, subscription)


def _trial(store: Store, subscription: Body) -> None:
    now = store.now()
    if subscription["trial_end"] > now:
        if subscription["trial_end"] - TRIAL_WARNING <= now:
            save(store, subscription, event=None, _warned=True)
            store.emit("customer.subscription.trial_will_end", subscription)
        else:
            save(store, subscription)
        return
    customer = store.get("customer", subscription["customer"])
    if wallet.method_of(store, customer, subscription) is None:
        without = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
        if without == "cancel":
            invoicing.ended(store, subscription, "cancellation_requested")
            return
        if without == "pause":
            save(store, subscription, event=None, status="paused")
            store.emit("customer.subscription.paused", subscription)
            return
    subscription["status"] = "active"
    renewing.renew(store, subscription)


def _invoice(store: Store, invoice: Body) -> None:
    subscription = store.peek(invoice["_subscription"]) if invoice["_subscription"] else None
    pause = (subscription or {}).get("pause_collection") or {}
    if invoice["status"] == "draft":
        invoicing.finalize(store, invoice)
        if pause.get("behavior") == "void":
            invoicing.void(store, invoice)
            return
        if pause.get("behavior") == "mark_uncollectible":
            invoicing.mark_uncollectible(store, invoice)
            return
    if invoice["status"] == "open" and invoice["auto_advance"]:
        invoicing.collect(store, invoice)
    else:
        store.update(invoice, None, _due=None)
