"""A contact's full name and its two parts: how one follows from the other."""

from difflib import SequenceMatcher

ALIKE = 0.6


def joined(first: str, last: str) -> str:
    return " ".join(part for part in (first, last) if part)


def squashed(name: str) -> str:
    """The name with single blanks."""
    return " ".join(name.split())


def split(name: str) -> tuple[str, str]:
    """First and last name of a name that nothing else is known of: the last word is the last name."""
    first, _blank, last = squashed(name).rpartition(" ")
    return first, last


def corrected(first: str, last: str, name: str) -> tuple[str, str]:
    """The parts of a corrected name: parted where the old one was, as far as that place is still there.

    ``Ludwig | van Bethoven`` corrected to ``Ludwig van Beethoven`` stays ``Ludwig | van Beethoven``. Another name
    altogether is split like a new one.
    """
    old, new = joined(first, last), squashed(name)
    grown = not (first and last) and len(new.split()) > len(old.split())
    if not old or grown:
        return split(new)
    matcher = SequenceMatcher(None, old.lower(), new.lower(), autojunk=False)
    if sum(block.size for block in matcher.get_matching_blocks()) < ALIKE * min(len(old), len(new)):
        return split(new)
    place = _place_of(len(first) if last else len(old), matcher, len(old), len(new))
    if place is None or (0 < place < len(new) and new[place] != " "):
        return split(new)
    parts = new[:place].strip(), new[place:].strip()
    turned = first and last and not all(parts) and len(new.split()) >= len(old.split())
    return split(new) if turned else parts


def _place_of(place: int, matcher: "SequenceMatcher[str]", old: int, new: int) -> int | None:
    """Where a place of the old text, of a length, is in the new one: among what both have, or at an end of it."""
    if place == 0:
        return 0
    if place == old:
        return new
    for block in matcher.get_matching_blocks():
        if block.a <= place < block.a + block.size:
            return block.b + place - block.a
        if block.size and block.a + block.size == place and block.b + block.size == new:
            return new
        if block.size and block.a == place + 1 and block.b == 0:
            return 0
    return None


def remainder(name: str, first: str | None, last: str | None) -> tuple[str, str] | None:
    """First and last name of a name of which one of them, or both, are said; None where they do not fit."""
    whole = squashed(name)
    if first is not None and last is not None:
        return (first, last) if squashed(joined(first, last)) == whole else None
    if first is not None:
        known = squashed(first)
        return (first, whole[len(known) :].strip()) if f"{whole} ".startswith(f"{known} ".lstrip()) else None
    known = squashed(last or "")
    return (whole.removesuffix(known).strip(), last or "") if f" {whole}".endswith(f" {known}".rstrip()) else None
