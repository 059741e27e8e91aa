"""A part of a series: the rule that holds from one of its records on, and the times that it names."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from crm.activities.rules import WHEN
from crm.activities.series import recurrence
from tenants.workspaces.locales import zone

nth = lru_cache(maxsize=4096)(recurrence.nth)


@dataclass(frozen=True, slots=True)
class Part:
    """From its ``first`` number on, a series is held by a rule that begins at a local time; of whole days that is
    midnight."""

    rule: str
    start: datetime
    all_day: bool
    zone: str
    first: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Part":
        """The part that a record of a series belongs to."""
        begin = values["series_start"]
        start = datetime.fromisoformat(begin)
        return cls(values["repeat"], start, "T" not in begin, values["series_zone"], values["series_from"] or 1)

    @classmethod
    def beginning(cls, rule: str, on: date | None, when: datetime, zone: ZoneInfo, first: int) -> "Part":
        start = datetime.combine(on, datetime.min.time()) if on else recurrence.local(when, zone).replace(second=0)
        return cls(rule, start.replace(microsecond=0), on is not None, zone.key, first)

    @property
    def values(self) -> dict[str, Any]:
        """How a record keeps it."""
        start = self.start.date().isoformat() if self.all_day else self.start.isoformat(timespec="minutes")
        return {"repeat": self.rule, "series_start": start, "series_zone": self.zone, "series_from": self.first}

    @property
    def time_zone(self) -> ZoneInfo:
        return zone(self.zone)

    def planned(self, number: int) -> datetime | None:
        """The local time that the rule names for a number."""
        return nth(self.rule, self.start, number - self.first + 1) if self.rule else None

    def planned_each(self, numbers: Collection[int]) -> dict[int, datetime]:
        shift = self.first - 1
        found = recurrence.numbered(self.rule, self.start, [one - shift for one in numbers]) if self.rule else {}
        return {index + shift: moment for index, moment in found.items()}

    def after(self, number: int, moment: datetime) -> recurrence.Occurrence | None:
        """The first that comes after a number and a local moment."""
        shift = self.first - 1
        found = recurrence.after(self.rule, self.start, number - shift, moment) if self.rule else None
        return (found[0] + shift, found[1]) if found else None

    def between(self, number: int, end: datetime, limit: int) -> list[recurrence.Occurrence]:
        """Those that come after a number, up to a local moment."""
        shift = self.first - 1
        found = recurrence.between(self.rule, self.start, number - shift, end, limit) if self.rule else []
        return [(index + shift, moment) for index, moment in found]

    def when(self, noun: str, local: datetime) -> dict[str, Any]:
        """The values of an activity that is held at one of its local times."""
        moment, day = WHEN[noun]
        if self.all_day:
            return {day: local.date()}
        return {moment: recurrence.instant(local, self.time_zone), **({day: None} if day else {})}

    def holds(self, noun: str, values: Mapping[str, Any], local: datetime | None) -> bool:
        """Whether an activity is where its rule names it: not moved by itself."""
        moment, day = WHEN[noun]
        on = values[day] if day else None
        if local is None or self.all_day != (on is not None):
            return False
        if self.all_day:
            return on == local.date()
        when = values[moment]
        return when is not None and when.replace(second=0, microsecond=0) == recurrence.instant(local, self.time_zone)
