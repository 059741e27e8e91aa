"""What is told because a fetch has found it: a card that ends, another plan, a payment."""

from collections import Counter
from datetime import date

import pytest

from billing import clock
from billing.subscriptions.news import CARD_AHEAD
from tenants.db.scopes import shared
from tests.billing.a_workspace import PayingWorkspace
from tests.billing.standin_server import StripeServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace(billing: StripeServer) -> PayingWorkspace:
    return PayingWorkspace(billing).full("team")


def told(workspace: PayingWorkspace) -> Counter[str]:
    with shared():
        return Counter(workspace.account.notices.values_list("kind", flat=True))


def card_ends(workspace: PayingWorkspace, on: date) -> None:
    """Let the card be good until the end of that day's month."""
    store = workspace.server.server.store
    with store.transaction():
        for method in store.find("payment_method", customer=workspace.account.customer_id):
            store.put({**method, "card": {**method["card"], "exp_year": on.year, "exp_month": on.month}})


def test_a_card_that_ends_within_a_month_is_told_once(workspace: PayingWorkspace) -> None:
    card_ends(workspace, (clock.now() + 3 * CARD_AHEAD).date())
    workspace.sync()
    assert told(workspace)["card_expiring"] == 0
    card_ends(workspace, clock.now().date())
    workspace.sync()
    workspace.sync()
    assert told(workspace)["card_expiring"] == 1


def test_who_has_cancelled_is_not_told_of_a_card(workspace: PayingWorkspace) -> None:
    workspace.cancel()
    card_ends(workspace, clock.now().date())
    workspace.sync()
    assert told(workspace)["card_expiring"] == 0


def test_a_payment_and_another_number_of_seats_are_told_once(workspace: PayingWorkspace) -> None:
    assert told(workspace) == {"receipt": 1}
    workspace.change("team", 3)
    workspace.sync()
    assert told(workspace) == {"receipt": 2, "plan_changed": 1}
