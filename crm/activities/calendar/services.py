"""An activity put at another time on the calendar."""

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from crm.activities.rules import DAY, WHEN
from crm.records.errors import FieldError, Invalid
from crm.records.read import reading
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.gate import Change
from tenants.actors import Actor

TIMED_MINUTES = 60


def activity_move(
    actor: Actor,
    *,
    noun: str,
    id: UUID | str,
    day: date,
    minute: int | None = None,
    all_day: bool = False,
    minutes: int | None = None,
    seen_version: int | None = None,
    source: str = "ui",
) -> Change:
    """Put a task, call or meeting on ``day`` of the actor's calendar.

    With ``minute`` it begins so many minutes into the day by the clock on the wall, with ``all_day`` it has no time of
    day; with neither it keeps what it has. ``minutes`` is a new length. Raises Invalid, among others for a time that
    the day leaves out, and VersionConflict.
    """
    record_type = registry.get(noun)
    moment, whole = WHEN[noun]
    record = reading.get_record(actor, record_type, id, action="edit")
    on: date | None = getattr(record, whole) if whole else None
    values: dict[str, Any] = {}
    if all_day or (minute is None and on is not None):
        if not whole:
            raise Invalid([FieldError(moment, "needs_time", _("A call has a time of day."))])
        values[whole] = day
    else:
        now: datetime | None = getattr(record, moment)
        clock = _clock(minute) if minute is not None else _local_clock(actor, now)
        values[moment] = datetime.combine(day, clock).isoformat(timespec="minutes")
        if on is not None:
            values[whole] = None
            values["minutes"] = minutes or (TIMED_MINUTES if (record.minutes or DAY) % DAY == 0 else record.minutes)
    if minutes is not None:
        values["minutes"] = minutes
    return gate.update(actor, record_type, record.pk, values, seen_version=seen_version, source=source)


def _clock(minute: int) -> time:
    return (datetime.min + timedelta(minutes=min(max(minute, 0), DAY - 1))).time()


def _local_clock(actor: Actor, moment: datetime | None) -> time:
    local = moment.astimezone(actor.time_zone) if moment else None
    return local.time().replace(second=0, microsecond=0) if local else time(9)
