"""Mails about money that are written and not sent yet: rows, so that none is lost with a worker or with the queue.

A mail is written in the transaction that notes what it tells. Whoever sends it holds its row until the mail server has
taken it, and then deletes that; a worker that dies lets go of it. One that dies between the two sends it again, under
the same Message-ID.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from smtplib import SMTPException
from uuid import UUID

import structlog
from celery import shared_task
from django.db import transaction

from billing import clock
from billing.models import BillingAccount, MailToSend
from tenants.db.scopes import shared
from tenants.work.mail import mail_send
from tenants.work.task_classes import SharedTask

log = structlog.get_logger(__name__)

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
PATIENCE = timedelta(days=3)
"""How long a mail server may be away or refuse a mail."""


def mail_keep(account: BillingAccount, message: Mapping[str, str]) -> None:
    """Keep a mail in the transaction that runs, and send it after the commit; ``message`` is what mail_send takes."""
    now = clock.now()
    kept = MailToSend.objects.create(account=account, message=dict(message), written_at=now, due_at=now + FIRST_PAUSE)
    _enqueue(kept.id)


def _enqueue(mail_id: UUID) -> None:
    transaction.on_commit(partial(mail_go.delay, mail_id=str(mail_id)), robust=True)


@shared_task(base=SharedTask, name="billing.mail_go", queue="interactive", ignore_result=True)
def mail_go(*, mail_id: str) -> None:
    """Send a mail, unless it has gone or another worker is sending it; what goes wrong is tried again later."""
    with transaction.atomic():
        kept = MailToSend.objects.select_for_update(skip_locked=True).filter(id=UUID(mail_id)).first()
        if kept is None:
            return
        try:
            mail_send(**kept.message, name=str(kept.id))
        except (OSError, SMTPException, ValueError) as problem:
            _put_off(kept, problem)
        else:
            kept.delete()


def _put_off(kept: MailToSend, problem: Exception) -> None:
    now = clock.now()
    if kept.written_at < now - PATIENCE:
        log.error("billing.mail_given_up", account=str(kept.account_id), error=type(problem).__name__)
        kept.delete()
        return
    kept.attempts += 1
    kept.due_at = now + min(FIRST_PAUSE * 2 ** min(kept.attempts, 7), LONGEST_PAUSE)
    kept.save(update_fields=["attempts", "due_at"])
    log.warning("billing.mail_put_off", account=str(kept.account_id), error=type(problem).__name__)


@shared()
def mails_pick_up(limit: int = 200) -> int:
    """Queue the mails whose time has come: those to be tried again, of workers that were killed, lost by the queue."""
    due = MailToSend.objects.filter(due_at__lte=clock.now()).order_by("due_at")
    found = list(due.values_list("id", flat=True)[:limit])
    for mail_id in found:
        _enqueue(mail_id)
    return len(found)
