"""A calendar as its reader sees it: the activities of a period in their days, with words and places."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from babel.dates import format_interval, format_skeleton
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.activities.calendar.layout import Period, Stand, arranged, days_touched, slots_of
from crm.activities.rules import UNDATED, WHEN
from crm.activities.selectors import ActivityRow, agenda
from crm.activities.series.ahead import repeats
from crm.records.access.visibility import writable_fields
from crm.records.display.presenting import record_url
from crm.records.schema.registry import registry
from crm.workspace.configuration import workspace_settings
from crm.workspace.people.selectors import active_members
from crm.workspace.text.formats import babel_locale, date_text, time_text, weekday_names
from tenants.actors import Actor
from tenants.workspaces.entitlements import why_not_writable

COLORS = {"task": "blue", "call": "teal", "meeting": "violet"}
MAX_SHOWN = 500
MONTH_ENTRIES = 4
TASK_MINUTES = 30
EARLY = 7


@dataclass(frozen=True, slots=True)
class Entry:
    """An activity in one of its days; ``stand`` is empty where it lasts all day or the calendar has no hours."""

    id: UUID
    name: str
    icon: str
    color: str
    url: str
    move_url: str
    time: str
    who: str
    done: bool
    late: bool
    version: int
    ahead: bool = False
    continued: bool = False
    hidden: bool = False
    stand: Stand | None = None


@dataclass(slots=True)
class DayColumn:
    """A day: ``whole`` what lasts all day (in a month: everything), ``timed`` what has its hours."""

    day: date
    label: str
    short: str
    weekday: str
    url: str
    is_today: bool
    is_past: bool
    is_free: bool
    in_month: bool
    whole: list[Entry] = field(default_factory=list)
    timed: list[Entry] = field(default_factory=list)
    hidden: int = 0

    @property
    def iso(self) -> str:
        return self.day.isoformat()


@dataclass(frozen=True, slots=True)
class CalendarPage:
    period: Period
    title: str
    columns: list[DayColumn]
    hours: list[str]
    first_hour: int
    more: bool

    @property
    def has_earlier(self) -> bool:
        """Whether some of its days lie before today, but not all."""
        return self.columns[0].is_past and not self.columns[-1].is_past


def calendar_page(
    actor: Actor, period: Period, *, member_ids: Sequence[UUID] | None, nouns: Sequence[str], day_url: str
) -> CalendarPage:
    """``member_ids`` None is everyone's; ``day_url`` has ``{day}`` where a day's own page goes."""
    start, end = period.moments(actor.time_zone)
    rows = agenda(actor, start, end, member_ids, nouns=nouns, limit=MAX_SHOWN)
    rows += repeats(actor, start, end, member_ids, nouns=nouns, limit=MAX_SHOWN)
    rows.sort(key=lambda row: (row.at or UNDATED, row.id))
    shown = rows[:MAX_SHOWN]
    columns = [_column(actor, period, day, day_url) for day in period.days]
    by_day = {column.day: column for column in columns}
    own = member_ids is not None and list(member_ids) == [actor.member_id]
    if period.span == "month":
        _fill_month(actor, period, shown, by_day, own)
    else:
        _fill_hours(actor, period, shown, by_day, own)
    opening = [spans[0][0].hour for spans in workspace_settings(actor.tenant).working_hours.values() if spans]
    return CalendarPage(
        period=period,
        title=period_title(period),
        columns=columns,
        hours=[time_text(datetime.min.replace(hour=hour).time()) for hour in range(24)],
        first_hour=max(min(opening, default=EARLY + 1) - 1, 0),
        more=len(rows) > MAX_SHOWN,
    )


def period_title(period: Period) -> str:
    locale = babel_locale()
    if period.span == "day":
        return str(format_skeleton("yMMMMEEEEd", period.anchor, locale=locale))
    if period.span == "month":
        return str(format_skeleton("yMMMM", period.anchor, locale=locale))
    return str(format_interval(period.first, period.end - timedelta(days=1), "yMMMd", locale=locale))


def _column(actor: Actor, period: Period, day: date, day_url: str) -> DayColumn:
    settings = workspace_settings(actor.tenant)
    holiday = settings.holidays.get(day, "")
    label = date_text(day)
    today = timezone.now().astimezone(actor.time_zone).date()
    names, weekday = weekday_names(), weekday_names("abbreviated")[day.weekday()]
    return DayColumn(
        day=day,
        label=f"{names[day.weekday()]}, {label}" + (f" ({holiday})" if holiday else ""),
        short=f"{weekday} {day.day}" + (f" · {holiday}" if holiday else ""),
        weekday=weekday,
        url=day_url.format(day=day.isoformat()),
        is_today=day == today,
        is_past=day < today,
        is_free=bool(holiday) or not settings.working_hours.get(day.weekday()),
        in_month=period.span != "month" or day.month == period.anchor.month,
    )


def _last_day(actor: Actor, row: ActivityRow) -> date:
    """The last day on which something stands; what ends at midnight does not stand on the day that begins then."""
    if row.day is not None:
        return row.day + timedelta(days=row.days - 1)
    assert row.at is not None
    end = max(row.at, (row.ends_at or row.at) - timedelta(microseconds=1))
    return end.astimezone(actor.time_zone).date()


def _first_day(actor: Actor, row: ActivityRow) -> date:
    if row.day is not None:
        return row.day
    assert row.at is not None
    return row.at.astimezone(actor.time_zone).date()


def _entry(actor: Actor, row: ActivityRow, own: bool, *, continued: bool, hidden: bool = False) -> Entry:
    record_type = registry.get(row.noun)
    movable = not (continued or row.done or row.ahead) and actor.reaches(
        actor.scope(record_type.slug, "edit"), row.assignee_id
    )
    movable = movable and why_not_writable(actor.tenant) is None
    movable = movable and any(one.slug == WHEN[row.noun][0] for one in writable_fields(actor, record_type))
    return Entry(
        id=row.id,
        name=row.title or str(record_type.label),
        icon=record_type.icon,
        color=COLORS[row.noun],
        url=record_url(row.noun, row.id),
        move_url=reverse("activities:calendar_move", args=[record_type.plural, row.id]) if movable else "",
        time="" if row.day is not None or row.at is None or continued else time_text(row.at),
        who="" if own else row.assignee_name or _("Nobody"),
        done=row.done,
        late=row.late,
        version=row.version,
        ahead=row.ahead,
        continued=continued,
        hidden=hidden,
    )


def _fill_month(
    actor: Actor, period: Period, rows: Sequence[ActivityRow], by_day: dict[date, DayColumn], own: bool
) -> None:
    for row in sorted(rows, key=lambda row: row.day is None):
        first = _first_day(actor, row)
        for day in days_touched(first, _last_day(actor, row), period):
            column = by_day[day]
            hidden = len(column.whole) >= MONTH_ENTRIES
            column.hidden += hidden
            column.whole.append(_entry(actor, row, own, continued=day != first, hidden=hidden))


def _fill_hours(
    actor: Actor, period: Period, rows: Sequence[ActivityRow], by_day: dict[date, DayColumn], own: bool
) -> None:
    timed: dict[date, list[tuple[tuple[int, int], Entry]]] = defaultdict(list)
    for row in rows:
        first = _first_day(actor, row)
        for day in days_touched(first, _last_day(actor, row), period):
            entry = _entry(actor, row, own, continued=day != first)
            if row.day is not None or row.at is None:
                by_day[day].whole.append(entry)
                continue
            end = row.at + timedelta(minutes=row.minutes or TASK_MINUTES)
            timed[day].append((slots_of(day, row.at, end, actor.time_zone), entry))
    for day, found in timed.items():
        stands = arranged([span for span, _entry in found])
        by_day[day].timed = [_standing(entry, stand) for (_span, entry), stand in zip(found, stands, strict=True)]


def _standing(entry: Entry, stand: Stand) -> Entry:
    return replace(entry, stand=stand)


def whose(actor: Actor) -> list[tuple[str, str]]:
    """Whose calendar can be asked for: one's own, everyone's, or a colleague's."""
    found = [("all", _("Everyone"))]
    if actor.member_id is not None:
        found.insert(0, ("me", _("Mine")))
    others = active_members().values_list("id", "name")[:MAX_SHOWN]
    return [*found, *((str(one), name) for one, name in others if one != actor.member_id)]


def nouns_shown(actor: Actor) -> list[str]:
    return [noun for noun in WHEN if actor.can(noun, "view")]
