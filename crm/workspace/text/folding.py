"""Text made comparable, in Python and in SQL alike: without case, accents and signs that one does not type.

Two forms of a text are compared. ``fold`` has the bare letters: Łódź is lodz, Müller muller, O’Neil o'neil. ``spelled``
has umlauts and their kin as one writes them without a key for them: Müller is mueller, Ångström aangstroem. A text is
found in another by either form, so that each finds the other however it is written, and Joe never finds Jo.
"""

import re
import unicodedata
from typing import Any, NamedTuple

from django.db.models import F, Func, Q, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan

from crm.workspace.text.signs import APOSTROPHES, HYPHENS, INVISIBLE, QUOTES

MARKS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]"
)
"""Accents, and the vowels and signs of Hebrew and Arabic, which one writes or leaves out."""
ACUTE = "\u00b4"
GRAVE = "`"
LETTERS = {
    **dict(zip("łøđðıħŧŋĸƀɓɖɗƒɠɨƙƚɲɵʉƴƶⱥȼɇɉɍⱦɏəɛɔ", "loddihtnqbbddfgiklnouyzacejrtyeeo", strict=True)),
    "œ": "oe",
    "æ": "ae",
    "þ": "th",
}
"""Letters that do not decompose, by what they are taken for in the Latin alphabet (as CLDR's Latin-ASCII has them)."""
ARABIC = dict(
    zip(
        "\u0649\u06cc\u06a9\u0629\u06c1\u0671\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669"
        "\u06f0\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7\u06f8\u06f9",
        "\u064a\u064a\u0643\u0647\u0647\u062701234567890123456789",
        strict=True,
    )
)
"""Letters that Arabic, Persian and Urdu keyboards have in a form of their own, and digits."""
STRETCH = "\u0640"
"""The line by which Arabic words are made longer."""
SIGNS = {
    **LETTERS,
    **ARABIC,
    STRETCH: "",
    GRAVE: "'",
    **dict.fromkeys(QUOTES, '"'),
    **dict.fromkeys(APOSTROPHES, "'"),
    **dict.fromkeys(HYPHENS, "-"),
    **dict.fromkeys(INVISIBLE, ""),
}
SPELLED = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Å": "Aa", "Ø": "Oe"}
DIGRAPH = re.compile("ae|oe|ue|aa")
_SIGNS, _SPELLED = str.maketrans(SIGNS), str.maketrans(SPELLED)


def fold(text: str) -> str:
    """Without case, accents, vowel signs, compatibility forms and invisible signs; equal to ``Fold`` in SQL."""
    if text.isascii():
        return text.lower().replace(GRAVE, "'")
    plain = unicodedata.normalize("NFKD", text.replace(ACUTE, "'"))
    return MARKS.sub("", plain).casefold().translate(_SIGNS)


def spelled(text: str) -> str:
    """``fold`` with umlauts written out; equal to ``FoldSpelled`` in SQL."""
    return fold(text if text.isascii() else unicodedata.normalize("NFC", text).translate(_SPELLED))


class Sought(NamedTuple):
    """What somebody looks for. ``other`` is how it is spelled without umlauts, where that may make a difference."""

    plain: str
    other: str = ""

    @property
    def forms(self) -> tuple[str, ...]:
        return (self.plain, self.other) if self.other and self.other != self.plain else (self.plain,)


def sought(text: str) -> Sought:
    plain, other = fold(text), spelled(text)
    return Sought(plain, other if other != plain or DIGRAPH.search(plain) else "")


def holds_words(column: str, text: str) -> Q:
    """Rows whose column has every word of a text in it."""
    condition = Q()
    for word in text.split():
        wanted = sought(word)
        found = within(Fold(F(column)), wanted.plain)
        condition &= found | within(FoldSpelled(F(column)), wanted.other) if wanted.other else found
    return condition


def within(text: Combinable, part: str) -> Q:
    return Q(GreaterThan(StrIndex(text, Value(part, TextField())), 0))


def _replaced(text: str, letters: dict[str, str]) -> str:
    for letter, written in letters.items():
        text = f"replace({text}, '{letter}', '{written}')"
    return text


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _sql_fold(text: str) -> str:
    one = {letter: sign for letter, sign in SIGNS.items() if len(sign) == 1}
    none = "".join(letter for letter, sign in SIGNS.items() if not sign)
    more = {letter: sign for letter, sign in SIGNS.items() if len(sign) > 1}
    bare = f"regexp_replace(normalize(replace({text}, '{ACUTE}', ''''), NFKD), '{MARKS.pattern}', '', 'g')"
    plain = f"casefold({bare} COLLATE pg_catalog.pg_unicode_fast)"
    translated = f"translate({plain}, {_literal(''.join(one) + none)}, {_literal(''.join(one.values()))})"
    return _replaced(translated, more)


def _unless_ascii(folded: str) -> str:
    """Plain ASCII, the usual case, takes the short way."""
    text = "%(expressions)s"
    short = f"replace(lower({text}), '{GRAVE}', '''')"
    return f"(CASE WHEN octet_length({text}) = char_length({text}) THEN {short} ELSE {folded} END)"


class Fold(Func):
    """``fold`` of a text expression, in SQL."""

    output_field = TextField()
    arity = 1
    template = _unless_ascii(_sql_fold("%(expressions)s"))

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = super().as_sql(compiler, connection, *args, **extra)
        return sql, (*params,) * self.template.count("%(expressions)s")


class FoldSpelled(Fold):
    """``spelled`` of a text expression, in SQL."""

    template = _unless_ascii(_sql_fold(_replaced("normalize(%(expressions)s, NFC)", SPELLED)))


BY_NAME = Fold("name")
"""What people and teams are listed by."""
