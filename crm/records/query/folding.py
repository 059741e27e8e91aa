"""The form of texts that searches look in, and the patterns that what was typed becomes."""

import re
import unicodedata
from collections.abc import Iterable

from crm.records.fields.normalising import mail_address, web_domain
from crm.records.fields.phones import phone_part
from crm.workspace.text.folding import SPELLED, fold, sought, spelled

SPACED = re.compile(
    "([\u2e80-\u2fdf\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff])"
)
UMLAUT = re.compile(f"[{''.join(SPELLED)}]")
MAIL = re.compile(r"mailto:\S+|.*<\s*(?:mailto:)?[^<>\s]+@[^<>\s]+\s*>[\s,;]*", re.IGNORECASE)
SHORT = 3


def sort_key(text: str, length: int = 200) -> str:
    """What names are sorted by: folded, with single blanks."""
    return " ".join(fold(text).split())[:length]


def search_form(parts: Iterable[str], limit: int | None = None) -> str:
    """The text that searches look in: a blank, then folded words, each CJK character a word of its own; behind them
    the words with umlauts once more, spelled without.

    The blank in front lets a term of one or two characters be looked for at the beginning of words, which the trigram
    index can do. ``limit`` is the length of either half.
    """
    text = " ".join(parts)
    found = f" {_spaced(fold(text))}"[:limit]
    if text.isascii():
        return found
    words = dict.fromkeys(spelled(word) for word in unicodedata.normalize("NFC", text).split() if UMLAUT.search(word))
    return f"{found} {_spaced(' '.join(words))}"[: None if limit is None else 2 * limit] if words else found


def _spaced(folded: str) -> str:
    return " ".join(SPACED.sub(r" \1 ", folded).split())


def search_patterns(text: str, region: str | None = None, *, has_phones: bool = True) -> list[list[str]]:
    """LIKE patterns for what somebody typed: every group must match by one of its patterns.

    A number in ``region`` is looked for as phone numbers are kept, where the rows ``has_phones``.
    """
    if MAIL.fullmatch(text.strip()):
        text = mail_address(text)
    groups = [patterns for term in text.split() if (patterns := _of_term(term))]
    number = phone_part(text, region)
    if groups and len(number) > SHORT and number[SHORT].isdigit():
        pattern = f"%{number}%"
        if len(groups) == 1:
            groups[0].append(pattern)
        elif has_phones:
            return [[pattern]]
    return groups


def _of_term(term: str) -> list[str]:
    forms = [_spaced(form) for form in sought(term).forms]
    if "@" in term:
        forms.append(fold(mail_address(term)))
    elif "." in term:
        forms.append(fold(web_domain(term)))
    return list(dict.fromkeys(_pattern(form) for form in forms if form))


def _pattern(form: str) -> str:
    at_word = " " in form or len(form) < SHORT
    return f"% {escape_like(form)}%" if at_word else f"%{escape_like(form)}%"


def escape_like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
