"""In which order tests run, what of them stays together on one worker, and who takes long without saying why."""

import re
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.depth import DEEP

FIRST = ("tests/browser/", "tests/faults/", "tests/platform/")
"""What speaks to running processes takes longest."""
BUDGET_SECONDS = 1.0
MAX_CPU_SECONDS = 5.0
"""What a test of a second never takes of this process, however busy the machine: a shared core counts up to double."""
WHOLE = ("tests/browser/", "tests/platform/test_copies.py")
"""Whose tests share what takes long to start."""
LIVES = re.compile(r"\b(mouse|keyboard|wide|phone)\b")
"""A story is lived by each hand, and pages are looked at in each look, on whichever worker is free."""


def unit(nodeid: str) -> str:
    """What one worker runs as a whole: of ``WHOLE`` a file, by one hand or in one look; elsewhere a single test."""
    file, _colons, name = nodeid.partition("::")
    if not file.startswith(WHOLE):
        return nodeid
    life = LIVES.search(name.partition("[")[2])
    return f"{file}[{life[1]}]" if life else file


def longest_first(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that no worker is left with it at the end."""

    def rank(item: pytest.Item) -> int:
        room = next((place for place, room in enumerate(FIRST) if item.nodeid.startswith(room)), len(FIRST))
        return room if room < len(FIRST) or item.get_closest_marker("slow") else len(FIRST) + 1

    items.sort(key=rank)


class ByUnit(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each worker the next unit in the order of the collection."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def hold_to_budget(item: pytest.Item, cpu_seconds: float) -> None:
    """Fail a test that took far more than its share of CPU time and bears no ``slow`` mark with a reason.

    Not by the clock, which on a busy machine runs for every test; nor in ``make test-deep``, which looks deeper.
    """
    if cpu_seconds > MAX_CPU_SECONDS and not DEEP and item.get_closest_marker("slow") is None:
        pytest.fail(
            f"{cpu_seconds:.1f} s of CPU time, and {MAX_CPU_SECONDS:g} is the most: make it cheaper, or say why it "
            'takes that long by pytest.mark.slow("…")',
            pytrace=False,
        )


def over_budget(reports: list[pytest.TestReport]) -> list[str]:
    """Tests that took over a second and bear no ``slow`` mark with a reason, slowest first.

    It is told, never failed: on a busy machine every test takes long.
    """
    found = [
        (one.duration, one.nodeid)
        for one in reports
        if one.when == "call" and one.duration > BUDGET_SECONDS and "slow" not in one.keywords
    ]
    return [f"{seconds:.1f} s {nodeid}" for seconds, nodeid in sorted(found, reverse=True)]
