"""Telling members what concerns them: one call for every kind, whatever channels each person has chosen."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import override

from crm.workspace import hours
from crm.workspace.actors import MEMBERS
from crm.workspace.hooks import record_owner
from crm.workspace.models import Member, Notification, NotificationChoices, NotificationMail
from tenants.actors import Actor, TenantRef
from tenants.db.prepared import Among, PreparedInstances
from tenants.db.scopes import current_tenant
from tenants.work.wakeups import wake

MAILS = "mails"
DIGEST = ""
"""The kind of a mail that is a digest."""
GATHERED = timedelta(seconds=10)
BETWEEN = timedelta(minutes=5)
"""At least so long between two mails of one kind to one member."""
TELL = """
    WITH said AS (
        SELECT * FROM unnest(
            %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::uuid[], %s::int[], %s::uuid[], %s::bool[],
            %s::text[]
        ) AS one (member_id, key, title, body, record_type, record_id, count, change_id, in_app, mail_kind)
    ), waiting AS (
        SELECT id, member_id, kind FROM workspace_notificationmail
        WHERE state = 'queued' AND (member_id, kind) IN (SELECT member_id, mail_kind FROM said)
        ORDER BY member_id, kind FOR UPDATE
    )
    INSERT INTO workspace_notification AS told
        (member_id, key, kind, title, body, record_type, record_id, count, change_id, in_app, mail_id)
    SELECT said.member_id, key, %s, title, body, record_type, record_id, count, change_id, in_app, waiting.id
    FROM said LEFT JOIN waiting ON waiting.member_id = said.member_id AND waiting.kind = said.mail_kind
    ON CONFLICT (member_id, key) DO UPDATE SET
        title = excluded.title, body = excluded.body, record_id = excluded.record_id, count = excluded.count,
        change_id = excluded.change_id, withdrawn_at = NULL,
        in_app = excluded.in_app, mail_id = coalesce(excluded.mail_id, told.mail_id), read_at = NULL
    WHERE told.count < excluded.count OR told.withdrawn_at IS NOT NULL
    RETURNING id, member_id, mail_id
"""

CHOICES = PreparedInstances(lambda ids: NotificationChoices.objects.filter(Among.of("member_id", ids)).order_by(), list)

type Text = str | Promise | Callable[[], str]
"""Words for people; what is lazy or a function is worded in the language of the one who is told."""


class Channel(StrEnum):
    IN_APP = "in_app"
    MAIL = "mail"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of notification. ``personal`` is always the member's own business, whoever owns the record. ``answers`` is
    the template of what can be done about it right in the inbox, for the records of which ``standing`` has something to
    say: what the reader has answered so far."""

    slug: str
    label: str | Promise
    defaults: frozenset[Channel]
    icon: str
    color: str
    personal: bool
    answers: str = ""
    standing: Callable[[Actor, Collection[UUID]], Mapping[UUID, str]] | None = None


_kinds: dict[str, Kind] = {}


def register_kind(
    slug: str,
    label: str | Promise,
    defaults: Collection[Channel],
    *,
    icon: str = "bell",
    color: str = "",
    personal: bool = True,
    answers: str = "",
    standing: Callable[[Actor, Collection[UUID]], Mapping[UUID, str]] | None = None,
) -> None:
    """Make a kind known, with the channels it takes until somebody chooses otherwise."""
    kind = Kind(slug, label, frozenset(defaults), icon, color, personal, answers, standing)
    if _kinds.setdefault(slug, kind) != kind:
        raise ValueError(f"The kind of notification {slug!r} is registered twice.")


def kinds() -> Mapping[str, Kind]:
    """The kinds there are, in the order in which they were registered."""
    return _kinds


def text_of(text: Text) -> str:
    return text() if callable(text) else str(text)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that one member is told, once for every key, and again once a change that it told of was undone."""

    member_id: UUID
    key: str
    title: Text
    body: Text = ""
    record_type: str = ""
    record_id: UUID | None = None
    count: int = 1
    change_id: UUID | None = None


def notify(
    member_ids: Collection[UUID],
    *,
    kind: str,
    key: str,
    title: Text,
    body: Text = "",
    record_type: str = "",
    record_id: UUID | None = None,
    count: int = 1,
    change_id: UUID | None = None,
) -> int:
    """Tell active members something, each once for every key; gives how many had not been told before.

    Only members who may see the record: the caller knows why they tell whom. ``count`` is how many things a single
    notification stands for: told again with a greater one, it is worded anew and unread. Without a ``record_id`` it
    leads to the list of ``record_type``. What tells of a change goes with it when that is undone.
    """
    said = (key, title, body, record_type, record_id, count, change_id)
    return notify_each(kind, [Notice(one, *said) for one in member_ids])


def notify_each(kind: str, tellings: Iterable[Notice]) -> int:
    """Like ``notify``, for many things of one kind, each to its member, in as many statements as for one."""
    if kind not in _kinds:
        raise ValueError(f"Nobody registered the kind of notification {kind!r}.")
    tenant = current_tenant()
    if tenant is None:
        raise RuntimeError("notify speaks inside a tenant's scope.")
    wanted = {(one.member_id, one.key[:200]): one for one in sorted(tellings, key=lambda one: one.count)}
    if not wanted:
        return 0
    with transaction.atomic(savepoint=False):
        members = {member.pk: member for member in MEMBERS.all([*{one for one, _key in wanted}])}
        chose = {one.member_id: one for one in CHOICES.all([*members])}
        rows: list[tuple[Any, ...]] = []
        for (member_id, key), one in sorted(wanted.items(), key=lambda item: item[0]):
            member = members.get(member_id)
            if member is None:
                continue
            choices = chose.get(member_id) or NotificationChoices(member=member)
            chose[member_id] = choices
            channels = chosen(choices, kind)
            if not channels or (choices.only_mine and not _mine(_kinds[kind], member, one.record_type, one.record_id)):
                continue
            with override(member.locale or tenant.locale):
                said = text_of(one.title)[:300], text_of(one.body)
            rows.append(
                (member_id, key, *said, one.record_type, one.record_id, one.count, one.change_id,
                 Channel.IN_APP in channels, mail_kind(kind, channels))
            )  # fmt: skip
        if not rows:
            return 0
        with connection.cursor() as cursor:
            cursor.execute(TELL, [*(list(column) for column in zip(*rows, strict=True)), kind])
            told = cursor.fetchall()
        unsent: dict[UUID, list[UUID]] = {}
        for id, member_id, mail_id in told:
            if mail_id is None:
                unsent.setdefault(member_id, []).append(id)
        for member_id, ids in unsent.items():
            choices = chose[member_id]
            of = mail_kind(kind, chosen(choices, kind))
            if of is not None and (mail := mail_for(tenant, members[member_id], choices, of)):
                Notification.objects.filter(pk__in=ids).update(mail=mail)
    return len(told)


def choices_of(member: Member) -> NotificationChoices:
    """What a member has chosen, or the defaults; read together with the member where that is possible."""
    try:
        return member.notification_choices
    except NotificationChoices.DoesNotExist:
        return NotificationChoices(member=member)


def chosen(choices: NotificationChoices, kind: str) -> frozenset[Channel]:
    """By which channels a member is told of a kind. A mail is sent at once or with the digest, never both."""
    if kind in choices.channels:
        return frozenset(Channel(one) for one in choices.channels[kind])
    return _kinds[kind].defaults if kind in _kinds else frozenset({Channel.IN_APP})


def _mine(kind: Kind, member: Member, record_type: str, record_id: UUID | None) -> bool:
    """Whether a member who wants only what is theirs is told: it is about them, or about a record of theirs."""
    if kind.personal or record_id is None:
        return True
    return bool(record_owner(record_type, record_id) == member.pk)


def mail_kind(kind: str, channels: Collection[Channel]) -> str | None:
    """The kind of the mail that will tell of a notification of ``kind``; None for none."""
    if Channel.MAIL in channels:
        return kind
    return DIGEST if Channel.DIGEST in channels else None


def mail_for(tenant: TenantRef, member: Member, choices: NotificationChoices, of: str) -> NotificationMail | None:
    """The mail of a kind that is going to tell a member, waiting already or made now; locked until the commit."""
    waiting = NotificationMail.objects.select_for_update().filter(
        member=member, kind=of, state=NotificationMail.State.QUEUED
    )
    if (found := waiting.first()) is not None:
        return found
    calendar = hours.calendar_of(tenant, member, choices)
    due_at = calendar.digest_after(timezone.now()) if of == DIGEST else _mail_at(calendar, member, of)
    if due_at is None:
        return None
    try:
        with transaction.atomic():
            made = NotificationMail.objects.create(member=member, kind=of, due_at=due_at)
    except IntegrityError:
        return waiting.first()
    wake(due_at, MAILS)
    return made


def _mail_at(calendar: hours.Calendar, member: Member, kind: str) -> datetime:
    """Soon, so that what comes together goes together; later after a mail of the same kind; never in quiet hours."""
    now = timezone.now()
    last = (
        NotificationMail.objects.filter(member=member, kind=kind, sent_at__gt=now - BETWEEN)
        .order_by("-sent_at")
        .values_list("sent_at", flat=True)
        .first()
    )
    return calendar.awake(max(now + GATHERED, last + BETWEEN) if last else now + GATHERED)
