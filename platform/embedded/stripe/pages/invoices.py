"""The page of an invoice: what it is for, how it stands, paying it, its PDF and its receipt."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from embedded.stripe.engine import charging, invoicing, wallet
from embedded.stripe.pages import pdf
from embedded.stripe.pages.forms import CARD_FIELDS, Field, card_typed, test_cards
from embedded.stripe.pages.rendering import SELLER, Page, message, not_found, redirect, rendered
from embedded.stripe.pages.rendering import pdf as pdf_page
from embedded.stripe.pages.words import card_name, money
from embedded.stripe.shape import shaped
from embedded.stripe.store import Body, Store


def invoice_page(store: Store, identity: str, form: Mapping[str, str] | None) -> Page:
    """GET shows the invoice; POST with ``action`` ``saved`` or ``card`` pays it."""
    with store.transaction():
        invoice = _found(store, identity)
        if invoice is None:
            return not_found()
        if form is None or invoice["status"] != "open":
            return _shown(store, invoice) if form is None else redirect(f"/i/{identity}")
        if form.get("action") == "saved":
            return _collected(store, invoice, _saved(store, invoice))
        typed = card_typed(form, store.now())
        if typed.card is None:
            return _shown(store, invoice, typed.fields, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        return _collected(
            store,
            invoice,
            wallet.method_make(store, typed.card, exp_month=typed.exp_month, exp_year=typed.exp_year),
            typed.fields,
        )


def authenticate_page(store: Store, identity: str, form: Mapping[str, str] | None) -> Page:
    """What the bank asks before an invoice is paid; whoever leaves this page leaves the payment open."""
    with store.transaction():
        invoice = _found(store, identity)
        if invoice is None:
            return not_found()
        intent = store.peek(invoice.get("_intent") or "")
        if intent is None or intent["status"] != "requires_action":
            return redirect(f"/i/{identity}")
        method = store.get("payment_method", intent["payment_method"])
        if form is None:
            return rendered(
                "authenticate.html",
                amount=money(invoice["amount_remaining"], invoice["currency"]),
                card=card_name(method),
                leave_url=f"/i/{identity}",
            )
        if form.get("answer") == "succeed":
            invoicing.collect(store, invoice, method=method, on_session=True, authenticated=True)
            keep_card(store, invoice["customer"], method["id"])
        else:
            charging.authentication_failed(store, intent)
            invoicing.payment_failed(store, invoice)
        return redirect(f"/i/{identity}")


def invoice_pdf(store: Store, identity: str, *, receipt: bool = False) -> Page:
    """The invoice as PDF once it is final, or its receipt once it is paid."""
    with store.transaction():
        invoice = shaped(_found(store, identity))
        paid_with = _paid_with(store, invoice) if invoice else ""
    if invoice is None or (receipt and invoice["status"] != "paid"):
        return not_found()
    seller = invoice["account_name"] or SELLER
    document = pdf.receipt_document(invoice, seller, paid_with) if receipt else pdf.invoice_document(invoice, seller)
    try:
        made = pdf.pdf_of(document)
    except pdf.PdfError as error:
        return message("No PDF", str(error), status=HTTPStatus.SERVICE_UNAVAILABLE)
    return pdf_page(made, f"{'receipt' if receipt else 'invoice'}-{invoice['number']}")


def charge_receipt(store: Store, identity: str) -> Page:
    """The receipt of a charge is that of the invoice it paid."""
    with store.transaction():
        charge = store.peek(identity)
        intent = store.peek(charge["payment_intent"]) if charge and charge["object"] == "charge" else None
    return invoice_pdf(store, intent["_invoice"] or "", receipt=True) if intent else not_found()


def keep_card(store: Store, customer: str, method: str) -> None:
    """Give a card that was just paid with to its customer, for the next invoices too."""
    found = store.get("payment_method", method)
    if found["customer"] is None:
        wallet.method_attach(store, found, customer)
    wallet.default_replace(store, store.get("customer", customer), method)


def _found(store: Store, identity: str) -> Body | None:
    found = store.peek(identity)
    return found if found and found["object"] == "invoice" and found["status"] != "draft" else None


def _saved(store: Store, invoice: Body) -> Body | None:
    subscription = store.peek(invoice["_subscription"]) if invoice["_subscription"] else None
    return wallet.method_of(store, store.get("customer", invoice["customer"]), subscription)


def _collected(store: Store, invoice: Body, method: Body | None, fields: list[Field] | None = None) -> Page:
    outcome = invoicing.collect(store, invoice, method=method, on_session=True)
    if outcome.state == "requires_action":
        return redirect(f"/i/{invoice['id']}/authenticate")
    if outcome.state == "failed":
        problem = (outcome.error or {}).get("message", "The payment failed.")
        return _shown(store, invoice, fields, problem=problem, status=HTTPStatus.PAYMENT_REQUIRED)
    if method is not None:
        keep_card(store, invoice["customer"], method["id"])
    return redirect(f"/i/{invoice['id']}")


def _shown(
    store: Store, invoice: Body, fields: list[Field] | None = None, *, problem: str = "", status: int = HTTPStatus.OK
) -> Page:
    is_open = invoice["status"] == "open"
    saved = _saved(store, invoice) if is_open else None
    document: dict[str, Any] = pdf.invoice_document(shaped(invoice), SELLER)
    return rendered(
        "invoice.html",
        status,
        **document,
        id=invoice["id"],
        is_paid=invoice["status"] == "paid",
        fields=(fields or list(CARD_FIELDS)) if is_open else None,
        saved_card=card_name(saved) if saved else "",
        button=f"Pay {money(invoice['amount_remaining'], invoice['currency'])}",
        problem=problem,
        test_cards=test_cards(),
    )


def _paid_with(store: Store, invoice: Body) -> str:
    kept = store.peek(invoice["id"]) or {}
    intent = store.peek(kept.get("_intent") or "")
    method = store.peek(intent.get("payment_method") or "") if intent else None
    return card_name(method) if method else "credit on the account"
