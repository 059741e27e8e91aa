"""How deep a run looks: ``make test`` a little at every place, ``make test-deep`` much (FUZZ_ROUNDS)."""

import os

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "1"))
"""How often each place is tried."""
DEEP = ROUNDS > 1


def examples(few: int) -> int:
    """How many examples of a law are tried, of which every run tries a few."""
    return few * ROUNDS
