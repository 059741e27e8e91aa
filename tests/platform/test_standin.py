"""Where no key of Stripe's is given the product brings its stand-in along, ready to be paid by."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from billing.plans.catalog import CURRENCIES, INTERVALS, PLANS
from tests.platform.copies import Copy, ending_what_is_left, start, until
from tests.stack import free_port

OWN_KEY = {"STRIPE_SECRET_KEY": "sk_test_of_a_developer_1", "STRIPE_WEBHOOK_SECRET": "whsec_of_a_developer_123"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with ending_what_is_left(tmp_path) as found:
        yield found


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


def test_a_copy_without_a_key_has_the_stand_in_and_one_with_a_key_has_none(folder: Path) -> None:
    """Over a second: it starts two whole copies."""
    copy, keyed = start(folder / "without", free_port()), start(folder / "with", free_port(), **OWN_KEY)
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
    for one in (copy, keyed):
        one.process.send_signal(signal.SIGINT)
    assert [one.process.wait(120) for one in (copy, keyed)] == [0, 0]


def answers(copy: Copy) -> bool:
    try:
        deliveries(copy)
    except OSError:
        return False
    return True
