"""The hosted checkout: what is bought, a card, who pays; and the bank's question in between (3-D Secure)."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from embedded.stripe.engine import checkout
from embedded.stripe.errors import Refused
from embedded.stripe.pages.forms import CARD_FIELDS, Field, card_typed, person_typed, test_cards
from embedded.stripe.pages.rendering import SELLER, Page, message, not_found, redirect, rendered
from embedded.stripe.pages.words import card_name, line_period, money
from embedded.stripe.store import Body, Store


def checkout_page(store: Store, identity: str, form: Mapping[str, str] | None) -> Page:
    """GET shows the checkout; POST with ``action`` ``promotion`` applies a code, with ``pay`` pays."""
    with store.transaction():
        session = _found(store, identity)
        if session is None:
            return not_found()
        if session["status"] != "open":
            return _over(session)
        if form is None:
            return _shown(store, session)
    if form.get("action") != "promotion":
        return _pay(store, session, form)
    try:
        with store.transaction():
            checkout.promotion(store, identity, form.get("code", ""))
    except Refused as refused:
        with store.transaction():
            return _shown(store, session, code=_code(form.get("code", ""), refused.message), status=refused.status)
    return redirect(f"/c/pay/{identity}")


def authenticate_page(store: Store, identity: str, form: Mapping[str, str] | None) -> Page:
    """What the bank asks before the card is taken; whoever leaves this page leaves the checkout open."""
    with store.transaction():
        session = _found(store, identity)
        if session is None:
            return not_found()
        if session["status"] != "open":
            return _over(session)
        if not session.get("_method"):
            return redirect(f"/c/pay/{identity}")
        if form is None:
            return rendered(
                "authenticate.html",
                amount=money(session["amount_total"], session["currency"]),
                card=card_name(store.get("payment_method", session["_method"])),
                leave_url=session["cancel_url"] or "",
            )
    try:
        with store.transaction():
            return _over(checkout.authenticate(store, identity, succeeded=form.get("answer") == "succeed"))
    except Refused as refused:
        with store.transaction():
            return _shown(store, session, problem=refused.message, status=HTTPStatus.PAYMENT_REQUIRED)


def _found(store: Store, identity: str) -> Body | None:
    found = store.peek(identity)
    return found if found and found["object"] == "checkout.session" else None


def _over(session: Body) -> Page:
    """Where a session leads that is paid; and what is said of one that has expired."""
    if session["status"] == "complete":
        return redirect(str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"]))
    return message(
        "This checkout has expired",
        f"Nothing was paid. Go back to {SELLER} and begin again.",
        link=session["cancel_url"] or "",
        link_text=f"Back to {SELLER}",
        status=HTTPStatus.GONE,
    )


def _pay(store: Store, session: Body, form: Mapping[str, str]) -> Page:
    card = card_typed(form, store.now())
    person = person_typed(form, whole_address=_whole_address(session), tax_id=_takes_tax_id(session))
    fields = [*card.fields, *person.fields]
    if card.card is None or not person.sound:
        with store.transaction():
            return _shown(store, session, fields=fields, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        with store.transaction():
            made = checkout.submit(
                store,
                session["id"],
                card.card.number,
                name=person.name,
                country=person.address["country"] or "",
                address=person.address,
                tax_id=person.tax_id,
                exp_month=card.exp_month,
                exp_year=card.exp_year,
            )
    except Refused as refused:
        with store.transaction():
            return _refused(store, session, fields, refused)
    return _over(made) if made["status"] == "complete" else redirect(f"/c/pay/{session['id']}/authenticate")


def _refused(store: Store, session: Body, fields: list[Field], refused: Refused) -> Page:
    """Why it was not paid; of two who pay at once, the later one is led where the first one was."""
    now = store.get("checkout.session", session["id"])
    if now["status"] != "open":
        return _over(now)
    return _shown(store, now, fields=fields, problem=refused.message, status=refused.status)


def _whole_address(session: Body) -> bool:
    return bool(session.get("billing_address_collection") == "required")


def _takes_tax_id(session: Body) -> bool:
    return bool((session.get("tax_id_collection") or {}).get("enabled"))


def _code(value: str = "", error: str = "") -> Field:
    return Field("code", "Promotion code", value[:100], error, required=False)


def _shown(
    store: Store,
    session: Body,
    *,
    fields: list[Field] | None = None,
    code: Field | None = None,
    problem: str = "",
    status: int = HTTPStatus.OK,
) -> Page:
    try:
        shown = checkout.amounts_of(store, session)
    except Refused as refused:
        # The code was used up by somebody else since it was applied.
        problem = problem or refused.message
        session = checkout.promotion(store, session["id"], "")
        shown = checkout.amounts_of(store, session)
    currency = session["currency"]
    customer = store.get("customer", session["customer"])
    lines = [
        {
            "description": line["description"],
            "detail": line_period(line),
            "amount": money(line["amount"], currency),
        }
        for line in shown["lines"]["data"]
    ]
    sums = [("Subtotal", money(shown["subtotal"], currency))]
    if shown["subtotal"] != shown["total"]:
        sums.append(("Discount", money(shown["total"] - shown["subtotal"], currency)))
    sums += [("Tax", money(0, currency)), ("Due today", money(shown["amount_due"], currency))]
    address = {name: value or "" for name, value in (customer["address"] or {}).items()}
    known = {**address, "name": customer["name"] or ""}
    person = person_typed(known, whole_address=_whole_address(session), tax_id=_takes_tax_id(session))
    return rendered(
        "checkout.html",
        status,
        id=session["id"],
        cancel_url=session["cancel_url"] or "",
        lines=lines,
        sums=sums,
        total=money(shown["amount_due"], currency),
        promotion=(code or _code()) if session["allow_promotion_codes"] else None,
        email=customer["email"] or "",
        fields=fields or [*CARD_FIELDS, *(replace(one, error="") for one in person.fields)],
        button=f"Subscribe and pay {money(shown['amount_due'], currency)}",
        problem=problem,
        test_cards=test_cards(),
    )
