"""Money that goes back: refunds, and disputes, which only control makes, as only a bank would."""

from embedded.stripe.clock import DAY
from embedded.stripe.errors import Refused
from embedded.stripe.store import Body, Store


def refund(store: Store, charge: Body, amount: int | None, *, reason: str | None, noted: dict[str, str]) -> Body:
    """Give back ``amount`` cents or all that is left; raises Refused where less is left or nothing was paid."""
    if not charge["paid"]:
        raise Refused(
            "This charge did not succeed and cannot be refunded.", code="charge_not_refundable", param="charge"
        )
    left = charge["amount"] - charge["amount_refunded"]
    if not left:
        raise Refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if charge["disputed"]:
        raise Refused(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    wanted = left if amount is None else amount
    if not 0 < wanted <= left:
        raise Refused(
            f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left}) or not positive.",
            code="amount_too_large" if wanted > left else "parameter_invalid_integer",
            param="amount",
        )
    made = {
        "id": store.new_id("re"),
        "object": "refund",
        "amount": wanted,
        "charge": charge["id"],
        "created": store.now(),
        "currency": charge["currency"],
        "metadata": noted,
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "status": "succeeded",
    }
    store.put(made)
    charge["amount_refunded"] += wanted
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    store.put(charge)
    store.emit("refund.created", made)
    store.emit("charge.refunded", charge)
    return made


def dispute(store: Store, charge: Body, reason: str = "fraudulent") -> Body:
    """The customer's bank takes the money back for now."""
    if charge["disputed"] or not charge["paid"]:
        raise Refused("This charge cannot be disputed.", param="charge")
    made = {
        "id": store.new_id("du"),
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": store.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": store.now() + 7 * DAY,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_method": "not_submitted",
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "needs_response",
    }
    store.put(made)
    store.put({**charge, "disputed": True})
    store.emit("charge.dispute.created", made)
    store.emit("charge.dispute.funds_withdrawn", made)
    return made


def dispute_close(store: Store, made: Body, *, won: bool) -> Body:
    """The bank's word; what was won comes back."""
    store.update(made, None, status="won" if won else "lost")
    store.emit("charge.dispute.closed", made)
    if won:
        store.emit("charge.dispute.funds_reinstated", made)
    return made
