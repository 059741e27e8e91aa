"""The days that a recurrence rule of RFC 5545 names, at a cost that is known before it is asked (ADR 0462)."""

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
NAMED = re.compile(rf"([+-]?[1-9][0-9]?)?({'|'.join(WEEKDAYS)})")
NUMBER = re.compile(r"[+-]?[1-9][0-9]{0,2}")
WITH_PLACES = ("MONTHLY", "YEARLY")
BOUNDS = {"BYMONTH": (1, 12), "BYMONTHDAY": (-31, 31), "BYSETPOS": (-366, 366)}
LAST = date.max - timedelta(days=366)


@dataclass(frozen=True, slots=True)
class RuleDays:
    """A rule without its end. ``places`` are weekdays with their number in the month, or in the year where no month is
    named; ``positions`` choose among the days of one period."""

    frequency: str
    interval: int
    months: frozenset[int]
    month_days: frozenset[int]
    weekdays: frozenset[int]
    places: frozenset[tuple[int, int]]
    positions: frozenset[int]
    week_start: int
    in_year: bool

    @classmethod
    def read(cls, given: Mapping[str, str], first: date) -> "RuleDays":
        """The rule of what is held on ``first``; a day that it leaves unsaid is that one's.

        Reads what ``check`` lets through, and of rules that were kept before it did whatever says something.
        """
        frequency = given["FREQ"]
        months, month_days = numbers(given, "BYMONTH"), numbers(given, "BYMONTHDAY")
        named = [found for one in given.get("BYDAY", "").split(",") if (found := NAMED.fullmatch(one))]
        days = [(int(one[1] or 0) * (frequency in WITH_PLACES), WEEKDAYS.index(one[2])) for one in named]
        places = frozenset((place, day) for place, day in days if place)
        weekdays = frozenset(day for place, day in days if not place)
        in_year = frequency == "YEARLY" and not months
        if not month_days and not named:
            match frequency:
                case "WEEKLY":
                    weekdays = frozenset({first.weekday()})
                case "MONTHLY":
                    month_days = frozenset({first.day})
                case "YEARLY":
                    months, month_days = months or frozenset({first.month}), frozenset({first.day})
        return cls(
            frequency=frequency,
            interval=int(given.get("INTERVAL", "1")),
            months=months,
            month_days=month_days,
            weekdays=weekdays,
            places=places,
            positions=numbers(given, "BYSETPOS"),
            week_start=WEEKDAYS.index(given["WKST"]) if given.get("WKST") in WEEKDAYS else 0,
            in_year=in_year,
        )

    def since(self, first: date, life: timedelta) -> Iterator[date]:
        """The days from ``first`` on, in order, as long as ``life``: no more days than that are ever looked at."""
        end = min(first, LAST - life) + life
        for begin, length in self._periods(first, end):
            days = [day for day in (begin + timedelta(days=one) for one in range(length)) if self._names(day)]
            if self.positions:
                days = self._chosen(days)
            yield from (day for day in days if first <= day <= end)

    def _periods(self, first: date, end: date) -> Iterator[tuple[date, int]]:
        """The first day and the length of each period that the interval does not pass over."""
        match self.frequency:
            case "DAILY" | "WEEKLY":
                length = 1 if self.frequency == "DAILY" else 7
                begin = first if length == 1 else first - timedelta(days=(first.weekday() - self.week_start) % 7)
                while begin <= end:
                    yield begin, length
                    begin += timedelta(days=length * self.interval)
            case "MONTHLY":
                month = first.year * 12 + first.month - 1
                while month <= end.year * 12 + end.month - 1:
                    begin = date(month // 12, month % 12 + 1, 1)
                    yield begin, monthrange(begin.year, begin.month)[1]
                    month += self.interval
            case _:
                for year in range(first.year, end.year + 1, self.interval):
                    yield date(year, 1, 1), year_length(year)

    def _names(self, day: date) -> bool:
        if self.months and day.month not in self.months:
            return False
        length = monthrange(day.year, day.month)[1]
        if self.month_days and not {day.day, day.day - length - 1} & self.month_days:
            return False
        if not self.weekdays and not self.places:
            return True
        return day.weekday() in self.weekdays or any(
            (place, day.weekday()) in self.places for place in self._places(day)
        )

    def _places(self, day: date) -> tuple[int, int]:
        """Which of its weekdays a day is, from the begin and from the end."""
        if self.in_year:
            number, length = day.timetuple().tm_yday, year_length(day.year)
        else:
            number, length = day.day, monthrange(day.year, day.month)[1]
        return (number - 1) // 7 + 1, -((length - number) // 7 + 1)

    def _chosen(self, days: Sequence[date]) -> list[date]:
        count = len(days)
        return [day for place, day in enumerate(days, 1) if {place, place - count - 1} & self.positions]


def check(given: Mapping[str, str]) -> None:
    """Raise ValueError for parts of a rule that say nothing, or what is none."""
    for part, (least, most) in BOUNDS.items():
        texts = given[part].split(",") if part in given else []
        if not all(NUMBER.fullmatch(text) and least <= int(text) <= most for text in texts):
            raise ValueError(f"{part} is no list of numbers from {least} to {most}.")
    for text in given["BYDAY"].split(",") if "BYDAY" in given else []:
        found = NAMED.fullmatch(text)
        if found is None or (found[1] and given["FREQ"] not in WITH_PLACES):
            raise ValueError(f"{text} is no weekday, or none that is counted here.")
    if given.get("WKST", "MO") not in WEEKDAYS:
        raise ValueError("A week begins with one of its days.")


def numbers(given: Mapping[str, str], part: str) -> frozenset[int]:
    return frozenset(int(text) for text in given.get(part, "").split(",") if NUMBER.fullmatch(text))


def year_length(year: int) -> int:
    return 365 + (monthrange(year, 2)[1] == 29)
