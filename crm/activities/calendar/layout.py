"""A day, a week or a month of a calendar, and where on it each activity stands."""

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

type Span = Literal["day", "week", "month"]

SPANS: tuple[Span, ...] = ("day", "week", "month")
SLOT = 15
SLOTS = 24 * 60 // SLOT
LEAST_SLOTS = 2
TRACKS = 12
"""The day is this many tracks wide: a number that two, three, four and six divide."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, from ``first`` to before ``end``, around ``anchor``; a month is shown with its whole weeks."""

    span: Span
    anchor: date
    first: date
    end: date

    @classmethod
    def around(cls, span: Span, anchor: date, first_weekday: int = 0) -> "Period":
        """``first_weekday`` is 0 for Monday to 6 for Sunday."""
        if span == "day":
            return cls(span, anchor, anchor, anchor + timedelta(days=1))
        if span == "week":
            first = week_start(anchor, first_weekday)
            return cls(span, anchor, first, first + timedelta(days=7))
        last = anchor.replace(day=monthrange(anchor.year, anchor.month)[1])
        first = week_start(anchor.replace(day=1), first_weekday)
        return cls(span, anchor, first, week_start(last, first_weekday) + timedelta(days=7))

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range((self.end - self.first).days)]

    def moments(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The period's first moment and the one after its last, in a time zone."""
        return midnight(self.first, zone), midnight(self.end, zone)

    def turned(self, by: int) -> date:
        """The anchor of the period before (-1) or after (1)."""
        if self.span == "day":
            return self.anchor + timedelta(days=by)
        if self.span == "week":
            return self.anchor + timedelta(days=7 * by)
        months = self.anchor.year * 12 + self.anchor.month - 1 + by
        year, month = months // 12, months % 12 + 1
        return date(year, month, min(self.anchor.day, monthrange(year, month)[1]))


def week_start(day: date, first_weekday: int) -> date:
    return day - timedelta(days=(day.weekday() - first_weekday) % 7)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


@dataclass(frozen=True, slots=True)
class Stand:
    """Where something stands in the column of a day: slots of a quarter of an hour down, tracks across, from 0."""

    first_slot: int
    slots: int
    first_track: int
    tracks: int


def slots_of(day: date, start: datetime, end: datetime, zone: ZoneInfo) -> tuple[int, int]:
    """The first slot and the number of slots on one day, by the clock on the wall; at least half an hour to be seen."""
    begin = _minute(day, start.astimezone(zone))
    finish = max(_minute(day, end.astimezone(zone)), begin)
    first = min(begin // SLOT, SLOTS - LEAST_SLOTS)
    return first, max(-(-finish // SLOT) - first, LEAST_SLOTS)


def _minute(day: date, local: datetime) -> int:
    if local.date() < day:
        return 0
    return 24 * 60 if local.date() > day else local.hour * 60 + local.minute


def arranged(spans: Sequence[tuple[int, int]]) -> list[Stand]:
    """A stand for each (first slot, slots), beside each other where they overlap."""
    order = sorted(range(len(spans)), key=lambda index: (spans[index][0], -spans[index][1]))
    stands: dict[int, Stand] = {}
    group: list[tuple[int, int]] = []
    lanes: list[int] = []

    def settle() -> None:
        wide = next((one for one in (1, 2, 3, 4, 6) if one >= len(lanes)), TRACKS)
        tracks = TRACKS // wide
        for index, lane in group:
            first, slots = spans[index]
            stands[index] = Stand(first, slots, min(lane, wide - 1) * tracks, tracks)

    for index in order:
        first, slots = spans[index]
        if lanes and first >= max(lanes):
            settle()
            group, lanes = [], []
        lane = next((number for number, free in enumerate(lanes) if free <= first), len(lanes))
        if lane == len(lanes):
            lanes.append(0)
        lanes[lane] = first + slots
        group.append((index, lane))
    settle()
    return [stands[index] for index in range(len(spans))]


def days_touched(first: date, last: date, within: Period) -> Iterable[date]:
    """The days from ``first`` to ``last`` that lie in a period."""
    day = max(first, within.first)
    while day <= last and day < within.end:
        yield day
        day += timedelta(days=1)
