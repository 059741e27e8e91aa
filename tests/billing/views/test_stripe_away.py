"""Each page and form of billing while Stripe does not answer: it says so and what is known; nothing is half done."""

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse

from billing import stripe_client, urls_tenant
from crm.records.models import Event
from tenants.actors import Actor
from tenants.db.scopes import tenant_scope
from tests.billing.paying import SEATS, Paying
from tests.billing.views.test_plan_pages import BUSINESS, hidden, shown

pytestmark = pytest.mark.django_db
AWAY = "does not answer at the moment"
ASKS_NOBODY = ("index", "plans", "invoices")
SENT: dict[str, dict[str, str]] = {
    "change": {"seats": str(SEATS)},
    "contact": {"email": "money@example.com"},
    "coupon": {"code": "WELCOME"},
    "leave": {"reason": "unused"},
    "portal": {},
    "stay": {},
}
ELSEWHERE = {"next", "returned"}
"""These are only read; test_plan_pages has them."""


@pytest.fixture
def client(paying: Paying, owner: Actor, browser_client: Any, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The owner of a workspace that pays; nobody waits for a second try."""
    paying.subscribe()
    monkeypatch.setitem(stripe_client.RETRIES, "web", 0)
    found: Client = browser_client(owner)
    return found


def address(name: str) -> str:
    return BUSINESS if name == "change" else reverse(f"billing:{name}", urlconf=django_settings.TENANT_URLCONF)


def test_every_page_of_billing_is_on_one_of_the_lists() -> None:
    assert {one.name for one in urls_tenant.urlpatterns} == {*ASKS_NOBODY, *SENT, *ELSEWHERE}


@pytest.mark.parametrize("fault", ["drop", "500", "429"])
def test_each_form_says_that_stripe_is_away_and_does_nothing(fault: str, paying: Paying, client: Client) -> None:
    confirmed = hidden(shown(client, f"{BUSINESS}?seats={SEATS}"))
    paying.server.fault(fault, times=0)
    for name, fields in SENT.items():
        answer = client.post(address(name), fields | (confirmed if name == "change" else {}), follow=True)
        assert AWAY in answer.content.decode(), name
        assert answer.redirect_chain or answer.status_code == 503, name
    paying.server.heal()
    with tenant_scope(paying.tenant):
        assert not Event.objects.filter(record_type="billing").exists()
    before = (paying.subscription.status, paying.subscription.cancel_at, paying.account.email)
    live = paying.sync()
    assert (live.status, live.cancel_at, paying.account.email) == before
    assert live.price is not None
    assert (live.price.lookup_key, live.quantity) == ("team_month_eur", SEATS)


def test_what_is_known_is_shown_without_asking(paying: Paying, client: Client) -> None:
    paying.server.fault("drop", times=0)
    paying.server.forget_requests()
    for name in ASKS_NOBODY:
        shown(client, address(name))
    assert "As Stripe said" in shown(client, address("index"))
    assert not paying.server.requests


def test_a_form_sent_again_afterwards_does_what_it_says(paying: Paying, client: Client) -> None:
    paying.server.fault("drop", times=0)
    assert client.post(address("leave"), SENT["leave"]).status_code == 503
    paying.server.heal()
    assert client.post(address("leave"), SENT["leave"]).status_code == 302
    assert paying.subscription.cancel_at is not None
