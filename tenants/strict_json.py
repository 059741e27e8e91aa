"""JSON that somebody sent, read strictly: what cannot be kept as it was written is refused, never turned into
something else."""

import json
import re
from collections import Counter
from decimal import Decimal
from typing import Any

import orjson
from django.utils.translation import gettext as _

DEEPEST = 32
LEAST_INTEGER, GREATEST_INTEGER = -(2**63), 2**64 - 1
LONG_NUMBER = re.compile(rb"\d[\d.]{15,}")


class NotJson(ValueError):
    """``code`` is for programs, ``message`` for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def read_json(raw: bytes | str) -> Any:
    """The document in ``raw``. Raises NotJson for what is no JSON (NaN and halves of surrogates are none), for what is
    nested more than ``DEEPEST`` deep, for an object that has a name twice, and for a number with more digits than are
    kept of it."""
    text = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotJson("invalid_json", _("This is not valid JSON: %(reason)s") % {"reason": str(error)}) from error
    if text.count(b"[") + text.count(b"{") > DEEPEST and is_deeper(found, DEEPEST):
        raise NotJson("too_deep", _("JSON may be nested %(most)d deep here.") % {"most": DEEPEST})
    long = LONG_NUMBER.search(text) is not None
    numbers: dict[str, Any] = {"parse_int": check_integer, "parse_float": check_decimal} if long else {}
    if long or b"{" in text:
        json.loads(text, object_pairs_hook=check_names, **numbers)
    return found


def is_deeper(document: Any, most: int) -> bool:
    """Whether lists and objects are nested more than ``most`` deep."""
    level = [document]
    for _depth in range(most):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def check_names(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _value in pairs}) < len(pairs):
        twice = Counter(name for name, _value in pairs).most_common(1)[0][0]
        raise NotJson("invalid_json", _("“%(name)s” is given twice.") % {"name": twice[:80]})


def check_integer(text: str) -> None:
    if not LEAST_INTEGER <= int(text) <= GREATEST_INTEGER:
        raise too_long(text)


def check_decimal(text: str) -> None:
    if Decimal(text) != Decimal(repr(float(text))):
        raise too_long(text)


def too_long(text: str) -> NotJson:
    shown = text if len(text) <= 40 else f"{text[:39]}…"
    return NotJson(
        "number_too_long",
        _("%(number)s has more digits than a JSON number keeps. Send it as text.") % {"number": shown},
    )
