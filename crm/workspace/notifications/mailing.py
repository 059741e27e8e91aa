"""Mails of notifications: written when they are sent, for what the member may see and has not read by then."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives, mailers
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from crm.workspace.actors import actor_for_member, proven_users
from crm.workspace.hooks import record_titles
from crm.workspace.hours import calendar_of
from crm.workspace.models import Member, Notification, NotificationMail
from crm.workspace.notifications.notify import DIGEST, MAILS, Channel, choices_of, chosen, kinds
from crm.workspace.permissions import HIDDEN
from tenants.actors import Actor, TenantRef
from tenants.db.scopes import current_tenant
from tenants.work.mail import one_line
from tenants.work.turns import Progress
from tenants.work.wakeups import wake
from tenants.workspaces.hosts import tenant_url

log = structlog.get_logger(__name__)

State = NotificationMail.State
TURN_SECONDS = 1.0
PER_MINUTE = 300
"""Mails of one workspace in a minute, where ``tenant.limits["mails_per_minute"]`` says nothing else."""
MINUTE = timedelta(minutes=1)
MAX_TRIES = 12
LONGEST_WAIT = timedelta(hours=2)
SERVER_AWAY = timedelta(seconds=30)
MAX_SHOWN = 50
SALT = "notifications.unsubscribe"


class ServerAway(Exception):
    """No connection to the mail server; nothing was sent."""


# -- when --------------------------------------------------------------------------------------------------------------


def send_due(tenant: TenantRef, until: float) -> Progress:
    """Send what is due, one mail after the other, as far as time (``monotonic``) and the workspace's limit allow."""
    backend: Any = mailers["default"]
    try:
        while not limit_reached(tenant):
            if monotonic() >= until:
                return Progress.MORE
            if not send_next(tenant, backend):
                break
    except ServerAway as problem:
        log.warning("mail_server.away", tenant=tenant.schema_name, error=repr(problem.__cause__))
        wake(timezone.now() + SERVER_AWAY, MAILS)
        return Progress.BUSY
    finally:
        with suppress(OSError, SMTPException):
            backend.close()
    return Progress.DONE


def next_due() -> datetime | None:
    """When the next mail is due, or may be sent again after the limit was reached."""
    first: datetime | None = waiting().order_by("due_at").values_list("due_at", flat=True).first()
    tenant = current_tenant()
    if first is None or tenant is None:
        return None
    return max(first, timezone.now() + MINUTE / 6) if limit_reached(tenant) else first


def waiting() -> Any:
    return NotificationMail.objects.filter(state__in=[State.QUEUED, State.RETRY])


def limit_reached(tenant: TenantRef) -> bool:
    most = tenant.limits.get("mails_per_minute", PER_MINUTE)
    return NotificationMail.objects.filter(sent_at__gt=timezone.now() - MINUTE).count() >= most


# -- one mail ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Letter:
    id: UUID
    failures: int
    message: EmailMultiAlternatives


def send_next(tenant: TenantRef, backend: Any) -> bool:
    """Claim, send and note the next mail that is due; whether there was one.

    The connection stands before the mail is claimed, so that a server that is away costs no claim. An answer that
    refuses the mail makes it wait for another try; after silence nobody knows, and it is not sent a second time.
    """
    if not waiting().filter(due_at__lte=timezone.now()).exists():
        return False
    try:
        backend.open()
    except (OSError, SMTPException) as problem:
        raise ServerAway from problem
    with transaction.atomic():
        mail = (
            waiting().filter(due_at__lte=timezone.now()).order_by("due_at").select_for_update(skip_locked=True).first()
        )
        if mail is None:
            return False
        letter = claimed(tenant, mail)
    if letter is None:
        return True
    try:
        backend.send_messages([letter.message])
    except (SMTPResponseException, SMTPRecipientsRefused) as refusal:
        refused(letter, refusal)
    except (OSError, SMTPException) as problem:
        log.error("mail.unknown", tenant=tenant.schema_name, mail=str(letter.id), error=repr(problem))
        noted(letter, State.SENT, error=repr(problem))
        with suppress(OSError, SMTPException):
            backend.close()
    else:
        noted(letter, State.SENT)
    return True


def noted(letter: Letter, state: str, *, error: str = "") -> None:
    NotificationMail.objects.filter(pk=letter.id).update(state=state, sent_at=timezone.now(), error=error[:2000])


def refused(letter: Letter, refusal: SMTPResponseException | SMTPRecipientsRefused) -> None:
    """Try again later what the server may take then; give up what it never will."""
    codes = (
        [code for code, _text in refusal.recipients.values()]
        if isinstance(refusal, SMTPRecipientsRefused)
        else [refusal.smtp_code]
    )
    failures = letter.failures + 1
    given_up = failures >= MAX_TRIES or all(500 <= code < 600 for code in codes)
    retry_at = timezone.now() + min(timedelta(seconds=30 * 2**failures), LONGEST_WAIT)
    NotificationMail.objects.filter(pk=letter.id).update(
        state=State.FAILED if given_up else State.RETRY, failures=failures, due_at=retry_at, error=repr(refusal)[:2000]
    )
    if not given_up:
        wake(retry_at, MAILS)
    log.warning("mail.refused", mail=str(letter.id), codes=codes, failures=failures, given_up=given_up)


def claimed(tenant: TenantRef, mail: NotificationMail) -> Letter | None:
    """Mark a mail as being sent and write it; None when there is nothing to tell, or not yet.

    Nothing goes to an address that its member has not proven: it may be a stranger's.
    """
    member = Member.objects.select_related("notification_choices").get(pk=mail.member_id)
    choices = choices_of(member)
    actor = actor_for_member(tenant, member.pk) if proven_users([member.user_id]) else None
    awake_at = calendar_of(tenant, member, choices).awake(mail.due_at if mail.kind == DIGEST else timezone.now())
    if actor is not None and mail.kind != DIGEST and awake_at > timezone.now():
        NotificationMail.objects.filter(pk=mail.pk).update(due_at=awake_at)
        wake(awake_at, MAILS)
        return None
    wanted = Channel.DIGEST if mail.kind == DIGEST else Channel.MAIL
    found = [
        one
        for one in mail.notifications.filter(read_at=None, withdrawn_at=None).order_by("created_at", "id")
        if actor is not None and wanted in chosen(choices, one.kind)
    ]
    shown = seen(actor, found) if actor is not None else []
    NotificationMail.objects.filter(pk=mail.pk).update(state=State.SENDING if shown else State.EMPTY)
    return Letter(mail.pk, mail.failures, written(tenant, member, mail, shown)) if shown else None


def seen(actor: Actor, notifications: Sequence[Notification]) -> list[Notification]:
    """Those of the notifications whose record the actor may see now; the record is looked up once a type.

    A body tells of fields of the record: where their role hides any of them by now, it is not in what is given.
    """
    places = {(one.record_type, one.record_id) for one in notifications if one.record_type and one.record_id}
    titles = record_titles(actor, places) if places else {}
    found = [
        one
        for one in notifications
        if not one.record_type
        or ((one.record_type, one.record_id) in titles if one.record_id else actor.can(one.record_type, "view"))
    ]
    for one in found:
        if HIDDEN in actor.permissions.fields.get(one.record_type, {}).values():
            one.body = ""
    return found


# -- its words ---------------------------------------------------------------------------------------------------------


def written(
    tenant: TenantRef, member: Member, mail: NotificationMail, notifications: Sequence[Notification]
) -> EmailMultiAlternatives:
    stop = unsubscribe_url(tenant, member.pk, mail.kind)
    known = kinds()
    ordered = sorted(notifications, key=lambda one: one.kind)
    with override(member.locale or tenant.locale):
        rows = [
            {
                "label": known[kind].label if kind in known else kind,
                "rows": [
                    {
                        "title": one.title,
                        "body": one.body,
                        "at": one.created_at,
                        "url": address(tenant, "inbox_open", one.pk),
                    }
                    for one in of
                ],
            }
            for kind, of in ((kind, list(found)) for kind, found in groupby(ordered[:MAX_SHOWN], lambda one: one.kind))
        ]
        context = {
            "language": member.locale or tenant.locale,
            "workspace": tenant.name,
            "name": member.name,
            "is_digest": mail.kind == DIGEST,
            "count": len(notifications),
            "first": notifications[0].title,
            "groups": rows,
            "more": len(notifications) - MAX_SHOWN,
            "inbox": address(tenant, "inbox"),
            "choose": address(tenant, "settings:notifications"),
            "stop": stop,
        }
        template = "workspace/mail/notifications"
        message = EmailMultiAlternatives(
            subject=one_line(render_to_string(f"{template}_subject.txt", context))[:200],
            body=render_to_string(f"{template}.txt", context).strip() + "\n",
            from_email=settings.DEFAULT_FROM_EMAIL,
            to=[member.email],
            headers={
                "List-Unsubscribe": f"<{stop}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
                "Auto-Submitted": "auto-generated",
                "Message-ID": f"<{mail.pk}@{settings.BASE_DOMAIN}>",
            },
        )
        message.attach_alternative(render_to_string(f"{template}.html", context), "text/html")
    return message


def address(tenant: TenantRef, name: str, *arguments: Any) -> str:
    return tenant_url(tenant, reverse(name, args=arguments, urlconf=settings.TENANT_URLCONF))


def unsubscribe_url(tenant: TenantRef, member_id: UUID, kind: str) -> str:
    token = signing.dumps([str(tenant.id), str(member_id), kind], salt=SALT)
    return address(tenant, "unsubscribe", token)


def unsubscribe_read(tenant: TenantRef, token: str) -> tuple[UUID, str] | None:
    """The member and the kind that a token of this workspace names; None for one that is not ours."""
    try:
        tenant_id, member_id, kind = signing.loads(token, salt=SALT)
        return (UUID(member_id), str(kind)) if UUID(tenant_id) == tenant.id else None
    except (signing.BadSignature, TypeError, ValueError):
        return None
