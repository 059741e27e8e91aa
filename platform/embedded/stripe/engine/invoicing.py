"""Invoices: drafts, totals, numbers, payment, and what their fate does to the subscription.

Dunning: an invoice of a renewal is a draft for an hour, then finalized and charged at once. Is the charge refused, it
is tried again 3, 5 and 7 days after the first time; after the last refusal the subscription becomes what
``after_retries`` among the notes says: ``canceled`` (Stripe's default), ``unpaid`` or ``past_due``. Stripe itself
chooses its hours.
"""

from embedded.stripe.clock import DAY, HOUR
from embedded.stripe.engine import charging, wallet
from embedded.stripe.engine.discounts import apply_to_lines, at_work
from embedded.stripe.engine.periods import save
from embedded.stripe.errors import Refused, declined
from embedded.stripe.store import Body, Store

RETRIES = (3 * DAY, 5 * DAY, 7 * DAY)


def invoice_shape(
    store: Store,
    customer: Body,
    subscription: Body | None,
    lines: list[Body],
    *,
    reason: str,
    period: tuple[int, int],
    at: int | None = None,
) -> Body:
    """A draft of now or ``at`` with its totals: ``create_preview`` shows it, ``invoice_make`` keeps it."""
    identity = store.new_id("in")
    moment = store.now() if at is None else at
    discounts = at_work(store, subscription, moment) if subscription else []
    discounts += (subscription or {}).get("_preview_discounts", [])
    taken = apply_to_lines(store, lines, discounts)
    subtotal = sum(line["amount"] for line in lines)
    total = subtotal - sum(taken.values())
    due, _ending = settled(total, customer["balance"])
    for line in lines:
        line["invoice"] = identity
    currency = lines[0]["currency"] if lines else customer["currency"] or "usd"
    return {
        "id": identity,
        "object": "invoice",
        "account_country": "IE",
        "account_name": "Stand-in",
        "amount_due": due,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": due,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": _automatic_tax(subscription),
        "automatically_finalizes_at": None,
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": moment,
        "currency": currency,
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [
            {"type": one["type"], "value": one["value"]} for one in store.find("tax_id", customer=customer["id"])
        ],
        "default_tax_rates": [],
        "discounts": [one["id"] for one in discounts],
        "ending_balance": None,
        "issuer": {"type": "self"},
        "lines": {"object": "list", "data": lines, "has_more": False, "url": f"/v1/invoices/{identity}/lines"},
        "livemode": False,
        "metadata": {},
        "parent": _parent(subscription),
        "payment_settings": {"payment_method_types": None},
        "period_start": period[0],
        "period_end": period[1],
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": customer["balance"],
        "status": "draft",
        "status_transitions": {},
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": total,
        "total_discount_amounts": [{"amount": amount, "discount": one} for one, amount in taken.items()],
        "total_excluding_tax": total,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "_subscription": subscription["id"] if subscription else None,
    }


def settled(total: int, balance: int) -> tuple[int, int]:
    """What is due of ``total`` and the customer's balance after it; a negative balance is credit, a negative total
    becomes it.
    """
    return max(total + balance, 0), min(total + balance, 0)


def _automatic_tax(subscription: Body | None) -> Body:
    if subscription is None or not subscription["automatic_tax"]["enabled"]:
        return {"enabled": False}
    return {"enabled": True, "liability": {"type": "self"}, "provider": "stripe", "status": "complete"}


def _parent(subscription: Body | None) -> Body | None:
    if subscription is None:
        return None
    details = {"metadata": subscription["metadata"], "subscription": subscription["id"]}
    return {"type": "subscription_details", "subscription_details": details}


def invoice_make(
    store: Store, customer: Body, subscription: Body | None, lines: list[Body], *, reason: str, period: tuple[int, int]
) -> Body:
    """A kept draft; the subscription's ``latest_invoice`` is for the caller to set."""
    invoice = invoice_shape(store, customer, subscription, lines, reason=reason, period=period)
    store.put(invoice)
    store.emit("invoice.created", invoice)
    return invoice


def finalize(store: Store, invoice: Body) -> Body:
    """Give the draft its number and page, settle it with the customer's balance, and open its payment."""
    if invoice["status"] != "draft":
        raise Refused(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.", code="invoice_not_editable"
        )
    customer = store.get("customer", invoice["customer"])
    sequence = customer["next_invoice_sequence"]
    balance = customer["balance"]
    due, ending = settled(invoice["total"], balance)
    store.put({**customer, "next_invoice_sequence": sequence + 1, "balance": ending})
    if ending != balance:
        store.emit("customer.updated", store.get("customer", customer["id"]), {"balance": balance})
    invoice.update(
        status="open",
        number=f"{customer['invoice_prefix']}-{sequence:04d}",
        amount_due=due,
        amount_remaining=due,
        starting_balance=balance,
        ending_balance=ending,
        effective_at=store.now(),
        automatically_finalizes_at=None,
        hosted_invoice_url=f"{store.origin}/i/{invoice['id']}",
        invoice_pdf=f"{store.origin}/i/{invoice['id']}/pdf",
        status_transitions={**invoice["status_transitions"], "finalized_at": store.now()},
        _due=None,
    )
    if due:
        _payment_open(store, invoice)
    store.put(invoice)
    store.emit("invoice.finalized", invoice)
    return invoice


def _payment_open(store: Store, invoice: Body) -> None:
    intent = charging.intent_make(
        store,
        customer=invoice["customer"],
        amount=invoice["amount_due"],
        currency=invoice["currency"],
        invoice=invoice["id"],
        description="Subscription creation"
        if invoice["billing_reason"] == "subscription_create"
        else "Subscription update",
    )
    payment = {
        "id": store.new_id("inpay"),
        "object": "invoice_payment",
        "amount_requested": invoice["amount_due"],
        "created": store.now(),
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }
    store.put(payment)
    invoice["_intent"], invoice["_payment"] = intent["id"], payment["id"]


def collect(
    store: Store, invoice: Body, *, method: Body | None = None, on_session: bool = False, authenticated: bool = False
) -> charging.Outcome:
    """Try to take what the open invoice asks for, from ``method`` or the default one, and let its subscription know."""
    if not invoice["amount_remaining"]:
        invoice.update(attempted=True)
        _paid(store, invoice)
        return charging.Outcome("succeeded")
    subscription = store.peek(invoice["_subscription"]) if invoice["_subscription"] else None
    customer = store.get("customer", invoice["customer"])
    intent = store.get("payment_intent", invoice["_intent"])
    own = invoice.get("default_payment_method")
    chosen = method or (store.peek(own) if own else wallet.method_of(store, customer, subscription))
    if not authenticated:
        invoice.update(attempted=True, attempt_count=invoice["attempt_count"] + 1)
    store.put(invoice)
    outcome = charging.intent_confirm(store, intent, chosen, on_session=on_session, authenticated=authenticated)
    if outcome.state == "succeeded":
        _paid(store, invoice)
    elif outcome.state == "requires_action":
        store.emit("invoice.payment_action_required", invoice)
    else:
        payment_failed(store, invoice)
    return outcome


def payment_failed(store: Store, invoice: Body) -> None:
    """Note the refusal, and where the invoice advances by itself, when it is tried again."""
    tries = invoice["_tries"] = invoice.get("_tries", 0) + (
        1 if invoice["billing_reason"] != "subscription_create" else 0
    )
    upcoming = None
    if invoice["billing_reason"] != "subscription_create" and invoice["auto_advance"]:
        first = invoice.setdefault("_first_try", store.now())
        upcoming = first + RETRIES[tries - 1] if tries <= len(RETRIES) else None
    invoice.update(next_payment_attempt=upcoming, _due=upcoming)
    store.put(invoice)
    store.emit("invoice.payment_failed", invoice)
    subscription = store.peek(invoice["_subscription"]) if invoice["_subscription"] else None
    if subscription is None or invoice["billing_reason"] == "subscription_create" or invoice.get("_wish"):
        return
    if subscription["status"] == "active":
        save(store, subscription, status="past_due")
    if upcoming is None and subscription["status"] == "past_due":
        after_retries = store.note("after_retries") or "canceled"
        if after_retries == "canceled":
            ended(store, subscription, "payment_failed")
        elif after_retries != "past_due":
            save(store, subscription, status=after_retries)


def ended(store: Store, subscription: Body, reason: str, details: Body | None = None) -> Body:
    """The subscription is over at once; open invoices of it stay open, drafts no longer advance."""
    for invoice in store.find("invoice", subscription=subscription["id"]):
        if invoice["status"] in {"draft", "open"}:
            store.update(invoice, None, auto_advance=False, next_payment_attempt=None, _due=None)
    now = store.now()
    save(
        store,
        subscription,
        event=None,
        status="canceled",
        canceled_at=subscription.get("canceled_at") or now,
        ended_at=now,
        pending_update=None,
        cancellation_details={**(subscription.get("cancellation_details") or {}), "reason": reason, **(details or {})},
    )
    store.emit("customer.subscription.deleted", subscription)
    return subscription


def _paid(store: Store, invoice: Body) -> None:
    now = store.now()
    paid = invoice["amount_due"]
    invoice.update(
        status="paid",
        amount_paid=paid,
        amount_remaining=0,
        next_payment_attempt=None,
        status_transitions={**invoice["status_transitions"], "paid_at": now},
        _due=None,
    )
    store.put(invoice)
    if invoice.get("_payment"):
        payment = store.get("invoice_payment", invoice["_payment"])
        payment.update(status="paid", amount_paid=paid, status_transitions={"canceled_at": None, "paid_at": now})
        store.put(payment)
        store.emit("invoice_payment.paid", payment)
    store.emit("invoice.paid", invoice)
    store.emit("invoice.payment_succeeded", invoice)
    subscription = store.peek(invoice["_subscription"]) if invoice["_subscription"] else None
    if subscription is not None:
        _subscription_paid(store, subscription, invoice)


def _subscription_paid(store: Store, subscription: Body, invoice: Body) -> None:
    """A first invoice paid makes it active, so does the newest one paid after failures; a change that waited for it
    comes in.
    """
    if invoice.get("_wish") and subscription["pending_update"]:
        save(store, subscription, **invoice["_wish"], pending_update=None)
        store.emit("customer.subscription.pending_update_applied", subscription)
    waits = {"incomplete": invoice["billing_reason"] == "subscription_create", "past_due": True, "unpaid": True}
    if waits.get(subscription["status"]) and subscription["latest_invoice"] == invoice["id"]:
        save(store, subscription, status="active")


def pay(store: Store, invoice: Body, method: Body | None = None, *, on_session: bool = False) -> Body:
    """Pay an open invoice now; raises Refused (402) with what was tried kept, where the bank says no or wants 3-D
    Secure.
    """
    if invoice["status"] == "paid":
        raise Refused("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] == "draft":
        finalize(store, invoice)
    if invoice["status"] != "open":
        raise Refused(f"This invoice is {invoice['status']} and can't be paid.", code="invoice_not_payable")
    outcome = collect(store, invoice, method=method, on_session=on_session)
    if outcome.state == "requires_action":
        raise declined("This payment requires additional user action.", "invoice_payment_intent_requires_action", None)
    if outcome.error:
        error = outcome.error
        raise declined(error["message"], error["code"], error.get("decline_code"), charge=error.get("charge"))
    return invoice


def paid_elsewhere(store: Store, invoice: Body) -> Body:
    """Somebody paid by bank transfer or the like; no card is asked."""
    if invoice["status"] != "open":
        raise Refused(f"This invoice is {invoice['status']} and can't be paid.", code="invoice_not_payable")
    _paid(store, invoice)
    return store.update(invoice, None, amount_paid_off_stripe=invoice["amount_due"])


def void(store: Store, invoice: Body) -> Body:
    if invoice["status"] not in {"open", "uncollectible"}:
        raise Refused(f"You can only pass in open or uncollectible invoices. This invoice is {invoice['status']}.")
    _payment_close(store, invoice)
    transitions = {**invoice["status_transitions"], "voided_at": store.now()}
    invoice.update(
        status="void", next_payment_attempt=None, auto_advance=False, status_transitions=transitions, _due=None
    )
    store.put(invoice)
    store.emit("invoice.voided", invoice)
    return invoice


def mark_uncollectible(store: Store, invoice: Body) -> Body:
    if invoice["status"] != "open":
        raise Refused(f"This invoice is {invoice['status']}; only an open one can be marked uncollectible.")
    transitions = {**invoice["status_transitions"], "marked_uncollectible_at": store.now()}
    invoice.update(status="uncollectible", next_payment_attempt=None, status_transitions=transitions, _due=None)
    store.put(invoice)
    store.emit("invoice.marked_uncollectible", invoice)
    return invoice


def _payment_close(store: Store, invoice: Body) -> None:
    if not invoice.get("_intent"):
        return
    intent = store.get("payment_intent", invoice["_intent"])
    store.update(
        intent, None, status="canceled", canceled_at=store.now(), cancellation_reason="void_invoice", next_action=None
    )
    store.emit("payment_intent.canceled", intent)
    payment = store.get("invoice_payment", invoice["_payment"])
    store.update(payment, None, status="canceled", status_transitions={"canceled_at": store.now(), "paid_at": None})


def draft_wait(store: Store, invoice: Body) -> None:
    """A renewal's draft is finalized after an hour."""
    store.update(invoice, None, automatically_finalizes_at=store.now() + HOUR, _due=store.now() + HOUR)
