"""What was billed, what came in and what was told stays as it was written: Postgres refuses the application more."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.db.utils import ProgrammingError

from billing.mails.notices import Kind, notice
from billing.models import BillingNotice, SeatLedger, SubscriptionChange
from billing.subscriptions.seat_sync import seats_note
from tenants.db.scopes import shared, tenant_scope
from tests.billing.accounts import account_of, subscribed

TABLES = ("billing_seatledger", "billing_subscriptionchange", "billing_billingnotice")


@pytest.fixture
def written(db: None, tenant_a: Any) -> Any:
    """A row in each of the tables."""
    account = account_of(tenant_a)
    subscribed(account)
    notice(account, Kind.READ_ONLY, "first")
    with shared():
        seats_note(account, billed=6)
        SubscriptionChange.objects.create(
            account=account,
            at=datetime(2027, 1, 1, tzinfo=UTC),
            kind="new",
            currency="EUR",
            before=0,
            after=9,
            quantity=6,
        )
        assert all(model.objects.exists() for model in (SeatLedger, SubscriptionChange, BillingNotice))
    return account


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {} SET account_id = account_id", "DELETE FROM {}", "TRUNCATE {}", "SELECT 1 FROM {} FOR UPDATE"],
)
def test_the_application_changes_and_removes_none(written: Any, table: str, statement: str) -> None:
    with shared(), pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute(statement.format(table))


@pytest.mark.parametrize("table", TABLES)
def test_a_workspace_knows_nothing_of_them(written: Any, table: str, tenant_a: Any) -> None:

    with tenant_scope(tenant_a), pytest.raises(ProgrammingError, match="denied"), connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM public.{table}")
