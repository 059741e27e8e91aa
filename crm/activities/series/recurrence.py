"""What repeats: recurrence rules of RFC 5545, counted in the local time of whoever does the thing.

A series is its first time (``start``, local) and the times its rule names after that; so ``COUNT`` counts the first one
whether or not the rule names it. A rule keeps the time on the clock: 09:00 stays 09:00 when the clocks change. An hour
that the clock leaves out is taken as much later as the clock jumps; of one that it shows twice the first is meant.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton, get_day_names
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm.activities.series.rule_days import WEEKDAYS, RuleDays, check
from crm.workspace.text.formats import babel_locale, date_text

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
PARTS = ("FREQ", "INTERVAL", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS", "WKST", "COUNT", "UNTIL")
MAX_COUNT = 999
LONGEST = 200
LIFE = timedelta(days=50 * 365)
"""How long after its first time a series ends in any case, so that a rule which names no day comes to an end too."""

type Occurrence = tuple[int, datetime]
"""Its number in the series, from 1, and its local time."""


class BadRule(ValueError):
    """A rule that cannot be kept; the message is for people."""


def normalised(text: str) -> str:
    """The rule as it is kept: its parts in a fixed order, UNTIL as a day. Raises BadRule."""
    problem = BadRule(_("This is not a rule of repetition such as FREQ=WEEKLY;BYDAY=MO,WE."))
    given: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").split(";"):
        key, sign, value = part.partition("=")
        if key not in PARTS or not sign or not value or key in given:
            raise problem
        given[key] = value
    if given.get("FREQ") not in FREQUENCIES:
        raise problem
    for key in ("INTERVAL", "COUNT"):
        number = given.get(key, "1")
        if not (number.isdecimal() and number.isascii() and 1 <= int(number[:6]) <= MAX_COUNT):
            raise BadRule(_("A repetition is counted from 1 to %(most)d.") % {"most": MAX_COUNT})
    if "COUNT" in given and "UNTIL" in given:
        raise BadRule(_("A repetition ends on a day or after a number of times, not both."))
    if "UNTIL" in given:
        given["UNTIL"] = given["UNTIL"][:8]
    if given.get("INTERVAL") == "1":
        del given["INTERVAL"]
    found = ";".join(f"{key}={given[key]}" for key in PARTS if key in given)
    if len(found) > LONGEST:
        raise problem
    try:
        check(given)
        until(found)
    except ValueError:
        raise problem from None
    return found


def parts_of(rule: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in rule.split(";")) if rule else {}


def dates(rule: str, start: datetime) -> Iterator[datetime]:
    """The times that the rule names, its first and last ones aside."""
    days = RuleDays.read(parts_of(rule), start.date()).since(start.date(), LIFE)
    return (datetime.combine(day, start.time()) for day in days)


def comes_again(rule: str, start: datetime) -> bool:
    """Whether the rule names a day after the first one, its last one aside."""
    return any(moment > start for moment in dates(rule, start))


def until(rule: str) -> date | None:
    """The last day on which the rule holds, if it names one."""
    text = parts_of(rule).get("UNTIL")
    return datetime.strptime(text, "%Y%m%d").date() if text else None


def times(rule: str, start: datetime) -> Iterator[Occurrence]:
    """The times of a series, local, the first one included."""
    given = parts_of(rule)
    count = int(given["COUNT"]) if "COUNT" in given else None
    last = until(rule)

    def all_of_them() -> Iterator[datetime]:
        yield start
        yield from (moment for moment in dates(rule, start) if moment > start)

    for number, moment in enumerate(islice(all_of_them(), count), 1):
        if number > 1 and last is not None and moment.date() > last:
            return
        yield number, moment


def after(rule: str, start: datetime, number: int, moment: datetime) -> Occurrence | None:
    """The first of the series that comes after its ``number``-th and after a local moment; None at its end."""
    return next((one for one in times(rule, start) if one[0] > number and one[1] > moment), None)


def between(rule: str, start: datetime, number: int, end: datetime, limit: int) -> list[Occurrence]:
    """Those that come after the ``number``-th, up to a local moment, at most ``limit``."""
    found: list[Occurrence] = []
    for one in times(rule, start):
        if one[1] > end or len(found) >= limit:
            break
        if one[0] > number:
            found.append(one)
    return found


def shortened(rule: str, gone: int) -> str:
    """The rule for what is left of a series when its first ``gone`` times are taken off."""
    given = parts_of(rule)
    if "COUNT" in given:
        given["COUNT"] = str(max(int(given["COUNT"]) - gone, 1))
    return ";".join(f"{key}={value}" for key, value in given.items())


def nth(rule: str, start: datetime, index: int) -> datetime | None:
    """The local time of the ``index``-th of a series, counted from 1; None if it has ended before."""
    return next((moment for one, moment in times(rule, start) if one == index), None)


def numbered(rule: str, start: datetime, indexes: Collection[int]) -> dict[int, datetime]:
    """The local times of some of a series, by their index; those after its end are missing."""
    wanted, last = set(indexes), max(indexes, default=0)
    found: dict[int, datetime] = {}
    for index, moment in times(rule, start):
        if index > last:
            break
        if index in wanted:
            found[index] = moment
    return found


def standing(rule: str, start: datetime, since: datetime, end: datetime, limit: int) -> list[datetime]:
    """The local times of a series from ``since`` to before ``end``, at most ``limit``.

    However old a series is, it costs no more: what is neither counted nor ended is begun anew shortly before.
    """
    if "COUNT" not in parts_of(rule):
        start = begun_anew(rule, start, since)
    last = until(rule)
    found: list[datetime] = []
    for _index, moment in times(rule, start):
        if moment >= end or len(found) >= limit or (last is not None and moment.date() > last):
            break
        if moment >= since:
            found.append(moment)
    return found


def begun_anew(rule: str, start: datetime, since: datetime) -> datetime:
    """A time before ``since`` from which a rule of days or weeks names the same times as from its start."""
    given = parts_of(rule)
    days = {"DAILY": 1, "WEEKLY": 7}.get(given["FREQ"], 0) * int(given.get("INTERVAL", "1"))
    gone = (since - start).days // days - 1 if days else 0
    on_rule = next(dates(rule, start), None) == start
    return start + timedelta(days=gone * days) if gone > 0 and on_rule else start


def moved(rule: str, day: date, to: date) -> str | None:
    """The rule for a series that is held on another day from now on; None if it names days that this is none of.

    A last day moves along, so that as many times are left.
    """
    if day == to:
        return rule
    given = parts_of(rule)
    code, new = WEEKDAYS[day.weekday()], WEEKDAYS[to.weekday()]
    if last := until(rule):
        given["UNTIL"] = f"{last + (to - day):%Y%m%d}"
    if given.get("FREQ") == "WEEKLY" and given.get("BYDAY") == code:
        given["BYDAY"] = new
    elif given.get("FREQ") == "MONTHLY" and given.get("BYDAY") in {f"{place}{code}" for place in places_of(day)}:
        given["BYDAY"] = f"{'-1' if given['BYDAY'].startswith('-') else places_of(to)[0]}{new}"
    elif given.get("FREQ") == "MONTHLY" and f";{monthly_on(day.day)}" in f";{rule}" and "BYDAY" not in given:
        kept = ";".join(f"{key}={value}" for key, value in given.items() if key not in {"BYMONTHDAY", "BYSETPOS"})
        return normalised(f"{kept};{monthly_on(to.day)}")
    elif given.keys() & {"BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS"}:
        return None
    return completed(";".join(f"{key}={value}" for key, value in given.items()), to)


def aligned(rule: str, start: datetime) -> datetime:
    """The begin of a series whose rule names a day of the month: that day of its first month."""
    if parts_of(rule)["FREQ"] != "MONTHLY" or not parts_of(rule).keys() & {"BYDAY", "BYMONTHDAY"}:
        return start
    return next(dates(rule, start.replace(day=1)), start)


def places_of(day: date) -> list[str]:
    """Which of its weekdays in the month a day is, counted from the first or as the last one."""
    number = (day.day - 1) // 7 + 1
    last = (day + timedelta(days=7)).month != day.month
    return [*([str(number)] if number < 5 else []), *(["-1"] if last else [])]


# -- clocks ------------------------------------------------------------------------------------------------------------


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """When a clock in the zone shows the time; the rules for odd hours stand above."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    return instant(datetime.combine(day, time()), zone)


def day_ends(day: date, zone: ZoneInfo) -> datetime:
    """The last whole second of a day."""
    return day_begins(day + timedelta(days=1), zone) - timedelta(seconds=1)


def local(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


# -- words -------------------------------------------------------------------------------------------------------------

WORKDAYS = "MO,TU,WE,TH,FR"
ORDINALS = {
    "1": gettext_lazy("first"),
    "2": gettext_lazy("second"),
    "3": gettext_lazy("third"),
    "4": gettext_lazy("fourth"),
    "-1": gettext_lazy("last"),
}


def words(rule: str) -> str:
    """A rule as people say it; one that is more than a sentence stays as it is."""
    given = parts_of(rule)
    if not given or "WKST" in given:
        return rule
    many, often = int(given.get("INTERVAL", "1")), given["FREQ"]
    said = str(
        {
            "DAILY": ngettext("every day", "every %(many)d days", many),
            "WEEKLY": ngettext("every week", "every %(many)d weeks", many),
            "MONTHLY": ngettext("every month", "every %(many)d months", many),
            "YEARLY": ngettext("every year", "every %(many)d years", many),
        }[often]
        % {"many": many}
    )
    on = on_words(given)
    if on is None:
        return rule
    if often == "WEEKLY" and given.get("BYDAY") == WORKDAYS and many == 1 and "BYMONTH" not in given:
        said = _("every working day")
    elif on:
        said = _("%(often)s on %(days)s") % {"often": said, "days": on}
    if "COUNT" in given:
        count = int(given["COUNT"])
        said = ngettext("%(said)s, once", "%(said)s, %(count)d times", count) % {"said": said, "count": count}
    last = until(rule)
    return _("%(said)s until %(day)s") % {"said": said, "day": date_text(last)} if last else said


def on_words(given: Mapping[str, str]) -> str | None:
    """On which days of its weeks, months or years a rule holds; None for what takes more than a few words."""
    days, numbers, often = given.get("BYDAY", ""), given.get("BYMONTHDAY", ""), given["FREQ"]
    months = given["BYMONTH"].split(",") if "BYMONTH" in given else []
    place = given.get("BYSETPOS", "")
    if (
        numbers.count(",")
        and place == "-1"
        and monthly_on(int(numbers.rpartition(",")[2])).startswith(f"BYMONTHDAY={numbers};")
    ):
        numbers, place = numbers.rpartition(",")[2], ""
    if (days and numbers) or (place and (not days or place not in ORDINALS)):
        return None
    if often == "YEARLY" and len(months) == 1 and numbers.isdecimal():
        try:
            day = date(2000, int(months[0]), int(numbers))
        except ValueError:
            return None
        return str(format_skeleton("MMMMd", day, locale=babel_locale()))
    if months or (often == "YEARLY" and (days or numbers)) or (often == "DAILY" and numbers):
        return None
    if days:
        named = _("working day") if days == WORKDAYS and place else ", ".join(map(day_words, days.split(",")))
        if place:
            named = f"{ORDINALS[place]} {named}"
        return named if often != "MONTHLY" else _("the %(days)s") % {"days": named}
    if numbers == "-1":
        return _("the last day")
    return ngettext("day %(days)s", "days %(days)s", 1 + numbers.count(",")) % {"days": numbers} if numbers else ""


def day_words(named: str) -> str:
    """``MO`` as Mon, ``2TU`` as second Tue, ``-1FR`` as last Fri."""
    place, code = named[:-2], named[-2:]
    if code not in WEEKDAYS:
        return named
    day = str(get_day_names("abbreviated", locale=babel_locale())[WEEKDAYS.index(code)])
    return f"{ORDINALS.get(place.lstrip('+'), place)} {day}" if place else day


def monthly_on(day: int) -> str:
    """The part of a rule for a day of every month: of a month that lacks it, its last one."""
    if day < 29:
        return f"BYMONTHDAY={day}"
    return f"BYMONTHDAY={','.join(str(one) for one in range(28, day + 1))};BYSETPOS=-1"


def completed(rule: str, first: date) -> str:
    """A rule that only says how often, for what begins on a day that not every month or year has: then its last one."""
    given = parts_of(rule)
    if first.day < 29 or given.keys() & {"BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS"}:
        return rule
    if given["FREQ"] == "MONTHLY":
        return normalised(f"{rule};{monthly_on(first.day)}")
    if given["FREQ"] == "YEARLY" and (first.month, first.day) == (2, 29):
        return normalised(f"{rule};BYMONTH=2;{monthly_on(29)}")
    return rule
