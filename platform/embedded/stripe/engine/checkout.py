"""Checkout sessions in the hands of the person who pays: what the hosted page calls, each all or nothing.

``submit`` takes the card; what it gives back is ``complete``, or still ``open`` while 3-D Secure waits for
``authenticate``. A refusal raises Refused with the bank's words, and the session stays open for another card.
``promotion`` applies a typed code.
"""

from embedded.stripe.engine import invoicing, subscribing, wallet
from embedded.stripe.engine.cards import card_by_number
from embedded.stripe.engine.discounts import code_usable, discount_shape
from embedded.stripe.engine.tax_ids import tax_id_make
from embedded.stripe.errors import Refused, declined
from embedded.stripe.store import Body, Store, whole


def amounts_of(store: Store, session: Body) -> Body:
    """What the first invoice would ask for: subtotal, discount and total in cents, as the page shows them."""
    terms = session["_terms"]
    customer = store.get("customer", session["customer"])
    subscription = subscribing.shape(store, customer, terms)
    subscription["_preview_discounts"] = [
        discount_shape(store, coupon, code, customer=customer["id"], subscription=None)
        for coupon, code in subscribing.coupons(store, terms.get("discounts"), customer["id"], subscription["currency"])
    ]
    lines = subscribing.first_lines(store, subscription)
    now = store.now()
    return invoicing.invoice_shape(
        store, customer, subscription, lines, reason="subscription_create", period=(now, now)
    )


def open_session(store: Store, identity: str) -> Body:
    """The session, raising Refused for one that is complete or expired."""
    session = store.get("checkout.session", identity)
    if session["status"] != "open":
        raise Refused(f"This checkout session is {session['status']}.", code="checkout_session_not_open")
    return session


@whole
def promotion(store: Store, identity: str, typed: str) -> Body:
    """Apply a promotion code as typed, or take it away by an empty text."""
    session = open_session(store, identity)
    if not typed:
        discounts: list[Body] = []
    else:
        found = [one for one in store.find("promotion_code") if one["code"].lower() == typed.strip().lower()]
        usable = next((one for one in found if code_usable(store, one)), None)
        if usable is None or not session["allow_promotion_codes"]:
            raise Refused("This code is invalid.", code="promotion_code_invalid", param="promotion_code")
        discounts = [{"promotion_code": usable["id"]}]
    session["_terms"]["discounts"] = discounts
    return totals_put(store, session)


def totals_put(store: Store, session: Body) -> Body:
    shown = amounts_of(store, session)
    session.update(
        amount_subtotal=shown["subtotal"],
        amount_total=shown["total"],
        currency=shown["currency"],
        discounts=[
            {"coupon": one.get("coupon"), "promotion_code": one.get("promotion_code")}
            for one in session["_terms"].get("discounts") or []
        ],
        total_details={"amount_discount": shown["subtotal"] - shown["total"], "amount_shipping": 0, "amount_tax": 0},
    )
    return store.put(session)


def expire(store: Store, session: Body) -> Body:
    store.update(session, None, status="expired", url=None, _due=None)
    store.emit("checkout.session.expired", session)
    return session


def line_items(store: Store, session: Body) -> Body:
    """What the session sells, as Stripe lists it."""
    data = []
    for index, given in enumerate(session["_terms"]["items"]):
        price = store.get("price", given["price"])
        amount = price["unit_amount"] * given["quantity"]
        data.append(
            {
                "id": f"li_{session['id'][8:30]}{index}",
                "object": "item",
                "amount_discount": 0,
                "amount_subtotal": amount,
                "amount_tax": 0,
                "amount_total": amount,
                "currency": price["currency"],
                "description": store.get("product", price["product"])["name"],
                "price": price,
                "quantity": given["quantity"],
            }
        )
    return {
        "object": "list",
        "data": data,
        "has_more": False,
        "url": f"/v1/checkout/sessions/{session['id']}/line_items",
    }


@whole
def submit(
    store: Store,
    identity: str,
    number: str,
    *,
    name: str,
    country: str,
    address: Body | None = None,
    tax_id: tuple[str, str] | None = None,
    exp_month: int = 12,
    exp_year: int = 2034,
) -> Body:
    """Pay with a test card. ``tax_id`` is type and value, such as ``("eu_vat", "DE123456789")``."""
    session = open_session(store, identity)
    card = card_by_number(number)
    customer = store.get("customer", session["customer"])
    place = {
        "city": None,
        "line1": None,
        "line2": None,
        "postal_code": None,
        "state": None,
        **(address or {}),
        "country": country,
    }
    details = {"name": name, "address": place, "email": customer["email"], "phone": None, "tax_exempt": "none"}
    due = session["amount_total"]
    if card.behaviour == "declined" or (card.behaviour == "attaches" and due):
        raise declined(card.message, card.code, card.decline_code)
    if tax_id is not None:
        tax_id_make(store, customer, *tax_id)
    given = [{"type": one["type"], "value": one["value"]} for one in store.find("tax_id", customer=customer["id"])]
    update = session["_customer_update"]
    changes: Body = {}
    if update.get("address") == "auto":
        changes["address"] = place
    if update.get("name") == "auto":
        changes["name"] = name
    store.update(customer, "customer.updated", **changes)
    billing = {"name": name, "address": place, "email": customer["email"]}
    method = wallet.method_make(store, card, exp_month=exp_month, exp_year=exp_year, billing=billing)
    session.update(customer_details={**details, "tax_ids": given}, _method=method["id"])
    store.put(session)
    if card.behaviour == "authenticate":
        return session
    return _finish(store, session, method)


@whole
def authenticate(store: Store, identity: str, *, succeeded: bool) -> Body:
    """The end of 3-D Secure; raises Refused where it failed, and another card may be tried."""
    session = open_session(store, identity)
    if not session.get("_method"):
        raise Refused("No payment waits for authentication.")
    method = store.get("payment_method", session.pop("_method"))
    if not succeeded:
        store.put(session)
        raise declined(
            "We are unable to authenticate your payment method. Please choose a different payment method and try "
            "again.",
            "payment_intent_authentication_failure",
            None,
        )
    return _finish(store, session, method)


def _finish(store: Store, session: Body, method: Body) -> Body:
    customer = store.get("customer", session["customer"])
    method["_confirmed"] = True
    wallet.method_attach(store, method, customer["id"])
    terms = {**session["_terms"], "default_payment_method": method["id"]}
    subscription = subscribing.begin(store, customer, terms, behaviour="default_incomplete")
    invoice = store.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        outcome = invoicing.collect(store, invoice, authenticated=True)
        if outcome.state != "succeeded":
            raise subscribing.undone(outcome.error)
    session.update(
        status="complete",
        payment_status="paid" if invoice["amount_due"] else "no_payment_required",
        subscription=subscription["id"],
        invoice=invoice["id"],
        url=None,
        _method=None,
        _due=None,
    )
    store.put(session)
    store.emit("checkout.session.completed", session)
    return session
