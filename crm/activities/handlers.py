"""What members are told when something becomes theirs, or when they are to come."""

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.activities import rules
from crm.activities.notification_kinds import (
    ASSIGNED,
    MEETING_CANCELLED,
    MEETING_INVITED,
    MEETING_MOVED,
    MEETING_REPLIED,
    MENTIONED,
)
from crm.records.access.visibility import may_read
from crm.records.events import timers
from crm.records.models import Event
from crm.records.read import reading
from crm.records.schema.kinds import Kind
from crm.records.schema.mentions import mentioned, plain
from crm.records.schema.registry import registry
from crm.records.write.undo import is_undone
from crm.workspace.actors import actor_for_member
from crm.workspace.notifications.notify import notify
from crm.workspace.text.formats import date_text, moment_text
from tenants.actors import TenantRef

# Work in the background tells by itself, once at its end.
MAX_TOLD = 5000
QUIET_SOURCES = frozenset({"sample", "import", "bulk", "hand_over"})


def assignment_told(tenant: TenantRef, event: Event) -> None:
    """Tell a member that somebody else gave them a task or a record; of many in one change they are told once, how
    many, and of a series of its first one only."""
    if event.record_type not in registry:
        return
    record_type = registry.get(event.record_type)
    holder = event.after.get(record_type.owner_field) if record_type.owner_field else None
    change = event.change_set
    if not holder or change.source in QUIET_SOURCES or str(change.member_id) == holder or change.undo_of_id:
        return
    if (event.after.get("occurrence") or 1) > 1:
        return
    together = Event.objects.filter(change_set=change, type=event.type, **{f"after__{record_type.owner_field}": holder})
    if event.position is not None and together.filter(position__gt=event.position).exists():
        return
    member_id = UUID(holder)
    actor = actor_for_member(tenant, member_id)
    if actor is None or is_undone(change):
        return
    seen = reading.visible(actor, record_type).filter(
        pk__in=together.values("record_id"), **{record_type.field(record_type.owner_field).column: member_id}
    )
    count = seen.count()
    record = seen.first() if count == 1 else None
    if not count:
        return

    def title() -> str:
        facts = {
            "who": change.actor_label,
            "noun": record_type.label,
            "nouns": record_type.label_plural,
            "count": count,
        }
        if record is None:
            return _("%(who)s made %(count)d %(nouns)s yours") % {
                **facts,
                "nouns": str(record_type.label_plural).lower(),
            }
        facts["title"] = record_type.title_of(record)
        if record_type.slug == "task":
            return _("%(who)s gave you a task: %(title)s") % facts
        return _("%(who)s made you the owner: %(noun)s %(title)s") % facts

    notify(
        [member_id],
        kind=ASSIGNED,
        key=f"assigned:{change.pk}:{event.type}",
        title=title,
        record_type=record_type.slug,
        record_id=record.pk if record else None,
        count=count,
        change_id=change.pk,
    )


def invitation_told(tenant: TenantRef, event: Event) -> None:
    """Tell members that they are asked to a meeting that is still to come, or that it is moved or off; of several
    meetings of a series once."""
    change, record_type = event.change_set, registry.get("meeting")
    if change.source in QUIET_SOURCES:
        return
    meeting = record_type.rows.filter(pk=event.record_id, done=False).first()
    if meeting is None or (meeting.deleted_at is not None) != (event.type == "meeting.trashed"):
        return
    words = {
        MEETING_INVITED: gettext_lazy("%(who)s invites you: %(title)s"),
        MEETING_MOVED: gettext_lazy("%(who)s moved a meeting: %(title)s"),
        MEETING_CANCELLED: gettext_lazy("%(who)s called a meeting off: %(title)s"),
    }
    news = news_of(meeting, event)
    if not news or is_undone(change):
        return
    for member_id, kind in sorted(news.items()):
        actor = actor_for_member(tenant, member_id)
        if actor is None or not reading.visible(actor, record_type, trashed="include").filter(pk=meeting.pk).exists():
            continue
        with timezone.override(actor.time_zone):
            notify(
                [member_id],
                kind=kind,
                key=f"{kind}:{meeting.series or meeting.pk}:{change.pk}",
                title=words[kind] % {"who": change.actor_label, "title": meeting.name},
                body=lambda: (
                    moment_text(meeting.starts_at) if meeting.starts_on is None else date_text(meeting.starts_on)
                ),
                record_type="meeting",
                record_id=None if kind == MEETING_CANCELLED else meeting.pk,
                change_id=change.pk,
            )


def news_of(meeting: Any, event: Event) -> dict[UUID, str]:
    """What kind of news an event of a meeting is, for each member among its guests but who made it."""
    guests = {UUID(one["id"]) for one in meeting.guests if one["type"] == "member"} - {event.change_set.member_id}
    ahead = meeting.starts_at > timezone.now()
    match event.type:
        case "meeting.created" if (event.after.get("occurrence") or 1) > 1:
            return {}
        case "meeting.created" | "meeting.updated":
            known = {one["id"] for one in event.before.get("guests") or ()}
            fresh = {UUID(one["id"]) for one in event.after.get("guests") or () if one["id"] not in known} & guests
            moved = guests - fresh if has_moved(meeting, event) else set()
            return dict.fromkeys(fresh, MEETING_INVITED) | dict.fromkeys(moved, MEETING_MOVED)
        case "meeting.trashed" if ahead:
            return dict.fromkeys(guests, MEETING_CANCELLED)
        case "meeting.restored" if ahead:
            return dict.fromkeys(guests, MEETING_INVITED)
    return {}


def has_moved(meeting: Any, event: Event) -> bool:
    """Whether an event has put a meeting that is still to come to another time; whole days are moved by their day."""
    begin = {"starts_on"} if meeting.starts_on else {"starts_at", "starts_on"}
    return event.type == "meeting.updated" and not begin.isdisjoint(event.after) and meeting.starts_at > timezone.now()


def reply_told(tenant: TenantRef, event: Event) -> None:
    """Tell whoever holds a meeting what a guest answered; of several meetings of a series once."""
    change, record_type, reply = event.change_set, registry.get("meeting"), event.after["guests"][0]["reply"]
    meeting = record_type.rows.filter(pk=event.record_id, deleted_at=None).first()
    holder = (meeting.assignee_id or meeting.created_by_id) if meeting is not None else None
    if meeting is None or holder is None or holder == change.member_id:
        return
    actor = actor_for_member(tenant, holder)
    if actor is None or not may_read(actor, record_type, "guests"):
        return
    if not reading.visible(actor, record_type).filter(pk=meeting.pk).exists():
        return

    def title() -> str:
        said = {
            "accepted": _("%(who)s comes: %(title)s"),
            "tentative": _("%(who)s perhaps comes: %(title)s"),
            "declined": _("%(who)s does not come: %(title)s"),
        }
        return said[reply] % {"who": change.actor_label, "title": meeting.name}

    if reply == "none" or is_undone(change):
        return
    with timezone.override(actor.time_zone):
        notify(
            [holder],
            kind=MEETING_REPLIED,
            key=f"meeting_replied:{change.pk}",
            title=title,
            body=lambda: moment_text(meeting.starts_at) if meeting.starts_on is None else date_text(meeting.starts_on),
            record_type="meeting",
            record_id=meeting.pk,
            change_id=change.pk,
        )


def mentions_told(tenant: TenantRef, event: Event) -> None:
    """Tell members that a text mentions them, once a record, as far as they may see it and did not write it."""
    if event.record_type not in registry:
        return
    record_type, change = registry.get(event.record_type), event.change_set
    if change.source in QUIET_SOURCES:
        return
    texts = [field.slug for field in record_type.fields if field.kind is Kind.LONG_TEXT and field.slug in event.after]
    after = {slug: str(event.after[slug] or "") for slug in texts}
    new = {
        slug: mentioned(text) - mentioned(str(event.before.get(slug) or "")) - {change.member_id}
        for slug, text in after.items()
    }
    if not any(new.values()):
        return
    record = record_type.rows.filter(pk=event.record_id, deleted_at=None).first()
    if record is None or is_undone(change):
        return
    called = "" if record_type.title in new else record_type.title_of(record)

    def title() -> str:
        facts = {"who": change.actor_label, "noun": str(record_type.label).lower(), "title": called}
        if called:
            return _("%(who)s mentioned you: %(title)s") % facts
        return _("%(who)s mentioned you in a %(noun)s") % facts

    for slug, ids in new.items():
        for member_id in ids:
            actor = actor_for_member(tenant, member_id)
            if actor is None or not may_read(actor, record_type, slug):
                continue
            if not reading.visible(actor, record_type).filter(pk=record.pk).exists():
                continue
            notify(
                [member_id],
                kind=MENTIONED,
                key=f"mentioned:{record.pk}",
                title=title,
                body=excerpt(plain(after[slug])),
                record_type=record_type.slug,
                record_id=record.pk,
                change_id=change.pk,
            )


def excerpt(text: str) -> str:
    """A text as an inbox shows it: whole, but for one that is as long as a chapter."""
    return text if len(text) <= MAX_TOLD else f"{text[:MAX_TOLD]}…"


def clocks_followed(tenant: TenantRef, event: Event) -> None:
    """Look again at timers whose time follows from a setting that has changed: after how many hours a manager is told,
    and in whose time zone a whole day begins and ends."""
    if event.type == "settings.updated" and "escalation_hours" in event.after:
        timers.look_again(one for one in timers.kinds if one.endswith("_escalation"))
    moved = event.after.get("time_zone") != event.before.get("time_zone")
    if not moved:
        return
    whose = Q(assignee__time_zone="") if event.type == "settings.updated" else Q(assignee_id=event.record_id)
    for noun, (_moment, day) in rules.WHEN.items():
        if day:
            whole = registry.get(noun).rows.filter(whose, deleted_at=None, done=False, **{f"{day}__isnull": False})
            kinds = [kind for kind, one in timers.kinds.items() if kind.startswith(f"{noun}_") and not one.alone]
            timers.look_again(kinds, whole.values_list("pk", flat=True))
