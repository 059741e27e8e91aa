"""In which order tests run, what of them stays together on one worker, and who takes long without saying why."""

import re
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parent
FIRST = [HERE / room for room in ("browser", "faults", "platform")]
"""What speaks to running processes takes longest."""
BUDGET_SECONDS = 1.0
LIVES = re.compile(r"\b(mouse|keyboard|wide|phone)\b")
"""A story is lived by each hand, and pages are looked at in each look, on whichever worker is free."""


def unit(nodeid: str) -> str:
    """What one worker runs as a whole: in a browser a file, by one hand or in one look; elsewhere a single test."""
    file, _colons, name = nodeid.partition("::")
    if not file.startswith("tests/browser/"):
        return nodeid
    life = LIVES.search(name.partition("[")[2])
    return f"{file}[{life[1]}]" if life else file


def longest_first(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that no worker is left with it at the end."""

    def rank(item: pytest.Item) -> int:
        room = next((place for place, room in enumerate(FIRST) if room in item.path.parents), len(FIRST))
        return room if room < len(FIRST) or item.get_closest_marker("slow") else len(FIRST) + 1

    items.sort(key=rank)


class ByUnit(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each worker the next unit in the order of the collection."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


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
