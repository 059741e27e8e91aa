"""The operator's figures: each is exactly what the list behind it adds up to."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.accounts.services import account_make
from billing.models import BillingAccount, SubscriptionChange
from console.billing import figures
from console.billing.figures import Month
from tenants.db.scopes import shared
from tenants.models import Tenant
from tests.billing.accounts import account_of, invoiced, subscribed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_shared(db, tenant_a, monkeypatch):
    monkeypatch.setattr("billing.clock.now", lambda: datetime(2027, 3, 15, tzinfo=UTC))
    with shared():
        yield


def at(month: int, day: int = 10) -> datetime:
    return datetime(2027, month, day, tzinfo=UTC)


def moved(account: Any, kind: str, before: str, after: str, when: datetime, currency: str = "EUR") -> None:
    SubscriptionChange.objects.create(
        account=account, at=when, kind=kind, currency=currency, before=before, after=after, quantity=1
    )


@pytest.fixture
def story(tenant_a, tenant_b):
    """A comes in January, grows, leaves, comes back in dollars; B comes in February and pays less in March."""
    first, second = account_of(tenant_a), account_of(tenant_b)
    moved(first, "new", "0", "100", at(1))
    moved(first, "expansion", "100", "130", at(1, 20))
    moved(first, "churn", "130", "0", at(2))
    moved(first, "reactivation", "0", "70", at(3), "USD")
    moved(second, "new", "0", "50", at(2))
    moved(second, "contraction", "50", "40", at(3))


class TestRevenue:
    def test_currencies_are_not_added_to_each_other(self, story):
        assert figures.revenue() == {"EUR": (Decimal("40.00"), 1), "USD": (Decimal("70.00"), 1)}

    def test_a_month_ends_with_what_the_next_begins_with(self, story):
        total = figures.revenue()["EUR"][0]
        rows = figures.month_rows("EUR", Month(2027, 3), total, figures.movements(Month(2026, 4).start))
        assert [(str(row.month), row.total) for row in rows[:4]] == [
            ("2027-03", Decimal("40.00")),
            ("2027-02", Decimal("50.00")),
            ("2027-01", Decimal("130.00")),
            ("2026-12", Decimal("0.00")),
        ]
        assert dict(rows[1].by_kind) == {
            "new": Decimal("50.00"),
            "expansion": 0,
            "contraction": 0,
            "churn": Decimal("-130.00"),
            "reactivation": 0,
        }

    def test_a_change_on_the_border_is_of_the_later_month(self, tenant_a):
        moved(account_of(tenant_a), "new", "0", "10", datetime(2027, 2, 1, tzinfo=UTC))
        assert list(figures.movements(Month(2027, 1).start)) == [("EUR", Month(2027, 2), "new")]
        assert figures.movement_rows("EUR", Month(2027, 2), "new").count() == 1
        assert figures.movement_rows("EUR", Month(2027, 1), "new").count() == 0


class TestChurn:
    def test_who_paid_as_it_began_and_did_not_as_it_ended(self, story):
        found = {str(one.month): (one.customers, one.lost, one.rate) for one in figures.churns(Month(2027, 3))}
        assert found["2027-01"] == (0, 0, None)
        assert found["2027-02"] == (1, 1, Decimal("100.0"))
        assert found["2027-03"] == (1, 0, Decimal("0.0"))

    def test_another_currency_is_no_leaving(self, tenant_a):
        account = account_of(tenant_a)
        moved(account, "new", "0", "100", at(1))
        moved(account, "churn", "100", "0", at(2))
        moved(account, "reactivation", "0", "110", at(2), "USD")
        assert figures.churns(Month(2027, 2))[0].lost == 0


class TestTrials:
    @pytest.mark.parametrize(
        ("ends", "bought", "outcome"),
        [
            (at(3, 20), False, "running"),
            (at(3, 1), False, "lost"),
            (at(3, 1), True, "converted"),
            (at(3, 20), True, "converted"),
        ],
        ids=["it goes on", "over", "bought after", "bought meanwhile"],
    )
    def test_what_became_of_one(self, tenant_a, ends, bought, outcome):
        BillingAccount.objects.all().update(trial_ends_at=None)
        account = account_of(tenant_a, trial_ends_at=ends)
        BillingAccount.objects.filter(id=account.id).update(created_at=at(2))
        if bought:
            moved(account, "new", "0", "10", at(3, 2))
        month = Month(2027, 2)
        found = next(one for one in figures.trials(Month(2027, 3)) if one.month == month)
        assert {name for name, count in found.outcomes if count} == {outcome}
        assert [one.pk for one in figures.trial_rows(month, outcome)] == [account.pk]


def test_a_trial_begins_by_the_clock_by_which_it_ends(tenant_a):
    """A stand-in's clock can be moved, and the demo's begins months ago."""
    BillingAccount.objects.filter(tenant_id=tenant_a.id).delete()
    account = account_make(tenant_a.id)
    assert [one.pk for one in figures.trial_rows(Month(2027, 3)) if one.pk == account.pk] == [account.pk]


def test_trials_of_a_month_are_one_line_whatever_became_of_them(tenant_a, tenant_b):
    BillingAccount.objects.all().update(created_at=at(2), trial_ends_at=at(3, 1))
    moved(account_of(tenant_a), "new", "0", "10", at(2, 12))
    found = next(one for one in figures.trials(Month(2027, 3)) if one.month == Month(2027, 2))
    assert (found.begun, found.converted, found.running, found.lost) == (2, 1, 0, 1)
    assert found.rate == Decimal("50.0")


def test_the_list_of_an_outcome_is_named_by_it(console, tenant_a):
    for outcome, word in (("converted", "Converted"), ("running", "Running"), ("lost", "Lost")):
        page = console.get(f"/console/figures/trials/?month=2027-03&outcome={outcome}").content.decode()
        assert f"<h1>Trials that began in March 2027: {word}</h1>" in page


class TestMonth:
    @pytest.mark.parametrize("text", ["", "2027", "2027-13", "March", "2027-03-01", "\x00"])
    def test_what_is_none_is_refused(self, console, text):
        assert console.get("/console/figures/churn/", {"month": text}).status_code == 404

    def test_a_year_turns(self):
        assert (Month(2026, 12).after, Month(2027, 1).before) == (Month(2027, 1), Month(2026, 12))


NUMBER = re.compile(r'<a[^>]*href="(/console/[^"]*\?[^"]*|/console/figures/seats/)"[^>]*>([^<]*)</a>')


def test_each_number_opens_exactly_the_list_behind_it(console, story, tenant_a, tenant_b):
    account = BillingAccount.objects.get(tenant_id=tenant_a.id)
    subscribed(account, quantity=7)
    invoiced(account, "R-1", status="open", paid="7.06")
    invoiced(BillingAccount.objects.get(tenant_id=tenant_b.id), "R-2", status="open", paid="0", currency="USD")
    invoiced(account, "R-3")
    Tenant.objects.filter(id=tenant_b.id).update(access_state="trialing")
    BillingAccount.objects.filter(id=account.id).update(created_at=at(2))
    numbers = NUMBER.findall(console.get("/console/figures/").content.decode())
    assert len(numbers) > 12
    for href, number in numbers:
        page = console.get(unescape(href)).content.decode()
        if re.fullmatch(r"[0-9]+", number) and "seats" not in href:
            count = f"{number} workspace" if "access=" in href else f"{number} line"
            assert count in page, href
        else:
            assert f"<strong>{number}</strong>" in page, href


def test_a_number_of_none_opens_an_empty_list(console, tenant_a):
    account_of(tenant_a)
    answer = console.get("/console/?access=paused")
    assert answer.status_code == 200
    assert "No workspace fits these filters." in answer.content.decode()


def test_on_a_phone_each_movement_is_called_what_it_is_called_above_the_column(console, story):
    page = console.get("/console/figures/").content.decode()
    movements = page.partition('id="revenue-EUR"')[2].partition("</section>")[0]
    labels = set(re.findall(r'class="num[^"]*" data-label="([^"]+)"', movements))
    assert {"New", "More", "Less", "Lost", "Came back"} <= labels
    assert not {"Expansion", "Contraction", "Churn"} & labels


def test_more_months_and_workspaces_are_no_more_questions(console, story, django_assert_max_num_queries):
    console.get("/console/figures/")
    with django_assert_max_num_queries(20):
        console.get("/console/figures/")


LISTS = (
    "",
    "revenue/?currency=EUR",
    "movements/?currency=EUR&month=2027-03&kind=new",
    "trials/?month=2027-03",
    "churn/?month=2027-03",
    "unpaid/?currency=EUR",
    "seats/",
)


@pytest.mark.parametrize("path", LISTS)
def test_more_rows_are_no_more_questions(console, story, path):
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert console.get(f"/console/figures/{path}").status_code == 200
        return len(asked)

    def add(number: int) -> None:
        account = BillingAccount.objects.create(
            tenant=Tenant.objects.create(name=f"Oak {number}", state="active"), trial_ends_at=at(4)
        )
        BillingAccount.objects.filter(id=account.id).update(created_at=at(3))
        subscribed(account)
        invoiced(account, f"R-{number}", status="open", paid="0")
        moved(account, "new", "0", "9", at(3))
        if number % 2:
            gone = BillingAccount.objects.create(tenant=Tenant.objects.create(name=f"Elm {number}", state="active"))
            moved(gone, "new", "0", "9", at(1))
            moved(gone, "churn", "9", "0", at(3))

    for number in (1, 2):
        add(number)
    questions()
    few = questions()
    for number in range(3, 13):
        add(number)
    assert questions() == few
    assert few <= 20


def test_without_anything_the_page_opens(console):
    BillingAccount.objects.all().update(trial_ends_at=None)
    assert "No revenue yet" in console.get("/console/figures/").content.decode()


@pytest.mark.parametrize(
    "path",
    [
        "revenue/?currency=XXX",
        "revenue/",
        "movements/?currency=EUR&month=2027-01&kind=gift",
        "movements/?currency=EUR&kind=new",
        "trials/?month=2027-01&outcome=bored",
        "unpaid/?currency=eur",
    ],
)
def test_a_list_that_there_is_not(console, path):
    assert console.get(f"/console/figures/{path}").status_code == 404


def test_paid_invoices_are_not_unpaid(tenant_a):
    account = account_of(tenant_a)
    invoiced(account, "R-1")
    invoiced(account, "R-2", status="void", paid="0")
    invoiced(account, "R-3", status="draft", paid="0")
    invoiced(account, "R-4", status="open", paid="7.06", issued_at=timezone.now() - timedelta(days=3))
    assert figures.unpaid() == {"EUR": (Decimal("200.00"), 1)}
