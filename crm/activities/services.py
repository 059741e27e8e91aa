"""What is done with activities beyond writing them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.activities import rules
from crm.activities.notification_kinds import MEETING_INVITED, MEETING_MOVED
from crm.activities.series.following import series_answer
from crm.activities.series.occurrences import next_made
from crm.records.errors import FieldError, Forbidden, Invalid
from crm.records.models import ChangeSet, Event
from crm.records.read import reading
from crm.records.schema.registry import registry
from crm.records.write import gate, row_values
from crm.records.write.gate import Change
from crm.workspace.notifications.selectors import notifications_of
from crm.workspace.notifications.services import notifications_mark_read
from tenants.actors import Actor


def activity_done(
    actor: Actor,
    *,
    noun: str,
    id: UUID | str,
    done: bool = True,
    outcome: str | None = None,
    source: str = "ui",
) -> Change:
    """Tick a task, a call or a meeting off, or open it again."""
    values: dict[str, Any] = {"done": done}
    if outcome is not None:
        values["outcome"] = outcome
    return gate.update(actor, registry.get(noun), id, values, source=source)


def activity_followed(
    actor: Actor,
    *,
    noun: str,
    id: UUID | str,
    change_id: UUID | str | None = None,
    outcome: str = "",
    next_noun: str = "",
    next_values: Mapping[str, Any] | None = None,
    source: str = "ui",
) -> Change:
    """Tick off with what came of it, and plan what is next on the same records, as one change.

    ``change_id`` is the change that has just ticked it off: it is gone on with, so that one undo takes all of it back.
    """
    record_type = registry.get(noun)
    with transaction.atomic():
        record = reading.get_record(actor, record_type, id, action="edit")
        record_type.rows.select_for_update(of=("self",), no_key=True).get(pk=record.pk)  # an undo meanwhile waits
        change_set = going_on(actor, record.pk, change_id)
        values: dict[str, Any] = {"done": True}
        if outcome:
            values["outcome"] = outcome
        change = gate.update(actor, record_type, record.pk, values, change_set=change_set, source=source)
        if next_noun:
            about = {"type": record.about_type, "id": record.about_id} if record.about_id else None
            seen = reading.titles(actor, [(one["type"], UUID(str(one["id"]))) for one in record.also])
            also = [one for one in record.also if (one["type"], UUID(one["id"])) in seen]
            planned = {"about": about, "also": also, **(next_values or {})}
            if next_noun != "task":
                planned["done"] = False
            gate.create(actor, registry.get(next_noun), planned, change_set=change.change_set, source=source)
        return change


def going_on(actor: Actor, record_id: UUID, change_id: UUID | str | None) -> ChangeSet | None:
    """The change to go on with: the actor's own that did something to the record and has not been undone."""
    if not change_id:
        return None
    return ChangeSet.objects.filter(
        pk=change_id,
        member=actor.member_id,
        undo_of=None,
        undone_by=None,
        pk__in=Event.objects.filter(record_id=record_id).values("change_set_id"),
    ).first()


def occurrence_skip(actor: Actor, *, noun: str, id: UUID | str, source: str = "ui") -> Change:
    """Leave out this time of a series: it goes to the trash, and the one after it is there."""
    record_type = registry.get(noun)
    with transaction.atomic():
        record = reading.get_record(actor, record_type, id, action="delete")
        values = row_values.snapshot(record_type, record)
        change = gate.trash(actor, record_type, record.pk, source=source)
        if record.series:
            next_made(actor, record_type, values, timezone.now(), change_set=change.change_set, source=source)
        return change


REPLIES = ("accepted", "tentative", "declined")


def meeting_reply(actor: Actor, *, id: UUID | str, reply: str, following: bool = False, source: str = "ui") -> Change:
    """Answer a meeting that the actor is invited to, and with ``following`` those that come after it in its series.

    Being its guest is what it takes: no right to edit. Raises Forbidden for others, NotFound for who may not see it.
    """
    record_type = registry.get("meeting")
    reading.get_record(actor, record_type, id)
    if reply not in REPLIES:
        raise Invalid([FieldError("guests", "unknown_choice", _("Answer accepted, tentative or declined."))])
    if actor.scopes is not None and "meeting:write" not in actor.scopes:
        raise Forbidden
    with transaction.atomic():
        record = reading.get_record(actor, record_type, id)
        rows = record_type.rows.filter(pk=record.pk, deleted_at=None)
        if following and record.series:
            later = record_type.rows.filter(
                series=record.series, occurrence__gt=record.occurrence, deleted_at=None, done=False
            )
            rows = later | rows
        locked = rows.select_for_update(of=("self",), no_key=True).order_by("pk")
        invited = {row.pk: row for row in locked if rules.answered(row.guests, actor.member_id, reply) is not None}
        if record.pk not in invited:
            raise Forbidden(_("Only who is invited to a meeting can answer."))
        asked = notifications_of(actor).filter(kind__in=[MEETING_INVITED, MEETING_MOVED], record_id__in=invited)
        notifications_mark_read(actor, ids=list(asked.values_list("id", flat=True)))
        return series_answer(actor, record_type, invited.values(), reply, only=not following, source=source)


def series_end(actor: Actor, *, noun: str, id: UUID | str, source: str = "ui") -> Change:
    """Let a series end with this one; what was planned after it goes to the trash."""
    return gate.update(actor, registry.get(noun), id, {"repeat": ""}, source=source)
