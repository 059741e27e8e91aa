"""Amounts, days and addresses as people read them on the stand-in's pages and documents."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from babel.numbers import format_currency

from billing.money import decimals


def money(amount: float, currency: str) -> str:
    """``amount`` is in the smallest unit that Stripe counts, or parts of one."""
    code = currency.upper()
    digits = decimals(code)
    pattern = f"¤#,##0{'.' * bool(digits)}{'0' * digits}"
    whole = Decimal(str(amount)).scaleb(-digits)
    return str(format_currency(whole, code, format=pattern, currency_digits=False, locale="en"))


def day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%-d %B %Y}"


def line_period(line: dict[str, Any]) -> str:
    return f"{day(line['period']['start'])} – {day(line['period']['end'])}"


def address_lines(address: dict[str, Any] | None) -> list[str]:
    found = address or {}
    town = " ".join(part for part in (found.get("postal_code"), found.get("city")) if part)
    lines = (found.get("line1"), found.get("line2"), town, found.get("state"), found.get("country"))
    return [line for line in lines if line]


def card_name(method: dict[str, Any]) -> str:
    """A payment method of the API as people name their card."""
    card = method["card"]
    return f"{card['brand'].title()} ending in {card['last4']}, valid until {card['exp_month']:02}/{card['exp_year']}"
