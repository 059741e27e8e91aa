"""Amounts, days and addresses as people read them on the stand-in's pages and documents."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from babel.numbers import format_currency, get_currency_precision


def money(amount: float, currency: str) -> str:
    """``amount`` is in the currency's smallest unit."""
    digits = get_currency_precision(currency.upper())
    return str(format_currency(Decimal(str(amount)).scaleb(-digits), currency.upper(), locale="en"))


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
