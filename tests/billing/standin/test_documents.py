"""Invoices and receipts on paper: their words, and that nothing a person wrote is read as markup."""

from typing import Any

import pytest

from embedded.stripe.pages import pdf
from embedded.stripe.pages.pdf import PdfError, invoice_document, pdf_of, receipt_document
from embedded.stripe.pages.words import money

MARKUP = '#panic("read as markup") $ * _ ` \\ <x> @y = //'


def invoice(**changes: Any) -> dict[str, Any]:
    line = {
        "description": "3 × Team (at €29.00 / month)",
        "quantity": 3,
        "amount": 8700,
        "period": {"start": 1_790_000_000, "end": 1_792_592_000},
    }
    return {
        "id": "in_1",
        "number": "ABCD-0001",
        "status": "paid",
        "created": 1_790_000_000,
        "status_transitions": {"finalized_at": 1_790_000_000, "paid_at": 1_790_086_400},
        "currency": "eur",
        "amount_paid": 7830,
        "amount_remaining": 0,
        "customer_name": "Nordlicht GmbH",
        "customer_email": "billing@rapport.test",
        "customer_address": {"line1": "Domkloster 4", "postal_code": "50667", "city": "Köln", "country": "DE"},
        "customer_tax_ids": [{"type": "eu_vat", "value": "DE123456789"}],
        "lines": {"data": [line]},
        "subtotal": 8700,
        "total": 7830,
        "total_discount_amounts": [{"amount": 870, "discount": "di_1"}],
        "total_taxes": [],
        **changes,
    }


def test_an_invoice_says_who_owes_what_for_what() -> None:
    made = invoice_document(invoice(), "Rapport")
    assert made["title"] == "Invoice ABCD-0001"
    assert made["headline"] == "€78.30 paid"
    assert ["Date paid", "22 September 2026"] in made["facts"]
    assert made["customer"] == [
        "Nordlicht GmbH",
        "billing@rapport.test",
        "Domkloster 4",
        "50667 Köln",
        "DE",
        "DE123456789",
    ]
    assert made["lines"] == [
        [
            "3 × Team (at €29.00 / month)\n21 September 2026 – 21 October 2026",
            "3",
            "€29.00",
            "€87.00",
        ]
    ]
    assert made["totals"] == [
        ["Subtotal", "€87.00"],
        ["Discount", "-€8.70"],
        ["Tax", "€0.00"],
        ["Total", "€78.30"],
        ["Paid", "€78.30"],
        ["Amount due", "€0.00"],
    ]


def test_it_says_that_it_is_a_test() -> None:
    assert invoice_document(invoice(), "Rapport")["test"].startswith("TEST")


def test_a_receipt_names_the_card() -> None:
    made = receipt_document(invoice(), "Rapport", "Visa ending in 4242")
    assert made["headline"] == "€78.30 paid on 22 September 2026"
    assert made["facts"] == [["Invoice", "ABCD-0001"], ["Paid with", "Visa ending in 4242"]]


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (123456, "usd", "$1,234.56"),
        (5, "gbp", "£0.05"),
        (-870, "eur", "-€8.70"),
        (500, "jpy", "¥500"),
        (1550, "isk", "ISK15.50"),
        (1234, "kwd", "KWD1.234"),
    ],
)
def test_amounts_are_in_the_smallest_unit(amount: int, currency: str, words: str) -> None:
    assert money(amount, currency) == words


def test_what_people_wrote_is_no_markup() -> None:
    line = {"description": MARKUP, "quantity": None, "amount": 1, "period": {"start": 0, "end": 1}}
    made = invoice_document(
        invoice(customer_name=MARKUP, customer_address={"line1": MARKUP}, lines={"data": [line]}), MARKUP
    )
    assert pdf_of(made).startswith(b"%PDF-")


def test_only_so_many_lines_are_shown_and_the_rest_is_counted() -> None:
    lines = invoice()["lines"]["data"] * (pdf.MAX_LINES + 40)
    made = invoice_document(invoice(lines={"data": lines}), "Rapport")["lines"]
    assert len(made) == pdf.MAX_LINES + 1
    assert made[-1][0] == "and 40 lines more"


def test_a_document_that_cannot_be_set_is_an_error_and_no_half_pdf() -> None:
    with pytest.raises(PdfError, match="could not be made"):
        pdf_of({"title": "Nothing else"})


def test_a_document_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "WAIT_SECONDS", 0.001)
    with pytest.raises(PdfError, match="too long"):
        pdf_of(invoice_document(invoice(), "Rapport"))


def test_a_pdf_too_large_is_not_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PDF_BYTES", 100)
    with pytest.raises(PdfError, match="too large"):
        pdf_of(invoice_document(invoice(), "Rapport"))
