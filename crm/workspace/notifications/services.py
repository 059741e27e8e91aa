"""Changes to a member's notifications, and to how they are told."""

from collections.abc import Collection, Mapping
from datetime import time
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.workspace.errors import NotAllowed, WorkspaceError
from crm.workspace.hours import calendar_of
from crm.workspace.models import Member, Notification, NotificationChoices, NotificationMail
from crm.workspace.notifications.notify import DIGEST, MAILS, Channel, chosen, kinds
from tenants.actors import Actor
from tenants.work.wakeups import wake
from tenants.workspaces.entitlements import require_writable


def notifications_mark_read(actor: Actor, *, ids: list[UUID] | None = None) -> int:
    """Mark some or all of the actor's own notifications as read; returns how many were unread."""
    if actor.member_id is None:
        return 0
    unread = Notification.objects.filter(member_id=actor.member_id, read_at=None)
    if ids is not None:
        unread = unread.filter(id__in=ids)
    return unread.update(read_at=timezone.now())


def notifications_follow(change_id: UUID, *, undone: bool) -> None:
    """Withdraw what was told of a change that is undone, or bring it back."""
    told = Notification.objects.filter(change_id=change_id, withdrawn_at__isnull=undone)
    told.update(withdrawn_at=timezone.now() if undone else None)


def notification_choices_update(
    actor: Actor,
    *,
    channels: Mapping[str, Collection[str]],
    only_mine: bool,
    digest_days: Collection[int],
    digest_hour: int,
    quiet: bool,
    quiet_from: time,
    quiet_until: time,
    quiet_days_off: bool,
    quiet_holidays: bool,
) -> NotificationChoices:
    """Change how a member is told: by which channels of each kind, when digests come, and when no mail does.

    A digest that waits is put to its new time.
    """
    if actor.member_id is None:
        raise NotAllowed("forbidden", _("Only a member has personal settings."))
    require_writable(actor.tenant)
    if not set(digest_days) <= set(range(7)) or not 0 <= digest_hour < 24:
        raise WorkspaceError("invalid_digest", _("Choose days and an hour."), field="digest_days")
    if quiet and quiet_from == quiet_until:
        raise WorkspaceError("invalid_quiet", _("Quiet hours cannot end when they begin."), field="quiet_until")
    wanted = {kind: sorted({Channel(one) for one in ways}) for kind, ways in channels.items() if kind in kinds()}
    if any({Channel.MAIL, Channel.DIGEST} <= set(ways) for ways in wanted.values()):
        raise WorkspaceError("two_mails", _("A mail is sent at once or with the digest, not both."))
    if not digest_days and any(Channel.DIGEST in ways for ways in wanted.values()):
        raise WorkspaceError("invalid_digest", _("Choose at least one day for the digest."), field="digest_days")
    with transaction.atomic():
        member = Member.objects.select_for_update().get(pk=actor.member_id)
        choices, _made = NotificationChoices.objects.update_or_create(
            member=member,
            defaults={
                "channels": wanted,
                "only_mine": only_mine,
                "digest_days": sorted(set(digest_days)),
                "digest_hour": digest_hour,
                "quiet": quiet,
                "quiet_from": quiet_from,
                "quiet_until": quiet_until,
                "quiet_days_off": quiet_days_off,
                "quiet_holidays": quiet_holidays,
            },
        )
        due_at = calendar_of(actor.tenant, member, choices).digest_after(timezone.now())
        digests = NotificationMail.objects.filter(member=member, kind=DIGEST, state=NotificationMail.State.QUEUED)
        if due_at is not None and digests.update(due_at=due_at):
            wake(due_at, MAILS)
    return choices


def notification_mail_stop(member: Member, *, kind: str) -> None:
    """End a member's mails of a kind (all digests for the kind of digests); what they are told in the app stays."""
    with transaction.atomic():
        choices, _made = NotificationChoices.objects.select_for_update().get_or_create(member=member)
        if kind == DIGEST:
            for one in kinds():
                choices.channels[one] = sorted(chosen(choices, one) - {Channel.DIGEST})
        elif kind in kinds():
            choices.channels[kind] = sorted(chosen(choices, kind) - {Channel.MAIL, Channel.DIGEST})
        choices.save(update_fields=["channels"])


def notifications_mark_unread(actor: Actor, *, ids: list[UUID]) -> int:
    """Mark some of the actor's own notifications as unread; returns how many were read."""
    if actor.member_id is None:
        return 0
    read = Notification.objects.filter(member_id=actor.member_id, id__in=ids).exclude(read_at=None)
    return read.update(read_at=None)
