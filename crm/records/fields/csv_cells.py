"""Texts as cells of a CSV file: no spreadsheet takes one for a formula, and each can be read back as it was.

An apostrophe is put before what would begin a formula: in front of the text, and behind the signs at which a
spreadsheet with another delimiter, or with another idea of quotes, would begin a new cell. What begins with apostrophes
and then a formula gets one more, so that taking one away brings every text back. Plain numbers, negative ones too, and
phone numbers stay as they are: they are no formula. (``+1-1`` is one: a sum.)
"""

import re

BETWEEN = re.compile(r"([;|\t\r\n]+)")
FORMULA = re.compile(r"([ \u00a0]*)('*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
PHONE = r"\+\d{1,3} [\d(][\d() /.-]*(?:(?:ext\. |x)\d+)?"
NUMBER = r"[+-]?\d[\d.,]*(?:[ \u00a0]?%)?"
NUMBERS = re.compile(rf" *(?:{PHONE}|{NUMBER})(?:, (?:{PHONE}|{NUMBER}))* *")


def guarded(text: str) -> str:
    """The text as it is put into a cell."""
    return "".join(one if place % 2 else _guarded(one) for place, one in enumerate(BETWEEN.split(text)))


def _guarded(piece: str) -> str:
    found = FORMULA.match(piece)
    if found is None or NUMBERS.fullmatch(piece):
        return piece
    return f"{found[1]}'{piece[found.end(1) :]}"
