"""More of what went wrong elsewhere and was told in public, each tried on ours."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing import clock
from billing.checkout import changes
from billing.models import BillingNotice, StripeEvent
from billing.webhooks import event_process, event_take
from tenants.db.scopes import shared
from tests.billing.paying import Paying

pytestmark = pytest.mark.django_db


def free_code(paying: Paying) -> str:
    client = paying.server.client.v1
    made = client.coupons.create({"duration": "forever", "percent_off": 100})
    client.promotion_codes.create({"promotion": {"type": "coupon", "coupon": made.id}, "code": "FREE"})
    return "FREE"


def kinds(paying: Paying) -> list[str]:
    with shared():
        return list(BillingNotice.objects.filter(account=paying.first).values_list("kind", flat=True))


def test_what_costs_nothing_is_had_and_no_receipt_tells_of_a_payment(paying: Paying) -> None:
    attempt = paying.start()
    paying.server.promotion(str(attempt.session_id), free_code(paying))
    paying.server.pay(str(attempt.session_id))
    paying.sync()
    assert (paying.tenant.access_state, paying.subscription.status) == ("active", "active")
    with shared():
        (invoice,) = paying.account.invoices.all()
    assert (invoice.status, invoice.total + invoice.paid) == ("paid", Decimal(0))
    assert "receipt" not in kinds(paying)
    paying.move(days=32)
    assert paying.sync().status == "active"
    assert "receipt" not in kinds(paying)


@pytest.mark.parametrize("turned", [False, True])
def test_a_customer_deleted_there_ends_the_same_in_whatever_order_it_is_told(turned: bool, paying: Paying) -> None:
    paying.subscribe()
    paying.move(days=20)
    paying.sync()
    customer = paying.customer
    paying.server.client.v1.customers.delete(customer)
    told = [one for one in paying.events() if "deleted" in one["type"]]
    assert len(told) > 1
    for event in reversed(told) if turned else told:
        row = event_take(event)
        assert row is not None
        event_process(event_id=str(row.id))
    with shared():
        assert set(StripeEvent.objects.values_list("state", flat=True)) == {"done"}
    assert paying.account.customer_id is None
    assert paying.tenant.access_state == "canceled"


def test_who_comes_back_gets_no_second_trial(paying: Paying) -> None:
    paying.move(days=20)
    live = paying.subscribe()
    paying.server.client.v1.subscriptions.cancel(live.stripe_id)
    paying.sync()
    assert paying.tenant.access_state == "canceled"
    paying.move(days=1)
    again = paying.subscribe()
    assert (again.status, again.trial_end) == ("active", None)


def test_a_renewal_that_nobody_told_us_of_takes_nothing_away(paying: Paying, owner: Any, browser_client: Any) -> None:
    paying.subscribe()
    paying.move(days=33)
    ends = paying.subscription.period_end
    assert ends is not None
    assert ends < clock.now()
    answer = browser_client(owner).post("/contacts/new/", {"first_name": "Ada", "last_name": "Late"})
    assert answer.status_code in (200, 302)


@pytest.mark.parametrize("begins", [datetime(2027, 1, 31, 12, tzinfo=UTC), datetime(2028, 2, 29, 12, tzinfo=UTC)])
@pytest.mark.parametrize("price", ["team_month_eur", "team_year_eur"])
def test_periods_from_the_end_of_a_month_have_no_gap_and_a_change_costs_what_was_shown(
    begins: datetime, price: str, paying: Paying
) -> None:
    clock.move(begins - clock.now())
    live = paying.subscribe(price)
    ends = [live.period_end]
    step = timedelta(days=31 if "month" in price else 366)
    for _time in range(3):
        clock.move(step)
        now = paying.sync()
        assert now.period_start == ends[-1]
        ends.append(now.period_end)
    assert all(one is not None and one.day in (28, 29, 30, 31) for one in ends)
    wanted = paying.price(price)
    shown = changes.change_preview(paying.account, wanted, 9)
    with shared():
        count = paying.account.invoices.count()
    changes.change_apply(paying.account, wanted, 9, shown.proration_date, shown.balance)
    with shared():
        assert paying.account.invoices.count() == count + 1
        assert paying.account.invoices.order_by("-issued_at")[0].paid == shown.due_now.amount
