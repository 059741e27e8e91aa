"""The whole product, twice side by side, from the outside: nothing shared, nothing lost, nothing left behind.

One has no key of Stripe's, and so brings the stand-in along, ready to be paid by; the other has one.
"""

import contextlib
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
import redis
import stripe

from billing.plans.catalog import CURRENCIES, INTERVALS, PLANS
from tests.platform.copies import Copy, ending_what_is_left, living, start, until
from tests.stack import free_port

pytestmark = pytest.mark.slow("starts whole copies")

OWN_KEY = {"STRIPE_SECRET_KEY": "sk_test_of_a_developer_1", "STRIPE_WEBHOOK_SECRET": "whsec_of_a_developer_123"}


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Copy, Copy]]:
    with ending_what_is_left(tmp_path_factory.mktemp("copies")) as folder:
        yield start(folder / "first", free_port()), start(folder / "second", free_port(), **OWN_KEY)


def client(copy: Copy) -> stripe.StripeClient:
    given = copy.environment
    return stripe.StripeClient(given["STRIPE_SECRET_KEY"], base_addresses={"api": given["STRIPE_API_URL"]})


def deliveries(copy: Copy) -> list[dict[str, Any]]:
    address = f"{copy.environment['STRIPE_API_URL']}/_standin/deliveries"
    with urllib.request.urlopen(address, timeout=30) as answer:
        found: list[dict[str, Any]] = json.loads(answer.read())["deliveries"]
    return found


def eventually(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def answers(copy: Copy) -> bool:
    try:
        deliveries(copy)
    except OSError:
        return False
    return True


def test_a_copy_without_a_key_has_the_stand_in_and_one_with_a_key_has_none(copies: tuple[Copy, Copy]) -> None:
    copy, keyed = copies
    until(copy.ready, copy)
    until(lambda: "Payments" in copy.log(), copy)
    assert f"stand-in for Stripe at {copy.environment['STRIPE_API_URL']}/" in copy.log()

    asked = client(copy)
    prices = asked.v1.prices.list({"limit": 100, "active": True}).data
    sold = {f"{plan.code}_{one}_{currency.lower()}" for plan in PLANS for one in INTERVALS for currency in CURRENCIES}
    assert {price.lookup_key for price in prices} == sold

    endpoints = asked.v1.webhook_endpoints.list().data
    assert [one.url for one in endpoints] == [f"http://localhost:{copy.port}/billing/webhooks/stripe/"]
    asked.v1.customers.create({"email": "somebody@example.com"})
    eventually(lambda: [row["outcome"] for row in deliveries(copy)][-1:] == ["200"])

    os.kill(copy.pids["stripe"], signal.SIGKILL)
    until(lambda: "stripe ended by itself (SIGKILL); starting it again" in copy.log(), copy)
    eventually(lambda: answers(copy))
    assert len(client(copy).v1.prices.list({"limit": 100, "active": True}).data) == len(sold)

    until(lambda: "Payments" in keyed.log(), keyed)
    assert "Stripe's test mode, by your key" in keyed.log()
    assert "stripe" not in keyed.pids
    assert "STRIPE_API_URL" not in keyed.environment


def test_two_copies_live_and_die_apart_and_keep_what_they_hold(copies: tuple[Copy, Copy]) -> None:
    first, second = copies
    until(first.ready, first)
    until(second.ready, second)

    with contextlib.closing(psycopg2.connect(first.environment["DATABASE_ADMIN_URL"])) as connection, connection:
        connection.cursor().execute("CREATE TABLE kept AS SELECT 'a window' AS what")
    redis.Redis.from_url(first.environment["VALKEY_URL"]).set("kept", "a door")
    with contextlib.closing(psycopg2.connect(second.environment["DATABASE_ADMIN_URL"])) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT to_regclass('kept')")
        assert cursor.fetchone() == (None,)

    before = first.pids
    for name in ("postgres", "web", "worker-interactive"):
        os.kill(before[name], signal.SIGKILL)
    until(lambda: not set(before.values()) <= set(first.pids.values()) and first.ready(), first)
    assert "postgres ended by itself (SIGKILL); starting it again" in first.log()

    family = first.process.children(recursive=True)
    assert len(family) >= 10
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(120) == 0
    assert living(family) == []
    assert second.ready()

    if sys.platform == "linux":
        family = second.process.children(recursive=True)
        second.process.kill()
        assert living(family) == []
    else:
        second.process.send_signal(signal.SIGTERM)
    second.process.wait(120)

    ports = json.loads((first.data / "copy.json").read_text())
    again = start(first.data, first.port)
    until(again.ready, again)
    assert json.loads((first.data / "copy.json").read_text()) == ports
    with contextlib.closing(psycopg2.connect(again.environment["DATABASE_ADMIN_URL"])) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT what FROM kept")
        assert cursor.fetchone() == ("a window",)
    assert redis.Redis.from_url(again.environment["VALKEY_URL"]).get("kept") == b"a door"
    family = again.process.children(recursive=True)
    again.process.send_signal(signal.SIGTERM)
    assert again.process.wait(120) == 0
    assert living(family) == []
