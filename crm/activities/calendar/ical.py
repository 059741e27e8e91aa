"""Activities as a calendar of RFC 5545: single ones, and series with a rule, what is left out and what is otherwise."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from icalendar import Alarm, Calendar, Event, vRecur

from crm.activities.calendar.pages import TASK_MINUTES
from crm.activities.rules import REMINDED_FROM
from crm.activities.selectors import ActivityRow
from crm.activities.series import recurrence
from crm.activities.series.ahead import Head, at_time, plain_row, takes_part_in
from crm.activities.series.exceptions import pattern
from crm.activities.series.part import Part
from crm.records.display.presenting import record_url
from crm.records.schema.field import MEMBER_TARGET
from crm.records.schema.registry import registry
from crm.records.write.row_values import snapshot
from tenants.actors import Actor, TenantRef
from tenants.workspaces.hosts import tenant_url

ALIKE = ("title", "text", "minutes", "place", "reminder", "done", "about")
"""In what a record may differ from its series, beside its time, as far as other calendars show it."""


@dataclass(slots=True)
class Series:
    """A part of a series in a calendar: ``common`` is a row of which nothing is its own, ``rows`` those that there are,
    by number, ``made`` the number up to which there are any, ``goes_on`` whether more will come."""

    uid: str
    part: Part
    common: ActivityRow
    made: int
    goes_on: bool
    rows: dict[int, ActivityRow] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The number with which the calendar begins."""
        return min(self.rows, default=self.made + 1)


def series_of(actor: Actor, member_id: UUID, rows: Sequence[ActivityRow], going_on: Iterable[Head]) -> list[Series]:
    """The series among the rows of a member's calendar, and those of which no row is in it: a query a noun."""
    found: dict[tuple[str, Part], Series] = {}
    for head in going_on:
        key = (head.series, head.part)
        found[key] = Series(f"{head.series}-{head.part.first}", head.part, head.common, head.made, goes_on=True)
    by_id = {row.id: row for row in rows if row.repeat}
    for noun in {row.noun for row in by_id.values()}:
        record_type = registry.get(noun)
        records = record_type.rows.filter(pk__in=[pk for pk, row in by_id.items() if row.noun == noun]).exclude(
            series=""
        )
        for record in records.order_by("-occurrence"):
            values, row = snapshot(record_type, record), by_id[record.pk]
            part, common = Part.of(values), pattern(record_type, values)
            if not takes_part_in(actor, record_type, common, [member_id]):
                continue
            made = found.setdefault(
                (record.series, part),
                Series(f"{record.series}-{part.first}", part, plain_row(actor, row, common), record.occurrence, False),
            )
            made.rows[record.occurrence] = row
    return [one for one in found.values() if one.goes_on or len(one.rows) > 1]


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the calendar of a member."""

    tenant: TenantRef
    member_id: UUID

    def calendar(self, rows: Sequence[ActivityRow], series: Sequence[Series]) -> bytes:
        calendar = Calendar()
        calendar.add("prodid", "-//Rapport//Calendar//EN")
        calendar.add("version", "2.0")
        calendar.add("method", "PUBLISH")
        calendar.add("x-wr-calname", self.tenant.name)
        calendar.add("refresh-interval;value=duration", "PT15M")
        in_series: set[UUID] = set()
        for one in series:
            for event in self.of_series(one):
                calendar.add_component(event)
            in_series |= {row.id for row in one.rows.values()}
        for row in rows:
            if row.id not in in_series:
                calendar.add_component(self.event(row))
        calendar.add_missing_timezones()
        return bytes(calendar.to_ical())

    def of_series(self, series: Series) -> list[Event]:
        """The event of a series with its rule, and one for each record that is otherwise than the rule says.

        A first time that the rule does not name stands for itself, since calendars differ in whether they count it.
        """
        part, rows, first = series.part, dict(series.rows), series.first
        found: list[Event] = []
        begin = part.planned(first)
        if begin is not None and first == part.first and next(recurrence.dates(part.rule, begin), None) != begin:
            if (row := rows.pop(first, None)) is not None:
                found.append(self.event(row))
            first += 1
        last = series.made if series.goes_on else max(rows, default=0)
        planned = part.planned_each({first, *range(first, last + 1)})
        if first not in planned or (not rows and not series.goes_on):
            return found
        master = self.event(at_time(series.common, part, planned[first]), series.uid, part)
        master.add("rrule", vRecur.from_ical(rule_from(part, first, None if series.goes_on else last)))
        for number in range(first, last + 1):
            if number not in rows and number in planned:
                master.add("exdate", local_start(part, planned[number]))
        found.append(master)
        for number, row in rows.items():
            if number not in planned:
                found.append(self.event(row))
            elif self.shown(row) != self.shown(at_time(series.common, part, planned[number])):
                event = self.event(row, series.uid)
                event.add("recurrence-id", local_start(part, planned[number]))
                found.append(event)
        return found

    def shown(self, row: ActivityRow) -> tuple[Any, ...]:
        """What other calendars show of a row."""
        when = row.day or row.at
        return (*(getattr(row, name) for name in ALIKE), when, self.declined(row))

    def declined(self, row: ActivityRow) -> bool:
        own = (MEMBER_TARGET, self.member_id)
        return any((one["type"], one["id"]) == own and one.get("reply") == "declined" for one in row.people)

    def event(self, row: ActivityRow, uid: str = "", part: Part | None = None) -> Event:
        """A row by itself, or in a series of this ``uid``; with a ``part`` it is what the series has in common."""
        event = Event()
        event.add("uid", f"{uid or row.id}@{self.tenant.id}")
        event.add("dtstamp", row.created_at)
        event.add("sequence", row.version - 1)
        event.add("summary", f"✓ {row.title}" if row.done else row.title or str(row.record_type.label))
        if row.day is not None:
            event.add("dtstart", row.day)
            event.add("dtend", row.day + timedelta(days=row.days))
        else:
            start: datetime = row.at  # type: ignore[assignment]
            start = start.astimezone(part.time_zone) if part else start
            event.add("dtstart", start)
            event.add("dtend", start + timedelta(minutes=row.minutes or TASK_MINUTES))
        about = row.about.get("title") if row.about else None
        event.add("description", "\n\n".join(one for one in (about, row.text) if one))
        event.add("url", tenant_url(self.tenant, record_url(row.noun, row.id)))
        if row.place:
            event.add("location", row.place)
        event.add("transp", "OPAQUE" if row.noun == "meeting" and not self.declined(row) else "TRANSPARENT")
        if row.reminder is not None and not row.done and not self.declined(row):
            event.add_component(alarm_of(row))
        return event


def rule_from(part: Part, first: int, last: int | None) -> str:
    """The rule of a part from one of its numbers on, up to another one where it does not go on."""
    given = recurrence.parts_of(recurrence.shortened(part.rule, first - part.first))
    until = recurrence.until(part.rule)
    if last is not None:
        given.pop("UNTIL", None)
        given["COUNT"] = str(last - first + 1)
    elif until is not None and not part.all_day:
        ends = recurrence.instant(datetime.combine(until, time(23, 59, 59)), part.time_zone)
        given["UNTIL"] = f"{ends:%Y%m%dT%H%M%SZ}"
    return ";".join(f"{key}={value}" for key, value in given.items())


def local_start(part: Part, local: datetime) -> date | datetime:
    """A time of a series as its rule counts it: a day, or a time on the clock of its zone."""
    return local.date() if part.all_day else local.replace(tzinfo=part.time_zone)


def alarm_of(row: ActivityRow) -> Alarm:
    """The reminder: so many minutes before; of what lasts all day, before nine in the morning of its day."""
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", row.title or str(row.record_type.label))
    from_start = timedelta(hours=REMINDED_FROM.hour) if row.day is not None else timedelta()
    alarm.add("trigger", from_start - timedelta(minutes=row.reminder or 0))
    return alarm
