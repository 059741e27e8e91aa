"""Series that go on: what they have in common, and the times at which no record stands yet."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Max, Q

from crm.activities.rules import WHEN, day_moment
from crm.activities.selectors import ActivityRow, activity_rows, columns_of, stands_in, takes_part
from crm.activities.series import recurrence
from crm.activities.series.exceptions import pattern
from crm.activities.series.occurrences import WATCH
from crm.activities.series.part import Part
from crm.records.access.visibility import may_read
from crm.records.models import Timer
from crm.records.read import reading
from crm.records.schema.field import MEMBER_TARGET
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write.row_values import snapshot
from crm.workspace.models import Member
from tenants.actors import Actor

MAX_SERIES = 200
SHOWN = ("title", "text", "minutes", "priority", "direction", "phone", "place", "reminder", "people")
"""What of a row its series has in common, but for who does it and what it is on."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a series that goes on: ``common`` is the row of one of which nothing is its own, ``made`` the
    number up to which there are records."""

    common: ActivityRow
    series: str
    part: Part
    made: int


def heads(actor: Actor, member_ids: Collection[UUID] | None, nouns: Collection[str]) -> list[Head]:
    """The series that go on and, with ``member_ids``, are done by one of these or have them as a guest: three queries a
    noun that has some, one a noun that has none."""
    found: list[Head] = []
    for noun in nouns:
        record_type = registry.get(noun)
        if not may_read(actor, record_type, "repeat"):
            continue
        rows = reading.visible(actor, record_type).exclude(Q(repeat="") | Q(series=""))
        if noun == "meeting":
            going_on = Timer.objects.filter(kind=WATCH, fired_at=None)
            rows = rows.filter(pk__in=going_on.values("record_id"))
        else:
            rows = rows.filter(done=False)
        if member_ids is not None:
            mine = takes_part(actor, noun, member_ids)
            for one in member_ids:
                mine |= Q(plain__contains=str(one))
            rows = rows.filter(mine)
        found += heads_of(actor, record_type, list(rows.order_by("-occurrence")[:MAX_SERIES]), member_ids)
    return found


def heads_of(
    actor: Actor, record_type: RecordType, records: Sequence[Any], member_ids: Collection[UUID] | None
) -> list[Head]:
    last: dict[str, Any] = {}
    for record in records:
        last.setdefault(record.series, record)
    if not last:
        return []
    made = {series: record.occurrence for series, record in last.items()}
    if record_type.slug == "meeting":
        numbers = record_type.rows.filter(series__in=last).order_by().values_list("series")
        made = dict(numbers.annotate(Max("occurrence")))
    values = {record.pk: snapshot(record_type, record) for record in last.values()}
    common = {pk: pattern(record_type, one) for pk, one in values.items()}
    rows = {row.id: row for row in activity_rows(actor, record_type.slug, record_type.rows.filter(pk__in=list(values)))}
    return [
        Head(plain, one["series"], Part.of(one), made[one["series"]])
        for pk, one in values.items()
        if member_ids is None or takes_part_in(actor, record_type, common[pk], member_ids)
        for plain in [plain_row(actor, rows[pk], common[pk])]
    ]


def takes_part_in(
    actor: Actor, record_type: RecordType, common: Mapping[str, Any], member_ids: Collection[UUID]
) -> bool:
    """As ``takes_part``, of what a series has in common."""
    guests = {one["id"] for one in common.get("guests", ()) if one["type"] == MEMBER_TARGET}
    if guests and not may_read(actor, record_type, "guests"):
        guests &= {actor.member_id}
    return common["assignee"] in member_ids or not guests.isdisjoint(member_ids)


def plain_row(actor: Actor, row: ActivityRow, common: Mapping[str, Any]) -> ActivityRow:
    """A row as it would be had nothing of it been changed by itself."""
    columns = {key: slug for key, slug in columns_of(actor, row.noun).items() if key in SHOWN}
    own = {key: common[slug] for key, slug in columns.items() if slug in common}
    about = common["about"]
    same = about and row.about and (row.about["type"], row.about["id"]) == (about["type"], about["id"])
    who: dict[str, Any] = {}
    if row.assignee_id is not None and row.assignee_id != common["assignee"]:
        member = Member.objects.filter(pk=common["assignee"]).first() if common["assignee"] else None
        who = {"assignee_id": common["assignee"], "assignee_name": member and member.name}
    return replace(row, **own, **who, about=row.about if same else None, done=False, late=False)


def repeats(
    actor: Actor,
    start: datetime,
    end: datetime,
    member_ids: Collection[UUID] | None = None,
    *,
    nouns: Collection[str],
    limit: int,
) -> list[ActivityRow]:
    """The times of a period at which series are held and no record stands yet, at most ``limit``: each a row like its
    series, with the id of the last record there is."""
    found: list[ActivityRow] = []
    first = start.astimezone(actor.time_zone).date()
    for head in heads(actor, member_ids, nouns):
        if len(found) >= limit:
            break
        found += [row for row in held(head, start, end, limit - len(found)) if stands_in(row, start, end, first)]
    return found


def held(head: Head, start: datetime, end: datetime, limit: int) -> Iterable[ActivityRow]:
    """The rows of a series that come after its last record, from around the start of a period to its end."""
    part, row = head.part, head.common
    made = part.planned(head.made)
    if made is None:
        return
    zone = part.time_zone
    since = recurrence.local(start, zone) - timedelta(days=row.days, minutes=row.minutes or 0)
    after = max(since, made + timedelta(seconds=1))
    until = recurrence.local(end, zone) + timedelta(days=1 if part.all_day else 0)
    for local in recurrence.standing(part.rule, part.start, after, until, limit):
        yield at_time(row, part, local)


def at_time(row: ActivityRow, part: Part, local: datetime) -> ActivityRow:
    """A row like this one at a local time of its series."""
    _moment, day = WHEN[row.noun]
    on = local.date() if part.all_day and day else None
    at = day_moment(row.noun, on, part.time_zone) if on else recurrence.instant(local, part.time_zone)
    return replace(row, at=at, day=on, ahead=True)
