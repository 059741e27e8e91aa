"""Many at once, and one that dies half-way, over one account that pays: see tests.faults.test_paying."""

import json
import os
import signal
import sys
import threading
import time
from typing import Any

import pytest
from django.db import connection

from billing.checkout.hosted import checkout_return, checkout_start
from billing.errors import AccountBusy, AlreadyAsked
from billing.models import BillingAccount, CheckoutAttempt, PlanPrice, StripeEvent, Subscription, SubscriptionChange
from tenants.db.scopes import shared
from tenants.models import User
from tests.faults.test_paying import Works, account, events_of, paid, waiting, works

__all__ = ["account", "works"]

CLICKS = 6
GOES_TO_THE_CHECKOUT = """
import sys
import django
django.setup()
from billing.models import BillingAccount, PlanPrice
from billing.checkout.hosted import checkout_start
from tenants.models import User
from tenants.db.scopes import shared
with shared():
    user = User.objects.get(email="paying@example.com")
    price = PlanPrice.objects.select_related("plan").get(lookup_key="team_month_eur")
    account = BillingAccount.objects.select_related("tenant").get(id=sys.argv[1])
checkout_start(account, price, 3, user)
"""


def to_the_checkout(account: BillingAccount) -> str:
    with shared():
        user = User.objects.get(email="paying@example.com")
        price = PlanPrice.objects.select_related("plan").get(lookup_key="team_month_eur")
    return checkout_start(account, price, 3, user)


def sessions(works: Works) -> list[Any]:
    return list(works.server.client.v1.checkout.sessions.list({}).data)


@pytest.mark.slow("a web server, workers and a queue are started")
def test_who_clicks_often_gets_one_customer_and_one_checkout(works: Works, account: BillingAccount) -> None:
    answers: list[str] = []
    barrier = threading.Barrier(CLICKS)

    def click() -> None:
        barrier.wait(30)
        try:
            answers.append(to_the_checkout(account))
        except (AccountBusy, AlreadyAsked):
            answers.append("")
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _number in range(CLICKS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == CLICKS
    assert len(works.server.client.v1.customers.list({}).data) == 1
    (session,) = sessions(works)
    assert set(answers) - {""} <= {session.url}
    assert to_the_checkout(account) == session.url


@pytest.mark.slow("a web server, workers and a queue are started")
def test_a_process_that_dies_before_it_leads_to_the_checkout_has_made_the_one_that_is_paid(
    works: Works, account: BillingAccount
) -> None:
    is_made = threading.Event()

    def hold_back(request: Any, _reply: Any) -> None:
        if (request.method, request.path) == ("POST", "/v1/checkout/sessions"):
            is_made.set()
            time.sleep(1)

    works.server.server.observe = hold_back
    # It has to know the same address of the workspace as this process.
    works.environment["PORT"] = os.environ.get("PORT", "8000")
    asking = works.start(sys.executable, "-c", GOES_TO_THE_CHECKOUT, str(account.id), log="asking.log")
    assert is_made.wait(60), (works.folder / "asking.log").read_text()
    os.killpg(asking.pid, signal.SIGKILL)
    asking.wait(30)
    works.server.server.observe = None
    with shared():
        attempt = CheckoutAttempt.objects.get(account=account)
    assert (attempt.state, attempt.url) == ("open", "")
    url = to_the_checkout(account)
    (session,) = sessions(works)
    assert session.url == url
    works.server.pay(session.id)
    found = checkout_return(account, attempt.id)
    assert found is not None
    assert found.is_paid


@pytest.mark.slow("a web server, workers and a queue are started")
def test_different_events_of_one_account_and_of_many_are_all_taken_and_done(
    works: Works, account: BillingAccount
) -> None:
    paid(works, account)
    created = next(one for one in events_of(works) if one["type"] == "customer.subscription.created")
    own = [{**created, "id": f"evt_own_{number}"} for number in range(20)]
    others = [json.loads(json.dumps({**created, "id": f"evt_other_{number}"})) for number in range(10)]
    for number, event in enumerate(others):
        event["data"]["object"]["customer"] = f"cus_other_{number}"
    answers: list[int] = []
    threads = [threading.Thread(target=lambda one=one: answers.append(works.deliver(one))) for one in own + others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [200] * len(threads)
    works.until(lambda: waiting() == 0, "every event is done")
    with shared():
        assert StripeEvent.objects.count() == len(threads)
        assert Subscription.objects.get(account=account).status == "active"
        assert [one.kind for one in SubscriptionChange.objects.filter(account=account)] == ["new"]
