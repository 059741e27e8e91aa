"""Settings → Billing: what it says of plan, state and invoices, and to whom."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import BillingAccount, Plan
from crm.sales.models import Pipeline
from crm.workspace.models import Invitation, Role
from tenants.db.scopes import shared
from tenants.models import Tenant
from tenants.rate_limits import BY_KEY
from tenants.workspaces.hosts import tenant_host
from tests.billing.accounts import account_of, invoiced, standing, subscribed

pytestmark = pytest.mark.django_db
PAGE = "/settings/billing/"
PAGES = [PAGE, f"{PAGE}invoices/", f"{PAGE}plans/", f"{PAGE}next/", f"{PAGE}contact/", f"{PAGE}coupon/"]


def text(client: Any, path: str = PAGE) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.mark.parametrize("path", PAGES)
def test_it_is_for_those_with_the_power(path, owner, admin, manager, seller, outsider, browser_client, client):
    assert browser_client(owner).get(path).status_code == 200
    assert browser_client(admin).get(path).status_code == 200
    assert browser_client(manager).get(path).status_code == 403
    assert browser_client(seller).get(path).status_code == 403
    assert browser_client(outsider, host=tenant_host(owner.tenant)).get(path).status_code == 302
    assert client.get(path, headers={"host": tenant_host(owner.tenant)}).status_code == 302


@pytest.mark.parametrize(
    ("stand_in", "pages"),
    [("", "https://checkout.stripe.com https://billing.stripe.com"), ("http://127.0.0.1:12111",) * 2],
    ids=["stripe", "the stand-in"],
)
def test_its_forms_may_lead_to_stripe_and_those_of_other_pages_not(stand_in, pages, owner, browser_client, settings):
    settings.STRIPE_API_URL = stand_in
    client = browser_client(owner)
    for path in (PAGE, f"{PAGE}change/team_month_eur/?seats=6"):
        account_of(owner.tenant)
        assert f"form-action 'self' {pages};" in f"{client.get(path)['Content-Security-Policy']};"
    assert pages not in client.get("/contacts/")["Content-Security-Policy"]


def test_plan_seats_and_price_are_said(owner, browser_client):
    account = account_of(owner.tenant, currency="EUR")
    subscribed(account)
    standing(owner.tenant, "active")
    page = text(browser_client(owner))
    assert "Team" in page
    assert "6 seats at €29: €174" in page
    assert "renews by itself" in page


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("pending", "No plan has been chosen yet."),
        ("trialing", "nothing is charged"),
        ("canceling", "Everything works until"),
        ("past_due", "The last payment failed"),
        ("read_only", "The trial is over."),
        ("canceled", "The subscription has ended"),
    ],
)
def test_each_state_says_what_happens_when(state, words, owner, browser_client):
    account_of(owner.tenant, access_lost_at=timezone.now())
    standing(owner.tenant, state)
    assert words in text(browser_client(owner))


def test_an_unpaid_subscription_leads_to_the_open_invoice(owner, browser_client):
    account = account_of(owner.tenant)
    subscribed(account, status="past_due")
    invoiced(account, "R-7", status="open", paid=Decimal(0))
    standing(owner.tenant, "read_only")
    page = text(browser_client(owner))
    assert "Pay the open invoice" in page
    assert 'href="https://pay.stripe.com/invoice/R-7"' in page


def test_what_is_still_due_is_asked_for(owner, browser_client):
    account = account_of(owner.tenant)
    subscribed(account, status="past_due")
    invoiced(account, "R-7", status="open", paid=Decimal(0), remaining=Decimal("144.55"))
    standing(owner.tenant, "past_due")
    assert "Pay €144.55" in text(browser_client(owner))


@pytest.mark.parametrize(("state", "plan"), [("canceled", "Team"), ("trialing", "Business")])
def test_the_plan_is_the_last_one_until_a_trial_goes_on(owner, browser_client, state, plan):
    with shared():
        account_of(owner.tenant)
        account = account_of(owner.tenant, trial_plan=Plan.objects.get(code="business"))
    subscribed(account, status="canceled")
    standing(owner.tenant, state)
    assert f"<strong>{plan}</strong>" in text(browser_client(owner))


def test_after_the_end_a_plan_is_chosen_though_an_invoice_was_never_paid(owner, browser_client):
    account = account_of(owner.tenant, access_lost_at=timezone.now())
    subscribed(account, status="canceled")
    invoiced(account, "R-7", status="open", paid=Decimal(0))
    standing(owner.tenant, "canceled")
    page = text(browser_client(owner))
    assert "Choose a plan</a>" in page
    assert "Pay €207.06" not in page


def test_who_came_back_is_not_held_up_by_what_an_ended_subscription_left_open(owner, browser_client):
    account = account_of(owner.tenant, currency="EUR")
    subscribed(account)
    invoiced(account, "R-7", status="open", paid=Decimal(0))
    standing(owner.tenant, "active")
    page = text(browser_client(owner))
    assert "Change plan or interval</a>" in page
    assert "Pay €207.06" not in page


def test_seats_that_invitations_hold_are_counted_as_taken(owner, admin, browser_client):
    subscribed(account_of(owner.tenant, currency="EUR"))
    standing(owner.tenant, "active", limits={"seats": 9})
    role = Role.objects.get(slug="member")
    Invitation.objects.create(
        email="new@example.com", role=role, token_hash="x", expires_at=timezone.now() + timedelta(days=7)
    )
    page = text(browser_client(owner))
    assert "7 of 9 seats are taken, 1 by an open invitation" in page


def test_a_workspace_without_an_account_is_told_so(owner, browser_client):
    with shared():
        BillingAccount.objects.filter(tenant_id=owner.tenant.id).delete()
        Tenant.objects.filter(id=owner.tenant.id).update(plan_name="", access_state="")
    assert "No plan" in text(browser_client(owner))


def test_an_invoice_has_its_page_its_pdf_its_tax_and_what_was_paid_back(owner, browser_client):
    invoiced(account_of(owner.tenant), "R-1", refunded=Decimal("7.06"), is_disputed=True)
    page = text(browser_client(owner))
    for words in (
        "R-1",
        "€207.06",
        "€33.06 of it tax",
        "€7.06 paid back",
        "disputed",
        "https://pay.stripe.com/invoice/R-1/pdf",
    ):
        assert words in page


def test_no_invoice_of_another_workspace_is_shown(owner, outsider, browser_client):
    invoiced(account_of(outsider.tenant), "B-1")
    for path in PAGES:
        assert "B-1" not in text(browser_client(owner), path)
    assert "B-1" in text(browser_client(outsider))


def test_a_draft_is_no_invoice_yet(owner, browser_client):
    invoiced(account_of(owner.tenant), "R-9", status="draft")
    assert "R-9" not in text(browser_client(owner))


def test_many_invoices_have_pages(owner, browser_client):
    account = account_of(owner.tenant)
    for number in range(52):
        invoiced(account, f"R-{number:03}", issued_at=timezone.now() - timedelta(days=number))
    client = browser_client(owner)
    assert "All invoices" in text(client)
    assert "R-051" in text(client, f"{PAGE}invoices/?page=2")
    assert "R-000" in text(client, f"{PAGE}invoices/?page=nonsense")


def test_more_invoices_cost_no_more_questions(owner, browser_client):
    account = account_of(owner.tenant)
    subscribed(account)
    client = browser_client(owner)
    invoiced(account, "R-1")
    few = queries(client)
    for number in range(2, 12):
        invoiced(account, f"R-{number}")
    assert queries(client) <= few <= 40


def queries(client: Any) -> int:
    client.get(PAGE)
    with CaptureQueriesContext(connection) as found:
        client.get(PAGE)
    return len(found)


def test_what_is_asked_of_stripe_is_counted_by_workspace(owner, outsider, browser_client, monkeypatch):
    monkeypatch.setitem(BY_KEY, "stripe", (2, 600))
    account_of(owner.tenant)
    account_of(outsider.tenant)
    client = browser_client(owner)
    answers = [client.get(f"{PAGE}{path}").status_code for path in ("next/", "contact/", "next/")]
    assert answers == [200, 200, 429]
    assert client.get(PAGE).status_code == 200
    assert browser_client(outsider).get(f"{PAGE}next/").status_code == 200


def test_a_contract_that_ended_is_not_called_a_trial(owner, browser_client):
    ended = timezone.now() - timedelta(days=1)
    account_of(owner.tenant)
    with shared():
        business = Plan.objects.get(code="business")
    account_of(owner.tenant, contract_plan=business, contract_until=ended, access_lost_at=ended)
    standing(owner.tenant, "read_only")
    assert "The contract is over." in text(browser_client(owner))


@pytest.mark.parametrize(
    ("most", "mark", "words"), [(2, "is-full", "Full:"), (1, "is-over", "More than the plan holds")]
)
def test_a_limit_that_is_reached_stands_out(most, mark, words, owner, browser_client):
    account_of(owner.tenant)
    Pipeline.objects.create(name="Repairs", position=9)
    standing(owner.tenant, "active", limits={"pipelines": most})
    assert Pipeline.objects.count() == 2
    page = text(browser_client(owner))
    assert f'class="{mark}"' in page
    assert words in page


def test_who_pays_no_more_has_no_seats_left_over(owner, browser_client):
    account_of(owner.tenant, access_lost_at=timezone.now())
    standing(owner.tenant, "read_only", limits={"seats": 10})
    page = text(browser_client(owner))
    assert "6 members" in page
    assert "of 10 seats" not in page


def test_a_suspension_by_the_operator_does_not_end_what_is_paid_and_says_so(owner, browser_client):
    subscribed(account_of(owner.tenant))
    standing(owner.tenant, "suspended", access_note="Unwanted mail.")
    with shared():
        Tenant.objects.filter(id=owner.tenant.id).update(state="suspended")
    page = text(browser_client(owner))
    assert "The reason: Unwanted mail." in page
    assert "what it costs is charged as before, unless you cancel it" in page
    assert "Everything works until" not in page


def test_a_plan_by_contract_is_changed_by_asking_and_nothing_else_is_offered(owner, browser_client):
    account = account_of(owner.tenant)
    standing(owner.tenant, "active")
    client = browser_client(owner)
    assert f"{PAGE}change/" in text(client, f"{PAGE}plans/")
    with shared():
        account.contract_plan = Plan.objects.get(code="team")
        account.save(update_fields=["contract_plan"])
    assert "Ask us, and we change it." in text(client)
    page = text(client, f"{PAGE}plans/")
    assert "Your plan is agreed by contract. Ask us, and we change it." in page
    assert f"{PAGE}change/" not in page


def test_the_address_is_written_as_it_is_read(owner, browser_client):
    account_of(
        owner.tenant, address={"line1": "Lindenweg 3", "postal_code": "80331", "city": "München", "country": "DE"}
    )
    assert "Lindenweg 3, 80331 München, Germany" in text(browser_client(owner))


def test_a_country_that_is_not_known_is_shown_by_its_code(owner, browser_client):
    account_of(owner.tenant, address={"city": "Somewhere", "country": "QQ"})
    assert "Somewhere, QQ" in text(browser_client(owner))
