"""Run every claim in one go and write the table to docs/performance.md."""

import os
import platform
import sys
import time
from importlib import import_module
from pathlib import Path

from bench.claim import Claim
from bench.stack import ROOT, running

CLAIMS = (
    "api_list",
    "api_get",
    "api_create",
    "stage_move",
    "search",
    "costly",
    "board",
    "by_team",
    "bulk",
    "limits",
    "timers",
    "webhooks",
    "reconcile",
)
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def main() -> int:
    wanted = sys.argv[1:] or CLAIMS
    began = time.monotonic()
    claims: list[Claim] = []
    with running() as stack:
        for name in wanted:
            found = import_module(f"bench.{name}").measure(stack)
            for claim in found:
                print(f"  {claim.detail}")
            claims += found
    if not sys.argv[1:]:
        write(PAGE, claims)
    print(f"{time.monotonic() - began:.0f} s")
    for claim in claims:
        print(claim)
    return 0


def write(page: Path, claims: list[Claim]) -> None:
    """Put the table between its two marks in the page."""
    before, _begin, rest = page.read_text().partition(BEGIN)
    lines = [
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Python {platform.python_version()}.",
        "",
        "| work | against | ratio | goal | | measured |",
        "|---|---|---|---|---|---|",
    ]
    for claim in claims:
        sign = "≤" if claim.at_most else "≥"
        goal = f"{sign} {claim.goal:g}×" if claim.goal else ""
        verdict = "" if not claim.goal else "held" if claim.held else "**missed**"
        lines.append(f"| {claim.work} | {claim.against} | {claim.ratio:.2f}× | {goal} | {verdict} | {claim.detail} |")
    page.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    sys.exit(main())
