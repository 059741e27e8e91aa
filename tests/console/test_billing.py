"""What operators see of a workspace's billing and change in it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import BillingAccount, ReconcileRun, StripeEvent
from console.models import AuditEntry
from tenants.db.scopes import shared
from tenants.models import Tenant
from tests.billing.accounts import account_of, invoiced, subscribed

REASON = "Agreed on the phone"


def soon(**by: int) -> str:
    return f"{timezone.now() + timedelta(**by):%Y-%m-%dT%H:%M}"


def account(tenant: Any) -> BillingAccount:
    with shared():
        return BillingAccount.objects.select_related("tenant").get(tenant_id=tenant.id)


def entry(action: str) -> AuditEntry:
    with shared():
        return AuditEntry.objects.get(action=action)


@pytest.fixture
def step(console: Client, tenant_a: Any) -> Any:
    """``step("suspend", note="…")``: the operator fills in the form of a step in workspace A."""
    account_of(tenant_a)

    def send(name: str, **values: Any) -> Any:
        return console.post(f"/console/workspaces/{tenant_a.id}/{name}/", {"why": REASON} | values)

    return send


class TestSuspending:
    def test_the_workspace_is_closed_and_its_people_read_why(self, step, tenant_a, browser_client, reader):
        assert step("suspend", note="Your invoices are disputed").status_code == 302
        with shared():
            tenant = Tenant.objects.get(id=tenant_a.id)
        assert (tenant.state, tenant.access_note) == ("suspended", "Your invoices are disputed")
        assert "Your invoices are disputed" in browser_client(reader).get("/").content.decode()
        assert entry("suspended").reason == "Your invoices are disputed"

    def test_resumed_it_is_what_it_was(self, step, tenant_a, browser_client, reader):
        step("suspend", note="By mistake")
        assert step("resume").status_code == 302
        with shared():
            tenant = Tenant.objects.get(id=tenant_a.id)
        assert (tenant.state, tenant.access_note) == ("active", "")
        assert browser_client(reader).get("/").status_code == 200
        assert entry("resumed").reason == REASON

    def test_a_reason_is_needed(self, step, tenant_a):
        assert step("suspend", note="").status_code == 422
        assert account(tenant_a).suspended_at is None

    def test_twice_is_told(self, step):
        step("suspend", note="Once")
        assert "suspended already" in step("suspend", note="Twice").content.decode()
        step("resume")
        assert "not suspended" in step("resume").content.decode()

    def test_what_was_refused_is_not_in_the_audit(self, step):
        step("resume")
        with shared():
            assert not AuditEntry.objects.filter(action="resumed").exists()


class TestTrial:
    def test_one_that_goes_on_is_longer(self, step, tenant_a):
        until = soon(days=40)
        assert step("trial", until=until).status_code == 302
        assert f"{account(tenant_a).trial_ends_at:%Y-%m-%dT%H:%M}" == until
        assert entry("trial_extended").details["until"].startswith(until)

    def test_the_form_begins_with_the_end_that_it_has(self, console, tenant_a):
        ends = account_of(tenant_a, trial_ends_at=timezone.now() + timedelta(days=3)).trial_ends_at
        page = console.get(f"/console/workspaces/{tenant_a.id}/trial/").content.decode()
        assert f'value="{ends:%Y-%m-%dT%H:%M}"' in page

    def test_one_that_is_over_opens_the_workspace_again(self, step, tenant_a):
        from billing.accounts.granting import access_apply

        over = account_of(tenant_a, trial_ends_at=timezone.now() - timedelta(days=1))
        assert access_apply(over.id).state == "read_only"
        step("trial", until=soon(days=7))
        with shared():
            assert Tenant.objects.get(id=tenant_a.id).state == "active"

    @pytest.mark.parametrize("by", [{"days": -1}, {"days": 1}, {"days": 200}], ids=["the past", "sooner", "too far"])
    def test_a_time_that_is_no_longer_trial_is_refused(self, step, tenant_a, by):
        before = account(tenant_a).trial_ends_at
        assert step("trial", until=soon(**by)).status_code == 422
        assert account(tenant_a).trial_ends_at == before

    def test_a_customer_has_none(self, step, tenant_a):
        subscribed(account(tenant_a))
        assert "has a subscription" in step("trial", until=soon(days=40)).content.decode()


class TestContract:
    def test_for_good_without_stripe(self, step, tenant_a):
        assert step("contract", plan="team", until="", seats="70").status_code == 302
        with shared():
            tenant = Tenant.objects.get(id=tenant_a.id)
        assert (tenant.plan_name, tenant.access_state, tenant.access_until) == ("Team", "active", None)
        assert tenant.limits["seats"] == 70
        assert entry("contract_granted").about == "Team"

    def test_until_a_day(self, step, tenant_a):
        step("contract", plan="team", until=soon(days=30), seats="")
        with shared():
            assert Tenant.objects.get(id=tenant_a.id).access_until is not None

    def test_the_form_begins_with_the_contract_that_holds(self, step, console, tenant_a):
        def form():
            return console.get(f"/console/workspaces/{tenant_a.id}/contract/").content.decode()

        assert 'value="77"' not in form()
        step("contract", plan=account(tenant_a).trial_plan_id or "", until=soon(days=90), seats=77)
        assert 'value="77"' in form()
        step("contract/end")
        assert 'value="77"' not in form()

    def test_ended_the_workspace_is_what_it_paid_for(self, step, tenant_a):
        account_of(tenant_a, trial_ends_at=timezone.now() - timedelta(days=1))
        step("contract", plan="team", until="", seats="")
        assert step("contract/end").status_code == 302
        with shared():
            assert Tenant.objects.get(id=tenant_a.id).access_state == "read_only"
        assert entry("contract_ended").reason == REASON
        assert step("contract/end").status_code == 422

    @pytest.mark.parametrize(
        "values",
        [
            {"plan": "gold"},
            {"plan": "team", "until": "2020-01-01T00:00"},
            {"plan": "team", "until": "9999-12-31T23:59"},
            {"plan": "team", "seats": "0"},
            {"plan": "team", "why": ""},
        ],
        ids=["no plan", "the past", "a day that some zones do not have", "no seats", "no reason"],
    )
    def test_what_is_not_understood_is_refused(self, step, tenant_a, values):
        assert step("contract", **values).status_code == 422
        assert account(tenant_a).contract_plan is None


class TestStripe:
    def test_a_coupon_without_a_subscription_is_refused(self, step):
        answer = step("coupon", code="SUMMER")
        assert answer.status_code == 422

    def test_while_stripe_is_away_the_page_says_so(self, step, tenant_a, settings):
        settings.STRIPE_API_URL, settings.STRIPE_SECRET_KEY = "http://127.0.0.1:9", "sk_test_nobody"
        account_of(tenant_a, customer_id="cus_1")
        answer = step("fetch")
        assert answer.status_code == 422
        assert "does not answer" in answer.content.decode()

    def test_what_needed_an_operator_is_looked_after(self, step, tenant_a, console):
        account_of(tenant_a, needs_attention="Two subscriptions")
        assert "Two subscriptions" in console.get(f"/console/workspaces/{tenant_a.id}/").content.decode()
        assert tenant_a.name in console.get("/console/?health=billing").content.decode()
        assert step("attention").status_code == 302
        assert account(tenant_a).needs_attention == ""
        assert entry("attention_done").about == "Two subscriptions"


@pytest.fixture
def dead(tenant_a):
    made = account_of(tenant_a)
    with shared():
        return StripeEvent.objects.create(
            stripe_id="evt_1",
            livemode=False,
            type="invoice.paid",
            payload={"id": "evt_1", "data": {"object": {"id": "in_<1>"}}},
            account=made,
            state="dead",
            attempts=6,
            error="It is poison.",
            happened_at=timezone.now(),
        )


class TestEvents:
    def test_the_list_narrows_by_state_type_and_workspace(self, console, dead, tenant_a, tenant_b):
        for query in ("", "?state=dead", "?q=invoice", "?q=evt_1", f"?tenant={tenant_a.id}"):
            assert "invoice.paid" in console.get(f"/console/events/{query}").content.decode(), query
        for query in ("?state=done", "?q=customer", f"?tenant={tenant_b.id}", f"?before={dead.pk}"):
            assert "invoice.paid" not in console.get(f"/console/events/{query}").content.decode(), query
        assert console.get("/console/events/?state=ill").status_code == 422

    def test_its_page_has_payload_and_error_as_text(self, console, dead):
        page = console.get(f"/console/events/{dead.pk}/").content.decode()
        assert "It is poison." in page
        assert "in_&lt;1&gt;" in page
        assert "in_<1>" not in page

    def test_replayed_it_is_new_again(self, console, dead, django_capture_on_commit_callbacks):
        assert console.post(f"/console/events/{dead.pk}/replay/", {"why": REASON}).status_code == 302
        with shared():
            dead.refresh_from_db()
        assert (dead.state, dead.attempts, dead.error) == ("new", 0, "")
        assert entry("event_replayed").about == "invoice.paid evt_1"

    def test_one_that_is_not_there(self, console):
        assert console.get(f"/console/events/{uuid4()}/").status_code == 404
        assert console.post(f"/console/events/{uuid4()}/replay/", {"why": "x"}).status_code == 404


class TestDrift:
    def test_what_was_found_leads_to_its_workspace(self, console, tenant_a):
        made = account_of(tenant_a)
        drift = [{"account": str(made.id), "what": "sub_1", "before": "active", "after": "canceled"}]
        with shared():
            ReconcileRun.objects.create(kind="full", started_at=timezone.now(), looked_at=3, drift=drift)
        page = console.get("/console/drift/").content.decode()
        assert f"/console/workspaces/{tenant_a.id}/" in page
        assert "canceled" in page
        assert "Drift that was mended" in console.get(f"/console/workspaces/{tenant_a.id}/").content.decode()


def test_the_workspaces_page_has_its_billing(console, tenant_a):
    card = {"card_brand": "visa", "card_last4": "4242"}
    made = account_of(tenant_a, customer_id="cus_42", cancel_reason="too_expensive", **card)
    subscribed(made)
    invoiced(made, "R-0001", status="open")
    page = console.get(f"/console/workspaces/{tenant_a.id}/").content.decode()
    for word in ("cus_42", "4242", "Team, monthly, EUR × 6", "R-0001", "It costs too much"):
        assert word in page


def test_a_workspace_without_billing_has_no_steps(console, tenant_a):
    with shared():
        BillingAccount.objects.filter(tenant_id=tenant_a.id).delete()
    assert "has no billing account" in console.get(f"/console/workspaces/{tenant_a.id}/").content.decode()
    assert console.get(f"/console/workspaces/{tenant_a.id}/suspend/").status_code == 404
