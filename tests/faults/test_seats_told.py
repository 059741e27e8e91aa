"""A hundred changes of members at once, Stripe down for half of them: it ends at the true count.

Takes some seconds, since the programs of tests.faults.test_paying have to start.
"""

import os
import threading
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from celery import Celery
from django.db import connection

from billing.models import BillingAccount, SeatChange
from billing.seats import seats_billable
from billing.subscriptions.sync import subscription_sync
from tenants.db.scopes import shared
from tenants.models import User
from tenants.workspaces import memberships
from tests.faults.test_paying import Works, account, paid, works

__all__ = ["account", "works"]

PEOPLE, EACH = 10, 10


def come_and_go(works: Works, tenant_id: UUID, half: threading.Barrier) -> None:
    """Eight come and two of them leave again, each a change of its own, told to the workers as it commits."""
    app = Celery("test", broker=works.valkey.url)
    app.conf.broker_transport_options = {"global_keyprefix": f"{os.environ['INSTALLATION']}:"}
    joined: list[User] = []

    def change(*, joins: bool) -> None:
        with shared():
            if joins:
                joined.append(User.objects.create(email=f"{uuid4().hex}@seats.example", password="!"))
            user = joined[-1] if joins else joined.pop()
            memberships.membership_set(tenant_id=tenant_id, user_id=user.id, active=joins)
        app.send_task("billing.tasks.seats_tell", kwargs={"tenant_id": str(tenant_id)}, queue="interactive")

    try:
        for number in range(EACH):
            if number == EACH // 2:
                half.wait(60)
            change(joins=number not in (3, 7))
    finally:
        connection.close()
        app.close()


@pytest.fixture
def people() -> Iterator[None]:
    """Who came is gone afterwards."""
    yield
    with shared():
        User.objects.filter(email__endswith="@seats.example").delete()


def test_a_hundred_changes_with_stripe_down_for_half_end_at_the_true_count(
    works: Works, account: BillingAccount, people: None
) -> None:
    paid(works, account)
    subscription_sync(account.id)
    works.server.fault("drop", times=100_000)
    half = threading.Barrier(PEOPLE, action=works.server.heal)
    threads = [threading.Thread(target=come_and_go, args=(works, account.tenant_id, half)) for _number in range(PEOPLE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    def told() -> bool:
        with shared():
            return not SeatChange.objects.filter(tenant_id=account.tenant_id).exists()

    def told_by_the_sweep() -> bool:
        works.queue("billing.tasks.seats_sweep")
        return told()

    works.until(told_by_the_sweep, "Stripe knows of every change")
    with shared():
        members = seats_billable(account.tenant_id)
    subscription = works.server.client.v1.subscriptions.list({"limit": 10}).data[0]
    assert members == PEOPLE * (EACH - 4)
    assert subscription["items"]["data"][0]["quantity"] == members
