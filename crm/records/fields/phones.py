"""Phone numbers as people type and paste them: how one is shown, found and called."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import phonenumbers

from crm.workspace.text.signs import HYPHENS, seen

SHORTEST = 3
LONGEST = 15
"""Digits of a number that can be dialled, by E.164."""
LEAD = re.compile(
    r"(?:(?:telefon|t[eé]l[eé]phone|phone|fon|t[eé]l|ph|t|тел|τηλ)\s*[.:]{1,2}"
    r"|(?:telefon|t[eé]l[eé]phone|phone|t[eé]l)(?=\s))[\s:/]*",
    re.IGNORECASE,
)
EXTENSION_WORDS = r"(?:extension|extn?|int|x|durchwahl|dw|app(?:arat)?|poste|anexo|ankn|nst|wew|доб)(?![^\W\d])\s*[.:]?"
EXTENSION = re.compile(
    rf"\s*(?:;\s*ext\s*=|[,;]?\s*(?:\b|(?<=\d)){EXTENSION_WORDS}|,,+|;|#)\s*(\d{{1,12}})\s*#?", re.IGNORECASE
)
NUMBER = re.compile(r"\+?[\d(][\d\s().\-/]*\d")
ALLOWED = re.compile(r"[^@<>{}\[\]\\|\"]{3,254}")
ZERO = re.compile(r"((?:\+|00)\s*\d{1,3}[\s\-./]*)\(0\)")
INTERNATIONAL = phonenumbers.PhoneNumberFormat.INTERNATIONAL
E164 = phonenumbers.PhoneNumberFormat.E164
TIDY = str.maketrans(dict.fromkeys(HYPHENS, "-"))


@dataclass(frozen=True, slots=True)
class Phone:
    """``keys`` are what it is compared by: itself, then valid numbers within a text that is kept as it was typed.

    ``link`` calls it, and is empty where nobody can tell which number to call.
    """

    shown: str
    keys: tuple[str, ...]
    link: str

    @property
    def key(self) -> str:
        return self.keys[0]


def phone_read(text: str, region: str | None) -> Phone:
    """A number in a form that is the same however it was typed, or what was typed where it is no valid number.

    A valid one is shown as one dials it from abroad and has E.164 as its key. An extension is part of both. Letters
    that are not an extension's are never taken for digits: the text stays as it is, and is found by its letters and
    digits, and by the numbers in it.
    """
    base, extension = _parted(text)
    behind = f";ext={extension}" if extension else ""
    if any(sign.isalpha() for sign in base):
        own = "".join(sign for sign in base.casefold() if sign.isalnum())
        numbers = _inside(NUMBER.findall(base), region, behind)
        return Phone(seen(text), (own + behind, *numbers), f"tel:{numbers[0]}" if len(numbers) == 1 else "")
    number = _valid(base, region)
    if number is None:
        digits = re.sub(r"\D", "", base)
        if len(digits) > LONGEST:
            return Phone(seen(text), (digits + behind, *_inside(base.split("/"), region, behind)), "")
        dialled = re.sub(r"[^\d+*#]", "", base).replace("#", "%23")
        return Phone(seen(text), (digits + behind,), f"tel:{dialled}{behind}")
    number.extension = number.extension or extension or None
    key = phonenumbers.format_number(number, E164) + (f";ext={number.extension}" if number.extension else "")
    return Phone(phonenumbers.format_number(number, INTERNATIONAL), (key,), f"tel:{key}")


def is_phone(text: str) -> bool:
    """Whether this can be somebody's number, or a note of one, at all."""
    base, _extension = _parted(text)
    return ALLOWED.fullmatch(seen(text)) is not None and sum(sign.isdecimal() for sign in base) >= SHORTEST


def phone_part(text: str, region: str | None) -> str:
    """What keys and search texts hold of a number, or part of one, that somebody looks for; empty for what is none.

    Without the zeros that are dialled in front, and without country where none was typed.
    """
    base, extension = _parted(text)
    if not re.fullmatch(r"[+\d(][\d\s().\-/]*", base):
        return ""
    behind = f";ext={extension}" if extension else ""
    digits = re.sub(r"\D", "", ZERO.sub(r"\1", base))
    digits = digits.removeprefix("00").lstrip("0") or digits
    number = _valid(base, region)
    if number is not None:
        whole = phonenumbers.format_number(number, E164).removeprefix("+")
        digits = digits if whole.endswith(digits) else whole
    return digits + behind


def _parted(text: str) -> tuple[str, str]:
    """The number and its extension, in plain signs and without a word such as "Tel." in front."""
    plain = unicodedata.normalize("NFKC", seen(text)).translate(TIDY)
    plain = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in plain)
    plain = LEAD.sub("", " ".join(plain.split()), count=1) if LEAD.match(plain) else " ".join(plain.split())
    found = EXTENSION.search(plain)
    if found is None or found.end() != len(plain) or not any(sign.isdigit() for sign in plain[: found.start()]):
        return plain.strip(), ""
    return plain[: found.start()].strip(), found[1]


def _inside(texts: Iterable[str], region: str | None, behind: str) -> list[str]:
    """The valid ones of several numbers in one text."""
    found = (_valid(one, region) for one in texts)
    return [phonenumbers.format_number(one, E164) + behind for one in found if one is not None]


def _valid(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None
