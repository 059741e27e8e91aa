"""What a payment that failed does later: a second one, members who come, Stripe that never gives up."""

import json
from datetime import datetime, timedelta

import pytest

from billing import clock
from billing.access import GRACE
from billing.models import Subscription
from billing.subscriptions.mirror import issued_at
from tenants.db.scopes import shared
from tests.billing.a_workspace import PayingWorkspace
from tests.billing.standin_server import StripeServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def failing(billing: StripeServer) -> PayingWorkspace:
    """A month after the card broke; Stripe will never give up."""
    billing.after_retries("past_due")
    workspace = PayingWorkspace(billing).full("team")
    workspace.card(works=False)
    moved(workspace, 32)
    return workspace


def moved(workspace: PayingWorkspace, days: int) -> None:
    clock.move(timedelta(days=days))
    workspace.sync()


def live(workspace: PayingWorkspace) -> Subscription:
    with shared():
        return workspace.account.subscriptions.get()


def issued(workspace: PayingWorkspace) -> list[datetime]:
    """When the invoices were that are open, the oldest first."""
    found = workspace.server.client.v1.invoices.list({"customer": str(workspace.account.customer_id)}).data
    return sorted(issued_at(json.loads(str(one))) for one in found if one.status == "open")


def test_a_second_failed_payment_begins_no_second_grace(failing: PayingWorkspace) -> None:
    (first,) = issued(failing)
    moved(failing, 31)
    assert len(issued(failing)) == 2
    assert live(failing).grace_until == first + GRACE
    assert failing.state == "read_only"


def test_who_comes_while_a_payment_is_open_makes_it_no_dearer(failing: PayingWorkspace) -> None:
    failing.join(2)
    failing.settle()
    assert failing.billed == 1
    assert len(issued(failing)) == 1
    failing.card(works=True)
    moved(failing, 4)
    failing.settle()
    assert (failing.state, failing.billed) == ("active", 3)


def test_ended_long_after_the_grace_nothing_begins_anew(failing: PayingWorkspace) -> None:
    until = live(failing).grace_until
    moved(failing, 12)
    failing.server.client.v1.subscriptions.cancel(live(failing).stripe_id)
    failing.sync()
    assert live(failing).status == "canceled"
    assert failing.account.access_lost_at == until
