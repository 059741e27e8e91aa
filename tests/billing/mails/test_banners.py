"""What every page says of the state of the workspace, to who may pay and to who may not."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.billing.accounts import account_of, standing

pytestmark = pytest.mark.django_db


def banner(client: Any, path: str = "/companies/") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split('<main class="main"')[0].split())


def in_days(days: int) -> Any:
    """A moment in so many days, the day that has begun included."""
    return timezone.now() + timedelta(days=days) - timedelta(hours=1)


@pytest.fixture(autouse=True)
def _account(owner: Any) -> None:
    account_of(owner.tenant)


def test_a_trial_is_told_quietly_while_it_is_long(owner, seller, browser_client):
    standing(owner.tenant, "trialing", access_until=in_days(9))
    page = banner(browser_client(owner))
    assert "Trial: 9 days left" in page
    assert "The trial ends in" not in page
    assert "Trial:" not in banner(browser_client(seller))


@pytest.mark.parametrize(("days", "words"), [(3, "ends in 3 days."), (1, "ends in 1 day.")])
def test_the_last_days_of_a_trial_are_told_everybody(days, words, owner, seller, browser_client):
    standing(owner.tenant, "trialing", access_until=in_days(days))
    assert words in banner(browser_client(owner))
    assert "Choose a plan" in banner(browser_client(owner))
    page = banner(browser_client(seller))
    assert words in page
    assert "An owner can choose a plan." in page
    assert "/settings/billing/" not in page


@pytest.mark.parametrize(
    ("state", "words", "action", "others"),
    [
        ("past_due", "A payment for this workspace failed.", "Fix the payment", "has been told"),
        ("read_only", "This workspace is read-only", "Open it again", "An owner can open it again"),
        ("canceled", "This workspace is read-only", "Open it again", "An owner can open it again"),
        ("paused", "This workspace is read-only", "Open it again", "An owner can open it again"),
    ],
)
def test_what_is_wrong_is_told_with_its_remedy(state, words, action, others, owner, seller, browser_client):
    standing(owner.tenant, state)
    page = banner(browser_client(owner))
    assert words in page
    assert action in page
    page = banner(browser_client(seller))
    assert words in page
    assert action not in page
    assert others in page


def test_a_cancelled_subscription_is_told_the_others_in_the_last_days_only(owner, seller, browser_client):
    standing(owner.tenant, "canceling", access_until=in_days(10))
    assert "The subscription is cancelled" in banner(browser_client(owner))
    assert "The subscription is cancelled" not in banner(browser_client(seller))
    standing(owner.tenant, "canceling", access_until=in_days(2))
    assert "The subscription is cancelled" in banner(browser_client(seller))


@pytest.mark.parametrize("state", ["active", "pending", ""])
def test_where_all_is_well_nothing_is_told(state, owner, browser_client):
    standing(owner.tenant, state)
    page = banner(browser_client(owner))
    assert "banner" not in page
    assert "Trial" not in page
