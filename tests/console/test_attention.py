"""What waits for an operator is on one page, each with the way to its end."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import BillingAccount, StripeRequest
from console.models import AuditEntry
from tenants.db.scopes import shared
from tenants.models import Tenant
from tests.billing.accounts import account_of

PAGE = "/console/attention/"


def begun(tenant: Any, *, minutes: int = 30, **values: Any) -> StripeRequest:
    """A request to Stripe that was sent so long ago and has no answer."""
    account = account_of(tenant)
    with shared():
        key = f"of {StripeRequest.objects.count()}"
        made = StripeRequest.objects.create(
            account=account, operation="subscription.update", idempotency_key=key, **values
        )
        StripeRequest.objects.filter(id=made.id).update(created_at=timezone.now() - timedelta(minutes=minutes))
    return made


def page(console: Any, path: str = PAGE) -> str:
    return str(console.get(path).content.decode())


class TestAccounts:
    def test_what_billing_raised_is_listed_with_the_way_to_its_end(self, console, tenant_a, tenant_b):
        account_of(tenant_a, needs_attention="There was a second subscription")
        account_of(tenant_b)
        found = page(console)
        assert "There was a second subscription" in found
        assert tenant_b.name not in found
        link = f"/console/workspaces/{tenant_a.id}/attention/"
        assert f'href="{link}"' in found
        assert console.post(link, {"why": "Paid back"}).status_code == 302
        assert "There was a second subscription" not in page(console)
        with shared():
            assert AuditEntry.objects.get(action="attention_done").about == "There was a second subscription"

    def test_so_are_seats_that_cannot_be_told(self, console, tenant_a):
        account_of(tenant_a, seats_error="StripeAway: it does not answer")
        assert "it does not answer" in page(console)

    def test_nothing_is_said_to_be_none(self, console, tenant_a):
        account_of(tenant_a)
        assert page(console).count("None.") == 4


class TestRequests:
    def test_one_without_an_answer_is_listed_and_on_its_workspaces_page(self, console, tenant_a):
        begun(tenant_a, error="Connection cut")
        found = page(console)
        for word in ("Change the subscription", "Connection cut", "of 0", f"/console/workspaces/{tenant_a.id}/"):
            assert word in found
        assert "Connection cut" in page(console, f"/console/workspaces/{tenant_a.id}/")
        assert tenant_a.name in page(console, "/console/?health=billing")

    @pytest.mark.parametrize(
        "values", [{"minutes": 1}, {"state": "done"}, {"state": "refused"}], ids=["a moment ago", "done", "refused"]
    )
    def test_others_are_not(self, console, tenant_a, values):
        begun(tenant_a, **values)
        assert "Change the subscription" not in page(console)
        assert tenant_a.name not in page(console, "/console/?health=billing")

    def test_refused_ones_do_not_push_it_off_its_workspaces_page(self, console, tenant_a):
        begun(tenant_a, error="Connection cut")
        for _number in range(12):
            begun(tenant_a, state="refused", error="Declined")
        assert "Connection cut" in page(console, f"/console/workspaces/{tenant_a.id}/")

    def test_one_of_no_workspace(self, console, tenant_a):
        made = begun(tenant_a)
        with shared():
            StripeRequest.objects.filter(id=made.id).update(account=None)
        assert "Change the subscription" in page(console)


def test_more_of_it_is_no_more_questions(console, tenant_a):
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert console.get(PAGE).status_code == 200
        return len(asked)

    begun(tenant_a)
    account_of(tenant_a, needs_attention="Look", seats_error="Away")
    questions()
    few = questions()
    for number in range(10):
        begun(tenant_a)
        with shared():
            tenant = Tenant.objects.create(name=f"Oak {number}")
            BillingAccount.objects.create(tenant=tenant, needs_attention="Look", seats_error="Away")
    assert questions() == few
    assert few <= 16
