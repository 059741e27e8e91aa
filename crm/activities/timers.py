"""What happens by itself at a time: reminders, what is overdue, what a manager is told, and series that go on."""

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime, timedelta
from functools import cache, partial
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from crm.activities import rules
from crm.activities.notification_kinds import ESCALATION, REMINDER, TASK_OVERDUE
from crm.activities.series import occurrences
from crm.records.access.visibility import may_read, visible
from crm.records.events import timers
from crm.records.events.timers import Due
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write.row_values import snapshot
from crm.workspace.actors import actors_for_members, system_actor
from crm.workspace.models import Member
from crm.workspace.notifications import notify
from crm.workspace.notifications.notify import notify_each
from crm.workspace.text.formats import date_text, minutes_text, moment_text
from tenants.actors import Actor, TenantRef
from tenants.db.prepared import Among, PreparedInstances
from tenants.workspaces.locales import zone

GRACE = timedelta(minutes=1)
"""A reminder that fires so late is still worth telling after the thing itself began."""


@cache
def open_ones(record_type: RecordType) -> PreparedInstances[Any]:
    """The statement that reads open activities with their assignees."""
    return PreparedInstances(
        lambda ids: record_type.rows.filter(
            Among.of("pk", ids), done=False, deleted_at=None, assignee__isnull=False
        ).order_by(),
        list,
        related=("assignee",),
    )


def waiting(noun: str, due: Sequence[Due]) -> list[Any]:
    """Those of the activities that are open and have an assignee."""
    return open_ones(registry.get(noun)).all([one.record_id for one in due])


def now_due(noun: str, record: Any, tenant: TenantRef) -> dict[str, Any]:
    """The values of an activity with its moment as it is now: a whole day moves with its assignee's zone."""
    values = snapshot(registry.get(noun), record)
    moment, day = rules.WHEN[noun]
    if day and values[day]:
        values[moment] = rules.day_moment(noun, values[day], zone_of(record.assignee, tenant))
    return values


def zone_of(member: Member, tenant: TenantRef) -> Any:
    return zone(member.time_zone or tenant.time_zone)


type Moments = list[tuple[Any, datetime]]
"""Activities, each with a moment."""


def come(kind: str, noun: str, moments: Moments) -> Moments:
    """Those whose time has come; of the others, whose time has moved meanwhile, the timer is set again."""
    now = timezone.now()
    later = [(record.pk, at) for record, at in moments if at > now]
    if later:
        timers.schedule_many(kind, noun, later)
    return [(record, at) for record, at in moments if at <= now]


def late(noun: str, tenant: TenantRef, due: Sequence[Due]) -> Moments:
    """The open ones that have a time, each with the moment from which on it is overdue."""
    moment, _day = rules.WHEN[noun]
    found = [one for one in waiting(noun, due) if getattr(one, moment) is not None]
    return [(record, rules.late_from(noun, now_due(noun, record, tenant))) for record in found]


def overdue(noun: str, tenant: TenantRef, due: Sequence[Due]) -> None:
    """Tell the assignees of what is still open at its time."""

    def title(record: Any, reader: Actor) -> str:
        return _("Overdue: %(task)s") % {"task": record.name}

    found = come(f"{noun}_overdue", noun, late(noun, tenant, due))
    told(tenant, noun, TASK_OVERDUE, [(record.assignee_id, record, at, partial(title, record)) for record, at in found])


def escalation(noun: str, tenant: TenantRef, due: Sequence[Due]) -> None:
    """Tell the managers, once for a due time, of what their reports have left open for so long."""

    def title(record: Any, name: str, reader: Actor) -> str:
        return _("Overdue with %(name)s: %(task)s") % {"name": name, "task": record.name}

    after = rules.escalated_after(tenant)
    found = come(f"{noun}_escalation", noun, [(record, at + after) for record, at in late(noun, tenant, due)])
    by_id: dict[UUID, Member] = {}
    tellings: list[Telling] = []
    for record, at in found:
        member = by_id.setdefault(record.assignee_id, record.assignee)
        manager = manager_of(member)
        if manager is not None:
            tellings.append((manager.pk, record, at - after, partial(title, record, member.name)))
    told(tenant, noun, ESCALATION, tellings)


def manager_of(member: Member) -> Member | None:
    """Who is told: the manager, or the next above them who is here and is not the member themselves."""
    seen = {member.pk}
    above = member.manager
    while above is not None and above.pk not in seen:
        if above.is_active:
            return above
        seen.add(above.pk)
        above = above.manager
    return None


def reminder(noun: str, tenant: TenantRef, due: Sequence[Due]) -> None:
    """Remind the assignees, and of a meeting the members who have not declined it."""

    moment, day = rules.WHEN[noun]

    def title(record: Any, reader: Actor) -> str:
        if not all(may_read(reader, registry.get(noun), slug) for slug in ("reminder", moment)):
            return _("Reminder: %(what)s") % {"what": record.name}
        with timezone.override(reader.time_zone):
            on = getattr(record, day) if day else None
            said = day_reminded(on) if on else time_reminded(getattr(record, moment))
        return said % {"what": record.name}

    found = waiting(noun, due)
    values = {record.pk: now_due(noun, record, tenant) for record in found}
    reminded = [(one, rules.reminded_at(noun, values[one.pk], zone_of(one.assignee, tenant))) for one in found]
    come_now = come(f"{noun}_reminder", noun, [(record, at) for record, at in reminded if at is not None])
    tellings: list[Telling] = []
    for record, at in come_now:
        if noun != "task" and values[record.pk][moment] < timezone.now() - GRACE:
            continue
        people = [record.assignee_id, *guests_of(values[record.pk])]
        tellings += [(one, record, at, partial(title, record)) for one in people]
    told(tenant, noun, REMINDER, tellings)


def time_reminded(when: datetime) -> str:
    """How long it is until then as it is told, and when that is, for whoever reads it later."""
    now = timezone.now()
    minutes = round((when - now) / timedelta(minutes=1))
    facts = {"long": minutes_text(abs(minutes)), "when": moment_text(when)}
    if minutes > 0:
        said = _("In %(long)s, %(when)s") % facts
    else:
        said = _("%(long)s ago, %(when)s") % facts if minutes else _("Now, %(when)s") % facts
    return said.replace("%", "%%") + ": %(what)s"


def day_reminded(on: date) -> str:
    """Of what lasts all day, its day: today, tomorrow, or which one."""
    away = (on - timezone.localdate()).days
    said = {0: _("Today"), 1: _("Tomorrow")}.get(away, date_text(on))
    return said.replace("%", "%%") + ": %(what)s"


def guests_of(values: dict[str, Any]) -> list[UUID]:
    return [
        one["id"]
        for one in values.get("guests") or ()
        if one["type"] == "member" and one["reply"] != "declined" and one["id"] != values["assignee"]
    ]


type Telling = tuple[UUID, Any, datetime, Callable[[Actor], str]]
"""Who is told of which activity, for which of its times, in words that follow from what they may read."""


def told(tenant: TenantRef, noun: str, kind: str, tellings: Sequence[Telling]) -> None:
    """Tell those who may see it, once for each time it is due."""
    record_type = registry.get(noun)
    readers = actors_for_members(tenant, {member_id for member_id, *_rest in tellings})
    seen: dict[UUID, Collection[UUID]] = {}
    for member_id, reader in readers.items():
        ids = [record.pk for to, record, *_rest in tellings if to == member_id]
        mine = record_type.shows_all_to(reader)
        seen[member_id] = (
            ids if mine else set(visible(reader, record_type).filter(pk__in=ids).values_list("pk", flat=True))
        )
    notify_each(
        kind,
        [
            notify.Notice(
                member_id,
                f"{kind}:{record.pk}:{at.isoformat()}",
                partial(title, readers[member_id]),
                record.description[:500] if may_read(readers[member_id], record_type, "description") else "",
                noun,
                record.pk,
            )
            for member_id, record, at, title in tellings
            if record.pk in seen.get(member_id, ())
        ],
    )


def meeting_series(tenant: TenantRef, due: Sequence[Due]) -> None:
    """Make the next meetings of series, whose last ones these are."""
    record_type = registry.get("meeting")
    for one in due:
        record = (
            record_type.rows.filter(pk=one.record_id, deleted_at=None).exclude(series="").select_for_update().first()
        )
        if record is None:
            continue
        if record_type.rows.filter(series=record.series, occurrence__gt=record.occurrence, deleted_at=None).exists():
            continue
        occurrences.meetings_ahead(
            system_actor(tenant), record_type, snapshot(record_type, record), timezone.now(), source="timer"
        )


def register() -> None:
    """Have what is due be done."""
    for noun in ("task", "call", "meeting"):
        timers.register(f"{noun}_reminder", partial(reminder, noun))
    for noun in ("task", "call"):
        timers.register(f"{noun}_overdue", partial(overdue, noun))
        timers.register(f"{noun}_escalation", partial(escalation, noun))
    timers.register("meeting_series", meeting_series, alone=True)
