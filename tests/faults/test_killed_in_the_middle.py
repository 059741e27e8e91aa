"""A worker is killed in the middle of what it does about money: the next one ends it, once; see test_paying."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from os import environ
from typing import Any

import psycopg2
import pytest
from django.db import connection
from django.utils import timezone
from psycopg2 import sql

from billing import clock
from billing.accounts.services import account_make
from billing.mails.notices import Kind
from billing.models import (
    BillingAccount,
    BillingNotice,
    MailToSend,
    ReconcileRun,
    SeatChange,
    StripeRequest,
    Subscription,
)
from billing.subscriptions.sync import subscription_sync
from tenants.db.scopes import shared
from tenants.models import Tenant, User
from tenants.workspaces import memberships
from tenants.workspaces.schema_template import schema_create, schema_drop, schema_exists
from tests.faults.test_paying import Works, account, added_to_only_empty, paid, works
from tests.records.conftest import until_waited_for

__all__ = ["account", "works"]

READER = "books@example.net"


class MailServer:
    """Takes mails by SMTP, and is silent at the end of each as long as it is not ``open``."""

    def __init__(self) -> None:
        mails = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                mails.talk(self)

        class Listener(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self.open = threading.Event()
        self.offered = threading.Event()
        self.taken: list[str] = []
        self.listener = Listener(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.listener.server_address[1]}"

    def talk(self, wire: socketserver.StreamRequestHandler) -> None:
        wire.wfile.write(b"220 mail.example\r\n")
        for line in wire.rfile:
            word = line[:4].upper()
            if word == b"DATA":
                wire.wfile.write(b"354 go on\r\n")
                text = b"".join(iter(wire.rfile.readline, b".\r\n")).decode()
                self.offered.set()
                while not self.open.wait(0.2):
                    pass
                if is_gone(wire.connection):
                    return
                self.taken.append(text)
            wire.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 yes\r\n")

    def close(self) -> None:
        self.listener.shutdown()
        self.listener.server_close()


def is_gone(wire: socket.socket) -> bool:
    wire.setblocking(False)
    try:
        return wire.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        wire.setblocking(True)


@pytest.fixture
def mail_server(works: Works) -> Iterator[MailServer]:
    """It is the one of the workers, which are started anew with it."""
    made = MailServer()
    works.environment["EMAIL_URL"] = made.url
    works.kill_workers()
    works.start_workers(1)
    yield made
    works.kill_workers()
    made.close()


@pytest.fixture
def given_up(works: Works) -> Iterator[BillingAccount]:
    """A workspace with a schema whose ninety days are over; its end was announced."""
    with shared():
        tenant = Tenant.objects.create(name="Given up", state=Tenant.State.ACTIVE)
    made = account_make(tenant.id)
    schema_create(tenant.schema_name)
    now = clock.now()
    with shared():
        BillingAccount.objects.filter(id=made.id).update(
            email=READER,
            trial_ends_at=now - timedelta(days=91),
            access_state="retention",
            access_until=now - timedelta(days=1),
            access_lost_at=now - timedelta(days=91),
        )
        Tenant.objects.filter(id=tenant.id).update(state=Tenant.State.SUSPENDED, access_state="retention")
        told = {"sent_to": [READER], "at": now - timedelta(days=10)}
        for before in (1, 7, 14):
            key = f"{before} {now - timedelta(days=91):%Y-%m-%dT%H:%M}"
            BillingNotice.objects.create(account=made, kind=Kind.DELETION_AHEAD, key=key, **told)
    try:
        yield made
    finally:
        works.stop()
        schema_drop(tenant.schema_name)
        added_to_only_empty(made)
        with shared():
            MailToSend.objects.filter(account=made).delete()
            BillingAccount.objects.filter(id=made.id).delete()
            tenant.delete()


@contextmanager
def held(schema: str) -> Iterator[None]:
    """Somebody reads a table of the workspace and does not end."""
    database = connection.settings_dict["NAME"]
    with (
        closing(psycopg2.connect(environ["DATABASE_ADMIN_URL"], dbname=database)) as reader,
        reader.cursor() as cursor,
    ):
        cursor.execute(sql.SQL("SELECT 1 FROM {}.people_company").format(sql.Identifier(schema)))
        yield


def state_of(account: BillingAccount) -> str:
    with shared():
        return str(Tenant.objects.get(id=account.tenant_id).state)


def mails_waiting(account: BillingAccount) -> int:
    with shared():
        return MailToSend.objects.filter(account=account).count()


@pytest.mark.slow("a web server, workers and a queue are started, and a schema is made and dropped")
def test_a_drop_and_the_mail_that_tells_of_it_are_ended_by_the_next_worker(
    works: Works, mail_server: MailServer, given_up: BillingAccount
) -> None:
    with shared():
        schema = Tenant.objects.get(id=given_up.tenant_id).schema_name
    with held(schema):
        works.queue("billing.tasks.lifecycle_sweep")
        works.until(lambda: state_of(given_up) == "deleting", "the workspace is given up")
        until_waited_for()
        works.kill_workers()
    assert schema_exists(schema)
    assert (state_of(given_up), mails_waiting(given_up)) == ("deleting", 1)

    works.start_workers(1)
    works.queue("billing.tasks.lifecycle_sweep")
    works.until(lambda: state_of(given_up) == "deleted", "another worker has dropped it")
    assert not schema_exists(schema)
    works.until(lambda: picked_up(works, given_up) and mail_server.offered.is_set(), "the mail is being sent")
    works.kill_workers()
    assert mails_waiting(given_up) == 1

    mail_server.open.set()
    works.start_workers(2)
    works.until(lambda: picked_up(works, given_up) and mails_waiting(given_up) == 0, "another worker has sent it")
    assert [READER in one for one in mail_server.taken] == [True]
    with shared():
        assert BillingNotice.objects.filter(account=given_up, kind=Kind.DELETED).count() == 1


def picked_up(works: Works, account: BillingAccount) -> bool:
    """Beat asks for it every half minute."""
    with shared():
        MailToSend.objects.filter(account=account).update(due_at=clock.now())
    works.queue("billing.tasks.mails_pick_up")
    time.sleep(1)
    return True


@pytest.mark.slow("a web server, workers and a queue are started")
def test_a_comparison_and_a_seat_being_told_are_ended_by_the_next_worker(works: Works, account: BillingAccount) -> None:
    paid(works, account)
    subscription_sync(account.id)
    works.server.fault("delay", "GET /v1/subscriptions", seconds=5)
    works.queue("billing.tasks.reconcile_all")
    works.until(lambda: is_asked(works, "GET", "/v1/customers/"), "a worker compares")
    works.kill_workers()
    with shared():
        assert ReconcileRun.objects.get().finished_at is None
    works.server.heal()

    works.start_workers(2)
    works.queue("billing.tasks.reconcile_all")
    works.until(is_compared, "another worker has compared")
    with shared():
        run = ReconcileRun.objects.get()
        assert (run.looked_at, run.drift) == (1, [])

    before = len(works.server.client.v1.invoices.list({}).data)
    works.server.fault("delay", "POST /v1/subscriptions", seconds=5)
    with shared():
        for number in range(4):
            user = User.objects.create(email=f"seat{number}@seats.example", password="!")
            memberships.membership_set(tenant_id=account.tenant_id, user_id=user.id, active=True)
    works.queue("billing.tasks.seats_sweep")
    works.until(lambda: is_begun(account), "a worker tells Stripe")
    time.sleep(1)
    works.kill_workers()
    # Nobody waits for the answer any more; Stripe does it all the same.
    works.until(lambda: quantity(works) == 4, "Stripe has done it")
    works.start_workers(2)
    with shared():
        StripeRequest.objects.filter(account=account, state="begun").update(
            created_at=timezone.now() - timedelta(minutes=5)
        )
    works.queue("billing.tasks.requests_finish")
    works.queue("billing.tasks.seats_sweep")
    works.until(lambda: not is_begun(account) and is_told(account), "another worker has closed it")
    assert quantity(works) == 4
    assert len(works.server.client.v1.invoices.list({}).data) == before + 1
    with shared():
        assert Subscription.objects.get(account=account).quantity == 4
        User.objects.filter(email__endswith="@seats.example").delete()


def is_asked(works: Works, method: str, path: str) -> bool:
    return any(one.method == method and one.path.startswith(path) for one in works.server.requests[-1:])


def is_compared() -> bool:
    with shared():
        return ReconcileRun.objects.exclude(finished_at=None).exists()


def is_begun(account: BillingAccount) -> bool:
    with shared():
        return StripeRequest.objects.filter(account=account, operation="subscription.update", state="begun").exists()


def is_told(account: BillingAccount) -> bool:
    with shared():
        return not SeatChange.objects.filter(tenant_id=account.tenant_id).exists()


def quantity(works: Works) -> int:
    items: Any = works.server.client.v1.subscriptions.list({}).data[0]["items"]
    return int(items["data"][0]["quantity"])
