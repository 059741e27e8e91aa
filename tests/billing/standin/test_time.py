"""The stand-in's clock: what renews, ends, is tried again and expires by itself."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import stripe

from embedded.stripe import clock
from tests.billing.standin.shop import MONTH, checkout, plan, subscribed
from tests.billing.standin_server import FAILS_LATER, KEY, THREE_D_SECURE, StripeServer
from tests.stack import ROOT, free_port

HOUR = 3600
DAY = 24 * HOUR


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def found(server: StripeServer, subscription: stripe.Subscription) -> stripe.Subscription:
    return server.client.v1.subscriptions.retrieve(subscription.id)


def trial(server: StripeServer, *, days: int = 14, without: str = "create_invoice", card: bool = False) -> Any:
    client = server.client
    customer = client.v1.customers.create({})
    if card:
        server.card_change(customer.id)
    wanted: Any = {
        "customer": customer.id,
        "items": [{"price": plan(client), "quantity": 2}],
        "trial_period_days": days,
        "trial_settings": {"end_behavior": {"missing_payment_method": without}},
    }
    return client.v1.subscriptions.create(wanted)


def failing(server: StripeServer) -> stripe.Subscription:
    """A subscription whose first renewal was refused just now."""
    subscription = subscribed(server)
    server.card_change(str(subscription.customer), FAILS_LATER)
    server.advance(seconds=subscription["items"].data[0].current_period_end - server.now + HOUR + 60)
    return subscription


@pytest.mark.parametrize(
    ("anchor", "interval", "steps", "wanted"),
    [
        ("2027-01-31T10:00:00", "month", 1, "2027-02-28T10:00:00"),
        ("2027-01-31T10:00:00", "month", 2, "2027-03-31T10:00:00"),
        ("2028-01-30T10:00:00", "month", 1, "2028-02-29T10:00:00"),
        ("2028-02-29T10:00:00", "year", 1, "2029-02-28T10:00:00"),
        ("2028-02-29T10:00:00", "year", 4, "2032-02-29T10:00:00"),
        ("2027-12-31T23:59:59", "month", 2, "2028-02-29T23:59:59"),
        ("2027-03-20T10:00:00", "week", 2, "2027-04-03T10:00:00"),
    ],
)
def test_periods_are_counted_from_the_anchor_by_the_calendar(
    anchor: str, interval: str, steps: int, wanted: str
) -> None:
    assert clock.after(at(anchor), interval, steps) == at(wanted)


def test_a_year_moved_at_once_goes_month_by_month(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    stripe_server.advance(days=367)
    invoices = stripe_server.client.v1.invoices.list({"subscription": subscription.id, "limit": 100}).data
    assert Counter(one.status for one in invoices) == {"paid": 13}


def test_events_carry_the_moments_at_which_they_happened(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    end = subscription["items"].data[0].current_period_end
    stripe_server.advance(days=MONTH + 5)
    events = stripe_server.server.store.events_after(0, 1000)
    created = [event["created"] for _, event in events]
    assert created == sorted(created)
    by_kind = {event["type"]: event["created"] for _, event in events}
    assert by_kind["invoice.created"] == end
    assert by_kind["invoice.paid"] == end + HOUR


def test_what_falls_due_on_the_way_happens_in_the_order_of_its_moments(stripe_server: StripeServer) -> None:
    for _ in range(3):
        subscribed(stripe_server)
        stripe_server.advance(days=9)
    stripe_server.advance(days=100)
    created = [event["created"] for _, event in stripe_server.server.store.events_after(0, 1000)]
    assert created == sorted(created)


def test_a_renewal_s_invoice_is_a_draft_for_an_hour(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    stripe_server.advance(seconds=subscription["items"].data[0].current_period_end - stripe_server.now + 60)
    renewed = found(stripe_server, subscription)
    invoice = stripe_server.client.v1.invoices.retrieve(str(renewed.latest_invoice))
    assert (renewed.status, invoice.status, invoice.number) == ("active", "draft", None)
    stripe_server.advance(seconds=HOUR)
    invoice = stripe_server.client.v1.invoices.retrieve(invoice.id)
    assert (invoice.status, invoice.status_transitions.paid_at) == ("paid", invoice.created + HOUR)


def test_a_refused_renewal_is_tried_after_3_5_and_7_days(stripe_server: StripeServer) -> None:
    subscription = failing(stripe_server)
    client = stripe_server.client
    invoice = client.v1.invoices.retrieve(str(found(stripe_server, subscription).latest_invoice))
    first = client.v1.events.list({"type": "invoice.payment_failed"}).data[0].created
    tries = []
    while invoice.next_payment_attempt is not None:
        tries.append((invoice.attempt_count, invoice.next_payment_attempt - first))
        stripe_server.advance(seconds=invoice.next_payment_attempt - stripe_server.now + 1)
        invoice = client.v1.invoices.retrieve(invoice.id)
    assert tries == [(1, 3 * DAY), (2, 5 * DAY), (3, 7 * DAY)]
    over = found(stripe_server, subscription)
    assert over.cancellation_details is not None
    assert (over.status, over.cancellation_details.reason, invoice.status) == ("canceled", "payment_failed", "open")


@pytest.mark.parametrize("wanted", ["unpaid", "past_due"])
def test_what_follows_the_last_try_can_be_chosen_and_paying_heals_it(stripe_server: StripeServer, wanted: str) -> None:
    stripe_server.after_retries(wanted)
    subscription = failing(stripe_server)
    stripe_server.advance(days=8)
    late = found(stripe_server, subscription)
    assert late.status == wanted
    stripe_server.card_change(str(subscription.customer))
    stripe_server.client.v1.invoices.pay(str(late.latest_invoice))
    assert found(stripe_server, subscription).status == "active"


def test_an_unpaid_subscription_s_invoices_stay_drafts(stripe_server: StripeServer) -> None:
    stripe_server.after_retries("unpaid")
    subscription = failing(stripe_server)
    stripe_server.advance(days=MONTH + 2)
    newest = stripe_server.client.v1.invoices.list({"subscription": subscription.id}).data[0]
    assert (newest.status, newest.auto_advance) == ("draft", False)


def test_a_first_payment_left_open_expires_after_23_hours(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    subscription = client.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": plan(client)}], "payment_behavior": "default_incomplete"}
    )
    stripe_server.advance(seconds=23 * HOUR - 60)
    assert found(stripe_server, subscription).status == "incomplete"
    stripe_server.advance(seconds=120)
    assert found(stripe_server, subscription).status == "incomplete_expired"
    assert client.v1.invoices.retrieve(str(subscription.latest_invoice)).status == "void"


def test_a_first_payment_made_late_makes_it_active(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    subscription = client.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": plan(client)}], "payment_behavior": "default_incomplete"}
    )
    stripe_server.card_change(customer.id)
    client.v1.invoices.pay(str(subscription.latest_invoice))
    assert found(stripe_server, subscription).status == "active"


def test_a_checkout_session_expires_after_a_day(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    session = checkout(client, plan(client), customer.id)
    stripe_server.advance(days=1, seconds=1)
    late = client.v1.checkout.sessions.retrieve(session.id)
    assert (late.status, late.url) == ("expired", None)
    assert client.v1.events.list({"type": "checkout.session.expired"}).data
    with pytest.raises(stripe.InvalidRequestError, match="open"):
        client.v1.checkout.sessions.expire(session.id)


def test_a_trial_is_announced_three_days_before_and_then_charged(stripe_server: StripeServer) -> None:
    subscription = trial(stripe_server, card=True)
    client = stripe_server.client
    first = client.v1.invoices.retrieve(str(subscription.latest_invoice))
    assert (subscription.status, first.total, first.status) == ("trialing", 0, "paid")
    stripe_server.advance(days=10)
    assert not client.v1.events.list({"type": "customer.subscription.trial_will_end"}).data
    stripe_server.advance(days=1, seconds=60)
    assert len(client.v1.events.list({"type": "customer.subscription.trial_will_end"}).data) == 1
    stripe_server.advance(days=3, seconds=2 * HOUR)
    over = found(stripe_server, subscription)
    invoice = client.v1.invoices.retrieve(str(over.latest_invoice))
    assert (over.status, invoice.status, invoice.total) == ("active", "paid", 2400)


@pytest.mark.parametrize(
    ("without", "status"), [("create_invoice", "past_due"), ("cancel", "canceled"), ("pause", "paused")]
)
def test_a_trial_without_a_card_ends_as_it_was_told(stripe_server: StripeServer, without: str, status: str) -> None:
    subscription = trial(stripe_server, without=without)
    stripe_server.advance(days=14, seconds=2 * HOUR)
    assert found(stripe_server, subscription).status == status


def test_a_paused_subscription_is_resumed_by_its_first_paid_period(stripe_server: StripeServer) -> None:
    subscription = trial(stripe_server, without="pause")
    stripe_server.advance(days=15)
    stripe_server.card_change(subscription.customer)
    resumed = stripe_server.client.v1.subscriptions.resume(subscription.id)
    assert (resumed.status, abs(resumed["items"].data[0].current_period_start - stripe_server.now) < 60) == (
        "active",
        True,
    )


def test_a_trial_ended_now_is_charged_now(stripe_server: StripeServer) -> None:
    subscription = trial(stripe_server, card=True)
    now = stripe_server.client.v1.subscriptions.update(subscription.id, {"trial_end": "now"})
    invoice = stripe_server.client.v1.invoices.retrieve(str(now.latest_invoice))
    assert (now.status, invoice.total, invoice.status) == ("active", 2400, "paid")


def test_a_card_confirmed_when_the_trial_began_pays_at_its_end(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    session = checkout(client, plan(client), customer.id, subscription_data={"trial_period_days": 14})
    stripe_server.pay(session.id, THREE_D_SECURE)
    done = stripe_server.authenticate(session.id)
    assert (done["payment_status"], done["amount_total"]) == ("no_payment_required", 0)
    stripe_server.advance(days=14, seconds=2 * HOUR)
    assert client.v1.subscriptions.retrieve(done["subscription"]).status == "active"


def test_a_trial_shorter_than_its_announcement_is_announced_at_once_and_not_earlier(
    stripe_server: StripeServer,
) -> None:
    subscription = trial(stripe_server, days=1)
    (told,) = stripe_server.client.v1.events.list({"type": "customer.subscription.trial_will_end"}).data
    assert told.created >= subscription.created


def test_reactivating_before_the_end_goes_on_as_if_nothing_had_been(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    client = stripe_server.client
    client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    back = client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": False})
    assert back.cancellation_details is not None
    assert (back.cancel_at, back.canceled_at, back.cancellation_details.reason) == (None, None, None)
    stripe_server.advance(days=MONTH, seconds=2 * HOUR)
    assert found(stripe_server, subscription).status == "active"
    assert len(client.v1.invoices.list({"subscription": subscription.id}).data) == 2


def test_one_that_ends_with_its_period_has_no_next_invoice(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    client = stripe_server.client
    client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.invoices.create_preview({"subscription": subscription.id})
    assert caught.value.code == "invoice_upcoming_none"
    stripe_server.advance(days=MONTH)
    assert [one.billing_reason for one in client.v1.invoices.list({"subscription": subscription.id}).data] == [
        "subscription_create"
    ]


def test_cancelled_at_once_with_the_rest_given_back(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server, quantity=1, amount=3000)
    client = stripe_server.client
    over = client.v1.subscriptions.cancel(subscription.id, {"prorate": True, "invoice_now": True})
    customer = client.v1.customers.retrieve(str(subscription.customer))
    assert (over.status, -3000 <= (customer.balance or 0) <= -2999) == ("canceled", True)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.subscriptions.cancel(subscription.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})


@pytest.mark.parametrize(
    ("behaviour", "status"), [("void", "void"), ("mark_uncollectible", "uncollectible"), ("keep_as_draft", "draft")]
)
def test_paused_collection_keeps_it_active_and_takes_no_money(
    stripe_server: StripeServer, behaviour: Any, status: str
) -> None:
    subscription = subscribed(stripe_server)
    client = stripe_server.client
    client.v1.subscriptions.update(subscription.id, {"pause_collection": {"behavior": behaviour}})
    stripe_server.advance(days=MONTH, seconds=2 * HOUR)
    paused = found(stripe_server, subscription)
    assert (paused.status, client.v1.invoices.retrieve(str(paused.latest_invoice)).status) == ("active", status)


def test_an_expired_card_is_refused_at_the_renewal(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    session = checkout(client, plan(client), customer.id)
    today = datetime.fromtimestamp(stripe_server.now, UTC)
    done = stripe_server.pay(session.id, exp_month=today.month, exp_year=today.year)
    stripe_server.advance(days=MONTH, seconds=2 * HOUR)
    late = client.v1.subscriptions.retrieve(done["subscription"])
    error = client.v1.charges.list({"customer": customer.id}).data[0]
    assert (late.status, error.failure_code) == ("past_due", "expired_card")


def test_a_deleted_customer_s_subscriptions_end_and_its_invoices_stay(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    client = stripe_server.client
    client.v1.customers.delete(str(subscription.customer))
    assert client.v1.customers.retrieve(str(subscription.customer)).deleted
    assert found(stripe_server, subscription).status == "canceled"
    assert client.v1.invoices.retrieve(str(subscription.latest_invoice)).status == "paid"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.update(str(subscription.customer), {"name": "Nobody"})


def test_a_deleted_customer_s_open_checkout_is_over(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    session = checkout(client, plan(client), customer.id)
    client.v1.customers.delete(customer.id)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_the_clock_does_not_go_back(stripe_server: StripeServer) -> None:
    with pytest.raises(ValueError, match="forward"):
        stripe_server.advance(seconds=-1)


def test_a_process_killed_in_the_middle_knows_all_that_it_answered(tmp_path: Path) -> None:
    """A process of its own: what is tested is that nothing answered is lost with it."""

    def started(port: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "embedded.stripe", str(port), str(tmp_path / "stripe")], cwd=ROOT / "platform"
        )
        client = stripe.StripeClient(KEY, base_addresses={"api": f"http://127.0.0.1:{port}"}, max_network_retries=0)
        deadline = time.monotonic() + 60
        while True:
            try:
                client.v1.customers.list()
                return process
            except stripe.APIConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    port = free_port()
    process = started(port)
    client = stripe.StripeClient(KEY, base_addresses={"api": f"http://127.0.0.1:{port}"}, max_network_retries=0)
    made = client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "one"})
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    process = started(port)
    try:
        assert client.v1.customers.retrieve(made.id).name == "Ada"
        assert client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "one"}).id == made.id
    finally:
        process.terminate()
        assert process.wait(60) == 0
