"""The public page of plans and prices."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Plan
from billing.plans.catalog import plans_load
from tenants.db.scopes import shared

pytestmark = pytest.mark.django_db
PAGE = "/pricing/"


@pytest.fixture(autouse=True)
def _plans(db: None) -> None:
    with shared():
        plans_load()


def text(client: Any, query: str = "") -> str:
    answer = client.get(f"{PAGE}{query}")
    assert answer.status_code == 200
    found: str = answer.content.decode()
    return found


@pytest.mark.parametrize(
    ("query", "price"),
    [
        ("?interval=month&currency=EUR", "€29"),
        ("?interval=month&currency=USD", "$32"),
        ("?interval=month&currency=GBP", "£26"),
        ("?interval=year&currency=EUR", "€290 per seat, billed once a year"),
        ("?interval=year&currency=GBP", "£21.67"),
    ],
)
def test_the_price_is_that_of_the_interval_and_currency_in_the_address(query, price, public_client):
    assert price in text(public_client, query)


@pytest.mark.parametrize("query", ["?currency=XXX", "?interval=week", "?currency=eur", "?interval="])
def test_what_is_not_sold_is_no_page(query, public_client):
    assert public_client.get(f"{PAGE}{query}").status_code == 404


def test_what_is_in_each_plan_stands_side_by_side(public_client):
    page = text(public_client)
    for words in ("Starter", "Team", "Business", "Unlimited", "100,000", "50 GB", "90 days", "Roles of your own"):
        assert words in page


def test_a_choice_keeps_the_other(public_client):
    page = text(public_client, "?interval=year&currency=GBP")
    assert "?interval=year&amp;currency=USD" in page
    assert "?interval=month&amp;currency=GBP" in page


def test_a_plan_that_is_sold_no_more_is_not_shown(public_client):
    with shared():
        Plan.objects.filter(code="starter").update(is_sold=False)
    assert "Starter" not in text(public_client)


@pytest.mark.parametrize("path", ["/", "/signup/"])
def test_the_way_there(path, public_client):
    assert 'href="/pricing/"' in public_client.get(path).content.decode()


def test_it_asks_the_database_once_for_all_plans(public_client):
    public_client.get(PAGE)
    with CaptureQueriesContext(connection) as found:
        public_client.get(PAGE)
    assert len([one for one in found if "billing_" in one["sql"]]) == 1
