"""What operators do with a workspace's billing, against the stand-in for Stripe in this process."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import F
from django.test import Client

from billing.models import ReconcileRun, StripeEvent, StripeRequest, Subscription
from console.auditing import Action, Operator, step_noted
from console.models import AuditEntry
from tenants.db.scopes import shared
from tests.billing.conftest import paying, stripe_server  # noqa: F401
from tests.billing.paying import Paying, deliver, event_of

REASON = "Agreed on the phone"


@pytest.fixture
def customer(paying: Paying) -> Paying:  # noqa: F811
    paying.subscribe()
    return paying


@pytest.fixture
def step(console: Client, customer: Paying) -> Callable[..., Any]:
    """``step("coupon", code="…")``: the operator fills in the form of a step in the workspace that pays."""

    def send(name: str, **values: Any) -> Any:
        return console.post(f"/console/workspaces/{customer.tenant.id}/{name}/", {"why": REASON} | values)

    return send


def entry(action: str) -> AuditEntry:
    with shared():
        return AuditEntry.objects.get(action=action)


def said(console: Client, customer: Paying) -> str:
    return str(console.get(f"/console/workspaces/{customer.tenant.id}/").content.decode())


@pytest.fixture
def code(customer: Paying) -> str:
    """A promotion code that was made at Stripe."""
    client = customer.server.client
    coupon = client.v1.coupons.create({"percent_off": 50, "duration": "once", "name": "Half of a month"})
    client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "HALF"})
    return "HALF"


class TestCoupon:
    def test_it_holds_at_stripe_and_is_on_the_page(self, step, customer, console, code):
        assert step("coupon", code=code).status_code == 302
        assert "Half of a month" in customer.subscription.coupon
        fetched = customer.server.client.v1.subscriptions.retrieve(customer.subscription.stripe_id)
        assert len(fetched.discounts or []) == 1
        assert "Half of a month" in said(console, customer)
        assert (entry("coupon_applied").about, entry("coupon_applied").reason) == (code, REASON)

    def test_twice_is_refused_with_what_to_do(self, step, customer, code):
        step("coupon", code=code)
        assert step("coupon", code=code).status_code == 422

    def test_another_takes_the_place_of_the_one_that_was_shown(self, step, customer, console, code):
        step("coupon", code=code)
        client = customer.server.client
        coupon = client.v1.coupons.create({"percent_off": 20, "duration": "forever", "name": "A fifth"})
        client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "FIFTH"})
        assert step("coupon", code="FIFTH").status_code == 422
        form = console.get(f"/console/workspaces/{customer.tenant.id}/coupon/").content.decode()
        shown = form.partition('name="instead_of" value="')[2].partition('"')[0]
        assert f"It takes the place of the coupon that runs: {shown}." in form
        assert step("coupon", code="FIFTH", instead_of=shown).status_code == 302
        assert "A fifth" in customer.subscription.coupon

    def test_one_that_there_is_not_is_refused(self, step, customer):
        assert step("coupon", code="NOPE").status_code == 422
        assert customer.subscription.coupon == ""
        assert [action for action, _details in steps()] == ["begun", "stopped"]
        assert "no such code" in entry("stopped").details["problem"]


def cancelled_at_stripe(customer: Paying) -> Subscription:
    """Somebody ends the subscription in Stripe's own dashboard, and no webhook comes."""
    found = customer.subscription
    customer.server.client.v1.subscriptions.cancel(found.stripe_id)
    assert found.status == "active"
    return found


def steps() -> list[tuple[str, dict[str, Any]]]:
    """What operators did, the oldest first, with its details."""
    with shared():
        return list(AuditEntry.objects.exclude(action="looked").order_by("id").values_list("action", "details"))


class TestInterrupted:
    def test_that_a_step_was_begun_stands_in_the_audit_before_stripe_is_asked(self, operator, tenant_a):
        with (
            shared(),
            pytest.raises(SystemExit),
            step_noted(Operator(operator), Action.COUPON_APPLIED, tenant_id=tenant_a.id, about="HALF", reason=REASON),
        ):
            raise SystemExit
        assert steps() == [("begun", {"step": "coupon_applied"})]
        assert (entry("begun").about, entry("begun").reason) == ("HALF", REASON)


class TestRequestWithoutAnAnswer:
    """A coupon was sent, and the process or the line was gone before its answer came."""

    @pytest.fixture
    def finish(self, console: Client, customer: Paying, step: Any, code: str) -> Callable[..., Any]:
        def sent(*faults: str, minutes: int) -> Any:
            for kind in faults:
                customer.server.fault(kind, "POST /v1/subscriptions")
            assert step("coupon", code=code).status_code == 422
            customer.server.heal()
            with shared():
                found = StripeRequest.objects.get(operation="subscription.update")
                StripeRequest.objects.update(created_at=F("created_at") - timedelta(minutes=minutes))
            assert f"/console/requests/{found.id}/finish/" in said(console, customer)
            return console.post(f"/console/requests/{found.id}/finish/", {"why": REASON}, follow=True)

        return sent

    def test_what_stripe_does_not_have_counts_as_not_done(self, finish):
        assert "It was not done" in finish("drop", "drop", minutes=6).content.decode()
        assert entry("request_finished").details == {"state": "refused"}
        assert [action for action, _details in steps()] == ["begun", "stopped", "begun", "request_finished"]

    def test_what_it_has_is_done_and_known_at_once(self, finish, customer):
        assert "It was done." in finish("cut", "drop", minutes=1).content.decode()
        assert "Half of a month" in customer.subscription.coupon

    def test_one_that_may_be_under_way_is_waited_for(self, finish):
        answer = finish("drop", "drop", minutes=1)
        assert answer.status_code == 422
        assert "its answer has not come yet" in answer.content.decode()

    def test_one_that_there_is_not(self, console):
        assert console.post(f"/console/requests/{uuid4()}/finish/", {"why": "x"}).status_code == 404


class TestFetch:
    def test_what_differs_is_mended_and_said(self, step, customer, console):
        gone = cancelled_at_stripe(customer)
        assert step("fetch").status_code == 302
        assert customer.subscription.status == "canceled"
        drift = entry("reconciled").details["drift"]
        assert any(one.startswith(f"{gone.stripe_id}: active") for one in drift)
        assert "different" in said(console, customer)

    def test_where_nothing_does_that_is_said(self, step, customer, console):
        assert step("fetch").status_code == 302
        assert "All was as Stripe has it." in said(console, customer)
        assert entry("reconciled").details["drift"] == []


class TestReplay:
    def test_a_dead_event_is_done(self, console, customer, celery_eager, django_capture_on_commit_callbacks):
        cancelled_at_stripe(customer)
        [told] = customer.events("customer.subscription.deleted")
        deliver(told)
        event = event_of(told)
        with shared():
            StripeEvent.objects.filter(id=event.id).update(state="dead", attempts=6, error="It is poison.")
        assert customer.subscription.status == "active"
        assert "It is poison." in console.get(f"/console/events/{event.id}/").content.decode()
        with django_capture_on_commit_callbacks(execute=True):
            assert console.post(f"/console/events/{event.id}/replay/", {"why": REASON}).status_code == 302
        assert (event_of(told).state, event_of(told).error) == ("done", "")
        assert customer.subscription.status == "canceled"
        assert entry("event_replayed").reason == REASON


class TestReconcile:
    def test_now_finds_and_mends_and_lists_it(
        self, console, customer, celery_eager, django_capture_on_commit_callbacks
    ):
        gone = cancelled_at_stripe(customer)
        with django_capture_on_commit_callbacks(execute=True):
            console.post("/console/drift/reconcile/", {"why": REASON})
        assert customer.subscription.status == "canceled"
        assert entry("reconciled").reason == REASON
        with shared():
            runs = {run.kind: run for run in ReconcileRun.objects.all()}
        assert runs.keys() == {"events", "full"}
        assert all(run.finished_at and not run.error for run in runs.values())
        page = console.get("/console/drift/").content.decode()
        assert f"/console/workspaces/{customer.tenant.id}/" in page
        assert gone.stripe_id in page
        assert "Drift that was mended" in said(console, customer)
