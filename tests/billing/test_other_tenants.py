"""Whoever pays for one workspace sends what belongs to another: real ids, in each place that takes one."""

from typing import Any

import pytest

from billing.checkout.hosted import portal_open
from billing.models import BillingAccount, CheckoutAttempt, StripeRequest
from tenants.db.scopes import shared
from tests.billing.a_workspace import PayingWorkspace
from tests.billing.paying import Paying

pytestmark = pytest.mark.django_db
PAGE = "/settings/billing/"
FORMS = ("portal/", "contact/", "coupon/", "cancel/", "cancel/undo/", "change/team_month_eur/")


@pytest.fixture
def other(paying: Paying, outsider: Any) -> PayingWorkspace:
    """Workspace B, which pays, has a coupon and an open portal, and once had a checkout."""
    workspace = PayingWorkspace(paying.server, tenant=outsider.tenant, owner_id=outsider.details["user_id"])
    workspace.full("team")
    return workspace


def ids_of(other: PayingWorkspace) -> dict[str, str]:
    """Each id that B has at Stripe or here, under every name by which it could be sent."""
    account = other.account
    with shared():
        attempt = CheckoutAttempt.objects.get(account=account)
        live = account.subscriptions.get()
        invoice = account.invoices.get()
    portal = portal_open(account)
    return {
        "account": str(account.id),
        "account_id": str(account.id),
        "tenant": str(account.tenant_id),
        "tenant_id": str(account.tenant_id),
        "customer": str(account.customer_id),
        "attempt": str(attempt.id),
        "session": str(attempt.session_id),
        "session_id": str(attempt.session_id),
        "subscription": live.stripe_id,
        "item": live.item_id,
        "invoice": invoice.stripe_id,
        "portal": portal.rpartition("/")[2],
    }


def standing(other: PayingWorkspace) -> Any:
    other.sync()
    live = other.server.client.v1.subscriptions.list({"customer": str(other.account.customer_id)}).data
    with shared():
        row = BillingAccount.objects.filter(id=other.account.id).values("email", "cancel_reason", "access_state").get()
        return row, [str(one) for one in live], StripeRequest.objects.filter(account=other.account).count()


def test_what_is_of_another_workspace_opens_and_changes_nothing(
    paying: Paying, other: PayingWorkspace, owner: Any, browser_client: Any
) -> None:
    paying.subscribe()
    theirs = ids_of(other)
    with shared():
        seen_by_them = (other.owner.email, other.account.invoices.get().number)
    before = standing(other)
    client = browser_client(owner)
    assert client.get(f"{PAGE}return/{theirs['attempt']}/").status_code == 404
    for path in ("", "invoices/", "next/", "plans/", "contact/", "coupon/", "cancel/", "change/team_month_eur/"):
        page = client.get(f"{PAGE}{path}", theirs).content.decode()
        assert not [one for one in seen_by_them if one in page], path
    typed = {"seats": "8", "proration_date": "1", "balance": "0", "email": "a@example.com", "code": theirs["invoice"]}
    for path in FORMS:
        assert client.post(f"{PAGE}{path}", {**theirs, **typed}, query_params=theirs).status_code < 500, path
    assert standing(other) == before
    for name in ("account", "customer", "attempt", "session", "subscription", "invoice"):
        assert client.get(f"{PAGE}{theirs[name]}/").status_code == 404
        assert client.get(f"{PAGE}invoices/{theirs[name]}/").status_code == 404
        assert client.get(f"{PAGE}change/{theirs[name]}/").status_code == 404


def test_a_code_that_is_another_customers_own_is_refused(
    paying: Paying, other: PayingWorkspace, owner: Any, browser_client: Any
) -> None:
    paying.subscribe()
    client = paying.server.client.v1
    coupon = client.coupons.create({"percent_off": 50, "duration": "forever"})
    client.promotion_codes.create(
        {
            "promotion": {"type": "coupon", "coupon": coupon.id},
            "code": "THEIRS",
            "customer": str(other.account.customer_id),
        }
    )
    answer = browser_client(owner).post(f"{PAGE}coupon/", {"code": "THEIRS"})
    assert answer.status_code == 422
    assert paying.sync().coupon == ""
