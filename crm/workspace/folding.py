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

from crm.workspace.signs import APOSTROPHES, HYPHENS, INVISIBLE

MARKS = re.compile("[\u0300-\u036f]")
ACUTE = "\u00b4"
LETTERS = {
    **dict(zip("łøđðıħŧŋĸƀɓɖɗƒɠɨƙƚɲɵʉƴƶⱥȼɇɉɍⱦɏəɛɔ", "loddihtnqbbddfgiklnouyzacejrtyeeo", strict=True)),
    "œ": "oe",
    "æ": "ae",
    "þ": "th",
}
"""Letters that do not decompose, by what they are taken for in the Latin alphabet (as CLDR's Latin-ASCII has them)."""
SIGNS = {
    **LETTERS,
    **dict.fromkeys(APOSTROPHES, "'"),
    **dict.fromkeys(HYPHENS, "-"),
    **dict.fromkeys(INVISIBLE, ""),
}
SPELLED = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Å": "Aa", "Ø": "Oe"}
DIGRAPH = re.compile("ae|oe|ue|aa")
_SIGNS, _SPELLED = str.maketrans(SIGNS), str.maketrans(SPELLED)


def fold(text: str) -> str:
    """Without case, accents, compatibility forms and invisible signs; equal to ``Fold`` in SQL."""
    if text.isascii():
        return text.lower()
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
    return f"(CASE WHEN octet_length({text}) = char_length({text}) THEN lower({text}) ELSE {folded} END)"


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
