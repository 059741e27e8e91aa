"""The control of a recurrence rule: a few selects, put together to a rule of RFC 5545 and taken apart again.

A rule that they cannot say, made by the API, is one more choice: it stays as it is and is shown in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.activities.series import recurrence
from crm.activities.series.recurrence import WORKDAYS
from crm.activities.series.rule_days import WEEKDAYS
from crm.workspace.text.formats import weekday_names

NAME = "repeat"
KEEP = "keep"
HOWS = (
    ("", gettext_lazy("Does not repeat")),
    ("DAILY", gettext_lazy("Daily")),
    ("WORKDAYS", gettext_lazy("Every working day")),
    ("WEEKLY", gettext_lazy("Weekly")),
    ("MONTHLY", gettext_lazy("Monthly, on a day")),
    ("MONTHLY_NTH", gettext_lazy("Monthly, on a weekday")),
    ("YEARLY", gettext_lazy("Yearly")),
)
ENDS = (("", gettext_lazy("never")), ("until", gettext_lazy("on a day")), ("count", gettext_lazy("after")))
PLACES = tuple(recurrence.ORDINALS.items())
LAST_DAY = "-1"


@dataclass(frozen=True, slots=True)
class Repeat:
    """What the control shows. An empty ``day`` is the one on which the first time is; ``kept`` is a rule as it is."""

    how: str = ""
    interval: str = "1"
    days: tuple[str, ...] = ()
    day: str = ""
    place: str = "1"
    weekday: str = "MO"
    ends: str = ""
    until: str = ""
    count: str = "10"
    kept: str = ""

    @property
    def rule(self) -> str:
        """The rule as text; what somebody typed wrongly stands in it for the gate to refuse."""
        if self.how == KEEP:
            return self.kept
        if not self.how:
            return ""
        parts = [f"FREQ={self.how.partition('_')[0].replace('WORKDAYS', 'WEEKLY')}"]
        if self.how != "WORKDAYS" and self.interval != "1":
            parts.append(f"INTERVAL={self.interval or '?'}")
        if self.how == "WORKDAYS":
            parts.append(f"BYDAY={WORKDAYS}")
        elif self.how == "WEEKLY" and self.days:
            parts.append(f"BYDAY={','.join(self.days)}")
        elif self.how == "MONTHLY_NTH":
            parts.append(f"BYDAY={self.place}{self.weekday}")
        elif self.how == "MONTHLY" and self.day == LAST_DAY:
            parts.append("BYMONTHDAY=-1")
        elif self.how == "MONTHLY" and self.day:
            parts.append(recurrence.monthly_on(int(self.day)) if self.day in DAYS else "BYMONTHDAY=?")
        if self.ends == "until":
            parts.append(f"UNTIL={self.until.replace('-', '') or '?'}")
        elif self.ends == "count":
            parts.append(f"COUNT={self.count or '?'}")
        return ";".join(parts)

    # -- for the template ----------------------------------------------------------------------------------------------

    @property
    def hows(self) -> list[tuple[str, str]]:
        kept = [(KEEP, words_or_text(self.kept))] if self.kept else []
        return [*((value, str(label)) for value, label in HOWS), *kept]

    @property
    def weekdays(self) -> list[tuple[str, str, bool]]:
        short = weekday_names("abbreviated")
        return [(code, short[number], code in self.days) for number, code in enumerate(WEEKDAYS)]

    @property
    def weekday_options(self) -> list[tuple[str, str]]:
        return list(zip(WEEKDAYS, weekday_names(), strict=True))

    @property
    def day_options(self) -> list[tuple[str, str]]:
        return [("", _("the day it begins on")), *((day, day) for day in DAYS), (LAST_DAY, _("the last day"))]

    @property
    def places(self) -> Sequence[tuple[str, object]]:
        return PLACES

    @property
    def ends_options(self) -> Sequence[tuple[str, object]]:
        return ENDS


def words_or_text(rule: str) -> str:
    """A rule in words; what somebody sent that is none as it was sent."""
    try:
        return recurrence.words(recurrence.normalised(rule))
    except recurrence.BadRule:
        return rule


DAYS = tuple(str(day) for day in range(1, 32))


def taken_apart(rule: str) -> Repeat:
    """What the control shows for a rule: the same rule comes out of it again."""
    given = recurrence.parts_of(rule)
    if not given:
        return Repeat()
    frequency, days = given["FREQ"], given.get("BYDAY", "")
    day = given.get("BYMONTHDAY", "").rpartition(",")[2]
    until = given.get("UNTIL", "")
    found = Repeat(
        how=frequency,
        interval=given.get("INTERVAL", "1"),
        days=tuple(days.split(",")) if days and frequency == "WEEKLY" else (),
        day=day,
        ends="until" if until else "count" if "COUNT" in given else "",
        until=f"{until[:4]}-{until[4:6]}-{until[6:]}" if until else "",
        count=given.get("COUNT", "10"),
    )
    if frequency == "WEEKLY" and days == WORKDAYS and found.interval == "1":
        found = replace(found, how="WORKDAYS")
    elif frequency == "MONTHLY" and days and days[:-2] in recurrence.ORDINALS:
        found = replace(found, how="MONTHLY_NTH", place=days[:-2], weekday=days[-2:])
    said = set(found.days) <= set(WEEKDAYS) and found.weekday in WEEKDAYS and found.rule == rule
    return found if said else Repeat(how=KEEP, kept=rule)


def sent(data: QueryDict) -> Repeat:
    """What somebody chose."""

    def one(part: str, default: str = "") -> str:
        return data.get(f"{NAME}.{part}", default).strip()

    chosen = data.getlist(f"{NAME}.days")
    return Repeat(
        how=one("how"),
        interval=one("interval", "1"),
        days=tuple(code for code in WEEKDAYS if code in chosen),
        day=one("day"),
        place=one("place", "1"),
        weekday=one("weekday", "MO"),
        ends=one("ends"),
        until=one("until"),
        count=one("count", "10"),
        kept=one("kept"),
    )


def read(data: QueryDict) -> str:
    return sent(data).rule


def shown(rule: object, data: QueryDict | None) -> Repeat:
    """For a form that comes back as it was sent, or for a rule."""
    if data is not None and f"{NAME}.how" in data:
        return sent(data)
    try:
        return taken_apart(str(rule or ""))
    except (ValueError, KeyError):
        return Repeat(how=KEEP, kept=str(rule))
