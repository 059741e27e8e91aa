"""Every address of billing and of the console, as the URL conf has them, asked for by everybody who may not.

Who may is asked elsewhere; nobody of other workspaces gets in: see also tests.isolation.test_canary and test_gate.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from billing.models import CheckoutAttempt, PlanPrice, StripeRequest
from console.models import AuditEntry
from tenants.accounts.two_factor import factors_drop
from tenants.db.scopes import shared
from tenants.models import SupportVisit, Tenant, User
from tenants.web.access import BILLING, declared
from tenants.workspaces.hosts import public_url, tenant_host
from tests.billing.accounts import account_of, invoiced, subscribed
from tests.console.conftest import client_of
from tests.console.test_gate import paths as console_paths
from tests.console.test_visits import visiting
from tests.isolation.routes import routes

__all__ = ["visiting"]

ROUTES = [route for route in routes(settings.TENANT_URLCONF) if route.path.startswith("settings/billing/")]
CONTACT, NUMBER = "books@example.net", "RAP-WALKED"
METHODS = ("get", "head", "post", "put", "patch", "delete")
FORM = {"seats": "9", "proration_date": "1", "balance": "0", "email": "me@example.com", "code": "X", "why": "Mine"}


@pytest.fixture
def attempt(owner: Any) -> CheckoutAttempt:
    """Of workspace A, which pays and has an invoice."""
    account = account_of(owner.tenant, email=CONTACT, customer_id="cus_walked", currency="EUR", access_state="active")
    period_end = timezone.now() + timedelta(days=30)
    subscribed(account, period_end=period_end)
    invoiced(account, NUMBER)
    with shared():
        return CheckoutAttempt.objects.create(
            account=account,
            price=PlanPrice.objects.get(lookup_key="team_month_eur"),
            quantity=1,
            started_by=owner.details["user_id"],
            expires_at=period_end,
        )


def billing_paths(attempt: CheckoutAttempt) -> list[str]:
    values = {"<slug:price>": "business_month_eur", "<uuid:attempt_id>": str(attempt.id)}
    found = []
    for route in ROUTES:
        path = route.path
        for name, value in values.items():
            path = path.replace(name, value)
        assert "<" not in path, path
        found.append(f"/{path}")
    return found


def asked(client: Any, paths: list[str]) -> Iterator[tuple[str, Any]]:
    for path in paths:
        for method in METHODS:
            sent = {"data": FORM} if method == "post" else {}
            yield f"{method} {path}", getattr(client, method)(path, **sent)


def tells(answer: Any) -> list[str]:
    content = answer.content.decode()
    return [one for one in (CONTACT, NUMBER, "/settings/billing/invoices/") if one in content]


def standing(attempt: CheckoutAttempt) -> Any:
    with shared():
        account = attempt.account
        account.refresh_from_db()
        subscription = account.subscriptions.values("quantity", "price", "cancel_at").get()
        return account.email, account.synced_at, subscription, StripeRequest.objects.count()


def test_every_address_of_billing_asks_for_the_power() -> None:
    assert len(ROUTES) >= 11
    assert {declared(route.view) for route in ROUTES} == {BILLING}
    elsewhere = [route.path for route in routes(settings.API_URLCONF) if "billing" in route.path]
    assert elsewhere == []


@pytest.fixture
def coming(
    browser_client: Callable[..., Client], actor_named: Callable[[str], Any], outsider: Any, owner: Any, visiting: Any
) -> Callable[[str], Client]:
    """The browser of somebody, on workspace A's host."""
    host = tenant_host(owner.tenant)

    def come(who: str) -> Client:
        if who == "nobody":
            return Client(headers={"host": host})
        if who == "of another workspace":
            return browser_client(outsider, host=host)
        if who == "support as the owner":
            inside: Client = visiting("owner")
            return inside
        return browser_client(actor_named(who))

    return come


@pytest.mark.slow("asks for each page by each method, for each of six")
@pytest.mark.parametrize(
    "who", ["manager", "seller", "reader", "nobody", "of another workspace", "support as the owner"]
)
def test_billing_is_closed_to_whoever_has_not_its_power(
    who: str, attempt: CheckoutAttempt, coming: Callable[[str], Client]
) -> None:
    client = coming(who)
    before = standing(attempt)
    for path, answer in asked(client, billing_paths(attempt)):
        assert answer.status_code in ((302, 401) if who in ("nobody", "of another workspace") else (403, 404)), path
        assert tells(answer) == [], path
    assert standing(attempt) == before


@pytest.mark.slow("asks for each page and step by each method")
def test_no_key_whatever_it_may_opens_billing_or_the_console(
    attempt: CheckoutAttempt, api: Callable[..., Any], owner: Any
) -> None:
    before = standing(attempt)
    with shared():
        looked = AuditEntry.objects.count()
    for host, paths in (
        (tenant_host(owner.tenant), billing_paths(attempt)),
        ("api.localhost", [f"/api/v1{path}" for path in billing_paths(attempt)]),
        (public_url("").partition("//")[2], console_paths(owner.tenant.id)),
    ):
        for path, answer in asked(api(owner, host=host).client, paths):
            assert answer.status_code in (302, 401, 404), (host, path)
            assert tells(answer) == [], path
    assert standing(attempt) == before
    with shared():
        assert AuditEntry.objects.count() == looked


@pytest.mark.slow("asks for each page and step by each method")
class TestConsole:
    """Its pages and steps; who is a member only is asked in test_gate."""

    @pytest.fixture(autouse=True)
    def _told(self, attempt: CheckoutAttempt) -> None:
        """There is something to be seen."""

    def closed(self, client: Client, tenant_id: Any, statuses: tuple[int, ...]) -> None:
        with shared():
            before = AuditEntry.objects.count(), SupportVisit.objects.count(), Tenant.objects.values().get(id=tenant_id)
        for path, answer in asked(client, console_paths(tenant_id)):
            assert answer.status_code in statuses, path
            assert tells(answer) == [], path
            if answer.status_code == 302:
                assert not answer["Location"].startswith("/console/"), path
        with shared():
            after = AuditEntry.objects.count(), SupportVisit.objects.count(), Tenant.objects.values().get(id=tenant_id)
        assert after == before

    def test_without_a_second_factor(self, operator: User, tenant_a: Any) -> None:
        with shared():
            factors_drop(operator)
        self.closed(client_of(operator.pk, method="password"), tenant_a.id, (302,))

    def test_with_the_password_alone(self, operator: User, tenant_a: Any) -> None:
        # It is taken out of the session until the second step is done.
        self.closed(client_of(operator.pk, method="password"), tenant_a.id, (302, 404))

    def test_with_a_factor_shown_yesterday(self, operator: User, tenant_a: Any) -> None:
        self.closed(client_of(operator.pk, confirmed=24 * 3600), tenant_a.id, (302,))

    def test_by_a_former_operator_whose_session_lives(self, operator: User, console: Client, tenant_a: Any) -> None:
        assert console.get("/console/").status_code == 200
        with shared():
            User.objects.filter(pk=operator.pk).update(is_staff=False)
        self.closed(console, tenant_a.id, (404,))

    def test_on_a_workspaces_host_by_support_inside_it(self, visiting: Any, tenant_a: Any) -> None:
        self.closed(visiting("owner"), tenant_a.id, (404,))
