"""Signs that people paste without seeing them, or that stand for the same."""

INVISIBLE = "".join(
    map(
        chr,
        [
            0x00AD,
            0x061C,
            0x180E,
            *range(0x200B, 0x2010),
            *range(0x202A, 0x202F),
            *range(0x2060, 0x2070),
            *range(0xFE00, 0xFE10),
            0xFEFF,
        ],
    )
)
"""Soft hyphens, zero-width signs, marks of direction and variation selectors."""

APOSTROPHES = "\u2018\u2019\u201b\u02b9\u02bb\u02bc\u02bd\u2032\u055a\u05f3\ua78c\uff07"
QUOTES = "\u201c\u201d\u201e\u201f\u05f4"
HYPHENS = "\u2010\u2011\u2012\u2013\u2043\u2212\ufe58\ufe63\uff0d"

_SEEN = str.maketrans(dict.fromkeys(INVISIBLE))


def seen(text: str) -> str:
    """The text without signs that nobody sees, and without blanks around it."""
    return text.translate(_SEEN).strip()
