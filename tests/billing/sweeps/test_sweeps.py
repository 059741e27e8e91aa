"""What nobody told: the sweep of events, the clock, accounts and prices that are missing."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from billing import clock
from billing.accounts.services import account_make, accounts_make_missing
from billing.errors import StripeAway
from billing.models import BillingAccount, ClockShift, InvoiceMirror, PlanPrice, ReconcileRun, StripeEvent
from billing.plans.prices import prices_sync
from billing.sweeps.reconcile import events_sweep, reconcile_all
from tenants.db.scopes import shared
from tenants.models import Tenant
from tests.billing.paying import deliver


@pytest.fixture
def at_once(celery_eager, django_capture_on_commit_callbacks):
    """What is queued after the commit is done here and now."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


class TestEvents:
    def test_with_neither_webhook_nor_return_the_sweep_activates(self, paying, at_once):
        paying.server.pay(paying.start().session_id)
        with at_once():
            run = events_sweep()
        assert run.finished_at is not None
        assert paying.tenant.access_state == "active"
        assert any("customer.subscription.created" in one["what"] for one in run.drift)

    def test_what_came_is_no_drift(self, paying, at_once):
        paying.server.pay(paying.start().session_id)
        for event in paying.events():
            deliver(event)
        with at_once():
            assert events_sweep().drift == []

    def test_the_next_sweep_begins_where_the_last_began(self, paying, at_once):
        with at_once():
            events_sweep()
        paying.move(days=5)
        paying.server.pay(paying.start().session_id)
        with at_once():
            run = events_sweep()
        assert {one["what"].split(".")[0] for one in run.drift} >= {"customer", "invoice"}
        assert paying.tenant.access_state == "active"

    def test_a_turn_that_is_over_is_gone_on_with(self, paying, at_once, monkeypatch):
        monkeypatch.setattr("billing.stripe_client.PAGE", 5)
        paying.server.pay(paying.start().session_id)
        turns = 0
        with at_once():
            while events_sweep(seconds=0).finished_at is None:
                turns += 1
        assert turns > 2
        with shared():
            assert ReconcileRun.objects.count() == 1
            assert StripeEvent.objects.count() == len(paying.events())

    def test_after_one_that_nobody_went_on_with_nothing_is_left_out(self, paying, at_once):
        at = clock.now()
        with shared():
            ReconcileRun.objects.create(kind="events", started_at=at - timedelta(hours=1), finished_at=at)
        paying.server.pay(paying.start().session_id)
        with shared():
            left = ReconcileRun.objects.create(
                kind="events", started_at=at + timedelta(hours=1), position='{"since": 0, "after": "evt_gone"}'
            )
        paying.move(hours=14)
        with at_once():
            run = events_sweep()
            again = events_sweep()
        with shared():
            left.refresh_from_db()
        assert left.error
        assert run.id != left.id
        assert paying.tenant.access_state == "active"
        assert again.drift == []

    def test_while_stripe_is_away_it_says_so(self, paying):
        paying.server.fault("429", "GET /v1/events")
        with pytest.raises(StripeAway):
            events_sweep()
        with shared():
            assert "429" in ReconcileRun.objects.get().error


class TestComparison:
    def test_it_looks_at_older_invoices_than_a_fetch_does(self, paying, monkeypatch):
        paying.subscribe()
        paying.move(days=95)
        monkeypatch.setattr("billing.stripe_client.PAGE", 1)
        with shared():
            InvoiceMirror.objects.all().delete()
        paying.sync()
        with shared():
            assert InvoiceMirror.objects.count() == 1
        run = reconcile_all()
        with shared():
            assert InvoiceMirror.objects.count() == 4
        assert len([one for one in run.drift if one["what"].startswith("in_")]) == 3


class TestClock:
    def test_the_command_moves_ours_and_stripes(self, paying):
        before, theirs = clock.now(), paying.server.now
        said = io.StringIO()
        call_command("billing_clock", "+14d", stdout=said)
        assert clock.now() - before >= timedelta(days=14)
        assert paying.server.now - theirs >= 14 * 86400
        assert said.getvalue().strip() == clock.now().isoformat(timespec="seconds")

    @pytest.mark.parametrize("step", ["14", "-1d", "+1y", "tomorrow", "+0d"])
    def test_a_step_that_is_none_is_refused(self, paying, step):
        with pytest.raises(CommandError):
            call_command("billing_clock", step) if step != "-1d" else call_command("billing_clock", "--", step)
        with shared():
            assert not ClockShift.objects.exists()

    def test_stripes_own_is_not_moved(self, db, settings):
        settings.STRIPE_API_URL = ""
        with pytest.raises(CommandError, match="Stripe itself"):
            call_command("billing_clock", "+1d")

    def test_without_the_stand_in_a_shift_means_nothing(self, paying, settings):
        paying.move(days=3)
        moved = clock.now()
        settings.STRIPE_API_URL = ""
        assert moved - clock.now() > timedelta(days=2)


class TestAccounts:
    def test_a_workspace_without_one_gets_it_with_a_trial_from_now(self, paying):
        paying.move(days=100)
        with shared():
            BillingAccount.objects.filter(tenant_id=paying.first.tenant_id).delete()
        assert accounts_make_missing() == 1
        with shared():
            made = BillingAccount.objects.get(tenant_id=paying.first.tenant_id)
        assert made.trial_ends_at is not None
        assert made.trial_ends_at - clock.now() > timedelta(days=13)
        assert accounts_make_missing() == 0

    def test_made_twice_it_is_one(self, paying):
        assert account_make(paying.first.tenant_id).id == paying.first.id
        with shared():
            assert BillingAccount.objects.filter(tenant_id=paying.first.tenant_id).count() == 1

    def test_one_that_is_being_made_or_deleted_is_left_alone(self, paying):
        with shared():
            BillingAccount.objects.filter(tenant_id=paying.first.tenant_id).delete()
            Tenant.objects.filter(id=paying.first.tenant_id).update(state="deleting")
        assert accounts_make_missing() == 0


class TestPrices:
    @pytest.fixture
    def bare(self, stripe_server, settings, db):
        """A stand-in that knows no prices yet."""
        from billing.plans.catalog import plans_load

        settings.STRIPE_SECRET_KEY, settings.STRIPE_API_URL = stripe_server.key, stripe_server.url
        with shared():
            plans_load()
            PlanPrice.objects.update(stripe_price_id="")
        return stripe_server

    def prices(self, server):
        found = server.client.v1.prices.list({"limit": 100}).data
        return {one.lookup_key: one.unit_amount for one in found if one.lookup_key}

    def test_each_plan_has_its_prices_at_stripe_and_they_are_made_once(self, bare):
        call_command("billing_plans_sync", stdout=io.StringIO())
        assert len(self.prices(bare)) == 18
        assert self.prices(bare)["team_year_gbp"] == 26000
        assert prices_sync() == 0
        with shared():
            assert not PlanPrice.objects.filter(stripe_price_id="").exists()

    def test_a_new_amount_is_a_new_price_and_who_has_the_old_one_keeps_it(self, paying):
        paying.subscribe("team_month_eur")
        with shared():
            PlanPrice.objects.filter(lookup_key="team_month_eur").update(amount="31.00")
        assert prices_sync() == 1
        assert self.prices(paying.server)["team_month_eur"] == 3100
        assert paying.sync().price.lookup_key == "team_month_eur"
        paying.move(days=31)
        paying.sync()
        charges = paying.server.client.v1.charges.list({"customer": paying.customer}).data
        assert {one.amount for one in charges} == {17400}

    def test_broken_off_it_goes_on_where_it_stopped(self, bare):
        bare.fault("drop", "POST /v1/prices", times=2)
        with pytest.raises(CommandError, match="Run this again"):
            call_command("billing_plans_sync", stdout=io.StringIO())
        bare.fault("cut", "POST /v1/prices", times=1)
        call_command("billing_plans_sync", stdout=io.StringIO())
        assert len(bare.client.v1.prices.list({"limit": 100}).data) == 18
