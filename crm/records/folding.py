"""Text made comparable: the same fold in Python and in SQL, and the form that searches look in."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from django.db.models import Func, TextField

MARKS = re.compile("[\u0300-\u036f]")
SPACED = re.compile(
    "([\u2e80-\u2fdf\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff])"
)
DIALLED = re.compile(r"[+\d(][\d\s().\-/–]*")
SHORT = 3


def fold(text: str) -> str:
    """Without case, accents and compatibility forms; equal to ``Fold`` in SQL."""
    if text.isascii():
        return text.lower()
    return MARKS.sub("", unicodedata.normalize("NFKD", text)).casefold()


def sort_key(text: str, length: int = 200) -> str:
    """What names are sorted by: folded, with single blanks."""
    return " ".join(fold(text).split())[:length]


def search_form(parts: Iterable[str]) -> str:
    """The text that searches look in: a blank, then folded words, each CJK character a word of its own.

    The blank in front lets a term of one or two characters be looked for at the beginning of words, which the trigram
    index can do.
    """
    return f" {' '.join(SPACED.sub(r' \1 ', fold(' '.join(parts))).split())}"


def search_patterns(text: str) -> list[list[str]]:
    """LIKE patterns for what somebody typed: every group must match by one of its patterns."""
    groups = []
    for term in text.split():
        form = search_form([term]).strip()
        if form:
            at_word = " " in form or len(form) < SHORT
            groups.append([f"% {escape_like(form)}%" if at_word else f"%{escape_like(form)}%"])
    digits = re.sub(r"\D", "", unicodedata.normalize("NFKC", text)) if DIALLED.fullmatch(text.strip()) else ""
    if len(digits) > SHORT and groups:
        number = digits.removeprefix("00").lstrip("0") or digits
        if len(groups) == 1:
            groups[0].append(f"%{number}%")
        else:
            return [[f"%{number}%"]]
    return groups


def escape_like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


class Fold(Func):
    """``fold`` of a text expression, in SQL. Plain ASCII, the usual case, takes the short way."""

    output_field = TextField()
    arity = 1
    template = (
        "(CASE WHEN octet_length(%(expressions)s) = char_length(%(expressions)s) THEN lower(%(expressions)s) "
        "ELSE casefold(regexp_replace(normalize(%(expressions)s, NFKD), '[\u0300-\u036f]', '', 'g') "
        "COLLATE pg_catalog.pg_unicode_fast) END)"
    )

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = super().as_sql(compiler, connection, *args, **extra)
        return sql, (*params,) * self.template.count("%(expressions)s")
