"""What must hold of tasks, calls, meetings, emails and notes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.activities.models import Place
from crm.activities.series import recurrence
from crm.activities.visibility import NOUNS
from crm.records.events import timers
from crm.records.schema.field import MEMBER_TARGET
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write.batch import Batch, Draft
from crm.records.write.row_values import snapshot
from crm.workspace.configuration import workspace_settings
from crm.workspace.models import Member
from tenants.actors import Actor, ActorKind, TenantRef
from tenants.workspaces.locales import zone

UNDATED = datetime(9999, 1, 1, tzinfo=UTC)
"""When an open activity without a time is planned for: after all that have one."""
WHEN = {"task": ("due_at", "due_on"), "call": ("starts_at", ""), "meeting": ("starts_at", "starts_on")}
"""Of each noun the moment it is planned for, and the day where it may be meant as a whole."""
CLOCKS_DIFFER = timedelta(minutes=5)
WATCHED = frozenset({"due_at", "due_on", "starts_at", "starts_on", "minutes", "reminder", "done", "assignee", "repeat"})
DAY = 24 * 60
SLACK = timedelta(minutes=1)
"""How far clocks may differ before what they say is still to come."""
REMINDED_FROM = time(9)
"""From when the reminder of something that lasts all day counts back."""
MEND_AT_ONCE = 1000


def writes(batch: Batch) -> bool:
    return batch.action in {"create", "update"}


def undoes(batch: Batch) -> bool:
    """What an undo brings back is whole already: nothing follows from it."""
    return batch.change_set.undo_of_id is not None


def zones(batch: Batch) -> dict[UUID | None, ZoneInfo]:
    """The time zones of the assignees of a batch; the workspace's for nobody's."""
    found: dict[UUID | None, ZoneInfo] = {None: zone(batch.actor.tenant.time_zone)}
    if batch.actor.kind is ActorKind.MEMBER:
        found[batch.actor.member_id] = batch.actor.time_zone
    others = {draft.after["assignee"] for draft in batch.drafts} - found.keys()
    if others:
        for pk, name in Member.objects.filter(pk__in=others).values_list("pk", "time_zone"):
            found[pk] = zone(name) if name else found[None]
    return found


def zone_of(actor: Actor, member_id: UUID | None) -> ZoneInfo:
    """The time zone of somebody's assignee; the workspace's for nobody's."""
    if actor.kind is ActorKind.MEMBER and member_id == actor.member_id:
        return actor.time_zone
    own = Member.objects.filter(pk=member_id).values_list("time_zone", flat=True).first() if member_id else ""
    return zone(own or actor.tenant.time_zone)


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


def sync_links(batch: Batch) -> None:
    """After a write: bring what timelines and plans are read from to what the activities say."""
    noun = batch.record_type.slug
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
        record_type, after = registry.get(noun), UUID(int=0)
        while True:
            with transaction.atomic():
                rows = list(
                    record_type.rows.filter(pk__gt=after).order_by("pk").select_for_update(of=("self",))[:MEND_AT_ONCE]
                )
                if not rows:
                    break
                after = rows[-1].pk
                mended += _mend(noun, record_type, rows)
    return mended


def _mend(noun: str, record_type: RecordType, rows: Sequence[Any]) -> int:
    def facts(place: Place) -> tuple[Any, ...]:
        return (place.about_type, place.about_id, place.at, place.planned_at)

    there: dict[UUID, list[Place]] = {}
    for place in Place.objects.filter(activity_id__in=[row.pk for row in rows]):
        there.setdefault(place.activity_id, []).append(place)
    wrong, right = [], []
    for row in rows:
        places = places_of(noun, row, snapshot(record_type, row), row.updated_at, gone=row.deleted_at is not None)
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
    moment, day = WHEN[batch.record_type.slug]
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
            follows = day_moment(batch.record_type.slug, on, known[draft.after["assignee"]])
            if contradicts(draft, moment, day, follows):
                problem = _(
                    "Give a day or a time, not both: what lasts all day has the time that follows from its day."
                )
                draft.error(moment, "day_or_time", problem)
            draft.set(moment, follows)


def contradicts(draft: Draft, moment: str, day: str, follows: datetime) -> bool:
    """Whether a time was given beside a day, and another one than the day has and the record had."""
    if not {moment, day} <= draft.given or "series" in draft.batch.details:
        return False
    return draft.after[moment] not in (None, follows, draft.before[moment])


def reminders_have_a_time(batch: Batch) -> None:
    """There is nothing to count back from without one."""
    moment = WHEN[batch.record_type.slug][0]
    if not writes(batch) or undoes(batch) or "series" in batch.details:
        return
    for draft in batch.drafts:
        if "reminder" in draft.given and draft.after["reminder"] is not None and draft.after[moment] is None:
            draft.error("reminder", "needs_time", _("A reminder needs a time to count back from."))


def day_moment(noun: str, on: date, zone: ZoneInfo) -> datetime:
    """A task is due at the end of its day, a meeting begins with it."""
    return recurrence.day_ends(on, zone) if noun == "task" else recurrence.day_begins(on, zone)


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
        if draft.after["starts_at"] is None and batch.record_type.slug == "call":
            draft.set("starts_at", draft.at)
        if "done" not in draft.given and draft.after["starts_at"] is not None:
            draft.set("done", draft.after["starts_at"] <= draft.at)


def calls_to_come_have_no_outcome(batch: Batch) -> None:
    """An outcome is of a call that was held. One that is ticked off before its time was held now; one that is put off
    has none any more."""
    if not writes(batch) or undoes(batch):
        return
    now = timezone.now()
    for draft in batch.drafts:
        values = draft.after
        if values["starts_at"] is None or values["starts_at"] <= now + SLACK:
            continue
        if not draft.changed & {"starts_at", "done", "outcome"}:
            continue
        timed = "starts_at" in draft.given and "starts_at" in draft.changed
        if values["outcome"] and values["done"] and timed:
            draft.error("starts_at", "still_to_come", _("A call that has an outcome cannot be still to come."))
        elif values["outcome"] and values["done"]:
            draft.set("starts_at", now.replace(microsecond=0))
        elif values["outcome"] and "outcome" in draft.given:
            problem = _("A call that is still to come has no outcome yet. Tick it off, or choose the time when it was.")
            draft.error("outcome", "still_to_come", problem)
        elif values["outcome"]:
            draft.set("outcome", "")


def emails_have_a_time(batch: Batch) -> None:
    """What was written was sent or received by now."""
    for draft in batch.drafts:
        if batch.action == "create" and draft.after["sent_at"] is None:
            draft.set("sent_at", draft.at)
        sent_at = draft.after["sent_at"] if "sent_at" in draft.given and "sent_at" in draft.changed else None
        if sent_at is not None and sent_at > draft.at + CLOCKS_DIFFER:
            draft.error("sent_at", "in_the_future", _("This cannot have been sent in the future."))


def name_is_given(batch: Batch) -> None:
    for draft in batch.drafts:
        if writes(batch) and not draft.after["name"]:
            draft.set("name", str(batch.record_type.label))


def done_has_its_time(batch: Batch) -> None:
    for draft in batch.drafts:
        if "done" in draft.changed:
            draft.set("done_at", draft.at if draft.after["done"] else None)


def done_is_told(batch: Batch) -> None:
    for draft in batch.drafts:
        if writes(batch) and "done" in draft.changed and draft.after["done"]:
            draft.event(f"{batch.record_type.slug}.done", before={"done": False}, after={"done": True})


# -- guests ------------------------------------------------------------------------------------------------------------


def answered(guests: Sequence[Mapping[str, Any]], member_id: UUID | None, reply: str) -> list[dict[str, Any]] | None:
    """The guests of a meeting with a member's reply; None if they are none of them."""
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
        guests = asked_again(values["guests"], batch.actor.member_id)
        if guests != values["guests"]:
            draft.set("guests", guests)


def asked_again(guests: Sequence[Mapping[str, Any]], mover: UUID | None) -> list[dict[str, Any]]:
    """The guests of a meeting that somebody moves: without their replies, but for their own."""
    own = (MEMBER_TARGET, str(mover))
    return [dict(one) if (one["type"], str(one["id"])) == own else {**one, "reply": "none"} for one in guests]


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
    noun = batch.record_type.slug
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
    begins = recurrence.instant(datetime.combine(on, REMINDED_FROM), zone) if on else values[moment]
    return begins - timedelta(minutes=values["reminder"]) if begins else None


def late_from(noun: str, values: Mapping[str, Any]) -> datetime:
    """From when something is overdue: from its time on; what lasts all day, from the end of its day on."""
    moment, day = WHEN[noun]
    when: datetime = values[moment]
    return when + timedelta(seconds=1) if day and values[day] else when
