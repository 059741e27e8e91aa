"""The fields of the stand-in's forms: what was typed, judged, and shown again with what is wrong."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from babel import Locale

from embedded.stripe.engine.cards import CARDS, Card, card_by_number
from embedded.stripe.engine.tax_ids import FORMS
from embedded.stripe.errors import Refused

EU = frozenset(
    [
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
        *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
    ]
)
TAX_ID_KINDS = {**dict.fromkeys(EU, "eu_vat"), "GB": "gb_vat", "CH": "ch_vat", "NO": "no_vat", "US": "us_ein"}
EXPIRY = re.compile(r"(0?[1-9]|1[0-2])\s*/\s*(?:20)?(\d\d)")
BEHAVIOURS = {
    "declined": "is declined",
    "attaches": "is accepted, but every charge is declined",
    "authenticate": "asks for 3-D Secure",
}


@dataclass(frozen=True)
class Field:
    """One input. ``choices`` makes it a list to choose from."""

    name: str
    label: str
    value: str = ""
    error: str = ""
    most: int = 100
    required: bool = True
    numeric: bool = False
    placeholder: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Typed:
    """A card as it was typed. ``card`` is None where a field has an error."""

    fields: list[Field]
    card: Card | None
    exp_month: int = 12
    exp_year: int = 2034


@dataclass(frozen=True)
class Person:
    """Name, address and tax number as they were typed; ``sound`` where no field has an error."""

    fields: list[Field]
    sound: bool
    name: str
    address: dict[str, str | None]
    tax_id: tuple[str, str] | None


def countries() -> tuple[tuple[str, str], ...]:
    names = {str(code): str(name) for code, name in Locale("en").territories.items()}
    codes = (code for code in names if re.fullmatch(r"[A-Z]{2}", code) and code not in NO_COUNTRIES)
    found = [(code, names[code]) for code in codes]
    return (("", "Choose a country"), *sorted(found, key=lambda one: one[1]))


NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "XA", "XB", "ZZ", "QO"})
"""Codes that stand for no country."""
COUNTRIES = countries()

CARD_FIELDS = (
    Field("number", "Card number", most=23, numeric=True, placeholder="4242 4242 4242 4242"),
    Field("expiry", "Expires", most=9, placeholder="MM / YY"),
    Field("cvc", "Security code (CVC)", most=4, numeric=True, placeholder="123"),
)


def test_cards() -> list[tuple[str, str]]:
    """The cards that work here, with what they do."""
    found = []
    for card in CARDS:
        number = " ".join(card.number[at : at + 4] for at in range(0, len(card.number), 4))
        what = BEHAVIOURS.get(card.behaviour, "is accepted")
        if card.behaviour == "declined":
            what += f" ({(card.decline_code or card.code).replace('_', ' ')})"
        found.append((number, f"{what}{', each time' if card.always else ''}"))
    return found


def card_typed(form: Mapping[str, str], now: int) -> Typed:
    """Judge a card. ``now`` is the stand-in's time, by which it must not have expired."""
    number, expiry, cvc = (replace(one, value=form.get(one.name, "").strip()[: one.most]) for one in CARD_FIELDS)
    card = None
    try:
        card = card_by_number(number.value)
    except Refused as refused:
        number = replace(number, error=str(refused) if number.value else "Enter a card number.")
    month, year = 0, 0
    if found := EXPIRY.fullmatch(expiry.value):
        month, year = int(found[1]), 2000 + int(found[2])
        today = datetime.fromtimestamp(now, UTC)
        if (year, month) < (today.year, today.month):
            expiry = replace(expiry, error="This card has expired. Enter a month to come.")
    else:
        expiry = replace(expiry, error="Enter month and year, such as 12 / 34.")
    digits = 4 if card is not None and card.brand == "amex" else 3
    if not re.fullmatch(rf"\d{{{digits}}}", cvc.value, re.ASCII):
        cvc = replace(cvc, error=f"Enter the {digits} digits of the security code.")
    fields = [number, expiry, cvc]
    return Typed(fields, None if any(one.error for one in fields) else card, month, year)


def person_typed(form: Mapping[str, str], *, whole_address: bool, tax_id: bool) -> Person:
    """Judge name, address and, where it is asked for, a tax number."""
    fields = [
        _judged(Field("name", "Name", most=150), form, "Enter a name."),
        *address_typed(form, whole=whole_address),
    ]
    values = {one.name: one.value for one in fields}
    number = None
    if tax_id:
        field = Field("tax_id", "VAT or tax ID", form.get("tax_id", "").strip()[:40], required=False, most=40)
        if field.value:
            number, field = tax_number(field, values["country"])
        fields.append(field)
    address = {name: values.get(name) or None for name in ("line1", "line2", "city", "postal_code", "state", "country")}
    return Person(fields, not any(one.error for one in fields), values["name"], address, number)


def address_typed(form: Mapping[str, str], *, whole: bool) -> list[Field]:
    country = _judged(Field("country", "Country", choices=COUNTRIES), form, "Choose a country.")
    if country.value and country.value not in dict(COUNTRIES):
        country = replace(country, error="Choose a country from the list.")
    return [
        country,
        _judged(Field("line1", "Street and number", required=whole), form, "Enter street and number."),
        _judged(Field("postal_code", "Postal code", most=20, required=whole), form, "Enter the postal code."),
        _judged(Field("city", "Town", required=whole), form, "Enter the town."),
    ]


def tax_number(field: Field, country: str) -> tuple[tuple[str, str] | None, Field]:
    """Type and value of a tax id of that country, or the field with what is wrong."""
    kind = TAX_ID_KINDS.get(country)
    plain = re.sub(r"\s", "", field.value).upper()
    prefix = {"eu_vat": "EL" if country == "GR" else country}.get(kind or "", "")
    if kind is None:
        return None, replace(field, error="No tax ID of this country is known here. Leave it empty.")
    if not plain.startswith(prefix):
        return None, replace(field, error=f"A VAT ID of this country begins with {prefix}.")
    if not re.fullmatch(FORMS[kind], plain):
        return None, replace(field, error="This is no tax ID of this country. Check it, or leave it empty.")
    return (kind, plain), field


def _judged(field: Field, form: Mapping[str, str], error: str) -> Field:
    value = form.get(field.name, "").strip()[: field.most]
    return replace(field, value=value, error=error if field.required and not value else "")
