"""Numbers as people and programs write them: one reader for every field, rate, filter and file."""

import re
from dataclasses import dataclass
from decimal import Decimal
from unicodedata import decimal

from crm.workspace.text.signs import APOSTROPHES, HYPHENS, seen

MAX_SIGNS = 80
GROUP_SIGNS = (",", ".")
SCIENTIFIC = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?e[+-]?\d{1,3}", re.ASCII | re.IGNORECASE)
SIGNS = str.maketrans(
    {**dict.fromkeys(HYPHENS, "-"), **dict.fromkeys(APOSTROPHES, "'"), "\uff0c": ",", "\uff0e": ".", "\uff0b": "+"}
)


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """``indian`` groups by two digits left of the thousands."""

    decimal: str
    group: str
    indian: bool = False


PLAIN = NumberFormat(".", "")
WITH_COMMA = NumberFormat(",", "")


def number_in(text: str, style: NumberFormat = PLAIN) -> str | None:
    """The number that a text is in a format, with a point and nothing else between its digits; None if it is none.

    Groups of thousands are of three digits, in the Indian format of two left of these too, and the first never begins
    with a zero: ``0,925`` is no 925. They stand apart by the format's sign, or by blanks or apostrophes whatever it is.
    """
    if len(text) > MAX_SIGNS:
        return None
    group = re.escape(style.group) if style.group in GROUP_SIGNS else ""
    point = re.escape(style.decimal)
    whole = rf"[1-9]\d{{0,2}}(?P<between>[ '{group}])\d{{3}}(?:(?P=between)\d{{3}})*|\d+"
    if style.indian and group:
        whole = rf"[1-9]\d?(?:{group}\d{{2}})+{group}\d{{3}}|{whole}"
    shape = rf"(?P<sign>[+-]?)(?:(?P<whole>{whole})(?:{point}(?P<part>\d*))?|{point}(?P<only>\d+))"
    found = re.fullmatch(shape, _plain(text))
    if found is None:
        return None
    part = found["part"] if found["only"] is None else found["only"]
    return found["sign"] + re.sub(r"\D", "", found["whole"] or "") + ("" if part is None else f".{part}")


def decimal_in(text: str, *styles: NumberFormat) -> Decimal | None:
    """The number that a text is in the first of these formats that it fits."""
    found = next((one for style in styles if (one := number_in(text, style)) is not None), None)
    return None if found is None else Decimal(found)


def scientific(text: str) -> Decimal | None:
    """A number as programs write very large and very small ones: ``1e3``."""
    return Decimal(text.strip()) if SCIENTIFIC.fullmatch(text.strip()) else None


def two_readings(text: str, style: NumberFormat) -> tuple[str, str] | None:
    """What a number such as ``1,085`` may mean where a comma parts thousands: 1085 by the format, or 1.085."""
    plain = _plain(text)
    sign = style.group
    if sign not in GROUP_SIGNS or not re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}{re.escape(sign)}\d{{3}}", plain):
        return None
    return plain.replace(sign, ""), plain.replace(sign, style.decimal)


def _plain(text: str) -> str:
    """The text with digits, signs, blanks and apostrophes as they are in ASCII."""
    return "".join(
        str(decimal(sign)) if sign.isdecimal() else " " if sign.isspace() else sign
        for sign in seen(text).translate(SIGNS)
    )
