"""What changes, discounts, credit and refunds come to at the stand-in, to the cent."""

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedded.stripe.engine.discounts import spread
from embedded.stripe.errors import Refused
from tests.billing.standin.shop import checkout, plan, subscribed
from tests.billing.standin_server import DECLINED, FAILS_LATER, THREE_D_SECURE, StripeServer

DAY = 86400


def item_of(subscription: stripe.Subscription) -> stripe.SubscriptionItem:
    found: stripe.SubscriptionItem = subscription["items"].data[0]
    return found


def invoice_of(server: StripeServer, subscription: stripe.Subscription) -> stripe.Invoice:
    return server.client.v1.invoices.retrieve(
        str(server.client.v1.subscriptions.retrieve(subscription.id).latest_invoice)
    )


def change(server: StripeServer, subscription: stripe.Subscription, **params: Any) -> stripe.Subscription:
    quantity, price = params.pop("quantity", None), params.pop("price", None)
    item: Any = {"id": item_of(subscription).id}
    item |= {"quantity": quantity} if quantity is not None else {}
    item |= {"price": price} if price else {}
    wanted: Any = {"items": [item], **params}
    return server.client.v1.subscriptions.update(subscription.id, wanted)


def half_up(amount: Fraction) -> int:
    sign = -1 if amount < 0 else 1
    return sign * int(abs(amount) + Fraction(1, 2))


def test_more_seats_cost_the_time_that_is_left_by_the_second(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server, quantity=3, amount=997)
    item = item_of(subscription)
    whole = item.current_period_end - item.current_period_start
    moment = item.current_period_start + whole // 7
    stripe_server.advance(seconds=whole // 7)
    change(stripe_server, subscription, quantity=5, proration_behavior="always_invoice", proration_date=moment)
    invoice = invoice_of(stripe_server, subscription)
    left = Fraction(item.current_period_end - moment, whole)
    assert [line.amount for line in invoice.lines.data] == [-half_up(3 * 997 * left), half_up(5 * 997 * left)]
    assert (invoice.status, invoice.billing_reason) == ("paid", "subscription_update")


def test_fewer_seats_become_credit_that_the_next_invoice_uses_up(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server, quantity=5, amount=1000)
    change(stripe_server, subscription, quantity=1, proration_behavior="always_invoice")
    refunded = invoice_of(stripe_server, subscription)
    customer = stripe_server.client.v1.customers.retrieve(str(subscription.customer))
    assert refunded.total < -3900
    assert (refunded.amount_due, refunded.status, customer.balance) == (0, "paid", refunded.total)
    stripe_server.advance(days=31, seconds=7200)
    renewed = invoice_of(stripe_server, subscription)
    assert (renewed.total, renewed.amount_due, renewed.status) == (1000, 0, "paid")
    assert renewed.ending_balance == refunded.total + 1000


def test_without_proration_only_the_next_period_is_dearer(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server, quantity=1, amount=1000)
    change(stripe_server, subscription, quantity=2, proration_behavior="none")
    assert invoice_of(stripe_server, subscription).billing_reason == "subscription_create"
    stripe_server.advance(days=31, seconds=7200)
    assert invoice_of(stripe_server, subscription).total == 2000


def test_prorations_wait_for_the_next_invoice_which_a_preview_shows(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server, quantity=1, amount=1000)
    stripe_server.advance(days=10)
    change(stripe_server, subscription, quantity=2)
    shown = stripe_server.client.v1.invoices.create_preview({"subscription": subscription.id})
    assert len(shown.lines.data) == 3
    stripe_server.advance(days=21, seconds=7200)
    made = invoice_of(stripe_server, subscription)
    assert [line.amount for line in made.lines.data] == [line.amount for line in shown.lines.data]
    assert (made.total, made.status) == (shown.total, "paid")
    stripe_server.advance(days=31)
    assert invoice_of(stripe_server, subscription).total == 2000


def test_what_waited_is_on_the_next_invoice_of_any_kind_and_on_no_other(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server, quantity=1, amount=1000)
    change(stripe_server, subscription, quantity=2)
    change(stripe_server, subscription, quantity=3, proration_behavior="always_invoice")
    assert len(invoice_of(stripe_server, subscription).lines.data) == 4
    stripe_server.advance(days=31, seconds=7200)
    assert [line.amount for line in invoice_of(stripe_server, subscription).lines.data] == [3000]


def test_another_interval_begins_a_new_period_now_and_gives_the_rest_back(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server, quantity=2, amount=1000)
    yearly = plan(stripe_server.client, 10000, interval="year")
    changed = change(stripe_server, subscription, price=yearly)
    invoice = invoice_of(stripe_server, subscription)
    assert [line.amount for line in invoice.lines.data][1:] == [20000]
    assert -2000 <= invoice.lines.data[0].amount <= -1999
    item = item_of(changed)
    assert item.current_period_end - item.current_period_start in (365 * DAY, 366 * DAY)
    assert abs(item.current_period_start - stripe_server.now) < 60


def test_a_second_subscription_in_another_currency_is_refused(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    dollars = plan(stripe_server.client, currency="usd")
    stripe_server.card_change(str(subscription.customer))
    with pytest.raises(stripe.InvalidRequestError, match="combine currencies"):
        stripe_server.client.v1.subscriptions.create(
            {"customer": str(subscription.customer), "items": [{"price": dollars}]}
        )


def test_after_the_last_one_ended_another_currency_is_taken(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    client = stripe_server.client
    client.v1.subscriptions.cancel(subscription.id)
    session = checkout(client, plan(client, currency="usd"), str(subscription.customer))
    assert client.v1.subscriptions.retrieve(stripe_server.pay(session.id)["subscription"]).currency == "usd"


def test_a_price_in_another_currency_is_refused(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    dollars = plan(stripe_server.client, currency="usd")
    with pytest.raises(stripe.InvalidRequestError, match="expected currency"):
        change(stripe_server, subscription, price=dollars)


def test_a_proration_date_outside_the_period_is_refused(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    with pytest.raises(stripe.InvalidRequestError, match="proration date"):
        change(
            stripe_server,
            subscription,
            quantity=4,
            proration_date=item_of(subscription).current_period_start - 1,
        )


def test_error_if_incomplete_changes_nothing_where_the_bank_refuses(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    stripe_server.card_change(str(subscription.customer), FAILS_LATER)
    before = invoice_of(stripe_server, subscription).id
    with pytest.raises(stripe.CardError) as caught:
        change(
            stripe_server,
            subscription,
            quantity=9,
            proration_behavior="always_invoice",
            payment_behavior="error_if_incomplete",
        )
    found = stripe_server.client.v1.subscriptions.retrieve(subscription.id)
    assert (caught.value.http_status, caught.value.code) == (402, "card_declined")
    assert (found.status, item_of(found).quantity, found.latest_invoice) == ("active", 3, before)


def test_pending_if_incomplete_waits_for_the_payment(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    stripe_server.card_change(str(subscription.customer), FAILS_LATER)
    changed = change(
        stripe_server,
        subscription,
        quantity=9,
        proration_behavior="always_invoice",
        payment_behavior="pending_if_incomplete",
    )
    assert (changed.status, item_of(changed).quantity) == ("active", 3)
    assert changed.pending_update is not None
    stripe_server.card_change(str(subscription.customer))
    stripe_server.client.v1.invoices.pay(str(changed.latest_invoice))
    found = stripe_server.client.v1.subscriptions.retrieve(subscription.id)
    assert (item_of(found).quantity, found.pending_update) == (9, None)


def test_a_pending_change_is_forgotten_after_23_hours(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    stripe_server.card_change(str(subscription.customer), FAILS_LATER)
    changed = change(
        stripe_server,
        subscription,
        quantity=9,
        proration_behavior="always_invoice",
        payment_behavior="pending_if_incomplete",
    )
    stripe_server.advance(seconds=23 * 3600 + 1)
    found = stripe_server.client.v1.subscriptions.retrieve(subscription.id)
    assert (found.status, item_of(found).quantity, found.pending_update) == ("active", 3, None)
    assert stripe_server.client.v1.invoices.retrieve(str(changed.latest_invoice)).status == "void"


def test_a_promotion_code_takes_its_share_for_as_long_as_it_lasts(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    coupon = client.v1.coupons.create({"percent_off": 25, "duration": "repeating", "duration_in_months": 2})
    client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "SPRING"})
    customer = client.v1.customers.create({})
    session = checkout(client, plan(client, 1000), customer.id, quantity=1, allow_promotion_codes=True)
    stripe_server.promotion(session.id, "spring")
    assert client.v1.checkout.sessions.retrieve(session.id).amount_total == 750
    stripe_server.pay(session.id)
    stripe_server.advance(days=92)
    invoices = client.v1.invoices.list({"customer": customer.id}).data
    assert [one.total for one in invoices][::-1] == [750, 750, 1000, 1000]
    assert client.v1.coupons.retrieve(coupon.id).times_redeemed == 1


def test_a_coupon_for_one_use_is_refused_the_second_time(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    first, second = subscribed(stripe_server), subscribed(stripe_server)
    coupon = client.v1.coupons.create({"amount_off": 500, "currency": "eur", "duration": "once", "max_redemptions": 1})
    client.v1.subscriptions.update(first.id, {"discounts": [{"coupon": coupon.id}]})
    with pytest.raises(stripe.InvalidRequestError, match="used up"):
        client.v1.subscriptions.update(second.id, {"discounts": [{"coupon": coupon.id}]})
    assert client.v1.coupons.retrieve(coupon.id).valid is False


def test_a_code_used_up_meanwhile_is_refused_at_the_checkout_and_nothing_is_paid(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    coupon = client.v1.coupons.create({"percent_off": 50, "duration": "once"})
    code = client.v1.promotion_codes.create(
        {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "HALF", "max_redemptions": 1}
    )
    price, sessions = plan(client), []
    for _ in range(2):
        customer = client.v1.customers.create({})
        sessions.append(checkout(client, price, customer.id, discounts=[{"promotion_code": code.id}]))
    stripe_server.pay(sessions[0].id)
    with stripe_server.server.store.transaction(), pytest.raises(Refused):
        stripe_server.pay(sessions[1].id)
    assert client.v1.checkout.sessions.retrieve(sessions[1].id).status == "open"
    assert len(client.v1.subscriptions.list({"status": "all"}).data) == 1


def test_a_refund_gives_back_at_most_what_was_paid(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    subscription = subscribed(stripe_server)
    charge = client.v1.charges.list({"customer": str(subscription.customer)}).data[0]
    client.v1.refunds.create({"charge": charge.id, "amount": 600})
    with pytest.raises(stripe.InvalidRequestError, match="greater than"):
        client.v1.refunds.create({"payment_intent": str(charge.payment_intent), "amount": charge.amount})
    client.v1.refunds.create({"payment_intent": str(charge.payment_intent)})
    found = client.v1.charges.retrieve(charge.id, {"expand": ["refunds"]})
    assert (found.refunded, found.amount_refunded) == (True, charge.amount)
    assert found.refunds is not None
    assert [one.amount for one in found.refunds.data] == [charge.amount - 600, 600]
    with pytest.raises(stripe.InvalidRequestError, match="already been refunded"):
        client.v1.refunds.create({"charge": charge.id})


def test_a_disputed_charge_says_so_and_is_not_refunded_too(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    subscription = subscribed(stripe_server)
    charge = client.v1.charges.list({"customer": str(subscription.customer)}).data[0]
    dispute = stripe_server.dispute(charge.id)
    assert client.v1.disputes.retrieve(dispute).status == "needs_response"
    assert client.v1.charges.retrieve(charge.id).disputed
    assert client.v1.events.list({"type": "charge.dispute.created"}).data
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        client.v1.refunds.create({"charge": charge.id})


def test_an_invoice_is_paid_by_a_named_card_and_twice_is_refused(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    subscription = subscribed(stripe_server)
    stripe_server.card_change(str(subscription.customer), FAILS_LATER)
    change(stripe_server, subscription, quantity=9, proration_behavior="always_invoice")
    invoice = invoice_of(stripe_server, subscription)
    assert (invoice.status, client.v1.subscriptions.retrieve(subscription.id).status) == ("open", "past_due")
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": str(subscription.customer)})
    assert client.v1.invoices.pay(invoice.id, {"payment_method": card.id}).status == "paid"
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        client.v1.invoices.pay(invoice.id)


def test_a_subscription_made_by_the_api_with_each_behaviour(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    price = plan(client)
    customer = client.v1.customers.create({})
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
        client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price}]})
    stripe_server.card_change(customer.id, FAILS_LATER)
    made = client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price}]})
    assert made.status == "incomplete"
    waits = client.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": price}],
            "payment_behavior": "default_incomplete",
            "expand": ["latest_invoice.confirmation_secret"],
        }
    )
    assert isinstance(waits.latest_invoice, stripe.Invoice)
    assert waits.latest_invoice.confirmation_secret is not None
    with pytest.raises(stripe.CardError):
        client.v1.subscriptions.create(
            {"customer": customer.id, "items": [{"price": price}], "payment_behavior": "error_if_incomplete"}
        )
    assert len(client.v1.subscriptions.list({"customer": customer.id, "status": "all"}).data) == 2


def test_a_card_that_wants_3_d_secure_each_time_asks_for_it(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    subscription = subscribed(stripe_server)
    client.v1.payment_methods.attach("pm_card_authenticationRequired", {"customer": str(subscription.customer)})
    always = client.v1.payment_methods.list({"customer": str(subscription.customer)}).data[0]
    client.v1.subscriptions.update(subscription.id, {"default_payment_method": always.id})
    with pytest.raises(stripe.CardError) as caught:
        change(
            stripe_server,
            subscription,
            quantity=4,
            proration_behavior="always_invoice",
            payment_behavior="error_if_incomplete",
        )
    assert caught.value.code == "subscription_payment_intent_requires_action"
    with pytest.raises(stripe.CardError) as caught:
        change(
            stripe_server,
            subscription,
            quantity=4,
            proration_behavior="always_invoice",
            payment_behavior="error_if_incomplete",
            off_session=True,
        )
    assert caught.value.code == "authentication_required"


def test_a_card_once_confirmed_by_3_d_secure_renews_by_itself(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    session = checkout(client, plan(client), customer.id)
    stripe_server.pay(session.id, THREE_D_SECURE)
    stripe_server.authenticate(session.id)
    stripe_server.advance(days=31, seconds=7200)
    assert [one.status for one in client.v1.invoices.list({"customer": customer.id}).data] == ["paid", "paid"]


def test_3_d_secure_refused_leaves_the_session_open_for_another_card(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    session = checkout(client, plan(client), customer.id)
    stripe_server.pay(session.id, THREE_D_SECURE)
    with pytest.raises(Refused, match="authenticate"):
        stripe_server.authenticate(session.id, succeeded=False)
    assert stripe_server.pay(session.id)["status"] == "complete"


def test_a_declined_card_cannot_be_attached(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    card = client.v1.payment_methods.create(
        {"type": "card", "card": {"number": DECLINED, "exp_month": 1, "exp_year": 2031}}
    )
    with pytest.raises(stripe.CardError, match="declined"):
        client.v1.payment_methods.attach(card.id, {"customer": customer.id})
    assert client.v1.payment_methods.list({"customer": customer.id}).data == []


@pytest.fixture(scope="module")
def one_shop(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("stripe")
    server = StripeServer(folder)
    yield server, plan(server.client, 1337), plan(server.client, 13337, interval="year")
    server.close()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    before=st.integers(1, 400),
    after=st.integers(1, 400),
    part=st.fractions(0, 1),
    yearly=st.booleans(),
    pause=st.integers(0, 3600),
)
def test_any_change_costs_the_cents_that_its_preview_showed(
    one_shop: Any, before: int, after: int, part: Fraction, yearly: bool, pause: int
) -> None:
    """Forty changes over years of the stand-in's time, each with renewals of those before: some seconds."""
    server, month, year = one_shop
    client = server.client
    customer = client.v1.customers.create({})
    server.card_change(customer.id)
    subscription = client.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": month, "quantity": before}]}
    )
    item = item_of(subscription)
    server.advance(seconds=int((item.current_period_end - item.current_period_start - 3700) * part))
    moment = server.now
    wanted: Any = {"id": item.id, "quantity": after} | ({"price": year} if yearly else {})
    details: Any = {"items": [wanted], "proration_behavior": "always_invoice", "proration_date": moment}
    shown = client.v1.invoices.create_preview({"subscription": subscription.id, "subscription_details": details})
    server.advance(seconds=pause)
    changed = client.v1.subscriptions.update(subscription.id, {**details, "expand": ["latest_invoice"]})
    if before == after and not yearly:
        assert changed.latest_invoice.billing_reason == "subscription_create"
        return
    made = changed.latest_invoice
    assert [line.amount for line in made.lines.data] == [line.amount for line in shown.lines.data]
    assert (made.total, made.amount_due) == (shown.total, shown.amount_due)


@given(amount=st.integers(0, 100000), over=st.lists(st.integers(0, 100000), min_size=1, max_size=8))
def test_a_discount_split_over_lines_is_spent_exactly(amount: int, over: list[int]) -> None:
    wanted = min(amount, sum(over))
    shares = spread(wanted, over)
    assert sum(shares) == wanted
    assert all(0 <= share <= part for share, part in zip(shares, over, strict=True))


def test_a_line_says_in_words_what_it_is_for(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    change(stripe_server, subscription, quantity=4, proration_behavior="always_invoice")
    today = datetime.fromtimestamp(stripe_server.now, UTC).strftime("%d %b %Y").lstrip("0")
    assert [line.description for line in invoice_of(stripe_server, subscription).lines.data] == [
        f"Unused time on 3 × Team after {today}",
        f"Remaining time on 4 × Team after {today}",
    ]
