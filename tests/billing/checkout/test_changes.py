"""Changes of a subscription: the price that is shown is the price that is paid."""

from decimal import Decimal

import pytest
from django.utils import timezone

from billing.checkout.changes import PriceChanged, cancel, change_apply, change_preview, coupon_apply, reactivate
from billing.errors import AccountBusy, AnswerAwaited, BillingRefused, StripeAway, StripeRefused
from billing.models import StripeRequest
from billing.money import Money
from billing.outgoing import FRESH, KEY_LIVES, requests_finish, send
from billing.stripe_writes import OPERATIONS
from tenants.db.scopes import shared
from tests.billing.paying import SEATS
from tests.billing.standin_server import FAILS_LATER


@pytest.fixture
def subscribed(paying):
    paying.subscribe()
    paying.move(days=10)
    return paying


def previewed(paying, price="business_month_eur", seats=SEATS):
    return change_preview(paying.account, paying.price(price), seats)


def applied(paying, shown, price="business_month_eur", seats=SEATS):
    return change_apply(paying.account, paying.price(price), seats, shown.proration_date, shown.balance)


def charged(paying):
    """What was taken from the card so far, the oldest first."""
    found = paying.server.client.v1.charges.list({"customer": paying.customer, "limit": 100}).data
    return [Decimal(one.amount) / 100 for one in reversed(found) if one.paid]


class TestPrice:
    @pytest.mark.parametrize(
        ("price", "seats"),
        [("business_month_eur", SEATS), ("team_month_eur", 9), ("team_year_eur", SEATS), ("business_year_eur", 11)],
    )
    def test_what_is_paid_is_what_was_shown_to_the_cent(self, subscribed, price, seats):
        shown = previewed(subscribed, price, seats)
        subscribed.move(minutes=7)
        changed = applied(subscribed, shown, price, seats)
        assert (changed.price.lookup_key, changed.quantity) == (price, seats)
        assert charged(subscribed)[1:] == [shown.due_now.amount]
        assert shown.due_now.amount > 0

    def test_the_next_period_costs_what_was_said(self, subscribed):
        shown = previewed(subscribed)
        applied(subscribed, shown)
        subscribed.move(days=31)
        subscribed.sync()
        assert shown.next == Money(Decimal("354.00"), "EUR")
        assert charged(subscribed)[-1] == shown.next.amount

    def test_a_smaller_plan_costs_nothing_now_and_what_is_left_is_kept(self, subscribed):
        applied(subscribed, previewed(subscribed))
        before = charged(subscribed)
        shown = previewed(subscribed, "team_month_eur")
        assert shown.due_now.amount == 0
        assert shown.credit.amount > 0
        applied(subscribed, shown, "team_month_eur")
        assert charged(subscribed) == before

    def test_the_lines_add_up_to_what_is_due(self, subscribed):
        shown = previewed(subscribed)
        assert sum(line.amount.amount for line in shown.lines) == shown.due_now.amount
        assert all(line.text for line in shown.lines)

    @pytest.mark.parametrize("days", [1, 15, 29])
    def test_over_a_leap_day_and_a_change_of_clocks_too(self, paying, days):
        paying.move(days=(430 if days == 1 else 115))
        paying.subscribe()
        paying.move(days=days)
        shown = previewed(paying)
        paying.move(seconds=59)
        applied(paying, shown)
        assert charged(paying)[1:] == [shown.due_now.amount]


class TestRefused:
    def test_a_price_that_is_not_right_any_more(self, subscribed):
        shown = previewed(subscribed)
        with pytest.raises(PriceChanged):
            change_apply(
                subscribed.account,
                subscribed.price("business_month_eur"),
                SEATS,
                shown.proration_date,
                Money(shown.due_now.amount - Decimal("0.01"), "EUR"),
            )
        assert len(charged(subscribed)) == 1

    def test_a_price_that_was_shown_too_long_ago(self, subscribed):
        shown = previewed(subscribed)
        subscribed.move(hours=1)
        with pytest.raises(PriceChanged, match="too long ago"):
            applied(subscribed, shown)

    def test_a_date_of_ones_own_choice(self, subscribed):
        shown = previewed(subscribed)
        for date in (shown.proration_date + 600, shown.proration_date - 30 * 86400, 0):
            with pytest.raises(PriceChanged):
                change_apply(subscribed.account, subscribed.price("business_month_eur"), SEATS, date, shown.due_now)

    def test_two_tabs_that_change_the_plan_the_second_looks_again(self, subscribed):
        one, two = previewed(subscribed), previewed(subscribed, "team_month_eur", 9)
        applied(subscribed, one)
        with pytest.raises(PriceChanged):
            applied(subscribed, two, "team_month_eur", 9)
        assert subscribed.subscription.price.lookup_key == "business_month_eur"

    def test_two_tabs_where_nothing_is_due_the_second_looks_again_at_what_is_left_over(self, subscribed):
        applied(subscribed, previewed(subscribed))
        smaller = previewed(subscribed, "team_month_eur", 9)
        applied(subscribed, previewed(subscribed, seats=9), seats=9)
        assert smaller.due_now.amount == 0
        with pytest.raises(PriceChanged):
            applied(subscribed, smaller, "team_month_eur", 9)

    def test_the_same_change_sent_twice_is_made_once(self, subscribed):
        shown = previewed(subscribed)
        applied(subscribed, shown)
        with pytest.raises(BillingRefused):
            applied(subscribed, shown)
        assert len(charged(subscribed)) == 2

    def test_a_declined_card_leaves_plan_and_seats(self, subscribed):
        subscribed.server.card_change(subscribed.customer, FAILS_LATER)
        shown = previewed(subscribed)
        with pytest.raises(StripeRefused) as refusal:
            applied(subscribed, shown)
        assert refusal.value.is_card
        subscribed.sync()
        assert (subscribed.subscription.price.lookup_key, subscribed.tenant.access_state) == (
            "team_month_eur",
            "active",
        )

    def test_another_card_and_it_goes_through(self, subscribed):
        subscribed.server.card_change(subscribed.customer, FAILS_LATER)
        shown = previewed(subscribed)
        with pytest.raises(StripeRefused):
            applied(subscribed, shown)
        subscribed.server.card_change(subscribed.customer)
        assert applied(subscribed, shown).price.lookup_key == "business_month_eur"

    def test_another_currency(self, subscribed):
        with pytest.raises(BillingRefused, match="EUR"):
            previewed(subscribed, "team_month_usd")

    def test_what_one_has_already(self, subscribed):
        with pytest.raises(BillingRefused, match="already"):
            previewed(subscribed, "team_month_eur")

    def test_fewer_seats_than_are_paid_for(self, subscribed):
        with pytest.raises(BillingRefused, match="6 seats are paid for"):
            previewed(subscribed, "business_month_eur", 5)

    def test_without_a_subscription(self, paying):
        with pytest.raises(BillingRefused, match="no subscription"):
            previewed(paying)

    def test_while_a_payment_is_open(self, subscribed):
        subscribed.server.card_change(subscribed.customer, FAILS_LATER)
        subscribed.move(days=22)
        subscribed.sync()
        with pytest.raises(BillingRefused, match="open invoice"):
            previewed(subscribed)


class TestAway:
    @pytest.mark.parametrize("kind", ["cut", "500_after"])
    def test_an_answer_lost_after_the_deed_charges_once(self, subscribed, kind):
        shown = previewed(subscribed)
        subscribed.server.fault(kind, "POST /v1/subscriptions", times=3)
        try:
            applied(subscribed, shown)
        except StripeAway:
            subscribed.server.heal()
            with pytest.raises((BillingRefused, AccountBusy)):
                applied(subscribed, shown)
        subscribed.sync()
        assert subscribed.subscription.price.lookup_key == "business_month_eur"
        assert charged(subscribed)[1:] == [shown.due_now.amount]

    def test_down_before_the_deed_it_is_made_with_the_same_key(self, subscribed):
        shown = previewed(subscribed)
        subscribed.server.fault("drop", "POST /v1/subscriptions", times=2)
        with pytest.raises(StripeAway):
            applied(subscribed, shown)
        subscribed.server.heal()
        applied(subscribed, shown)
        with shared():
            states = list(StripeRequest.objects.filter(operation="subscription.update").values_list("state", flat=True))
        assert states == ["done"]
        assert charged(subscribed)[1:] == [shown.due_now.amount]

    def test_while_nobody_knows_no_other_change_is_begun(self, subscribed):
        shown = previewed(subscribed)
        other = previewed(subscribed, "team_month_eur", 9)
        subscribed.server.fault("drop", "POST /v1/subscriptions", times=2)
        with pytest.raises(StripeAway):
            applied(subscribed, shown)
        with pytest.raises(AnswerAwaited) as refusal:
            applied(subscribed, other, "team_month_eur", 9)
        assert refusal.value.until - refusal.value.since == FRESH
        assert "its answer has not come yet" in refusal.value.message

    def test_one_that_stripe_did_unheard_holds_up_no_other(self, subscribed):
        shown = previewed(subscribed)
        subscribed.server.fault("cut", "POST /v1/subscriptions")
        subscribed.server.fault("drop", "POST /v1/subscriptions")
        with pytest.raises(StripeAway):
            applied(subscribed, shown)
        more = previewed(subscribed, "business_month_eur", 9)
        assert applied(subscribed, more, "business_month_eur", 9).quantity == 9
        assert charged(subscribed)[1:] == [shown.due_now.amount, more.due_now.amount]

    def test_what_nobody_asked_for_again_is_closed_by_what_stripe_says(self, subscribed):
        shown = previewed(subscribed)
        subscribed.server.fault("drop", "POST /v1/subscriptions", times=2)
        with pytest.raises(StripeAway):
            applied(subscribed, shown)
        self.grow_old()
        (closed,) = requests_finish(OPERATIONS)
        assert closed.state == "refused"
        subscribed.sync()
        assert subscribed.subscription.price.lookup_key == "team_month_eur"
        assert len(charged(subscribed)) == 1

    def test_what_was_done_unheard_is_closed_as_done(self, subscribed):
        shown = previewed(subscribed)
        subscribed.server.fault("cut", "POST /v1/subscriptions")
        subscribed.server.fault("drop", "POST /v1/subscriptions")
        with pytest.raises(StripeAway):
            applied(subscribed, shown)
        self.grow_old()
        (closed,) = requests_finish(OPERATIONS)
        assert closed.state == "done"

    def grow_old(self):
        from datetime import timedelta

        from django.db.models import F

        with shared():
            StripeRequest.objects.update(created_at=F("created_at") - timedelta(minutes=5))

    def test_a_restart_in_the_middle_sends_the_same_key(self, subscribed):
        """The process dies after Stripe did it and before we noted so."""
        shown = previewed(subscribed)
        applied(subscribed, shown)
        with shared():
            StripeRequest.objects.filter(operation="subscription.update").update(state="begun", result_id="")
        (request,) = [one for one in subscribed.server.requests if one.path.startswith("/v1/subscriptions/")]
        with shared():
            row = StripeRequest.objects.get(operation="subscription.update")
            assert row.idempotency_key == request.key
            answer = send(OPERATIONS[row.operation], row)
        assert answer["id"] == subscribed.subscription.stripe_id
        assert len(charged(subscribed)) == 2

    def test_a_day_later_stripe_has_forgotten_the_key_and_another_is_sent(self, subscribed):
        subscribed.server.fault("drop", "POST /v1/subscriptions", times=5)
        shown = previewed(subscribed)
        with pytest.raises(StripeAway):
            applied(subscribed, shown)
        subscribed.server.heal()
        with shared():
            begun = StripeRequest.objects.filter(operation="subscription.update")
            begun.update(created_at=timezone.now() - KEY_LIVES)
        applied(subscribed, shown)
        with shared():
            assert sorted(begun.values_list("state", flat=True)) == ["begun", "done"]
        assert len(charged(subscribed)) == 2


class TestCancel:
    def test_with_a_reason_all_stays_to_the_paid_end_and_can_be_taken_back(self, subscribed):
        ending = cancel(subscribed.account, "too_expensive", "Next year perhaps")
        assert ending.cancel_at == ending.period_end
        assert subscribed.tenant.access_state == "canceling"
        assert (subscribed.account.cancel_reason, subscribed.account.cancel_comment) == (
            "too_expensive",
            "Next year perhaps",
        )
        assert reactivate(subscribed.account).cancel_at is None
        assert (subscribed.tenant.access_state, subscribed.account.cancel_reason) == ("active", "")
        cancel(subscribed.account, "unused", "")
        assert subscribed.tenant.access_state == "canceling"

    def test_stripe_is_told_why(self, subscribed):
        cancel(subscribed.account, "unused", "")
        found = subscribed.server.client.v1.subscriptions.retrieve(subscribed.subscription.stripe_id)
        assert found.cancellation_details.feedback == "unused"

    @pytest.mark.parametrize(("reason", "comment"), [("", ""), ("because", ""), ("other", "x" * 1001)])
    def test_without_a_reason_or_with_a_novel_not(self, subscribed, reason, comment):
        with pytest.raises(BillingRefused):
            cancel(subscribed.account, reason, comment)
        assert subscribed.tenant.access_state == "active"

    def test_twice_is_said(self, subscribed):
        cancel(subscribed.account, "other", "")
        with pytest.raises(BillingRefused, match="already"):
            cancel(subscribed.account, "other", "")

    def test_what_is_not_cancelled_is_not_taken_back(self, subscribed):
        with pytest.raises(BillingRefused, match="not cancelled"):
            reactivate(subscribed.account)

    def test_after_the_end_one_comes_back_by_the_checkout(self, subscribed):
        cancel(subscribed.account, "other", "")
        subscribed.move(days=32)
        subscribed.sync()
        with pytest.raises(BillingRefused, match="no subscription"):
            reactivate(subscribed.account)
        subscribed.subscribe()
        assert subscribed.tenant.access_state == "active"


@pytest.mark.parametrize(
    "change",
    [
        lambda account, price: change_preview(account, price, SEATS),
        lambda account, _price: cancel(account, "other", ""),
        lambda account, _price: reactivate(account),
        lambda account, _price: coupon_apply(account, "HALF"),
    ],
    ids=["plan", "cancel", "reactivate", "coupon"],
)
def test_what_ended_at_stripe_and_is_not_known_here_is_told_as_it_is(subscribed, change):
    subscribed.server.client.v1.subscriptions.cancel(subscribed.subscription.stripe_id)
    with pytest.raises(BillingRefused, match="no subscription"):
        change(subscribed.account, subscribed.price("business_month_eur"))
    assert subscribed.subscription.status == "canceled"


class TestCoupon:
    @pytest.fixture
    def code(self, subscribed):
        client = subscribed.server.client
        coupon = client.v1.coupons.create({"percent_off": 50, "duration": "once", "name": "Half of a month"})
        client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "HALF"})
        return "HALF"

    def test_it_is_taken_off_the_next_invoice(self, subscribed, code):
        assert "Half of a month" in coupon_apply(subscribed.account, code).coupon
        subscribed.move(days=22)
        subscribed.sync()
        assert charged(subscribed) == [Decimal("174.00"), Decimal("87.00")]

    def test_it_counts_once(self, subscribed, code):
        coupon_apply(subscribed.account, code)
        subscribed.move(days=22)
        with pytest.raises(BillingRefused, match="already"):
            coupon_apply(subscribed.account, code)

    def test_one_that_was_typed_at_the_checkout_counts_once_too(self, paying):
        client = paying.server.client
        coupon = client.v1.coupons.create({"percent_off": 50, "duration": "once", "name": "Half of a month"})
        client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "HALF"})
        attempt = paying.start()
        paying.server.promotion(str(attempt.session_id), "HALF")
        paying.server.pay(str(attempt.session_id))
        paying.sync()
        with pytest.raises(BillingRefused, match="already"):
            coupon_apply(paying.account, "HALF")

    def test_one_that_stripe_failed_to_take_is_not_used_up_because_there_is_another(self, subscribed, code):
        client = subscribed.server.client
        coupon = client.v1.coupons.create({"percent_off": 75, "duration": "once", "name": "Three quarters"})
        client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "MORE"})
        coupon_apply(subscribed.account, code)
        subscribed.server.fault("500", "POST /v1/subscriptions", times=2)
        with pytest.raises(StripeAway):
            coupon_apply(subscribed.account, "MORE", instead_of="Half of a month")
        taken = coupon_apply(subscribed.account, "MORE", instead_of="Half of a month")
        assert "Three quarters" in taken.coupon

    def test_another_takes_the_place_of_one_that_runs_only_if_that_was_said(self, subscribed, code):
        client = subscribed.server.client
        coupon = client.v1.coupons.create({"percent_off": 10, "duration": "forever", "name": "A tenth"})
        client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "TENTH"})
        coupon_apply(subscribed.account, code)
        for shown in ("", "Another"):
            with pytest.raises(BillingRefused, match="Half of a month runs"):
                coupon_apply(subscribed.account, "TENTH", instead_of=shown)
        assert subscribed.sync().coupon == "Half of a month"
        assert coupon_apply(subscribed.account, "TENTH", instead_of="Half of a month").coupon == "A tenth"

    @pytest.mark.parametrize("code", ["", "  ", "NOTHING"])
    def test_one_that_there_is_not(self, subscribed, code):
        with pytest.raises(BillingRefused, match="no such code"):
            coupon_apply(subscribed.account, code)
