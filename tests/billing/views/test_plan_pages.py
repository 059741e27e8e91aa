"""Choosing, changing, cancelling: the pages against the stand-in, and what they say when it does not answer."""

import re
from typing import Any
from uuid import uuid4

import pytest

from billing.checkout.hosted import checkout_start
from billing.checkout.upcoming import next_invoice
from billing.models import CheckoutAttempt, Plan, StripeRequest
from billing.plans.catalog import plans_load
from crm.records.models import Event
from crm.workspace.people.invitation_services import invitation_send
from tenants.db.scopes import shared, tenant_scope
from tenants.workspaces.hosts import tenant_host
from tests.billing.accounts import account_of, standing
from tests.billing.paying import SEATS, Paying
from tests.billing.standin_server import FAILS_LATER

pytestmark = pytest.mark.django_db
PAGE = "/settings/billing/"
TEAM = f"{PAGE}change/team_month_eur/"
BUSINESS = f"{PAGE}change/business_month_eur/"
READ = [PAGE, f"{PAGE}plans/", TEAM, f"{PAGE}next/", f"{PAGE}contact/", f"{PAGE}coupon/", f"{PAGE}cancel/"]
SENT = [TEAM, f"{PAGE}portal/", f"{PAGE}contact/", f"{PAGE}coupon/", f"{PAGE}cancel/", f"{PAGE}cancel/undo/"]


def shown(client: Any, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.content.decode()[-3000:]
    return " ".join(answer.content.decode().split())


def hidden(page: str) -> dict[str, str]:
    """What the form that confirms a change sends."""
    fields = ("seats", "proration_date", "balance")
    return {name: re.findall(rf'type="hidden" name="{name}" value="(-?\d+)"', page)[0] for name in fields}


def audited(paying: Paying) -> list[Event]:
    with tenant_scope(paying.tenant):
        return list(Event.objects.filter(record_type="billing").order_by("id"))


@pytest.mark.parametrize("path", READ)
def test_pages_are_for_those_with_the_power(path, owner, manager, seller, outsider, browser_client):
    for one in (manager, seller):
        assert browser_client(one).get(path).status_code == 403
    assert browser_client(outsider, host=tenant_host(owner.tenant)).get(path).status_code == 302


@pytest.mark.parametrize("path", SENT)
def test_nobody_else_changes_anything(path, paying, owner, seller, outsider, browser_client):
    paying.server.forget_requests()
    assert browser_client(seller).post(path, {"seats": "6"}).status_code == 403
    assert browser_client(outsider, host=tenant_host(owner.tenant)).post(path, {"seats": "6"}).status_code == 302
    assert not paying.server.requests
    assert not audited(paying)


@pytest.mark.parametrize("price", ["nonsense", "team_month_chf", "team-month-eur"])
def test_a_price_that_there_is_not_is_no_page(price, owner, browser_client):
    assert browser_client(owner).get(f"{PAGE}change/{price}/").status_code == 404


def test_a_plan_that_is_sold_no_more_cannot_be_chosen(paying, owner, browser_client):
    with shared():
        Plan.objects.filter(code="team").update(is_sold=False)
    assert browser_client(owner).get(TEAM).status_code == 404


@pytest.mark.parametrize(("seats", "words"), [("2", "At least 6"), ("51", "at most 50"), ("x", "whole number")])
def test_seats_that_cannot_be_had_are_refused_with_a_word(seats, words, paying, owner, browser_client):
    assert words in shown(browser_client(owner), f"{TEAM}?seats={seats}", 422)


def test_a_plan_too_small_for_the_members_is_not_offered(paying, owner, browser_client):
    page = shown(browser_client(owner), f"{PAGE}plans/?currency=EUR")
    assert "It has 5 seats at most, and 6 members are here." in page
    assert "change/starter_month_eur" not in page
    assert "change/team_month_eur" in page


def test_the_checkout_begins_and_is_noted(paying, owner, browser_client):
    client = browser_client(owner)
    assert "6 seats at €29: €174 a month" in shown(client, TEAM)
    answer = client.post(TEAM, {"seats": "6"})
    assert answer.status_code == 302
    assert answer["Location"].startswith(f"{paying.server.url}/c/pay/")
    assert [one.type for one in audited(paying)] == ["billing.checkout_started"]
    assert paying.server.url in client.get(TEAM)["Content-Security-Policy"]


def test_a_second_click_while_the_first_is_under_way_is_not_told_that_stripe_is_away(paying, owner, browser_client):
    client = browser_client(owner)
    checkout_start(paying.account, paying.price("team_month_eur"), 6, paying.user)
    with shared():
        CheckoutAttempt.objects.update(session_id="", url="")
        request = StripeRequest.objects.get(operation="checkout.create")
        StripeRequest.objects.filter(id=request.id).update(state="begun")
    with paying.server.server.in_flight.hold(request.idempotency_key):
        answer = client.post(TEAM, {"seats": "6"})
    assert answer.status_code == 409
    assert "asked for a moment ago" in answer.content.decode()


def test_who_comes_back_is_told_what_stripe_says(paying, owner, browser_client):
    client = browser_client(owner)
    attempt = paying.start()
    path = f"{PAGE}return/{attempt.id}/"
    assert "Nothing is paid yet." in shown(client, path)
    assert client.get(path, headers={"HX-Request": "true"}).status_code == 200
    paying.server.pay(str(attempt.session_id))
    assert "It is paid." in shown(client, path)
    assert client.get(path, headers={"HX-Request": "true"}).status_code == 286
    assert "renews by itself" in shown(client, PAGE)


def test_who_has_paid_is_in_no_trial_any_more_on_the_very_page_that_says_so(paying, owner, browser_client):
    attempt = paying.start()
    paying.server.pay(str(attempt.session_id))
    assert "Trial:" in shown(browser_client(owner), PAGE)
    assert "Trial:" not in shown(browser_client(owner), f"{PAGE}return/{attempt.id}/")


def test_ten_returns_are_as_good_as_one(paying, owner, browser_client):
    client = browser_client(owner)
    attempt = paying.start()
    paying.server.pay(str(attempt.session_id))
    for _time in range(10):
        assert "It is paid." in shown(client, f"{PAGE}return/{attempt.id}/")
    with shared():
        assert CheckoutAttempt.objects.filter(state="completed").count() == 1


def test_the_way_back_says_nothing_to_others(paying, owner, outsider, browser_client):
    attempt = paying.start()
    assert browser_client(outsider).get(f"{PAGE}return/{attempt.id}/").status_code == 404
    assert browser_client(owner).get(f"{PAGE}return/{uuid4()}/").status_code == 404
    assert browser_client(owner).get(f"{PAGE}return/x/").status_code == 404


def test_where_stripe_does_not_answer_the_way_back_says_so(paying, owner, browser_client):
    attempt = paying.start()
    paying.server.fault("500", times=50)
    assert "Stripe does not tell us yet." in shown(browser_client(owner), f"{PAGE}return/{attempt.id}/")


def test_what_a_smaller_plan_does_not_have_is_named_before(paying, owner, browser_client):
    page = shown(browser_client(owner), TEAM)
    assert "Not part of it: Audit." in page
    assert "Not part of it" not in shown(browser_client(owner), BUSINESS)


def test_a_change_costs_to_the_cent_what_was_shown(paying, owner, browser_client):
    paying.subscribe()
    paying.move(days=10)
    client = browser_client(owner)
    page = shown(client, f"{BUSINESS}?seats=6")
    sent = hidden(page)
    assert "Charged now" in page
    assert "a month, next on" in page
    answer = client.post(BUSINESS, sent)
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    assert paying.subscription.price.lookup_key == "business_month_eur"
    with shared():
        newest = paying.account.invoices.order_by("-issued_at", "-id").first()
    assert newest is not None
    assert int(newest.total * 100) == int(sent["balance"])
    assert [one.type for one in audited(paying)] == ["billing.plan_changed"]
    assert audited(paying)[0].after["plan"] == "Business"


def test_another_price_than_shown_is_shown_again(paying, owner, browser_client):
    paying.subscribe()
    client = browser_client(owner)
    sent = hidden(shown(client, f"{BUSINESS}?seats=6")) | {"balance": "1"}
    answer = client.post(BUSINESS, sent)
    assert answer.status_code == 409
    assert "has changed since it was shown" in answer.content.decode()
    assert paying.subscription.price.lookup_key == "team_month_eur"
    assert not audited(paying)


@pytest.mark.parametrize(("path", "fewest"), [(f"{BUSINESS}?seats=6", 4), (f"{PAGE}next/", 2)])
def test_amounts_below_each_other_have_their_cents(path, fewest, paying, owner, browser_client):
    """Some of them come out even, most do not."""
    paying.subscribe()
    paying.move(days=10)
    amounts = re.findall(r"€[\d,.]+\d", shown(browser_client(owner), path))
    assert len(amounts) >= fewest
    assert [one for one in amounts if not re.search(r"\.\d\d$", one)] == []


def test_where_an_invoice_is_open_its_page_is_one_click_from_the_change_that_waits_for_it(
    paying, owner, browser_client
):
    paying.subscribe()
    paying.server.card_change(paying.customer, FAILS_LATER)
    paying.move(days=32)
    paying.sync()
    page = shown(browser_client(owner), f"{BUSINESS}?seats=6", 422)
    assert "Pay the open invoice first" in page
    with shared():
        invoice = paying.account.invoices.get(status="open")
    assert f'href="{invoice.page_url}"' in page


def test_a_change_that_was_not_shown_first_is_shown(paying, owner, browser_client):
    paying.subscribe()
    answer = browser_client(owner).post(BUSINESS, {"seats": "6"})
    assert answer.status_code == 422
    assert "Charged now" in answer.content.decode()
    assert paying.subscription.price.lookup_key == "team_month_eur"


def test_seats_are_bought_where_they_are_seen(paying, owner, browser_client):
    paying.subscribe()
    client = browser_client(owner)
    assert "6 of 6 seats" in shown(client, PAGE)
    client.post(TEAM, hidden(shown(client, f"{TEAM}?seats=8")))
    assert paying.subscription.quantity == 8
    assert [one.type for one in audited(paying)] == ["billing.seats_changed"]


def test_a_declined_card_changes_nothing(paying, owner, browser_client):
    paying.subscribe()
    paying.server.card_change(paying.customer, FAILS_LATER)
    client = browser_client(owner)
    answer = client.post(BUSINESS, hidden(shown(client, f"{BUSINESS}?seats=6")))
    assert answer.status_code == 422
    assert paying.subscription.price.lookup_key == "team_month_eur"
    assert not audited(paying)


def test_where_stripe_is_away_the_pages_say_what_is_known(paying, owner, browser_client):
    paying.subscribe()
    paying.server.fault("500", times=200)
    client = browser_client(owner)
    assert "Team" in shown(client, PAGE)
    assert "does not answer at the moment" in shown(client, f"{BUSINESS}?seats=6", 503)
    page = shown(client, f"{PAGE}next/")
    assert "does not answer at the moment" in page
    assert "As far as we know, €174 without tax" in page


def test_the_next_invoice_is_shown_and_asked_for_once_in_a_while(paying, owner, browser_client):
    paying.subscribe()
    client = browser_client(owner)
    assert "To be paid" in shown(client, f"{PAGE}next/")
    paying.server.forget_requests()
    assert "To be paid" in shown(client, f"{PAGE}next/")
    assert not paying.server.requests


def test_the_next_invoice_comes_when_what_is_paid_for_ends(paying):
    paying.subscribe()
    invoice = next_invoice(paying.account)
    assert invoice is not None
    assert invoice.at == paying.subscription.period_end


def test_cancelling_says_what_follows_asks_why_and_is_taken_back(paying, owner, browser_client):
    paying.subscribe()
    client = browser_client(owner)
    page = shown(client, f"{PAGE}cancel/")
    assert "Then it is suspended, and on" in page
    assert "Nothing more is charged." in page
    answer = client.post(f"{PAGE}cancel/", {"comment": "x"})
    assert answer.status_code == 422
    assert paying.subscription.cancel_at is None
    assert client.post(f"{PAGE}cancel/", {"reason": "unused", "comment": "Too quiet"}).status_code == 302
    assert paying.subscription.cancel_at is not None
    assert paying.account.cancel_reason == "unused"
    assert "Everything works until" in shown(client, PAGE)
    assert client.post(f"{PAGE}cancel/undo/").status_code == 302
    assert paying.subscription.cancel_at is None
    assert [one.type for one in audited(paying)] == ["billing.canceled", "billing.reactivated"]


def test_there_is_nothing_to_cancel_without_a_subscription(paying, owner, browser_client):
    assert browser_client(owner).get(f"{PAGE}cancel/").status_code == 302


def test_a_coupon_that_there_is_not_is_refused_beside_its_field(paying, owner, browser_client):
    paying.subscribe()
    answer = browser_client(owner).post(f"{PAGE}coupon/", {"code": "NOPE"})
    assert answer.status_code == 422
    assert "There is no such code" in answer.content.decode()


def test_who_cancels_while_a_payment_is_open_is_told_that_it_stays_due(paying, owner, browser_client):
    paying.subscribe()
    paying.server.card_change(paying.customer, FAILS_LATER)
    paying.move(days=32)
    paying.sync()
    client = browser_client(owner)
    page = shown(client, f"{PAGE}cancel/")
    assert re.search(r"€174\.00 of the invoice \S+ is still due\. Its payment is tried again on", page)
    assert "No further period is charged." in page
    assert "Nothing more is charged" not in page


def test_another_coupon_is_said_to_replace_the_one_that_runs(paying, owner, browser_client):
    paying.subscribe()
    stripe = paying.server.client
    for name, code in (("Spring sale", "SPRING"), ("Winter sale", "WINTER")):
        coupon = stripe.v1.coupons.create({"percent_off": 20, "duration": "forever", "name": name})
        stripe.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": code})
    client = browser_client(owner)
    assert client.post(f"{PAGE}coupon/", {"code": "SPRING", "instead_of": ""}).status_code == 302
    page = shown(client, f"{PAGE}coupon/")
    assert "The coupon <strong>Spring sale</strong> runs." in page
    assert "Replace the coupon" in page
    assert client.post(f"{PAGE}coupon/", {"code": "WINTER", "instead_of": ""}).status_code == 422
    assert "Coupon: Spring sale" in shown(client, PAGE)
    assert client.post(f"{PAGE}coupon/", {"code": "WINTER", "instead_of": "Spring sale"}).status_code == 302
    assert "Coupon: Winter sale" in shown(client, PAGE)


def test_a_coupon_is_taken_once(paying, owner, browser_client):
    paying.subscribe()
    stripe = paying.server.client
    coupon = stripe.v1.coupons.create({"percent_off": 20, "duration": "forever"})
    stripe.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "SPRING"})
    client = browser_client(owner)
    assert client.post(f"{PAGE}coupon/", {"code": "SPRING"}).status_code == 302
    assert "Coupon:" in shown(client, PAGE)
    assert client.post(f"{PAGE}coupon/", {"code": "SPRING"}).status_code == 422
    assert [one.type for one in audited(paying)] == ["billing.coupon_applied"]


def test_the_billing_contact_is_apart_from_the_owner(paying, owner, browser_client):
    paying.subscribe()
    client = browser_client(owner)
    assert client.post(f"{PAGE}contact/", {"email": "books@example.net"}).status_code == 302
    assert paying.account.email == "books@example.net"
    assert paying.server.client.v1.customers.retrieve(paying.customer).email == "books@example.net"
    assert "books@example.net" in shown(client, PAGE)
    assert client.post(f"{PAGE}contact/", {"email": "no address"}).status_code == 422


def test_the_portal_opens_for_a_customer_only(paying, owner, browser_client):
    client = browser_client(owner)
    assert "There is nothing at Stripe yet" in client.post(f"{PAGE}portal/", follow=True).content.decode()
    paying.subscribe()
    for sent in ({}, {"card": "1"}):
        answer = client.post(f"{PAGE}portal/", sent)
        assert answer["Location"].startswith(paying.server.url)


def test_the_audit_says_who_changed_the_plan(paying, owner, browser_client):
    paying.subscribe()
    client = browser_client(owner)
    client.post(BUSINESS, hidden(shown(client, f"{BUSINESS}?seats=6")))
    page = shown(client, "/settings/audit/?kind=billing")
    assert "changed the plan" in page
    assert "Business" in page


def test_how_long_ago_stripe_was_asked_is_told_right_though_its_clock_was_moved(paying, owner, browser_client):
    paying.subscribe()
    paying.move(days=20)
    paying.sync()
    said = re.findall(r"As Stripe said <time [^>]*>([^<]+)</time>", shown(browser_client(owner), PAGE))
    assert len(said) == 1
    assert not re.search("day|week|month", said[0])


@pytest.mark.parametrize(("state", "is_said"), [("trialing", True), ("canceled", False), ("read_only", False)])
def test_a_plan_is_called_that_of_the_trial_only_while_there_is_one(state, is_said, owner, browser_client):
    with shared():
        plans_load()
        trial = {"trial_plan": Plan.objects.get(code="business"), "access_state": state}
    account_of(owner.tenant, **trial)
    standing(owner.tenant, state)
    assert ("in your trial" in shown(browser_client(owner), f"{PAGE}plans/")) is is_said


def test_who_buys_is_offered_a_seat_for_those_invited_too(paying, owner, browser_client):
    with tenant_scope(paying.tenant):
        invitation_send(owner, email="guest@example.com", role="member")
    page = shown(browser_client(owner), TEAM)
    assert f'name="seats" value="{SEATS + 1}"' in page
    assert f"{SEATS + 1} seats at" in page
