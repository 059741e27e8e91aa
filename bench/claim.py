"""A claim, and how a script of its own measures it."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.load import Measured
from bench.stack import Stack, running


@dataclass(frozen=True, slots=True)
class Claim:
    """``ratio`` is ours to the other's; ``goal`` what it should at least be, or with ``at_most`` at most."""

    work: str
    against: str
    ratio: float
    goal: float
    at_most: bool = False
    detail: str = ""

    @property
    def held(self) -> bool:
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal

    def __str__(self) -> str:
        sign = "≤" if self.at_most else "≥"
        verdict = "held" if self.held else "NOT held"
        return f"{self.work} against {self.against}: {self.ratio:.2f}× (goal {sign} {self.goal}×, {verdict})"


type Measure = Callable[[Stack], list[Claim]]


def faster(work: str, ours: Measured, other: Measured, goal: float) -> Claim:
    """How many times the requests a second of the other's."""
    return Claim(work, other.name, ours.rate / other.rate, goal, detail=detail(ours, other))


def slower(work: str, ours: Measured, other: Measured, goal: float) -> Claim:
    """How many times the other's median time."""
    return Claim(work, other.name, ours.p50 / other.p50, goal, at_most=True, detail=detail(ours, other))


def detail(ours: Measured, other: Measured) -> str:
    return f"{ours.rate:,.0f}/s p50 {ours.p50:.1f} ms; {other.name} {other.rate:,.0f}/s p50 {other.p50:.1f} ms"


def script(measure: Measure) -> None:
    """Run one claim alone; its ratios are printed last."""
    with running() as stack:
        claims = measure(stack)
    for claim in claims:
        print(claim.detail)
    for claim in claims:
        print(claim)
