"""What must hold of tasks, calls, meetings, emails and notes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from crm.activities import repeating
from crm.activities.models import Place
from crm.activities.visibility import NOUNS
from crm.records import timers, validation, writing
from crm.records.batch import Batch, Draft
from crm.records.models import ChangeSet
from crm.records.row_values import snapshot
from crm.records.types import MEMBER_TARGET, RecordType, registry
from crm.workspace.configuration import workspace_settings
from crm.workspace.models import Member
from crm.workspace.roles import EVERYTHING
from crm.workspace.selectors import zone
from tenants.actors import Actor, TenantRef

UNDATED = datetime(9999, 1, 1, tzinfo=UTC)
"""When an open activity without a time is planned for: after all that have one."""
WHEN = {"task": ("due_at", "due_on"), "call": ("starts_at", ""), "meeting": ("starts_at", "starts_on")}
"""Of each noun the moment it is planned for, and the day where it may be meant as a whole."""
WATCHED = frozenset({"due_at", "due_on", "starts_at", "starts_on", "minutes", "reminder", "done", "assignee", "repeat"})
DAY = 24 * 60
REMINDED_FROM = time(9)
"""From when the reminder of something that lasts all day counts back."""
HORIZON = timedelta(days=90)
"""How far ahead the meetings of a series stand in calendars."""
MOST_AHEAD = 100
MEND_AT_ONCE = 1000
SERIES = ("series", "series_start", "series_zone", "occurrence")
CARRIED = (
    "name", "minutes", "reminder", "description", "about", "also", "assignee", "priority", "direction", "phone",
    "place", "guests",
)  # fmt: skip
"""What one time of a series has from the one before."""


def writes(batch: Batch) -> bool:
    return batch.action in {"create", "update"}


def undoes(batch: Batch) -> bool:
    """What an undo brings back is whole already: nothing follows from it."""
    return batch.change_set.undo_of_id is not None


def zones(batch: Batch) -> dict[UUID | None, ZoneInfo]:
    """The time zones of the assignees of a batch; the workspace's for nobody's."""
    found: dict[UUID | None, ZoneInfo] = {None: zone(batch.actor.tenant.time_zone)}
    if batch.actor.member_id is not None:
        found[batch.actor.member_id] = batch.actor.time_zone
    others = {draft.after["assignee"] for draft in batch.drafts} - found.keys()
    if others:
        for pk, name in Member.objects.filter(pk__in=others).values_list("pk", "time_zone"):
            found[pk] = zone(name) if name else found[None]
    return found


# -- what an activity is on --------------------------------------------------------------------------------------------


def main_record_is_not_also(batch: Batch) -> None:
    """The first of several records is the main one, and no record is named twice."""
    if not writes(batch):
        return
    for draft in batch.drafts:
        also, about = draft.after["also"], draft.after["about"]
        if also and about is None:
            about = also[0]
            draft.set("about", about)
        if about in also:
            draft.set("also", [one for one in also if one != about])


def places_kept(batch: Batch) -> None:
    """After a write: bring what timelines and plans are read from to what the activities say."""
    noun = batch.rt.slug
    due = [(draft.record, draft) for draft in batch.drafts if draft.record is not None]
    if batch.action != "create":
        Place.objects.filter(activity_id__in=[record.pk for record, _draft in due]).delete()
    places = [
        place
        for record, draft in due
        for place in places_of(noun, record, draft.after, draft.at, gone=batch.action == "trash")
    ]
    if places:
        Place.objects.bulk_create(places, batch_size=1000)


def places_of(noun: str, record: Any, values: Mapping[str, Any], at: datetime, *, gone: bool) -> list[Place]:
    """What stands in ``Place`` of an activity with these values, written at a moment."""
    stood, planned_at = (None, None) if gone else stands(noun, values, record.created_at, at)
    about = values["about"]
    return [
        Place(
            noun=noun,
            activity_id=record.pk,
            about_type=one["type"],
            about_id=one["id"],
            at=stood,
            planned_at=planned_at,
        )
        for one in [*([about] if about else []), *values["also"]]
    ]


def places_mend() -> int:
    """Bring what stands in ``Place`` to what the activities say, and tell of how many it was otherwise.

    A process of a release before it knows nothing of ``Place``; what it wrote beside ours is on no timeline until then.
    Safe to repeat; what is being changed meanwhile waits for nothing and is looked at under its lock.
    """
    mended = 0
    for noun in NOUNS:
        rt, after = registry.get(noun), UUID(int=0)
        while True:
            with transaction.atomic():
                rows = list(rt.rows.filter(pk__gt=after).order_by("pk").select_for_update(of=("self",))[:MEND_AT_ONCE])
                if not rows:
                    break
                after = rows[-1].pk
                mended += _mend(noun, rt, rows)
    return mended


def _mend(noun: str, rt: RecordType, rows: Sequence[Any]) -> int:
    def facts(place: Place) -> tuple[Any, ...]:
        return (place.about_type, place.about_id, place.at, place.planned_at)

    there: dict[UUID, list[Place]] = {}
    for place in Place.objects.filter(activity_id__in=[row.pk for row in rows]):
        there.setdefault(place.activity_id, []).append(place)
    wrong, right = [], []
    for row in rows:
        places = places_of(noun, row, snapshot(rt, row), row.updated_at, gone=row.deleted_at is not None)
        if {facts(one) for one in places} != {facts(one) for one in there.get(row.pk, [])}:
            wrong.append(row.pk)
            right += places
    Place.objects.filter(activity_id__in=wrong).delete()
    Place.objects.bulk_create(right, batch_size=1000)
    return len(wrong)


def stands(
    noun: str, values: Mapping[str, Any], made: datetime | None, at: datetime
) -> tuple[datetime | None, datetime | None]:
    """Where an activity stands on a timeline, and for when it is planned: one of them."""
    made = made or at
    if noun == "note":
        return made, None
    if noun == "email":
        return values["sent_at"] or made, None
    when = values[WHEN[noun][0]]
    if not values["done"]:
        return None, when or UNDATED
    done_at = values["done_at"] or at
    return (done_at if noun == "task" or when is None else min(when, done_at)), None


# -- times -------------------------------------------------------------------------------------------------------------


def whole_days_stay(batch: Batch) -> None:
    """What lasts all day is a date; the moment beside it follows from the zone of who does it."""
    moment, day = WHEN[batch.rt.slug]
    if not writes(batch) or not day or undoes(batch):
        return
    known = zones(batch) if any(draft.after[day] for draft in batch.drafts) else {}
    for draft in batch.drafts:
        on = draft.after[day]
        if on is None:
            if draft.before[day] is not None and moment not in draft.given:
                draft.set(moment, None)
        elif moment in draft.changed and draft.after[moment] is not None and day not in draft.given:
            draft.set(day, None)
        else:
            draft.set(moment, day_moment(batch.rt.slug, on, known[draft.after["assignee"]]))


def day_moment(noun: str, on: date, zone: ZoneInfo) -> datetime:
    """A task is due at the end of its day, a meeting begins with it."""
    return repeating.day_ends(on, zone) if noun == "task" else repeating.day_begins(on, zone)


def lengths_fit(batch: Batch) -> None:
    """A meeting on whole days lasts whole days; one with a time has a length."""
    if not writes(batch):
        return
    for draft in batch.drafts:
        minutes = draft.after["minutes"]
        if draft.after["starts_on"] is None:
            if minutes is None:
                draft.set("minutes", 60)
        elif minutes is None or (minutes % DAY and "minutes" not in draft.given):
            draft.set("minutes", DAY)
        elif minutes % DAY:
            draft.error("minutes", "invalid", _("A meeting that lasts all day is as long as whole days."))


def times_are_known(batch: Batch) -> None:
    """What is noted without a time happens now; what has happened is done, unless it is said not to be."""
    for draft in batch.drafts:
        if batch.action != "create":
            continue
        if draft.after["starts_at"] is None and batch.rt.slug == "call":
            draft.set("starts_at", draft.at)
        if "done" not in draft.given and draft.after["starts_at"] is not None:
            draft.set("done", draft.after["starts_at"] <= draft.at)


def emails_have_a_time(batch: Batch) -> None:
    for draft in batch.drafts:
        if batch.action == "create" and draft.after["sent_at"] is None:
            draft.set("sent_at", draft.at)


def name_is_given(batch: Batch) -> None:
    for draft in batch.drafts:
        if writes(batch) and not draft.after["name"]:
            draft.set("name", str(batch.rt.label))


def done_has_its_time(batch: Batch) -> None:
    for draft in batch.drafts:
        if "done" in draft.changed:
            draft.set("done_at", draft.at if draft.after["done"] else None)


def done_is_told(batch: Batch) -> None:
    for draft in batch.drafts:
        if writes(batch) and "done" in draft.changed and draft.after["done"]:
            draft.event(f"{batch.rt.slug}.done", before={"done": False}, after={"done": True})


# -- guests ------------------------------------------------------------------------------------------------------------


def answered(guests: Sequence[Mapping[str, Any]], member_id: UUID | None, reply: str) -> list[dict[str, Any]] | None:
    """The guests of a meeting with a member's reply; None if he is none of them."""
    found = [dict(one) for one in guests]
    own = [one for one in found if one["type"] == MEMBER_TARGET and str(one["id"]) == str(member_id)]
    for one in own:
        one["reply"] = reply
    return found if own else None


def moved_asks_again(batch: Batch) -> None:
    """A reply was given for a time: at another one all guests are asked anew, but for who moves the meeting."""
    if batch.action != "update" or undoes(batch):
        return
    for draft in batch.drafts:
        values = draft.after
        is_over = values["done"] or values["starts_at"] is None or values["starts_at"] <= draft.at
        if is_over or "guests" in draft.given or not draft.changed & begin_of(draft):
            continue
        mover = (MEMBER_TARGET, str(batch.actor.member_id))
        guests = [
            one if (one["type"], str(one["id"])) == mover else {**one, "reply": "none"} for one in draft.after["guests"]
        ]
        if guests != draft.after["guests"]:
            draft.set("guests", guests)


def begin_of(draft: Draft) -> set[str]:
    """The fields in which a meeting's beginning stands: of whole days the day, whatever the zone it is looked at."""
    return {"starts_on"} if draft.after["starts_on"] and draft.before["starts_on"] else {"starts_at", "starts_on"}


def replies_are_told(batch: Batch) -> None:
    """A guest's own reply is an event beside the change."""
    member_id = batch.actor.member_id
    if batch.action != "update" or undoes(batch) or member_id is None:
        return
    for draft in batch.drafts:
        before, after = (
            {one["reply"] for one in values["guests"] if (one["type"], one["id"]) == (MEMBER_TARGET, member_id)}
            for values in (draft.before, draft.after)
        )
        if before and after and before != after:
            told = {"type": MEMBER_TARGET, "id": member_id}
            draft.event(
                "meeting.replied",
                before={"guests": [{**told, "reply": reply} for reply in before]},
                after={"guests": [{**told, "reply": reply} for reply in after]},
            )


# -- timers ------------------------------------------------------------------------------------------------------------


def timers_are_set(batch: Batch) -> None:
    """After a write: the timers of every open activity that has an assignee stand, those of the others are gone."""
    noun = batch.rt.slug
    drafts = [draft for draft in batch.drafts if draft.record and (batch.action != "update" or draft.changed & WATCHED)]
    if not drafts:
        return
    known = zones(batch)
    wanted: dict[str, list[tuple[UUID, datetime | None]]] = {}
    for draft in drafts:
        assert draft.record is not None
        values = draft.after
        waits = batch.action != "trash" and not values["done"] and values["assignee"] is not None
        when = values[WHEN[noun][0]] if waits else None
        remind = when and reminded_at(noun, values, known[values["assignee"]])
        gone = when is not None and noun != "task" and when <= batch.at
        wanted.setdefault(f"{noun}_reminder", []).append((draft.record.pk, None if gone else remind))
        if noun != "meeting":
            late = when and late_from(noun, values)
            wanted.setdefault(f"{noun}_overdue", []).append((draft.record.pk, late))
            told = late and late + escalated_after(batch.actor.tenant)
            wanted.setdefault(f"{noun}_escalation", []).append((draft.record.pk, told))
    for kind, due in wanted.items():
        timers.schedule_many(kind, noun, due)


def escalated_after(tenant: TenantRef) -> timedelta:
    """How long something is overdue before the manager of its assignee is told."""
    return timedelta(hours=workspace_settings(tenant).escalation_hours)


def reminded_at(noun: str, values: Mapping[str, Any], zone: ZoneInfo) -> datetime | None:
    """So many minutes before; of what lasts all day, before nine in the morning of its day."""
    if values["reminder"] is None:
        return None
    moment, day = WHEN[noun]
    on = values[day] if day else None
    begins = repeating.instant(datetime.combine(on, REMINDED_FROM), zone) if on else values[moment]
    return begins - timedelta(minutes=values["reminder"]) if begins else None


def late_from(noun: str, values: Mapping[str, Any]) -> datetime:
    """From when something is overdue: from its time on; what lasts all day, from the end of its day on."""
    moment, day = WHEN[noun]
    when: datetime = values[moment]
    return when + timedelta(seconds=1) if day and values[day] else when


# -- series ------------------------------------------------------------------------------------------------------------


def repeat_is_a_rule(batch: Batch) -> None:
    """A repeated activity begins a series; a rule that is changed begins a new one from here on."""
    if not writes(batch) or undoes(batch):
        return
    moment, day = WHEN[batch.rt.slug]
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
            rule = repeating.normalised(text) if text else ""
        except repeating.BadRule as problem:
            draft.error("repeat", "invalid", str(problem))
            continue
        draft.set("repeat", rule)
        if "repeat" not in draft.changed:
            continue
        when = draft.after[moment]
        if rule and when is None:
            draft.error("repeat", "needs_time", _("What repeats needs a time to begin with."))
            continue
        known = known or zones(batch)
        if rule and when is not None:
            on = draft.after[day] if day else None
            rule = repeating.completed(rule, on or repeating.local(when, known[draft.after["assignee"]]).date())
            draft.set("repeat", rule)
        begin_series(draft, rule, draft.after[day] if day else None, when, known[draft.after["assignee"]])


def begin_series(draft: Draft, rule: str, on: date | None, when: datetime | None, zone: ZoneInfo) -> None:
    start = on.isoformat() if on else repeating.local(when, zone).isoformat(timespec="minutes") if when else ""
    values = {
        "series": str(uuid4()) if rule else "",
        "series_start": start if rule else "",
        "series_zone": zone.key if rule else "",
        "occurrence": 1 if rule else None,
    }
    for slug, value in values.items():
        draft.set(slug, value)


def series_goes_on(batch: Batch) -> None:
    """After a write: what follows in the series of the rows is there, what no longer follows is not."""
    if undoes(batch) or batch.action in {"trash", "restore"}:
        return
    noun = batch.rt.slug
    for draft in batch.drafts:
        if draft.record is None:
            continue
        if batch.action == "update" and draft.before["series"] and draft.before["series"] != draft.after["series"]:
            end_series(batch, draft)
        if not draft.after["series"] or batch.details.get("series") is not None:
            continue
        if noun == "meeting":
            if draft.before["series"] != draft.after["series"]:
                meetings_ahead(batch.actor, batch.rt, draft.after, batch.at, **together(batch))
        elif "done" in draft.changed and draft.after["done"]:
            next_made(batch.actor, batch.rt, draft.after, batch.at, **together(batch))


def together(batch: Batch) -> dict[str, Any]:
    """What makes a further write part of this one."""
    return {"change_set": batch.change_set, "source": batch.source}


def end_series(batch: Batch, draft: Draft) -> None:
    """What was planned after this in the old series goes to the trash."""
    number = draft.before["occurrence"] or 0
    gone = batch.rt.rows.filter(
        series=draft.before["series"], occurrence__gt=number, deleted_at=None, done=False
    ).values_list("pk", flat=True)
    ids = list(gone)
    if ids:
        writing.trash(maker(batch.actor), batch.rt, ids, change_set=batch.change_set, source=batch.source)


def maker(actor: Actor) -> Actor:
    """The one who makes a series go on is never stopped by what he may not add: he may do what makes it go on."""
    return replace(actor, permissions=EVERYTHING, scopes=None)


def series_of(values: Mapping[str, Any]) -> tuple[str, datetime, ZoneInfo]:
    return values["repeat"], datetime.fromisoformat(values["series_start"]), zone(values["series_zone"])


def next_made(
    actor: Actor,
    rt: RecordType,
    values: Mapping[str, Any],
    now: datetime,
    *,
    change_set: ChangeSet | None = None,
    source: str = "ui",
) -> bool:
    """Make the one after this in its series, unless there is a later one already or the series has ended.

    Those whose time went by meanwhile are left out.
    """
    rule, start, zone = series_of(values)
    number = values["occurrence"]
    if rt.rows.filter(series=values["series"], occurrence__gt=number, deleted_at=None).exists():
        return False
    found = repeating.after(rule, start, number, max(repeating.local(now, zone), number_time(rule, start, number)))
    if found is None:
        return False
    make(actor, rt, values, [found], change_set=change_set, source=source)
    return True


def number_time(rule: str, start: datetime, number: int) -> datetime:
    return next((moment for one, moment in repeating.times(rule, start) if one == number), start)


def meetings_ahead(
    actor: Actor,
    rt: RecordType,
    values: Mapping[str, Any],
    now: datetime,
    *,
    change_set: ChangeSet | None = None,
    source: str = "ui",
) -> int:
    """Make the meetings of a series that come after this one, up to the horizon; says how many."""
    rule, start, zone = series_of(values)
    end = repeating.local(now, zone) + HORIZON
    found = repeating.between(rule, start, values["occurrence"], end, MOST_AHEAD)
    if found:
        make(actor, rt, values, found, change_set=change_set, source=source)
    return len(found)


def series_is_watched(batch: Batch) -> None:
    """After a write: the last meeting of a series has the timer that makes the next ones when their time comes near."""
    drafts = [draft for draft in batch.drafts if draft.record and draft.after["series"]]
    if not drafts:
        return
    rows = batch.rt.rows.filter(series__in={draft.after["series"] for draft in drafts}).order_by()
    last = dict(rows.values_list("series").annotate(Max("occurrence")))
    due: list[tuple[UUID, datetime | None]] = []
    for draft in drafts:
        values, when = draft.after, None
        if batch.action != "trash" and values["occurrence"] >= last[values["series"]]:
            rule, start, zone = series_of(values)
            beyond = repeating.after(rule, start, values["occurrence"], datetime.min)
            when = repeating.instant(beyond[1], zone) - HORIZON if beyond else None
        due.append((draft.record.pk, when) if draft.record else (UUID(int=0), None))
    timers.schedule_many("meeting_series", batch.rt.slug, due)


def make(
    actor: Actor,
    rt: RecordType,
    values: Mapping[str, Any],
    found: Sequence[repeating.Occurrence],
    *,
    change_set: ChangeSet | None,
    source: str,
) -> None:
    """Make those of a series like the one of ``values``, on what is still there, with who is still here."""
    moment, day = WHEN[rt.slug]
    zone = series_of(values)[2]
    all_day = "T" not in values["series_start"]
    by = maker(actor)
    carried = {slug: values[slug] for slug in CARRIED if slug in rt.by_slug}
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
    rows, series = [], []
    for number, local in found:
        when = {day: local.date()} if all_day else {moment: repeating.instant(local, zone)}
        rows.append({**carried, **when, "done": False})
        series.append({**{slug: values[slug] for slug in SERIES}, "occurrence": number, "repeat": values["repeat"]})
    writing.create_many(
        by,
        rt,
        rows,
        change_set=change_set,
        source=source,
        details={"series": series},
    )


def one_of_each_time(batch: Batch) -> None:
    """What comes back from the trash does not stand beside another of the same time in its series."""
    if batch.action != "restore":
        return
    for draft in batch.drafts:
        if (
            draft.after["series"]
            and batch.rt.rows.filter(
                series=draft.after["series"], occurrence=draft.after["occurrence"], deleted_at=None
            ).exists()
        ):
            draft.error("", "occurs_twice", _("This time of the series has been planned anew meanwhile."))
