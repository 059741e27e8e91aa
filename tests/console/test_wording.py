"""What operators read is in the words that people use, and each word has one place."""

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from billing.access import SUBSCRIPTION_STATUSES
from billing.mails.notices import Kind
from billing.models import BillingNotice, ReconcileRun, SeatLedger, StripeRequest, SubscriptionChange
from billing.stripe_writes import OPERATIONS
from billing.sweeps.reconcile import state_of
from console.auditing import Action, Operator, audit_note, step_noted
from console.wording import WORDS, called
from tenants.db.scopes import shared
from tenants.models import TenantStep
from tenants.workspaces.provisioning import provisioners
from tests.billing.accounts import account_of, invoiced, subscribed

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("sort", "values"),
    [
        ("notice", set(Kind)),
        ("operation", set(OPERATIONS)),
        ("subscription", set(SUBSCRIPTION_STATUSES)),
        ("life", {"schema", "setup", *provisioners}),
    ],
    ids=["mails", "requests", "subscriptions", "steps of a setup"],
)
def test_everything_of_a_sort_is_called_something(sort, values):
    assert values <= WORDS[sort].keys()


def test_what_nobody_has_a_word_for_is_shown_as_it_came():
    assert called("a_new_thing", "invoice") == "a new thing"


def page(console: Any, path: str) -> str:
    return " ".join(console.get(path).content.decode().split())


class TestWorkspace:
    def test_mails_invoices_requests_and_reasons(self, console, tenant_a):
        account = account_of(tenant_a, cancel_reason="switched_service", vat_id="DE1", vat_status="unavailable")
        subscribed(account, status="past_due")
        invoiced(account, "R-1", status="uncollectible", paid="0")
        with shared():
            BillingNotice.objects.create(account=account, kind="payment_failed", key="1")
            StripeRequest.objects.create(account=account, operation="refund.create", idempotency_key="k")
            SeatLedger.objects.create(account=account, members=1, billed=3, reason="members")
        found = page(console, f"/console/workspaces/{tenant_a.id}/")
        for word in (
            "A payment failed",
            "payment failed",
            "Team, monthly, EUR × 6",
            "not collected",
            "Pay back",
            "We use something else now",
            "cannot be checked at the moment",
            "1 member, 3 billed",
        ):
            assert word in found, word
        for raw in ("payment_failed", "past_due", "team_month_eur", "refund.create", "switched_service"):
            assert raw not in found, raw

    def test_the_steps_in_its_life(self, console, tenant_a):
        with shared():
            step = {"kind": "state", "name": "active → read_only", "detail": "billing: past_due"}
            TenantStep.objects.create(tenant_id=tenant_a.id, **step)
        found = page(console, f"/console/workspaces/{tenant_a.id}/")
        assert "active → read only" in found
        assert "Owner and roles made" in found
        assert "payment failed" in found
        assert "past_due" not in found


def test_a_movement_names_the_plans(console, tenant_a):
    with shared():
        SubscriptionChange.objects.create(
            account=account_of(tenant_a),
            at=timezone.now(),
            kind="expansion",
            currency="EUR",
            before=1,
            after=2,
            plan_before="team",
            plan_after="business",
            quantity=1,
        )
    found = page(console, "/console/figures/revenue/?currency=EUR")
    assert "Team → Business" in found
    assert "More" in found


def test_a_difference_is_told_in_words(console, tenant_a):
    account = account_of(tenant_a, access_state="past_due")
    live = subscribed(account, status="past_due", quantity=2)
    with shared():
        words = state_of(account)
        named = {"account": str(account.id), "before": ""}
        drift = [{**named, "what": name, "after": text} for name, text in words.items()]
        ReconcileRun.objects.create(kind="full", started_at=timezone.now(), looked_at=1, drift=drift)
    found = page(console, "/console/drift/")
    assert f"Subscription {live.stripe_id}" in found
    assert "payment failed · Team, monthly, EUR × 2 · paid until" in found
    assert "past_due" not in found


def test_the_audit_tells_details_in_words(console, operator, tenant_a):
    with shared():
        audit_note(
            Operator(operator),
            Action.ANNOUNCED,
            about="Hello",
            until="2026-12-01T10:30:00+00:00",
            to={"plans": ["Team"], "states": ["past_due"], "ids": []},
            seats=None,
            consent=True,
        )
    found = page(console, "/console/audit/")
    for word in ("with consent: yes", "plans: Team", "states of billing: payment failed", "until: Dec 1, 2026, 10:30"):
        assert word in found, word
    for raw in ("past_due", "None", "{", "2026-12-01T10:30"):
        assert raw not in found.partition("<tbody>")[2].partition("</tbody>")[0], raw


def test_a_step_that_was_begun_or_stopped_is_called_by_what_it_is(console, operator, tenant_a):
    with shared(), pytest.raises(RuntimeError), step_noted(Operator(operator), Action.COUPON_APPLIED, about="HALF"):
        raise RuntimeError("No such code.")
    found = page(console, "/console/audit/?steps=on")
    for word in ("applied a coupon (begun): <strong>HALF", "applied a coupon (did not get through): <strong>HALF"):
        assert word in found, word
    assert "what went wrong: No such code." in found


def test_on_the_pages_below_a_tab_the_tab_is_marked(console, tenant_a):
    assert 'href="/console/" aria-current="page"' in page(console, "/console/")
    assert 'href="/console/" aria-current="true"' in page(console, f"/console/workspaces/{tenant_a.id}/")
    assert 'href="/console/figures/" aria-current="true"' in page(console, "/console/figures/seats/")


def test_no_line_of_its_templates_is_longer_than_can_be_read():
    long = [
        f"{path.name}:{number}"
        for path in sorted((ROOT / "templates/console").rglob("*.html"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > 120
    ]
    assert long == []
