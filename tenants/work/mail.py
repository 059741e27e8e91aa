"""Mail: rendered where the words are known, sent by Celery after the commit."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from smtplib import SMTPException
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import translation

from tenants.actors import TenantRef
from tenants.registration import Hook, NotRegistered
from tenants.work.task_classes import SharedTask


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a mail is for, with the language and the time zone in which they read; ``user_id`` where it is a user."""

    email: str
    locale: str
    time_zone: ZoneInfo
    user_id: UUID | None = None


@Hook
def power_holders(tenant: TenantRef, power: str) -> list[Recipient]:
    """The active members whose role has a power over the workspace, as those to whom a mail about it goes."""
    raise NotRegistered("Nobody knows the members.")


@shared_task(
    base=SharedTask,
    name="tenants.mail_deliver",
    queue="interactive",
    autoretry_for=(OSError, SMTPException),
    retry_backoff=5,
    retry_backoff_max=120,
    retry_jitter=True,
    max_retries=40,
)
def mail_deliver(*, to: str, subject: str, text: str, html: str) -> None:
    mail_send(to=to, subject=subject, text=text, html=html)


def mail_send(*, to: str, subject: str, text: str, html: str, name: str = "") -> None:
    """Give a mail to the mail server now; ``name`` tells a copy of it from another mail. Raises OSError and
    SMTPException."""
    sender = settings.DEFAULT_FROM_EMAIL
    headers = {"Message-ID": f"<{name}@{sender.rpartition('@')[2].rstrip('> ')}>"} if name else {}
    message = EmailMultiAlternatives(subject=subject, body=text, from_email=sender, to=[to], headers=headers)
    message.attach_alternative(html, "text/html")
    message.send()


def one_line(text: str) -> str:
    return " ".join(text.split())


def mail_queue(template: str, *, to: str, context: Mapping[str, Any], locale: str = "") -> None:
    """Render a mail now, and send it once the transaction commits."""
    message = mail_written(template, to=to, context=context, locale=locale)
    transaction.on_commit(partial(mail_deliver.delay, **message), robust=True)


def mail_written(template: str, *, to: str, context: Mapping[str, Any], locale: str = "") -> dict[str, str]:
    """What ``mail_send`` takes, from ``<template>_subject.txt``, ``.txt`` and ``.html``."""
    language = locale if locale in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
    with translation.override(language):
        values = {**context, "language": language}
        return {
            "to": to,
            "subject": one_line(render_to_string(f"{template}_subject.txt", values))[:200],
            "text": render_to_string(f"{template}.txt", values).strip() + "\n",
            "html": render_to_string(f"{template}.html", values),
        }
