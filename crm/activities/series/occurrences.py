"""Series: each of its records carries the rule, and what is otherwise in it than in the series.

A series keeps its id for life; its records are numbered in the order of their times. Where its rule or its time is
changed, a new part of it begins, with the number of the record from which on it holds. ``plain`` is, of the values in
which a record differs from its series, what the series has in their place; a record that is moved differs by its time
from the one that the rule names for its number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.db.models import Max, Q
from django.utils.translation import gettext as _

from crm.activities.rules import WHEN, undoes, writes, zones
from crm.activities.series import recurrence
from crm.activities.series.exceptions import pattern
from crm.activities.series.part import Part
from crm.records.events import timers
from crm.records.models import ChangeSet, Event, Timer
from crm.records.schema.field import MEMBER_TARGET
from crm.records.schema.record_type import RecordType
from crm.records.write import gate, validation
from crm.records.write.batch import Batch, Draft
from crm.records.write.row_values import snapshot
from crm.workspace.permissions import EVERYTHING
from tenants.actors import Actor

HORIZON = timedelta(days=90)
"""How far ahead the meetings of a series stand in calendars."""
MAX_AHEAD = 100

NO_SERIES = {"series": "", "series_start": "", "series_zone": "", "series_from": None, "occurrence": None, "plain": ""}
WATCH = "meeting_series"
"""The timer that waits with the last meeting of a series that goes on."""


# -- rules -------------------------------------------------------------------------------------------------------------


def repeat_is_a_rule(batch: Batch) -> None:
    """A repeated activity begins a series; a rule that is changed holds from this one on, none ends the series."""
    if not writes(batch) or undoes(batch):
        return
    moment, day = WHEN[batch.record_type.slug]
    given = batch.details.get("series")
    known: dict[UUID | None, ZoneInfo] = {}
    for draft in batch.drafts:
        if given is not None:
            for slug, value in given[draft.index].items():
                draft.set(slug, value)
            continue
        text = draft.after["repeat"]
        if "repeat" not in draft.changed:
            continue
        try:
            rule = recurrence.normalised(text) if text else ""
        except recurrence.BadRule as problem:
            draft.error("repeat", "invalid", str(problem))
            continue
        draft.set("repeat", rule)
        if "repeat" not in draft.changed:
            continue
        if not rule:
            end(draft)
            continue
        when = draft.after[moment]
        if when is None:
            draft.error("repeat", "needs_time", _("What repeats needs a time to begin with."))
            continue
        known = known or zones(batch)
        on, last = draft.after[day] if day else None, recurrence.until(rule)
        if last is not None and last < (on or when.astimezone(known[draft.after["assignee"]]).date()):
            draft.error("repeat", "ends_before", _("This repetition ends before it begins."))
            continue
        zone = known[draft.after["assignee"]]
        if not recurrence.comes_again(rule, Part.beginning(rule, on, when, zone, 1).start):
            draft.error("repeat", "names_no_day", _("This repetition names no day after the first one."))
            continue
        begin(draft, rule, on, when, zone)


def begin(draft: Draft, rule: str, on: date | None, when: datetime, zone: ZoneInfo) -> None:
    """Begin a series, or a new part of the one that the record is in: where this was planned, if it is moved itself."""
    noun, number = draft.batch.record_type.slug, 1
    part = Part.beginning("", on, when, zone, number)
    if draft.before["series"]:
        number = last_number(draft.batch.record_type, draft.before["series"]) + 1
        before = Part.of(draft.before)
        planned = before.planned(draft.before["occurrence"])
        stays = not draft.changed & set(WHEN[noun])
        part = replace(before, start=planned) if planned and stays else part
    part = replace(part, first=number, rule=recurrence.completed(rule, part.start.date()))
    values = {"series": draft.before["series"] or str(uuid4()), "occurrence": number, **part.values}
    for slug, value in values.items():
        draft.set(slug, value)


def end(draft: Draft) -> None:
    """Nothing follows; what came before still knows that this was there."""
    if draft.before["occurrence"] == 1:
        for slug, value in NO_SERIES.items():
            draft.set(slug, value)


def last_number(record_type: RecordType, series: str) -> int:
    """The highest number that a record of a series ever had."""
    return record_type.rows.filter(series=series).aggregate(last=Max("occurrence"))["last"] or 0


def one_of_each_time(batch: Batch) -> None:
    """What comes back from the trash does not stand beside another of the same time in its series."""
    if batch.action != "restore":
        return
    for draft in batch.drafts:
        if (
            draft.after["series"]
            and batch.record_type.rows.filter(
                series=draft.after["series"], occurrence=draft.after["occurrence"], deleted_at=None
            ).exists()
        ):
            draft.error("", "occurs_twice", _("This time of the series has been planned anew meanwhile."))


# -- what follows ------------------------------------------------------------------------------------------------------


def series_goes_on(batch: Batch) -> None:
    """After a write: what follows in the series of the rows is there, what no longer follows is not."""
    if undoes(batch) or not writes(batch) or "series" in batch.details:
        return
    for draft in batch.drafts:
        before, after = draft.before, draft.after
        if before["series"] and before["repeat"] != after["repeat"]:
            rearrange(batch, draft)
        elif batch.record_type.slug == "meeting":
            if before["series"] != after["series"]:
                meetings_ahead(batch.actor, batch.record_type, after, batch.at, **together(batch))
        elif after["series"] and "done" in draft.changed and after["done"]:
            next_made(batch.actor, batch.record_type, after, batch.at, **together(batch))


def together(batch: Batch) -> dict[str, Any]:
    """What makes a further write part of this one."""
    return {"change_set": batch.change_set, "source": batch.source}


def rearrange(batch: Batch, draft: Draft) -> None:
    """Bring what follows to a changed rule: what stands on one of its days stays with all that is its own, the others
    go, and what was left out is not made again."""
    record_type, before = batch.record_type, draft.before
    rows = record_type.rows.filter(series=before["series"], occurrence__gt=before["occurrence"])
    if draft.record is not None:
        rows = rows.exclude(pk=draft.record.pk)
    held = rows.select_for_update(of=("self",), no_key=True).order_by("pk")  # who skips or ends it meanwhile waits
    found = sorted(((row, snapshot(record_type, row)) for row in held), key=lambda one: one[1]["occurrence"])
    days = {row.pk: day_planned(values) for row, values in found}
    part = Part.of(draft.after if draft.after["series"] else {**before, "repeat": ""})
    horizon = recurrence.local(batch.at, part.time_zone) + HORIZON
    last = max([horizon, *(datetime.combine(day, datetime.max.time()) for day in days.values())])
    slots = {local.date(): (number, local) for number, local in part.between(part.first, last, MAX_AHEAD)}
    changes: dict[UUID, tuple[dict[str, Any], dict[str, Any]]] = {}
    gone: list[UUID] = []
    for row, values in found:
        number, local = slots.pop(days[row.pk], (0, None))
        if row.deleted_at is not None:
            continue
        if local is None:
            changes[row.pk] = ({}, NO_SERIES | {"repeat": ""})
            gone += [] if row.done else [row.pk]
            continue
        moves = not row.done and Part.of(values).holds(
            record_type.slug, values, Part.of(values).planned(values["occurrence"])
        )
        when = part.when(record_type.slug, local) if moves else {}
        changes[row.pk] = (when, {**part.values, "series": values["series"], "occurrence": number})
    if changes:
        put(batch.actor, record_type, changes, **together(batch))
    if gone:
        gate.trash(maker(batch.actor), record_type, gone, **together(batch))
    ahead = [slot for slot in slots.values() if slot[1] <= horizon]
    if record_type.slug == "meeting" and ahead:
        make(batch.actor, record_type, draft.after, ahead, **together(batch))


def day_planned(values: Mapping[str, Any]) -> date:
    """The day on which a record of a series was to be, wherever it was moved."""
    part = Part.of(values)
    planned = part.planned(values["occurrence"])
    return (planned or part.start).date()


def put(
    actor: Actor,
    record_type: RecordType,
    changes: Mapping[UUID, tuple[Mapping[str, Any], Mapping[str, Any]]],
    *,
    change_set: ChangeSet | None,
    source: str,
) -> gate.Change:
    """Give records of a series values, and what the series keeps in them."""
    return gate.update_many(
        maker(actor),
        record_type,
        {pk: values for pk, (values, _kept) in changes.items()},
        change_set=change_set,
        source=source,
        details={"series": [kept for _values, kept in changes.values()]},
    )


def maker(actor: Actor) -> Actor:
    """The one who makes a series go on is never stopped by what they may not add: they may do what makes it go on."""
    return replace(actor, permissions=EVERYTHING, scopes=None)


def next_made(
    actor: Actor,
    record_type: RecordType,
    values: Mapping[str, Any],
    now: datetime,
    *,
    change_set: ChangeSet | None = None,
    source: str = "ui",
) -> bool:
    """Make the one after this in its series, unless there is a later one already or the series has ended.

    Those whose time went by meanwhile are left out.
    """
    part, number = Part.of(values), values["occurrence"]
    later = record_type.rows.filter(series=values["series"], occurrence__gt=number)
    if later.filter(Q(deleted_at=None) | Q(repeat="")).exists():
        return False
    out = left_out(record_type, values["series"], number)
    found = part.after(number, max(recurrence.local(now, part.time_zone), part.planned(number) or part.start))
    while found is not None and found[0] in out:
        found = part.after(*found)
    if found is None:
        return False
    make(actor, record_type, values, [found], change_set=change_set, source=source)
    return True


def left_out(record_type: RecordType, series: str, number: int) -> set[int]:
    """The numbers after this one that somebody left out; what an undo took away was not left out."""
    gone = dict(
        record_type.rows.filter(series=series, occurrence__gt=number, deleted_at__isnull=False).values_list(
            "pk", "occurrence"
        )
    )
    thrown = Event.objects.filter(
        record_type=record_type.slug, record_id__in=list(gone), type=f"{record_type.slug}.trashed"
    )
    by_undo = dict(thrown.order_by("id").values_list("record_id", "change_set__undo_of")) if gone else {}
    return {one for pk, one in gone.items() if by_undo.get(pk) is None}


def meetings_ahead(
    actor: Actor,
    record_type: RecordType,
    values: Mapping[str, Any],
    now: datetime,
    *,
    change_set: ChangeSet | None = None,
    source: str = "ui",
) -> int:
    """Make the meetings of a series that come after all that there were, up to the horizon, like this one; says how
    many."""
    part = Part.of(values)
    end = recurrence.local(now, part.time_zone) + HORIZON
    found = part.between(max(last_number(record_type, values["series"]), values["occurrence"]), end, MAX_AHEAD)
    if found:
        make(actor, record_type, values, found, change_set=change_set, source=source)
    return len(found)


def series_is_watched(batch: Batch) -> None:
    """After a write: the last meeting of a series has the timer that makes the next ones when their time comes near."""
    touched = {one for draft in batch.drafts for one in (draft.before["series"], draft.after["series"])} - {""}
    if not touched:
        return
    rows = batch.record_type.rows.filter(series__in=touched)
    numbers = dict(rows.order_by().values_list("series").annotate(Max("occurrence")))
    kept = ("pk", "series", "repeat", "series_start", "series_zone", "series_from")
    due: dict[UUID, datetime | None] = {}
    for row in rows.filter(deleted_at=None).order_by("series", "-occurrence").distinct("series").values(*kept):
        part = Part.of(row)
        beyond = part.after(numbers[row["series"]], datetime.min)
        due[row["pk"]] = recurrence.instant(beyond[1], part.time_zone) - HORIZON if beyond else None
    of_series = Timer.objects.filter(
        kind=WATCH, record_id__in=batch.record_type.rows.filter(series__in=touched).values("pk")
    )
    of_series.exclude(record_id__in=list(due)).delete()
    taken_off = [draft.record.pk for draft in batch.drafts if draft.record and not draft.after["series"]]
    timers.schedule_many(WATCH, batch.record_type.slug, [*due.items(), *((pk, None) for pk in taken_off)])


def make(
    actor: Actor,
    record_type: RecordType,
    values: Mapping[str, Any],
    found: Sequence[recurrence.Occurrence],
    *,
    change_set: ChangeSet | None,
    source: str,
) -> None:
    """Make those of a series that are named, on what is still there, with who is still here."""
    by, part = maker(actor), Part.of(values)
    carried = pattern(record_type, values)
    wanted: dict[str, set[UUID]] = {}
    referred = [*carried["also"], *carried.get("guests", ()), *filter(None, [carried["about"]])]
    for one in referred:
        wanted.setdefault(one["type"], set()).add(one["id"])
    if carried["assignee"]:
        wanted.setdefault(MEMBER_TARGET, set()).add(carried["assignee"])
    there = validation.found_targets(by, wanted) if wanted else set()
    for slug in ("also", "guests"):
        if slug in carried:
            carried[slug] = [one for one in carried[slug] if (one["type"], one["id"]) in there]
    if carried["about"] and (carried["about"]["type"], carried["about"]["id"]) not in there:
        carried["about"] = None
    if (MEMBER_TARGET, carried["assignee"]) not in there:
        carried["assignee"] = None
    kept = {**part.values, "series": values["series"], "plain": ""}
    gate.create_many(
        by,
        record_type,
        [{**carried, **part.when(record_type.slug, local), "done": False} for _number, local in found],
        change_set=change_set,
        source=source,
        details={
            "series": [{**kept, "occurrence": number} for number, _local in found],
            "is_sample": record_type.rows.filter(series=values["series"], is_sample=True).exists(),
        },
    )
