"""Several Celery workers, a web server and Postgres, each a process of its own, over one account that pays.

It takes some seconds, since the programs have to start; the stand-in for Stripe is in this process, so that what was
asked of it can be read.
"""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import stripe
from allauth.account.models import EmailAddress
from celery import Celery
from django.db import connection, connections

from billing.accounts.services import account_make
from billing.checkout.hosted import checkout_return, checkout_start
from billing.errors import AccountBusy
from billing.models import (
    BillingAccount,
    BillingNotice,
    CheckoutAttempt,
    InvoiceMirror,
    MailToSend,
    PlanPrice,
    ReconcileRun,
    SeatLedger,
    StripeEvent,
    StripeRequest,
    Subscription,
    SubscriptionChange,
)
from embedded.disk import Notes
from embedded.programs import web_server
from embedded.valkey import Valkey
from tenants.db.backend.base import OWNER_ALIAS
from tenants.db.scopes import owner_scope, shared
from tenants.models import Domain, Tenant, User
from tenants.workspaces.hosts import subdomain_host
from tests.billing.paying import SECRET, stock
from tests.billing.standin_server import StripeServer
from tests.stack import free_port

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 3
FETCHES = ("customers", "subscriptions", "invoices", "charges")


class Works:
    """The programs, and one workspace with its account, whose rows are really there."""

    def __init__(self, folder: Path, server: StripeServer) -> None:
        self.folder = folder
        self.server = server
        self.valkey = Valkey(folder / "valkey", Notes(folder / "notes.json"))
        self.port = free_port()
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATA": str(folder),
            "PORT": str(self.port),
            "VALKEY_URL": self.valkey.url,
            "STRIPE_SECRET_KEY": server.key,
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "STRIPE_API_URL": server.url,
        }
        self.workers: list[subprocess.Popen[bytes]] = []
        self.others: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, log: str) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as written:
            return subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=written, stderr=written, start_new_session=True
            )

    def start_all(self) -> None:
        self.valkey.prepare()
        self.others.append(self.start(*self.valkey.command(), log="valkey.log"))
        self.until(self.valkey.ready, "Valkey answers")
        self.others.append(self.start(sys.executable, "-m", *web_server("127.0.0.1", self.port, 1), log="web.log"))
        self.start_workers(WORKERS)
        self.until(self._web_ready, "the web server answers")

    def start_workers(self, count: int) -> None:
        for number in range(count):
            self.workers.append(
                self.start(
                    *(sys.executable, "-m", "celery", "-A", "config.celery", "worker", "--pool", "solo"),
                    *("-Q", "interactive", "-n", f"w{time.monotonic_ns()}", "-l", "warning"),
                    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
                    log=f"worker{number}.log",
                )
            )

    def kill_workers(self) -> None:
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(30)
        self.workers.clear()

    def stop(self) -> None:
        self.kill_workers()
        for process in reversed(self.others):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)

    def _web_ready(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self._asked("GET", "/healthz", b"", {}) == 200
        return False

    def _asked(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> int:
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            wire.request(method, path, body, {"Host": f"localhost:{self.port}", **headers})
            return wire.getresponse().status
        finally:
            wire.close()

    def deliver(self, event: dict[str, Any]) -> int:
        body = json.dumps(event)
        headers = {
            "Content-Type": "application/json",
            "Stripe-Signature": stripe.WebhookSignature.generate_signature_header(body, SECRET),
        }
        return self._asked("POST", "/billing/webhooks/stripe/", body.encode(), headers)

    def queue(self, task: str) -> None:
        """Send a task as beat would."""
        app = Celery("test", broker=self.valkey.url, set_as_current=False)
        app.conf.broker_transport_options = {"global_keyprefix": f"{os.environ['INSTALLATION']}:"}
        app.send_task(task, queue="interactive")
        app.close()

    def until(self, done: Callable[[], bool], what: str, seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                logs = "\n".join(path.read_text()[-2000:] for path in sorted(self.folder.glob("*.log")))
                raise AssertionError(f"Not within {seconds} s: {what}\n{logs}")
            time.sleep(0.1)


@pytest.fixture
def works(django_db_setup: None, django_db_blocker: Any, tmp_path: Path, settings: Any) -> Iterator[Works]:
    server = StripeServer(tmp_path / "stripe")
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_URL = server.key, server.url
    settings.STRIPE_WEBHOOK_SECRET = SECRET
    made = Works(tmp_path, server)
    with django_db_blocker.unblock():
        try:
            made.start_all()
            yield made
        finally:
            made.stop()
            server.close()
            connection.close()


@pytest.fixture
def account(works: Works) -> Iterator[BillingAccount]:
    """Of a workspace without a schema, which nobody enters. Its rows are taken away afterwards."""
    with shared():
        stock(works.server)
        user = User.objects.create_user("paying@example.com", "correct horse battery", name="Paying")
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
        tenant = Tenant.objects.create(name="Paying", state=Tenant.State.ACTIVE)
        Domain.objects.create(tenant=tenant, domain=subdomain_host("paying"), is_primary=True)
    made = account_make(tenant.id)
    try:
        yield made
    finally:
        works.stop()
        added_to_only_empty(made)
        with shared():
            for model in (MailToSend, InvoiceMirror, StripeEvent, StripeRequest, CheckoutAttempt, Subscription):
                model._default_manager.filter(account=made).delete()
            StripeEvent.objects.filter(account=None).delete()
            ReconcileRun.objects.all().delete()
            BillingAccount.objects.filter(id=made.id).delete()
            PlanPrice.objects.update(stripe_price_id="")
            tenant.delete()
            user.delete()


def added_to_only_empty(account: BillingAccount) -> None:
    """The application itself removes nothing from these."""
    with owner_scope("public"), connections[OWNER_ALIAS].cursor() as cursor:
        for model in (BillingNotice, SubscriptionChange, SeatLedger):
            cursor.execute(f'DELETE FROM "{model._meta.db_table}" WHERE account_id = %s', [account.pk])


def paid(works: Works, account: BillingAccount) -> CheckoutAttempt:
    """A checkout that was paid; nobody has told us."""
    with shared():
        user = User.objects.get(email="paying@example.com")
        price = PlanPrice.objects.select_related("plan").get(lookup_key="team_month_eur")
    checkout_start(account, price, 3, user)
    with shared():
        attempt = CheckoutAttempt.objects.get(account=account)
    works.server.pay(str(attempt.session_id))
    return attempt


def events_of(works: Works) -> list[dict[str, Any]]:
    found = works.server.client.v1.events.list({"limit": 100}).data
    told = [json.loads(str(one)) for one in reversed(found)]
    return [one for one in told if not one["type"].startswith(("price.", "product.", "plan."))]


def waiting() -> int:
    with shared():
        return StripeEvent.objects.exclude(state=StripeEvent.State.DONE).count()


def test_ten_returns_and_twenty_copies_at_once_provision_once(works: Works, account: BillingAccount) -> None:
    attempt = paid(works, account)
    events = events_of(works)
    created = next(one for one in events if one["type"] == "customer.subscription.created")
    works.server.forget_requests()
    answers: list[int] = []
    problems: list[Exception] = []

    def send(event: dict[str, Any]) -> None:
        answers.append(works.deliver(event))

    def come_back() -> None:
        try:
            checkout_return(account, attempt.id)
        except AccountBusy:
            pass
        except Exception as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(one,)) for one in [created] * 20 + events]
    threads[5:5] = [threading.Thread(target=come_back) for _number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert problems == []
    assert set(answers) == {200}
    works.until(lambda: waiting() == 0, "every event is done")
    with shared():
        assert StripeEvent.objects.count() == len(events)
        assert Subscription.objects.get(account=account).status == "active"
        assert [one.kind for one in SubscriptionChange.objects.filter(account=account)] == ["new"]
        assert InvoiceMirror.objects.filter(account=account).count() == 1
        assert Tenant.objects.get(id=account.tenant_id).access_state == "active"
        assert CheckoutAttempt.objects.get(id=attempt.id).state == "completed"
        last_event = max(StripeEvent.objects.filter(account=account).values_list("received_at", flat=True))
    fetches_are_apart(works, last_event)


def fetches_are_apart(works: Works, last_event: datetime) -> None:
    """No fetch of the account began while another ran, and the last one began when all events were there."""

    def all_asked() -> list[Any]:
        found = [one for one in works.server.requests if one.method == "GET" and one.path.split("/")[2] in FETCHES]
        return sorted(found, key=lambda one: one.began)

    works.until(lambda: [one.path.split("/")[2] for one in all_asked()][-len(FETCHES) :] == list(FETCHES), "it rests")
    asked = all_asked()
    steps = [FETCHES.index(one.path.split("/")[2]) for one in asked]
    # A try that got no answer is made again, and a fetch that was broken off begins from the start.
    assert all(after in (before + 1, before, 0) for before, after in pairwise(steps)), steps
    last = max(place for place, step in enumerate(steps) if step == 0)
    assert steps[last:] == list(range(len(FETCHES))), steps
    for before, after in pairwise(asked):
        assert before.ended <= after.began + 0.005, (before, after)
    assert asked[last].began >= last_event.timestamp() - 0.005


def test_workers_killed_in_the_middle_of_an_event_leave_it_to_others(works: Works, account: BillingAccount) -> None:
    paid(works, account)
    event = next(one for one in events_of(works) if one["type"] == "customer.subscription.created")
    works.server.fault("delay", "GET /v1/subscriptions", seconds=20)
    assert works.deliver(event) == 200
    works.until(lambda: _state(event) == "processing", "a worker has the event")
    time.sleep(0.5)
    works.kill_workers()
    assert _state(event) == "processing"
    with shared():
        assert Tenant.objects.get(id=account.tenant_id).access_state == "trialing"
    works.server.heal()
    works.start_workers(2)
    # The claim ends after some minutes; they pass at once.
    with shared():
        StripeEvent.objects.filter(stripe_id=event["id"]).update(
            next_try_at=StripeEvent.objects.get(stripe_id=event["id"]).received_at
        )
    works.queue("billing.tasks.events_pick_up")
    works.until(lambda: _state(event) == "done", "another worker has done it")
    with shared():
        assert Tenant.objects.get(id=account.tenant_id).access_state == "active"
        assert [one.kind for one in SubscriptionChange.objects.filter(account=account)] == ["new"]


def _state(event: dict[str, Any]) -> str:
    with shared():
        return str(StripeEvent.objects.get(stripe_id=event["id"]).state)
