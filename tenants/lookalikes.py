"""Subdomains that read like another: by letters that look alike, or by words that ask for trust."""

import re

OURS = "rapport"
SIGNS = str.maketrans("012345789i", "olzeastbgl")
PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))
TRUST = frozenset(
    """
    admin administrator root system support helpdesk login logon signin signup signout auth sso oauth account accounts
    password security secure verify verification billing payment payments staff operator postmaster abuse noreply
    """.split()  # noqa: SIM905
)
"""Words by which a page asks to be believed."""
TRADES = frozenset(
    """
    home office shop store media news blog sales cell edge gateway public events demo production directory
    """.split()  # noqa: SIM905
)
"""Reserved words that companies bear too, such as Home Security or Office 24."""


def skeleton(name: str) -> str:
    """The same for names that read alike: without hyphens, 0 as o, 1 and i as l, rn as m, and so on."""
    shape = name.replace("-", "").translate(SIGNS)
    for pair, sign in PAIRS:
        shape = shape.replace(pair, sign)
    return shape


def asks_for_trust(name: str, reserved: frozenset[str]) -> bool:
    """Whether the name holds ours, is a reserved word or made of several, one of them of TRUST, or reads like that."""
    without_digits = re.sub(r"\d+", "", name)
    shapes = {skeleton(name), skeleton(without_digits)} - {""}
    words = {skeleton(word): word in TRUST for word in reserved | TRUST}
    if skeleton(name) in words:
        return True
    for word in TRADES:
        words.pop(skeleton(word), None)
    combined = {shape: trusted for shape, trusted in words.items() if len(shape) > 1}
    return any(skeleton(OURS) in shape or shape in words or _made_of(shape, combined) for shape in shapes)


def _made_of(shape: str, words: dict[str, bool]) -> bool:
    """Whether the shape is a row of the words, one of them of TRUST."""
    reached: dict[int, bool] = {0: False}
    for start in range(len(shape)):
        if start in reached:
            for word, trusted in words.items():
                if shape.startswith(word, start):
                    end = start + len(word)
                    reached[end] = reached.get(end, False) or reached[start] or trusted
    return reached.get(len(shape), False)


def imitated(name: str) -> set[str]:
    """The shapes of the names that this one would be taken for: its own, and what is left without words of TRUST."""
    others = [part for part in name.split("-") if part not in TRUST]
    return {skeleton(name), skeleton("".join(others))} - {""}
