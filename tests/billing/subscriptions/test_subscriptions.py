"""What is fetched of a subscription and what follows, whatever happened at Stripe."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing import clock, stripe_client
from billing.access import GRACE
from billing.errors import AccountBusy, StripeAway
from billing.models import LIVE, BillingAccount, SubscriptionChange
from billing.subscriptions.sync import subscription_sync
from billing.sweeps.reconcile import reconcile_all
from tenants.db.scopes import shared
from tenants.models import Tenant
from tests.billing.standin_server import FAILS_LATER, VISA


@pytest.fixture
def subscribed(paying):
    paying.subscribe()
    return paying


def second_made(paying):
    """Somebody makes another subscription in Stripe's dashboard."""
    price = paying.price("starter_month_eur").stripe_price_id
    card = paying.server.client.v1.payment_methods.list({"customer": paying.customer}).data[0].id
    made = paying.server.client.v1.subscriptions.create(
        {"customer": paying.customer, "items": [{"price": price, "quantity": 2}], "default_payment_method": card}
    )
    return str(made.id)


def ledger(paying):
    with shared():
        rows = SubscriptionChange.objects.filter(account=paying.first).order_by("at", "id")
        return [(one.kind, one.before, one.after) for one in rows]


class TestFailedPayment:
    def fails(self, paying):
        paying.server.card_change(paying.customer, FAILS_LATER)
        paying.move(days=32)
        return paying.sync()

    def test_it_changes_nothing_for_seven_days_but_is_told(self, subscribed):
        subscription = self.fails(subscribed)
        assert (subscription.status, subscribed.tenant.access_state) == ("past_due", "past_due")
        assert subscribed.tenant.state == Tenant.State.ACTIVE
        assert subscription.grace_until - subscription.past_due_since == GRACE
        assert subscribed.tenant.access_until == subscription.grace_until

    def test_what_is_still_due_is_known(self, subscribed):
        self.fails(subscribed)
        with shared():
            paid, due = subscribed.account.invoices.order_by("issued_at")
        assert (paid.status, paid.remaining) == ("paid", 0)
        assert (due.status, due.remaining) == ("open", due.total)

    def test_the_grace_counts_from_the_first_failure_however_late_it_is_heard_of(self, subscribed):
        first = self.fails(subscribed).past_due_since
        subscribed.move(days=4)
        assert subscribed.sync().past_due_since == first

    def test_then_the_workspace_is_read_only_and_a_payment_heals_it(self, subscribed):
        subscribed.server.dunning("unpaid")
        self.fails(subscribed)
        subscribed.move(days=8)
        subscribed.sync()
        assert (subscribed.tenant.access_state, subscribed.tenant.state) == ("read_only", Tenant.State.READ_ONLY)
        subscribed.server.card_change(subscribed.customer, VISA)
        invoice = subscribed.server.client.v1.invoices.list({"customer": subscribed.customer, "status": "open"}).data[0]
        subscribed.server.client.v1.invoices.pay(invoice.id)
        healed = subscribed.sync()
        assert (healed.status, healed.grace_until) == ("active", None)
        assert (subscribed.tenant.access_state, subscribed.tenant.state) == ("active", Tenant.State.ACTIVE)

    def test_when_stripe_gives_up_the_time_counts_from_the_end_of_the_grace(self, subscribed):
        grace_until = self.fails(subscribed).grace_until
        subscribed.move(days=25)
        subscribed.sync()
        assert subscribed.account.access_lost_at == grace_until
        assert subscribed.subscription.status == "canceled"

    def test_what_it_left_open_is_void_then_and_can_be_paid_by_nobody(self, subscribed):
        self.fails(subscribed)
        subscribed.move(days=25)
        subscribed.sync()
        assert subscribed.subscription.status == "canceled"
        found = subscribed.server.client.v1.invoices.list({"customer": subscribed.customer}).data
        assert [one.status for one in found] == ["void", "paid"]
        with shared():
            left = subscribed.account.invoices.first()
        assert (left.status, left.next_attempt_at) == ("void", None)

    def test_while_stripe_does_not_void_it_the_rest_is_kept_and_it_is_void_the_next_time(self, subscribed):
        self.fails(subscribed)
        subscribed.move(days=25)
        subscribed.server.fault("500", "POST /v1/invoices", times=2)
        subscribed.sync()
        assert subscribed.subscription.status == "canceled"
        subscribed.sync()
        with shared():
            assert subscribed.account.invoices.first().status == "void"


class TestMadeAtStripe:
    def test_a_quantity_changed_there_holds_here(self, subscribed):
        live = subscribed.subscription
        subscribed.server.client.v1.subscriptions.update(
            live.stripe_id, {"items": [{"id": live.item_id, "quantity": 9}], "proration_behavior": "none"}
        )
        assert subscribed.sync().quantity == 9
        assert subscribed.tenant.limits["seats"] == 9

    def test_a_price_unknown_here_keeps_what_the_workspace_had(self, subscribed):
        live = subscribed.subscription
        made = subscribed.server.client.v1.prices.create(
            {"product": "rapport_team", "currency": "eur", "unit_amount": 100, "recurring": {"interval": "month"}}
        )
        subscribed.server.client.v1.subscriptions.update(
            live.stripe_id, {"items": [{"id": live.item_id, "price": made.id}]}
        )
        assert subscribed.sync().price is None
        assert (subscribed.tenant.plan_name, subscribed.tenant.access_state) == ("Team", "active")
        assert "not known" in subscribed.account.needs_attention

    def test_a_status_unknown_here_keeps_access_and_calls_an_operator(self, subscribed):
        subscribed.server.is_judged = False
        store = subscribed.server.server.store
        with store.transaction():
            store.put({**store.get("subscription", subscribed.subscription.stripe_id), "status": "hibernating"})
        subscribed.sync()
        assert (subscribed.tenant.access_state, subscribed.tenant.state) == ("active", Tenant.State.ACTIVE)
        assert "not known" in subscribed.account.needs_attention

    def test_a_pause_there_is_read_only_here(self, subscribed):
        live = subscribed.subscription.stripe_id
        subscribed.server.client.v1.subscriptions.update(live, {"pause_collection": {"behavior": "void"}})
        subscribed.sync()
        assert (subscribed.tenant.access_state, subscribed.tenant.state) == ("paused", Tenant.State.READ_ONLY)

    def test_a_refund_there_is_seen_here(self, subscribed):
        charge = subscribed.server.client.v1.charges.list({"customer": subscribed.customer}).data[0]
        subscribed.server.client.v1.refunds.create({"charge": charge.id, "amount": 1000})
        subscribed.sync()
        with shared():
            assert subscribed.account.invoices.get().refunded == Decimal("10.00")

    def test_a_dispute_calls_an_operator_and_takes_nothing_away(self, subscribed):
        charge = subscribed.server.client.v1.charges.list({"customer": subscribed.customer}).data[0]
        subscribed.server.dispute(charge.id)
        subscribed.sync()
        with shared():
            assert subscribed.account.invoices.get().is_disputed
        assert "disputed" in subscribed.account.needs_attention
        assert subscribed.tenant.access_state == "active"

    def test_ended_there_it_is_over_here(self, subscribed):
        subscribed.move(days=15)
        subscribed.server.client.v1.subscriptions.cancel(subscribed.subscription.stripe_id)
        subscribed.sync()
        assert (subscribed.tenant.access_state, subscribed.tenant.state) == ("canceled", Tenant.State.READ_ONLY)

    def test_a_customer_deleted_there_ends_it_and_the_next_checkout_makes_another(self, subscribed):
        subscribed.move(days=15)
        gone = subscribed.customer
        subscribed.server.client.v1.customers.delete(gone)
        subscribed.sync()
        assert (subscribed.tenant.access_state, subscribed.account.customer_id) == ("canceled", None)
        assert gone in subscribed.account.needs_attention
        assert subscribed.subscribe().status == "active"
        assert subscribed.customer != gone
        assert subscribed.tenant.access_state == "active"


class TestSecondSubscription:
    def test_it_is_paid_back_and_ended_and_an_operator_is_called(self, subscribed):
        kept = subscribed.subscription.stripe_id
        second = second_made(subscribed)
        subscribed.sync()
        client = subscribed.server.client
        assert client.v1.subscriptions.retrieve(second).status == "canceled"
        assert client.v1.subscriptions.retrieve(kept).status == "active"
        charges = client.v1.charges.list({"customer": subscribed.customer}).data
        assert sorted((one.amount, one.amount_refunded) for one in charges) == [(2400, 2400), (17400, 0)]
        assert "second subscription" in subscribed.account.needs_attention
        subscribed.sync()
        with shared():
            assert subscribed.account.subscriptions.filter(status__in=LIVE).get().stripe_id == kept

    def test_looked_at_ten_times_it_is_paid_back_once(self, subscribed):
        second_made(subscribed)
        for _number in range(10):
            subscribed.sync()
        assert len(subscribed.server.client.v1.refunds.list({}).data) == 1

    @pytest.mark.parametrize("kind", ["cut", "500_after", "drop"])
    @pytest.mark.parametrize("where", ["POST /v1/refunds", "DELETE /v1/subscriptions"])
    def test_broken_off_in_the_middle_it_is_finished_by_the_next_look(self, subscribed, kind, where):
        second = second_made(subscribed)
        subscribed.server.fault(kind, where, times=2)
        for _try in range(3):
            try:
                subscribed.sync()
            except StripeAway:
                continue
        client = subscribed.server.client
        assert client.v1.subscriptions.retrieve(second).status == "canceled"
        assert len(client.v1.refunds.list({}).data) == 1

    def test_what_was_owed_before_there_were_two_stays_paid(self, subscribed):
        subscribed.move(days=33)
        subscribed.server.card_change(subscribed.customer, FAILS_LATER)
        subscribed.move(days=31)
        subscribed.server.card_change(subscribed.customer, VISA)
        second = second_made(subscribed)
        assert subscribed.sync().stripe_id == second
        found = subscribed.server.client.v1.charges.list({"customer": subscribed.customer}).data
        assert [one.amount_refunded for one in found if one.paid] == [0, 0, 0]
        assert [one.status for one in subscribed.server.client.v1.subscriptions.list({"status": "active"}).data] == [
            "active"
        ]

    def test_it_ends_too_when_it_was_paid_back_by_hand(self, subscribed):
        second = second_made(subscribed)
        client = subscribed.server.client.v1
        client.refunds.create({"charge": client.charges.list({"customer": subscribed.customer}).data[0].id})
        subscribed.sync()
        assert client.subscriptions.retrieve(second).status == "canceled"
        assert "by hand" not in subscribed.account.needs_attention

    def test_it_ends_too_when_its_payment_is_disputed_and_an_operator_looks_at_the_money(self, subscribed):
        second = second_made(subscribed)
        client = subscribed.server.client.v1
        subscribed.server.dispute(client.charges.list({"customer": subscribed.customer}).data[0].id)
        subscribed.sync()
        assert client.subscriptions.retrieve(second).status == "canceled"
        assert "paid back by hand" in subscribed.account.needs_attention


def test_a_workspace_deleted_during_the_checkout_is_paid_back(paying):
    attempt = paying.start()
    with shared():
        BillingAccount.objects.filter(id=paying.first.id).update(deleted_at=clock.now())
    paying.server.pay(attempt.session_id)
    subscription_sync(paying.first.id)
    client = paying.server.client
    assert [one.status for one in client.v1.subscriptions.list({"status": "all"}).data] == ["canceled"]
    assert [(one.amount, one.amount_refunded) for one in client.v1.charges.list({}).data] == [(17400, 17400)]
    assert paying.tenant.access_state == "deleted"
    assert "gone" in paying.account.needs_attention


class TestLedger:
    def test_what_comes_in_a_month_is_noted_when_it_changes(self, subscribed):
        subscribed.sync()
        live = subscribed.subscription
        subscribed.server.client.v1.subscriptions.update(
            live.stripe_id, {"items": [{"id": live.item_id, "quantity": 8}]}
        )
        subscribed.sync()
        subscribed.server.client.v1.subscriptions.cancel(live.stripe_id)
        subscribed.sync()
        assert ledger(subscribed) == [
            ("new", Decimal(0), Decimal("174.00")),
            ("expansion", Decimal("174.00"), Decimal("232.00")),
            ("churn", Decimal("232.00"), Decimal(0)),
        ]

    def test_who_comes_back_is_no_new_customer(self, subscribed):
        subscribed.server.client.v1.subscriptions.cancel(subscribed.subscription.stripe_id)
        subscribed.sync()
        subscribed.subscribe("team_year_eur")
        assert [kind for kind, _before, _after in ledger(subscribed)] == ["new", "churn", "reactivation"]
        assert ledger(subscribed)[-1][2] == Decimal("145.00")

    @pytest.mark.parametrize(
        ("coupon", "monthly"),
        [
            ({"percent_off": 50, "duration": "forever"}, "87.00"),
            ({"amount_off": 2400, "currency": "eur", "duration": "forever"}, "150.00"),
            ({"percent_off": 10, "duration": "repeating", "duration_in_months": 3}, "156.60"),
            ({"percent_off": 50, "duration": "once"}, "174.00"),
            ({"percent_off": 100, "duration": "forever"}, "0.00"),
        ],
        ids=["for good", "an amount", "the next invoice too", "once", "all of it"],
    )
    def test_a_discount_counts_as_long_as_it_goes_on(self, subscribed, coupon, monthly):
        made = subscribed.server.client.v1.coupons.create({"name": "Friends", **coupon})
        subscribed.server.client.v1.subscriptions.update(
            subscribed.subscription.stripe_id, {"discounts": [{"coupon": made.id}]}
        )
        subscribed.sync()
        assert ledger(subscribed)[-1][2] == Decimal(monthly)

    def test_it_is_more_again_when_its_last_invoice_is_paid(self, subscribed):
        subscribed.move(days=5)
        terms = {"percent_off": 10, "duration": "repeating", "duration_in_months": 2, "name": "Two months"}
        made = subscribed.server.client.v1.coupons.create(terms)
        subscribed.server.client.v1.subscriptions.update(
            subscribed.subscription.stripe_id, {"discounts": [{"coupon": made.id}]}
        )
        subscribed.sync()
        for days in (27, 32):
            subscribed.move(days=days)
            subscribed.sync()
        assert [(kind, after) for kind, _before, after in ledger(subscribed)] == [
            ("new", Decimal("174.00")),
            ("contraction", Decimal("156.60")),
            ("expansion", Decimal("174.00")),
        ]


class TestAway:
    def test_a_slow_stripe_is_given_up_and_holds_no_page(self, subscribed, monkeypatch):
        monkeypatch.setattr(stripe_client, "READ_SECONDS", {"web": 0.2, "worker": 0.2})
        monkeypatch.setattr(stripe_client._clients, "made_for", None)
        subscribed.server.fault("delay", "GET /v1/customers", times=2, seconds=0.6)
        with pytest.raises(StripeAway):
            subscribed.sync()
        assert subscribed.tenant.access_state == "active"

    def test_what_was_known_stays_when_stripe_breaks_off_half_way(self, subscribed):
        subscribed.server.client.v1.subscriptions.cancel(subscribed.subscription.stripe_id)
        subscribed.server.fault("drop", "GET /v1/invoices", times=10)
        with pytest.raises(StripeAway):
            subscribed.sync()
        assert (subscribed.subscription.status, subscribed.tenant.access_state) == ("active", "active")

    def test_time_goes_on_without_stripe(self, subscribed):
        """What ends by itself ends, though nothing can be fetched."""
        from billing.accounts.granting import access_apply

        subscribed.server.card_change(subscribed.customer, FAILS_LATER)
        subscribed.move(days=32)
        subscribed.sync()
        subscribed.move(days=8)
        subscribed.server.fault("drop", "GET /v1", times=100)
        access_apply(subscribed.first.id)
        assert subscribed.tenant.access_state == "read_only"


class TestReconcile:
    def test_what_the_webhooks_missed_is_mended_and_said(self, subscribed):
        live = subscribed.subscription
        subscribed.server.client.v1.subscriptions.update(
            live.stripe_id, {"items": [{"id": live.item_id, "quantity": 9}], "proration_behavior": "none"}
        )
        run = reconcile_all()
        assert run.finished_at is not None
        found = {one["what"]: (one["before"], one["after"]) for one in run.drift}
        before, after = found[live.stripe_id]
        assert "× 6" in before
        assert "× 9" in after
        assert subscribed.tenant.limits["seats"] == 9

    def test_where_all_is_as_it_should_be_there_is_no_drift(self, subscribed):
        run = reconcile_all()
        assert (run.looked_at, run.drift) == (1, [])

    def test_a_turn_that_is_over_is_gone_on_with(self, subscribed, tenant_b):
        from billing.accounts.services import account_make

        other = account_make(tenant_b.id)
        made = subscribed.server.client.v1.customers.create({"email": "other@example.com"})
        with shared():
            BillingAccount.objects.filter(id=other.id).update(customer_id=made.id)
        first = reconcile_all(seconds=0)
        assert (first.finished_at, first.looked_at) == (None, 1)
        reconcile_all(seconds=0)
        last = reconcile_all(seconds=0)
        assert last.id == first.id
        assert last.finished_at is not None
        assert last.looked_at == 2

    def test_while_stripe_is_away_it_says_so_and_goes_on_later(self, subscribed):
        subscribed.server.fault("429", "GET /v1", times=1)
        with pytest.raises(StripeAway):
            reconcile_all()
        run = reconcile_all()
        assert run.finished_at is not None
        assert run.looked_at == 1


def test_somebody_else_who_is_fetching_makes_a_page_not_wait(subscribed):
    """Two connections: the lock is another's."""
    import threading

    from django.db import connection, transaction

    with shared(), transaction.atomic():
        assert BillingAccount.objects.select_for_update().get(id=subscribed.first.id)
        seen = []

        def other():
            try:
                with shared():
                    subscription_sync(subscribed.first.id, wait=False)
            except Exception as problem:
                seen.append(problem)
            finally:
                connection.close()

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(20)
    assert [type(one) for one in seen] == [AccountBusy]


def test_of_several_vat_ids_the_newest_counts(subscribed):
    numbers = subscribed.server.client.v1.customers.tax_ids
    numbers.create(subscribed.customer, {"type": "eu_vat", "value": "DE111111111"})
    numbers.create(subscribed.customer, {"type": "eu_vat", "value": "DE123456789"})
    subscribed.sync()
    assert (subscribed.account.vat_id, subscribed.account.vat_status) == ("DE123456789", "verified")


def test_the_same_fetched_again_writes_the_same(subscribed):
    def rows():
        with shared():
            one = subscribed.subscription
            return (
                one.status,
                one.quantity,
                one.period_end,
                list(subscribed.account.invoices.values_list("stripe_id", "status", "paid")),
                ledger(subscribed),
            )

    before = rows()
    for _number in range(3):
        subscribed.sync()
    assert rows() == before


def test_what_is_paid_until_the_end_keeps_everything_then_is_read_only(subscribed):
    from billing.checkout.changes import cancel

    cancel(subscribed.account, "too_expensive", "")
    assert subscribed.tenant.access_state == "canceling"
    subscribed.move(days=32)
    subscribed.sync()
    assert (subscribed.tenant.access_state, subscribed.tenant.state) == ("canceled", Tenant.State.READ_ONLY)
    assert subscribed.account.access_until - subscribed.account.access_lost_at == timedelta(days=30)
