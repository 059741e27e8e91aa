"""A mail about money is sent though the queue lost it, and though the mail server was away."""

from datetime import timedelta
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import TestCase

from billing import clock
from billing.mails.notices import Kind, notice
from billing.mails.outbox import PATIENCE, mail_go, mails_pick_up
from billing.models import BillingNotice, MailToSend
from tenants.db.scopes import shared
from tests.billing.accounts import account_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("celery_eager")]


class Away(EmailBackend):
    """A mail server that hangs up."""

    def send_messages(self, _messages: Any) -> int:
        raise SMTPServerDisconnected("Connection unexpectedly closed")


@pytest.fixture
def account(owner: Any) -> Any:
    return account_of(owner.tenant, email="books@example.net")


@pytest.fixture
def lost(account: Any, owner: Any, admin: Any) -> list[str]:
    """To whom mails were written whose way to the workers was cut after the commit."""
    mail.outbox.clear()
    with TestCase.captureOnCommitCallbacks(execute=False):
        notice(account, Kind.READ_ONLY, "lost")
    with shared():
        assert MailToSend.objects.count() == 3
        return sorted(BillingNotice.objects.get().sent_to)


def pick_up(*, after: timedelta = timedelta(minutes=2)) -> None:
    with shared(), TestCase.captureOnCommitCallbacks(execute=True):
        MailToSend.objects.update(due_at=clock.now() - after)
        mails_pick_up()


def waiting() -> int:
    with shared():
        return MailToSend.objects.count()


def test_what_the_queue_lost_is_sent_all_the_same_and_once(lost: list[str]) -> None:
    pick_up()
    assert sorted(one.to[0] for one in mail.outbox) == lost
    assert waiting() == 0
    pick_up()
    assert len(mail.outbox) == 3


def test_nothing_is_sent_again_while_it_is_on_its_way(lost: list[str]) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        assert mails_pick_up() == 0
    assert mail.outbox == []


def test_a_task_that_comes_twice_sends_once(lost: list[str]) -> None:
    with shared():
        first = MailToSend.objects.all()[0]
    for _time in range(2):
        mail_go.delay(mail_id=str(first.id))
    assert len(mail.outbox) == 1


def test_while_the_mail_server_is_away_it_waits_longer_and_longer(lost: list[str], settings: Any) -> None:
    working = settings.MAILERS
    settings.MAILERS = {"default": {"BACKEND": f"{__name__}.Away"}}
    pauses = []
    for _time in range(3):
        pick_up()
        with shared():
            pauses.append(min(MailToSend.objects.values_list("due_at", flat=True)) - clock.now())
    assert pauses == sorted(pauses)
    assert waiting() == 3
    settings.MAILERS = working
    pick_up()
    assert sorted(one.to[0] for one in mail.outbox) == lost


def test_what_no_mail_server_takes_is_given_up_at_last(lost: list[str], settings: Any) -> None:
    settings.MAILERS = {"default": {"BACKEND": f"{__name__}.Away"}}
    with shared():
        MailToSend.objects.update(written_at=clock.now() - PATIENCE - timedelta(minutes=1))
    pick_up()
    assert waiting() == 0


def test_a_copy_is_known_by_its_name(lost: list[str]) -> None:
    with shared():
        names = {f"<{one.id}@" for one in MailToSend.objects.all()}
    pick_up()
    assert {str(one.extra_headers["Message-ID"]).partition("@")[0] + "@" for one in mail.outbox} == names
