"""The money of the demo: months of payments, one that failed and was healed, and a workspace that is past due.

Takes a second or two: three months go by at the stand-in.
"""

from datetime import UTC, datetime, timedelta

import pytest

from billing import clock
from embedded import demo_payments
from tenants.db.scopes import shared
from tests.billing.a_workspace import PayingWorkspace
from tests.billing.paying import stock
from tests.billing.standin_server import StripeServer

pytestmark = pytest.mark.django_db


def test_one_is_in_the_middle_of_a_paid_life_and_one_is_past_due(billing: StripeServer) -> None:
    demo_payments.begin()
    stock(billing)
    first, late = PayingWorkspace(billing), PayingWorkspace(billing)
    with shared():
        demo_payments.pay_for_months((first.account, first.owner), (late.account, late.owner))
        clock.move(datetime.now(UTC) - clock.now())
    first.sync()
    late.sync()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert (first.state, late.state) == ("active", "past_due")
    with shared():
        assert list(first.account.invoices.values_list("status", flat=True)) == ["paid"] * 3
        assert sorted(late.account.invoices.values_list("status", flat=True)) == ["open", "paid", "paid"]
        told = [one.kind for one in first.account.notices.order_by("at", "id")]
        assert told.index("payment_failed") < len(told) - 1 == len(told) - 1 - told[::-1].index("receipt")
        begun = demo_payments.first_payment() - demo_payments.TRIED
        for account in (first.account, late.account):
            assert abs(account.created_at - begun) < timedelta(hours=1)
