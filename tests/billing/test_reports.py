"""What went wrong with subscriptions elsewhere and was told in public, each tried on ours."""

from datetime import timedelta
from typing import Any

import pytest

from billing import clock
from billing.accounts import manual
from billing.checkout import changes
from billing.errors import BillingRefused
from billing.models import Plan, PlanPrice, SeatChange
from billing.subscriptions.seat_sync import seats_tell
from billing.sweeps.lifecycle import lifecycle_sweep
from tenants.db.scopes import shared
from tenants.models import Tenant
from tests.billing.a_workspace import PayingWorkspace
from tests.billing.paying import Paying
from tests.billing.standin_server import FAILS_LATER, StripeServer

pytestmark = pytest.mark.django_db
PAGE = "/settings/billing/"


@pytest.fixture
def subscribed(paying: Paying) -> Paying:
    paying.subscribe()
    return paying


def shown(client: Any, path: str = PAGE) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content.decode()[-2000:]
    return " ".join(answer.content.decode().split())


class TestUnheard:
    """A webhook was lost, and what our page knows is old."""

    def test_who_bought_unheard_is_not_led_to_a_second_checkout(self, paying):
        attempt = paying.start()
        paying.server.pay(str(attempt.session_id))
        paying.move(hours=25)
        with pytest.raises(BillingRefused, match="already"):
            paying.start("business_month_eur")
        assert paying.tenant.access_state == "active"

    def test_the_same_plan_again_is_no_second_one(self, paying):
        attempt = paying.start()
        paying.server.pay(str(attempt.session_id))
        with pytest.raises(BillingRefused, match="already"):
            paying.start()

    def test_a_subscription_made_at_stripe_is_found_before_a_checkout(self, subscribed):
        changes.cancel(subscribed.account, "other", "")
        subscribed.move(days=32)
        subscribed.sync()
        subscribed.server.card_change(subscribed.customer)
        subscribed.server.client.v1.subscriptions.create(
            {"customer": subscribed.customer, "items": [{"price": subscribed.price("team_month_eur").stripe_price_id}]}
        )
        with pytest.raises(BillingRefused, match="already"):
            subscribed.start()

    def test_cancelled_elsewhere_cancelling_here_does_not_take_it_back(self, subscribed):
        stripe_id = subscribed.subscription.stripe_id
        subscribed.server.client.v1.subscriptions.update(stripe_id, {"cancel_at_period_end": True})
        with pytest.raises(BillingRefused, match="already"):
            changes.cancel(subscribed.account, "other", "")
        assert subscribed.server.client.v1.subscriptions.retrieve(stripe_id).cancel_at_period_end
        assert subscribed.tenant.access_state == "canceling"

    def test_cancelled_elsewhere_it_is_taken_back_here(self, subscribed):
        stripe_id = subscribed.subscription.stripe_id
        subscribed.server.client.v1.subscriptions.update(stripe_id, {"cancel_at_period_end": True})
        changes.reactivate(subscribed.account)
        assert not subscribed.server.client.v1.subscriptions.retrieve(stripe_id).cancel_at_period_end

    @pytest.mark.parametrize("path", ["cancel/", "cancel/undo/", "coupon/", "change/business_month_eur/?seats=6"])
    def test_what_ended_elsewhere_is_said_to_have_ended(self, path, subscribed, owner, browser_client):
        if path == "cancel/undo/":
            changes.cancel(subscribed.account, "other", "")
        subscribed.server.client.v1.subscriptions.cancel(subscribed.subscription.stripe_id)
        client = browser_client(owner)
        sent = {"reason": "other", "code": "X", "seats": "6", "proration_date": "1", "due_now": "0"}
        answer = client.post(f"{PAGE}{path}", sent, follow=True)
        assert "There is no subscription to change" in answer.content.decode()
        assert "Choose a plan" in shown(client)


class TestCancelAt:
    """Stripe's own pages and support set ``cancel_at`` and not ``cancel_at_period_end``."""

    @pytest.fixture
    def ending(self, subscribed: Paying) -> Paying:
        end = subscribed.subscription.period_end
        assert end is not None
        subscribed.server.client.v1.subscriptions.update(
            subscribed.subscription.stripe_id, {"cancel_at": int(end.timestamp())}
        )
        found = subscribed.server.client.v1.subscriptions.retrieve(subscribed.subscription.stripe_id)
        assert not found.cancel_at_period_end
        subscribed.sync()
        return subscribed

    def test_the_page_does_not_say_that_it_renews(self, ending, owner, browser_client):
        page = shown(browser_client(owner))
        assert "Cancelled. Everything works until" in page
        assert "renews" not in page

    def test_it_is_taken_back(self, ending, owner, browser_client):
        assert browser_client(owner).post(f"{PAGE}cancel/undo/").status_code == 302
        found = ending.server.client.v1.subscriptions.retrieve(ending.subscription.stripe_id)
        assert found.cancel_at is None
        assert ending.tenant.access_state == "active"


class TestGivenUp:
    """The card failed for good; the invoice that was never paid is void with the subscription that it was for."""

    @pytest.fixture
    def given_up(self, subscribed: Paying) -> Paying:
        subscribed.server.card_change(subscribed.customer, FAILS_LATER)
        subscribed.move(days=60)
        subscribed.sync()
        assert subscribed.subscription.status == "canceled"
        with shared():
            assert list(subscribed.account.invoices.exclude(status="paid").values_list("status", flat=True)) == ["void"]
        return subscribed

    def test_while_stripe_tries_the_card_is_mended_and_nothing_bought_anew(self, subscribed):
        subscribed.server.card_change(subscribed.customer, FAILS_LATER)
        subscribed.move(days=32)
        with pytest.raises(BillingRefused, match="already"):
            subscribed.start()

    def test_who_cancels_while_a_payment_is_open_is_told_the_end_of_the_grace(self, subscribed, owner, browser_client):
        subscribed.server.card_change(subscribed.customer, FAILS_LATER)
        subscribed.move(days=32)
        grace_until = subscribed.sync().grace_until
        assert grace_until is not None
        assert browser_client(owner).get(f"{PAGE}cancel/").context["end"] == grace_until

    def test_the_page_leads_to_a_plan(self, given_up, owner, browser_client):
        page = shown(browser_client(owner))
        assert "Choose a plan" in page
        assert ">Pay " not in page

    def test_what_is_bought_anew_can_be_changed(self, given_up, owner, browser_client):
        given_up.subscribe()
        page = shown(browser_client(owner))
        assert "Change plan or interval" in page
        assert ">Pay " not in page


class TestContract:
    @pytest.fixture
    def agreed(self, paying: Paying) -> Paying:
        with shared():
            plan = Plan.objects.get(code="business")
        manual.contract_grant(paying.account, plan=plan, until=clock.now() + timedelta(days=30), seats=20)
        return paying

    def test_nothing_is_bought_beside_it(self, agreed):
        with pytest.raises(BillingRefused, match="by contract"):
            agreed.start()

    def test_after_its_end_a_plan_can_be_chosen(self, agreed, owner, browser_client):
        agreed.move(days=31)
        client = browser_client(owner)
        assert "Choose a plan" in shown(client)
        agreed.subscribe()
        page = shown(client)
        assert "renews by itself" in page
        assert "By contract" not in page
        assert "6 of 6 seats" in page

    def test_it_is_not_granted_beside_a_subscription_that_goes_on(self, subscribed):
        with shared():
            plan = Plan.objects.get(code="business")
        with pytest.raises(BillingRefused, match="subscription"):
            manual.contract_grant(subscribed.account, plan=plan, until=None, seats=20)

    def test_members_do_not_move_it(self, agreed, owner):
        with shared():
            SeatChange.objects.create(tenant_id=owner.tenant.id)
            assert seats_tell(owner.tenant.id)
        assert agreed.tenant.limits["seats"] == 20
        assert "trial" not in agreed.tenant.access_state


class TestBannerOfTheTrial:
    def test_who_has_bought_is_not_told_of_a_trial(self, paying, owner, browser_client):
        paying.move(days=12)
        client = browser_client(owner)
        assert "The trial ends in" in shown(client)
        paying.subscribe()
        assert "The trial ends in" not in shown(client)

    def test_who_tries_at_stripe_with_a_plan_is_not_told_to_choose_one(self, subscribed, owner, browser_client):
        end = int(clock.now().timestamp()) + 2 * 86400
        subscribed.server.client.v1.subscriptions.update(
            subscribed.subscription.stripe_id, {"trial_end": end, "proration_behavior": "none"}
        )
        subscribed.sync()
        page = shown(browser_client(owner))
        assert "Without a plan" not in page


def test_after_paying_the_very_next_step_works(paying, owner, browser_client):
    client = browser_client(owner)
    paying.move(days=15)
    lifecycle_sweep()
    new = {"first_name": "Ada", "last_name": "After"}
    assert client.post("/contacts/new/", new).status_code == 402
    attempt = paying.start()
    paying.server.pay(str(attempt.session_id))
    shown(client, f"{PAGE}return/{attempt.id}/")
    assert client.post("/contacts/new/", new).status_code in (200, 302)


@pytest.mark.parametrize("path", ["", "plans/", "invoices/", "next/", "contact/", "coupon/", "change/team_month_eur/"])
def test_a_suspended_workspace_that_never_paid_opens_each_page_of_billing(path, paying, owner, browser_client):
    paying.move(days=60)
    from billing.sweeps.lifecycle import lifecycle_sweep

    lifecycle_sweep()
    assert paying.tenant.state == Tenant.State.SUSPENDED
    client = browser_client(owner)
    shown(client, f"{PAGE}{path}")
    answer = client.post(f"{PAGE}portal/", follow=True)
    assert "There is nothing at Stripe yet" in answer.content.decode()


def test_who_may_not_pay_is_told_whom_to_ask(paying, seller, browser_client):
    answer = browser_client(seller).get(PAGE)
    assert answer.status_code == 403
    assert "owner" in answer.content.decode()


def test_two_leave_and_two_come_and_nothing_is_billed_again(billing: StripeServer) -> None:
    workspace = PayingWorkspace(billing)
    workspace.join(5)
    workspace.full("team")
    invoices = workspace.invoices
    workspace.leave(2)
    workspace.settle()
    workspace.join(2)
    workspace.settle()
    assert (workspace.billed, workspace.invoices) == (6, invoices)


def test_a_year_is_bought_for_those_who_are_there(billing: StripeServer) -> None:
    workspace = PayingWorkspace(billing)
    workspace.join(5)
    workspace.full("team")
    workspace.leave(3)
    workspace.settle()
    with shared():
        year = PlanPrice.objects.select_related("plan").get(lookup_key="team_year_eur")
    found = changes.change_preview(workspace.account, year, 3)
    changes.change_apply(workspace.account, year, 3, found.proration_date, found.due_now)
    assert (workspace.billed, workspace.seats) == (3, 3)
    workspace.settle()
    assert workspace.billed == 3
