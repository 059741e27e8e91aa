"""Subscriptions and customers that an operator has made in Stripe's dashboard in a way that we never would."""

from decimal import Decimal
from typing import Any

import pytest

from billing.models import InvoiceMirror
from billing.money import Money
from billing.subscriptions.mirror import plan_item
from billing.subscriptions.seat_sync import seats_tell
from tenants.db.scopes import shared
from tests.billing.a_workspace import PayingWorkspace
from tests.billing.paying import SEATS, Paying
from tests.billing.standin_server import StripeServer

pytestmark = pytest.mark.django_db


def foreign_price(server: StripeServer, amount: int, currency: str = "eur") -> str:
    """A price that is none of ours, of something sold beside the plans."""
    client = server.client.v1
    product = client.products.create({"name": "Onboarding"})
    made = client.prices.create(
        {"product": product.id, "currency": currency, "unit_amount": amount, "recurring": {"interval": "month"}}
    )
    return str(made.id)


class TestAddOn:
    """Something is sold beside the plan, in the same subscription, and Stripe lists it first."""

    @pytest.fixture
    def added(self, paying: Paying) -> Paying:
        live = paying.subscribe()
        client = paying.server.client.v1.subscriptions
        addon = foreign_price(paying.server, 9900)
        client.update(live.stripe_id, {"items": [{"price": addon, "quantity": 1}], "proration_behavior": "none"})
        store = paying.server.server.store
        with store.transaction():
            found = store.get("subscription", live.stripe_id)
            found["items"]["data"].sort(key=lambda one: one["price"]["id"] != addon)
            store.put(found)
        assert client.retrieve(live.stripe_id)["items"]["data"][0]["price"]["id"] == addon
        paying.sync()
        return paying

    def test_the_plan_and_its_seats_are_those_of_the_plans_own_item(self, added: Paying) -> None:
        assert added.subscription.price is not None
        assert (added.subscription.price.lookup_key, added.subscription.quantity) == ("team_month_eur", SEATS)
        assert added.tenant.limits["seats"] == SEATS
        assert added.account.needs_attention == ""

    def test_the_seats_that_come_later_are_seats_and_no_add_ons(self, added: Paying) -> None:
        workspace = PayingWorkspace(added.server, tenant=added.owner.tenant, owner_id=added.owner.details["user_id"])
        workspace.join(2)
        with shared():
            assert seats_tell(added.owner.tenant.id)
        items = added.server.client.v1.subscriptions.retrieve(added.subscription.stripe_id)["items"]["data"]
        assert sorted(one["quantity"] for one in items) == [1, SEATS + 2]


def test_a_price_that_lost_its_lookup_key_to_a_new_amount_is_still_of_its_plan(paying: Paying) -> None:
    price = {
        "id": "price_of_last_year",
        "lookup_key": None,
        "currency": "eur",
        "recurring": {"interval": "month"},
        "metadata": {"plan": "team"},
    }
    with shared():
        found = plan_item({"items": {"data": [{"id": "si_1", "price": price}]}})[1]
    assert found is not None
    assert found.lookup_key == "team_month_eur"


def test_a_quantity_of_none_is_not_taken_for_one(billing: StripeServer) -> None:
    """Who works alone would never be billed again."""
    workspace = PayingWorkspace(billing).full("team")
    live = billing.client.v1.subscriptions.list({}).data[0]
    item = live["items"]["data"][0]["id"]
    billing.client.v1.subscriptions.update(
        live.id, {"items": [{"id": item, "quantity": 0}], "proration_behavior": "none"}
    )
    workspace.sync()
    with shared():
        assert seats_tell(workspace.tenant.id)
    assert workspace.billed == 1


@pytest.mark.parametrize(
    ("coins", "currency", "amount"),
    [
        (1234, "eur", "12.34"),
        (1234, "jpy", "1234"),
        (1234, "ugx", "1234"),
        (12340, "kwd", "12.340"),
        (12300, "isk", "123.00"),
        (1234, "rsd", "12.34"),
        (1234, "huf", "12.34"),
    ],
)
def test_coins_are_counted_as_stripe_counts_them_not_as_people_write(coins: int, currency: str, amount: str) -> None:
    money = Money.of_coins(coins, currency)
    assert (str(money.amount), money.coins) == (amount, coins)


@pytest.mark.parametrize(
    ("currency", "coins", "total"), [("jpy", 1500, "1500"), ("kwd", 12340, "12.34"), ("isk", 990000, "9900")]
)
def test_who_is_billed_in_a_currency_that_is_not_sold_keeps_true_invoices(
    currency: str, coins: int, total: str, paying: Paying, owner: Any, browser_client: Any
) -> None:
    live = paying.subscribe()
    client = paying.server.client.v1
    client.subscriptions.cancel(live.stripe_id)
    store = paying.server.server.store
    with store.transaction():
        store.put({**store.get("customer", paying.customer), "currency": None})
    price = foreign_price(paying.server, coins, currency)
    card = client.payment_methods.list({"customer": paying.customer}).data[0].id
    client.subscriptions.create(
        {"customer": paying.customer, "items": [{"price": price}], "default_payment_method": card}
    )
    paying.sync()
    with shared():
        newest = InvoiceMirror.objects.filter(account=paying.first, currency=currency.upper()).get()
    assert (newest.total, newest.paid) == (Decimal(total), Decimal(total))
    assert "not known here" in paying.account.needs_attention
    page = browser_client(owner)
    for path in ("", "invoices/", "next/"):
        assert page.get(f"/settings/billing/{path}").status_code == 200, path
    assert f"invoices are in {currency.upper()}" in page.get("/settings/billing/plans/").content.decode()
    assert page.post("/settings/billing/change/team_month_eur/", {"seats": "6"}).status_code == 404
