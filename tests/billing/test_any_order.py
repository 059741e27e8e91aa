"""The events of a month with a failed and a healed payment, in any order and number: it ends as Stripe says.

Takes some seconds: each order is gone through from the beginning, and each event fetches. ``make test-deep`` goes
through many.
"""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import BillingAccount, InvoiceMirror, StripeEvent, Subscription
from billing.sweeps.reconcile import state_of
from billing.webhooks import event_process, event_take
from tenants.db.scopes import shared
from tenants.models import Tenant
from tests.billing.paying import Paying
from tests.billing.standin_server import FAILS_LATER
from tests.depth import DEEP, examples


def known(paying: Paying) -> tuple[Any, ...]:
    with shared():
        tenant = Tenant.objects.get(id=paying.account.tenant_id)
        return state_of(paying.account), tenant.state, tenant.access_state, tenant.limits


def forgotten(paying: Paying) -> None:
    """Nothing is known of what Stripe told."""
    with shared():
        for rows in (StripeEvent, InvoiceMirror, Subscription):
            rows._default_manager.filter(account=paying.account).delete()
        BillingAccount.objects.filter(id=paying.account.id).update(access_state="trialing", card_last4="", vat_id="")


@settings(max_examples=examples(6), suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=not DEEP)
@given(data=st.data())
def test_events_in_any_order_and_number_end_the_same(paying: Paying, data: st.DataObject) -> None:
    if not paying.account.customer_id:
        paying.subscribe()
        paying.server.card_change(paying.customer, FAILS_LATER)
        paying.move(days=33)
        paying.server.card_change(paying.customer)
        paying.move(days=4)
        paying.sync()
    events = [one for one in paying.events() if one["data"]["object"].get("customer") == paying.customer]
    before = known(paying)
    chosen = data.draw(st.lists(st.sampled_from(range(len(events))), min_size=1, max_size=8))
    forgotten(paying)
    for number in chosen:
        taken = event_take(events[number])
        if taken is not None:
            event_process(event_id=str(taken.id))
    assert known(paying) == before
