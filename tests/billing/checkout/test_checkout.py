"""The way to Stripe's checkout and back."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress

from billing import clock
from billing.checkout.hosted import checkout_return, checkout_start, portal_open
from billing.errors import BillingRefused, StripeAway
from billing.models import BillingAccount, CheckoutAttempt, Plan, SubscriptionChange
from billing.subscriptions.sync import subscription_sync
from embedded.stripe.errors import Refused
from tenants.db.scopes import shared
from tenants.models import Tenant
from tests.billing.paying import SEATS, Paying
from tests.billing.standin_server import DECLINED, THREE_D_SECURE


def sessions(paying: Paying) -> list[str]:
    found = paying.server.client.v1.checkout.sessions.list({"customer": paying.customer}).data
    return [str(one.status) for one in found]


def is_paid(paying: Paying, attempt: CheckoutAttempt) -> bool:
    """What the page that Stripe sends people back to says."""
    found = checkout_return(paying.account, attempt.id)
    assert found is not None
    return found.is_paid


def test_a_new_workspace_is_in_a_trial_of_fourteen_days_without_a_card(paying):
    assert (paying.tenant.access_state, paying.tenant.plan_name) == ("trialing", "Business")
    assert paying.account.trial_ends_at - clock.now() > timedelta(days=13, hours=23)
    assert paying.account.customer_id is None


def test_what_was_paid_is_active_when_one_comes_back(paying):
    attempt = paying.start()
    paying.server.pay(attempt.session_id)
    assert is_paid(paying, attempt)
    assert (paying.tenant.access_state, paying.tenant.plan_name) == ("active", "Team")
    assert paying.tenant.limits["seats"] == SEATS
    assert paying.subscription.quantity == SEATS


def test_what_is_kept_of_a_payment(paying):
    paying.subscribe()
    account = paying.account
    assert (account.currency, account.country, account.card_last4) == ("EUR", "DE", "4242")
    with shared():
        invoice = account.invoices.get()
        change = SubscriptionChange.objects.get(account=account)
    assert (invoice.status, invoice.total, invoice.paid) == ("paid", Decimal("174.00"), Decimal("174.00"))
    assert invoice.number
    assert invoice.page_url
    assert invoice.pdf_url
    assert invoice.paid_at
    assert (change.kind, change.after, change.plan_after, change.quantity) == ("new", Decimal("174.00"), "team", SEATS)


def test_an_invoice_is_for_the_time_that_it_pays_for(paying):
    paying.subscribe()
    paying.move(days=32)
    found = paying.sync()
    with shared():
        newest, first = paying.account.invoices.order_by("-issued_at")
    assert (first.period_end, newest.period_start) == (found.period_start, found.period_start)
    assert newest.period_end == found.period_end


def test_the_address_of_the_return_page_says_nothing_of_payment(paying):
    attempt = paying.start()
    assert not is_paid(paying, attempt)
    assert paying.tenant.access_state == "trialing"


def test_an_attempt_of_another_account_or_of_nobody_is_none(paying, tenant_b):
    from billing.accounts.services import account_make

    attempt = paying.start()
    assert checkout_return(account_make(tenant_b.id), attempt.id) is None
    assert checkout_return(paying.account, uuid4()) is None


def test_ten_returns_change_nothing_after_the_first(paying):
    attempt = paying.start()
    paying.server.pay(attempt.session_id)
    for _number in range(10):
        assert is_paid(paying, attempt)
    with shared():
        assert (paying.account.subscriptions.count(), paying.account.invoices.count()) == (1, 1)
        assert SubscriptionChange.objects.filter(account=paying.first).count() == 1


def test_a_return_years_later_or_never_is_the_same(paying):
    attempt = paying.start()
    paying.server.pay(attempt.session_id)
    subscription_sync(paying.first.id)
    assert paying.tenant.access_state == "active"
    with shared():
        assert CheckoutAttempt.objects.get().state == "completed"


def test_a_second_tab_gets_the_same_checkout(paying):
    first = checkout_start(paying.account, paying.price("team_month_eur"), SEATS, paying.user)
    assert checkout_start(paying.account, paying.price("team_month_eur"), SEATS, paying.user) == first
    assert sessions(paying) == ["open"]


def test_another_wish_replaces_the_open_checkout_which_nobody_can_pay_then(paying):
    first = paying.start()
    second = paying.start("business_year_eur")
    assert sorted(sessions(paying)) == ["expired", "open"]
    with pytest.raises(Refused):
        paying.server.pay(first.session_id)
    paying.server.pay(second.session_id)
    assert paying.sync().price.lookup_key == "business_year_eur"


def test_a_currency_changed_on_the_way_is_that_of_the_last_checkout(paying):
    paying.start("team_month_eur")
    second = paying.start("team_month_usd")
    paying.server.pay(second.session_id)
    assert paying.sync().price.currency == "USD"
    assert paying.account.currency == "USD"


def test_the_currency_of_the_invoices_stays(paying):
    paying.subscribe("team_month_usd")
    paying.server.client.v1.subscriptions.cancel(paying.subscription.stripe_id)
    paying.sync()
    with pytest.raises(BillingRefused, match="USD"):
        paying.start("team_month_eur")


def test_one_that_was_paid_in_another_tab_is_not_paid_twice(paying):
    first = paying.start()
    paying.server.pay(first.session_id)
    with pytest.raises(BillingRefused, match="subscription already"):
        paying.start("business_month_eur")
    assert paying.tenant.access_state == "active"


def test_one_that_was_paid_and_is_not_known_here_is_not_shown_again(paying):
    paying.server.pay(paying.start().session_id)
    with pytest.raises(BillingRefused, match="subscription already"):
        paying.start()


def test_one_that_was_paid_and_ended_since_does_not_keep_another_from_beginning(paying):
    first = paying.start()
    paying.server.pay(first.session_id)
    client = paying.server.client.v1
    client.subscriptions.cancel(client.subscriptions.list({"customer": paying.customer}).data[0].id)
    assert paying.start("business_month_eur").session_id != first.session_id


def test_what_was_made_in_the_dashboard_is_seen_before_a_checkout_begins(paying):
    paying.start()
    card = paying.server.card_change(paying.customer)
    items = [{"price": paying.price("team_month_eur").stripe_price_id, "quantity": SEATS}]
    paying.server.client.v1.subscriptions.create(
        {"customer": paying.customer, "items": items, "default_payment_method": card}
    )
    with pytest.raises(BillingRefused, match="subscription already"):
        paying.start("business_month_eur")


def test_one_that_was_shut_at_stripe_is_not_shown_again(paying):
    first = paying.start()
    paying.server.client.v1.checkout.sessions.expire(str(first.session_id))
    assert paying.start().session_id != first.session_id


@pytest.mark.parametrize("is_told", [True, False], ids=["known", "not known"])
def test_a_customer_deleted_before_they_paid_is_followed_by_another(paying, is_told):
    paying.start()
    gone = paying.customer
    paying.server.client.v1.customers.delete(gone)
    if is_told:
        subscription_sync(paying.first.id)
    assert paying.subscribe().status == "active"
    assert paying.customer != gone


def test_who_has_a_subscription_changes_it_and_makes_no_second(paying):
    paying.subscribe()
    with pytest.raises(BillingRefused, match="already"):
        paying.start("business_month_eur")


def test_who_has_not_proven_their_address_pays_nothing(paying):
    with shared():
        EmailAddress.objects.filter(user=paying.user).update(verified=False)
    with pytest.raises(BillingRefused, match="Confirm your email"):
        paying.start()
    assert paying.server.requests == []


@pytest.mark.parametrize(
    ("price", "seats", "words"), [("team_month_eur", 5, "6 members"), ("starter_month_eur", 6, "5 seats")]
)
def test_so_many_seats_as_members_and_no_more_than_the_plan_has(paying, price, seats, words):
    with pytest.raises(BillingRefused, match=words):
        paying.start(price, seats)


def test_a_plan_that_is_sold_no_more_is_not_bought(paying):
    with shared():
        Plan.objects.filter(code="team").update(is_sold=False)
    with pytest.raises(BillingRefused, match="not sold any more"):
        paying.start("team_month_eur")


def test_a_workspace_that_is_being_deleted_is_not_paid_for(paying):
    with shared():
        Tenant.objects.filter(id=paying.first.tenant_id).update(state="deleting")
    with pytest.raises(BillingRefused, match="deleted"):
        paying.start()


def test_a_declined_card_leaves_all_as_it_was(paying):
    attempt = paying.start()
    with pytest.raises(Refused):
        paying.server.pay(attempt.session_id, DECLINED)
    assert not is_paid(paying, attempt)
    assert paying.tenant.access_state == "trialing"
    paying.server.pay(attempt.session_id)
    assert is_paid(paying, attempt)


def test_three_d_secure_left_open_is_not_paid_and_can_be_tried_again(paying):
    attempt = paying.start()
    paying.server.pay(attempt.session_id, THREE_D_SECURE)
    assert not is_paid(paying, attempt)
    assert paying.tenant.access_state == "trialing"
    paying.server.authenticate(attempt.session_id)
    assert is_paid(paying, attempt)


def test_an_expired_checkout_is_followed_by_a_new_one(paying):
    first = paying.start()
    paying.move(days=2)
    second = paying.start()
    assert second.id != first.id
    assert sorted(sessions(paying)) == ["expired", "open"]


def test_stripe_is_told_whom_a_subscription_is_for_and_asks_for_tax_and_address(paying):
    attempt = paying.start()
    asked = next(one.params for one in paying.server.requests if one.path == "/v1/checkout/sessions")
    assert asked["subscription_data"]["metadata"] == {"account": str(paying.first.id), "attempt": str(attempt.id)}
    assert asked["automatic_tax"]["enabled"]
    assert asked["tax_id_collection"]["enabled"]
    assert asked["billing_address_collection"] == "required"
    assert asked["success_url"].endswith(f"/settings/billing/return/{attempt.id}/")


class TestStripeAway:
    def test_down_nothing_is_begun_twice(self, paying):
        paying.server.fault("drop", "POST /v1/checkout/sessions", times=2)
        with pytest.raises(StripeAway):
            paying.start()
        paying.server.heal()
        paying.start()
        assert sessions(paying) == ["open"]

    @pytest.mark.parametrize("kind", ["cut", "500_after"])
    def test_an_answer_that_was_lost_after_the_deed_makes_no_second_customer_or_checkout(self, paying, kind):
        paying.server.fault(kind, "POST /v1/customers", times=2)
        paying.server.fault(kind, "POST /v1/checkout/sessions", times=2)
        for _try in range(3):
            try:
                paying.start()
                break
            except StripeAway:
                continue
        assert sessions(paying) == ["open"]
        assert len(paying.server.client.v1.customers.list({}).data) == 1

    def test_too_many_requests_is_said_as_away(self, paying):
        paying.server.fault("429", "POST /v1/customers", times=5)
        with pytest.raises(StripeAway):
            paying.start()

    def test_the_return_page_says_so_and_what_was_known_stays(self, paying):
        attempt = paying.start()
        paying.server.pay(attempt.session_id)
        paying.server.fault("drop", "GET /v1", times=10)
        with pytest.raises(StripeAway):
            checkout_return(paying.account, attempt.id)
        assert paying.tenant.access_state == "trialing"
        paying.server.heal()
        assert is_paid(paying, attempt)


class TestPortal:
    def test_it_changes_neither_seats_nor_plan(self, paying):
        paying.subscribe()
        assert portal_open(paying.account).startswith(paying.server.url)
        features = paying.server.client.v1.billing_portal.configurations.list({}).data[0].features
        assert not features.subscription_update.enabled
        assert not features.subscription_cancel.enabled

    def test_it_is_configured_once(self, paying):
        paying.subscribe()
        portal_open(paying.account)
        portal_open(paying.account)
        assert len(paying.server.client.v1.billing_portal.configurations.list({}).data) == 1

    def test_before_the_first_payment_there_is_none(self, paying):
        with pytest.raises(BillingRefused, match="choose a plan"):
            portal_open(paying.account)


def test_two_at_once_make_one_checkout(paying):
    """The other tab was faster between our look and our row."""
    with shared():
        price = paying.price("team_month_eur")
        BillingAccount.objects.filter(id=paying.first.id).update(customer_id=None)
        CheckoutAttempt.objects.create(
            account=paying.first,
            price=price,
            quantity=SEATS,
            started_by=paying.user.id,
            expires_at=clock.now() + timedelta(1),
        )
    assert checkout_start(paying.account, price, SEATS, paying.user)
    with shared():
        assert CheckoutAttempt.objects.filter(account=paying.first).count() == 1
