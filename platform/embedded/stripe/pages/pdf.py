"""Invoices and receipts as PDF, set by typst in a child process with limits.

``python -m embedded.stripe.pages.pdf`` is that child: a document as JSON on its input, the PDF on its output.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from embedded.stripe.pages.words import address_lines, day, line_period, money

SOURCE = Path(__file__).with_name("invoice.typ")
PLATFORM = Path(__file__).resolve().parents[3]
CPU_SECONDS = 20
WAIT_SECONDS = 60
MEMORY_BYTES = 2 << 30
"""Of address space, most of which typst only reserves."""
MAX_PDF_BYTES = 5 << 20
MAX_LINES = 250
"""What one invoice shows; the rest is told as a number."""


class PdfError(Exception):
    """The document could not be set within the limits."""


def invoice_document(invoice: dict[str, Any], seller: str) -> dict[str, Any]:
    """An invoice as the API gives it, in the words that stand on its PDF."""
    currency = invoice["currency"]
    facts = [["Number", invoice["number"] or "Draft"], ["Status", invoice["status"] or ""]]
    facts.append(["Date of issue", day(invoice["status_transitions"]["finalized_at"] or invoice["created"])])
    if paid_at := invoice["status_transitions"]["paid_at"]:
        facts.append(["Date paid", day(paid_at)])
    due = money(invoice["amount_remaining"], currency)
    return {
        "title": f"Invoice {invoice['number'] or ''}".strip(),
        "headline": f"{due} due" if invoice["amount_remaining"] else f"{money(invoice['amount_paid'], currency)} paid",
        "facts": facts,
        **_parties(invoice, seller),
        **_amounts(invoice),
    }


def receipt_document(invoice: dict[str, Any], seller: str, paid_with: str) -> dict[str, Any]:
    """A paid invoice as the receipt that its payer keeps. ``paid_with`` names the card."""
    amount = money(invoice["amount_paid"], invoice["currency"])
    return {
        "title": f"Receipt for invoice {invoice['number']}",
        "headline": f"{amount} paid on {day(invoice['status_transitions']['paid_at'])}",
        "facts": [["Invoice", invoice["number"]], ["Paid with", paid_with]],
        **_parties(invoice, seller),
        **_amounts(invoice),
    }


def pdf_of(document: dict[str, Any]) -> bytes:
    """Raises PdfError where it takes too long, too much memory or too many pages."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "embedded.stripe.pages.pdf"],
            input=json.dumps(document).encode(),
            capture_output=True,
            timeout=WAIT_SECONDS,
            cwd=PLATFORM,
            env={"PYTHONPATH": f"{PLATFORM}{os.pathsep}{PLATFORM.parent}", "PATH": ""},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PdfError("The PDF took too long to make.") from None
    if done.returncode or not done.stdout.startswith(b"%PDF-"):
        raise PdfError(f"The PDF could not be made: {done.stderr.decode(errors='replace')[-500:]}")
    if len(done.stdout) > MAX_PDF_BYTES:
        raise PdfError("The PDF is too large.")
    return done.stdout


def _parties(invoice: dict[str, Any], seller: str) -> dict[str, Any]:
    customer = [invoice["customer_name"], invoice["customer_email"], *address_lines(invoice["customer_address"])]
    customer += [one["value"] for one in invoice["customer_tax_ids"] or ()]
    return {
        "seller": seller,
        "seller_label": "From",
        "customer_label": "Bill to",
        "customer": [line for line in customer if line],
        "test": "TEST: made by the Stripe stand-in. No money moved; this is no invoice to book.",
        "footer": invoice["id"],
        "page": "Page",
    }


def _amounts(invoice: dict[str, Any]) -> dict[str, Any]:
    currency = invoice["currency"]
    lines = invoice["lines"]["data"]
    shown = []
    for line in lines[:MAX_LINES]:
        quantity = line["quantity"]
        each = money(line["amount"] / quantity, currency) if quantity else ""
        words = f"{line['description']}\n{line_period(line)}"
        shown.append([words, str(quantity or ""), each, money(line["amount"], currency)])
    if len(lines) > MAX_LINES:
        shown.append([f"and {len(lines) - MAX_LINES} lines more", "", "", ""])
    discounts = sum(one["amount"] for one in invoice["total_discount_amounts"] or ())
    tax = sum(one["amount"] for one in invoice["total_taxes"] or ())
    totals = [["Subtotal", money(invoice["subtotal"], currency)]]
    if discounts:
        totals.append(["Discount", money(-discounts, currency)])
    totals += [["Tax", money(tax, currency)], ["Total", money(invoice["total"], currency)]]
    if invoice["amount_paid"]:
        totals.append(["Paid", money(invoice["amount_paid"], currency)])
    totals.append(["Amount due", money(invoice["amount_remaining"], currency)])
    return {"columns": ["Description", "Quantity", "Unit price", "Amount"], "lines": shown, "totals": totals}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    import typst

    document = sys.stdin.buffer.read()
    made = typst.compile(SOURCE.read_bytes(), sys_inputs={"document": document.decode()})
    sys.stdout.buffer.write(made)


if __name__ == "__main__":
    main()
