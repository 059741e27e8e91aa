"""A subscription's life at the stand-in, asked for by the unmodified library."""

import pytest
import stripe

from embedded.stripe.errors import Refused
from tests.billing.standin.shop import MONTH, checkout, plan, subscribed
from tests.billing.standin_server import DECLINED, FAILS_LATER, THREE_D_SECURE, StripeServer


def test_a_paid_checkout_makes_an_active_subscription_with_a_paid_invoice(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    assert subscription.status == "active"
    assert subscription["items"].data[0].quantity == 3
    invoice = stripe_server.client.v1.invoices.retrieve(str(subscription.latest_invoice))
    assert (invoice.status, invoice.total, invoice.amount_paid) == ("paid", 3600, 3600)
    assert invoice.parent is not None
    assert invoice.parent.subscription_details is not None
    assert invoice.parent.subscription_details.subscription == subscription.id


def test_a_declined_card_leaves_the_session_open(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    session = checkout(client, plan(client), customer.id)
    with pytest.raises(Refused, match="declined"):
        stripe_server.pay(session.id, DECLINED)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert client.v1.subscriptions.list({"customer": customer.id, "status": "all"}).data == []


def test_three_d_secure_waits_for_the_customer(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    session = checkout(client, plan(client), customer.id)
    assert stripe_server.pay(session.id, THREE_D_SECURE)["status"] == "open"
    done = stripe_server.authenticate(session.id)
    assert client.v1.subscriptions.retrieve(done["subscription"]).status == "active"


def test_a_month_later_it_is_renewed_and_paid(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    stripe_server.advance(days=MONTH, seconds=7200)
    invoices = stripe_server.client.v1.invoices.list({"subscription": subscription.id}).data
    assert [(one.billing_reason, one.status) for one in invoices] == [
        ("subscription_cycle", "paid"),
        ("subscription_create", "paid"),
    ]


def test_a_card_that_fails_later_makes_it_past_due_and_then_canceled(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    client = stripe_server.client
    stripe_server.card_change(str(subscription.customer), FAILS_LATER)
    stripe_server.advance(days=MONTH, seconds=7200)
    assert client.v1.subscriptions.retrieve(subscription.id).status == "past_due"
    stripe_server.advance(days=8)
    assert client.v1.subscriptions.retrieve(subscription.id).status == "canceled"


def test_another_card_heals_a_failed_payment_at_the_next_try(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    client = stripe_server.client
    stripe_server.card_change(str(subscription.customer), FAILS_LATER)
    stripe_server.advance(days=MONTH, seconds=7200)
    stripe_server.card_change(str(subscription.customer))
    stripe_server.advance(days=3)
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"


def test_a_change_costs_to_the_cent_what_was_previewed(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    client = stripe_server.client
    stripe_server.advance(days=11, seconds=12345)
    moment = stripe_server.now
    item = subscription["items"].data[0].id
    shown = client.v1.invoices.create_preview(
        {
            "subscription": subscription.id,
            "subscription_details": {
                "items": [{"id": item, "quantity": 5}],
                "proration_behavior": "always_invoice",
                "proration_date": moment,
            },
        }
    )
    stripe_server.advance(seconds=600)
    changed = client.v1.subscriptions.update(
        subscription.id,
        {
            "items": [{"id": item, "quantity": 5}],
            "proration_behavior": "always_invoice",
            "proration_date": moment,
            "expand": ["latest_invoice.payments"],
        },
    )
    invoice = changed.latest_invoice
    assert isinstance(invoice, stripe.Invoice)
    assert (invoice.total, invoice.status) == (shown.total, "paid")
    assert [line.amount for line in invoice.lines.data] == [line.amount for line in shown.lines.data]
    assert 0 < invoice.total < 2400


def test_cancelling_at_the_end_keeps_it_until_then(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    client = stripe_server.client
    told = client.v1.subscriptions.update(
        subscription.id, {"cancel_at_period_end": True, "cancellation_details": {"feedback": "too_expensive"}}
    )
    assert (told.status, told.cancel_at_period_end) == ("active", True)
    stripe_server.advance(days=MONTH)
    over = client.v1.subscriptions.retrieve(subscription.id)
    assert (over.status, over.cancellation_details and over.cancellation_details.feedback) == (
        "canceled",
        "too_expensive",
    )


def test_what_it_knows_outlives_a_restart(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    stripe_server.restart()
    assert stripe_server.client.v1.subscriptions.retrieve(subscription.id).status == "active"
