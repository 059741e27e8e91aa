"""The demo's money: two workspaces that have paid for months, lived at the stand-in before anybody looks.

Nothing is written here that Stripe does not say: checkouts are paid and cards changed on the stand-in's own pages, its
clock is moved, and what comes of it is fetched as always.
"""

import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from billing import clock
from billing.accounts.services import account_of
from billing.checkout.hosted import checkout_start, portal_open
from billing.models import BillingAccount, PlanPrice
from billing.subscriptions.sync import subscription_sync
from crm.sales.sample.demo import NAME, OWNER, SECOND_NAME, SUBDOMAIN, second_workspace_ensure
from tenants.accounts.services import verified_user
from tenants.db.scopes import shared
from tenants.models import Domain, User
from tenants.workspaces.hosts import subdomain_host, tenant_url

TRIED = timedelta(days=5)
"""How long both were in their trial."""
FAILED = timedelta(days=3)
"""How long ago the last payment was due and failed; one of the two has healed it since."""
VISA, FAILS = "4242 4242 4242 4242", "4000 0000 0000 0341"
CARD = {"action": "card", "expiry": "12 / 34", "cvc": "123"}
PERSON = {"country": "DE", "line1": "Lindenweg 3", "postal_code": "80331", "city": "München"}
SECONDS = 30
LATE = ("past_due_url", "past_due_email")


def begin() -> None:
    """Let the clock of payments begin as far back as the first payment lies; nothing where it has begun before."""
    clock.begin_behind(datetime.now(UTC) - first_payment() + TRIED)


def first_payment() -> datetime:
    """The moment two months before the payment that failed."""
    due = datetime.now(UTC) - FAILED
    year, month = divmod(due.year * 12 + due.month - 3, 12)
    return due.replace(year=year, month=month + 1, day=min(due.day, 28))


def live(known: Mapping[str, Any]) -> dict[str, str]:
    """Live until today, if that was not done before; where the second workspace is, and whose."""
    if clock.now() > datetime.now(UTC) - FAILED:
        return {name: known[name] for name in LATE if name in known}
    second, owner = second_workspace_ensure()
    with shared():
        first = account_of(Domain.objects.get(domain=subdomain_host(SUBDOMAIN)).tenant_id)
        payer = verified_user(OWNER.email)
        if not first.customer_id and payer is not None:
            pay_for_months((first, payer), (account_of(second.id), owner))
        clock.move(datetime.now(UTC) - clock.now())
    return dict(zip(LATE, (tenant_url(second), owner.email), strict=True))


def pay_for_months(payer: tuple[BillingAccount, User], late_payer: tuple[BillingAccount, User]) -> None:
    """Let both pay until a payment failed three days ago, which the first has healed since. Called inside ``shared()``.

    The clock is left a few hours after that.
    """
    (first, owner), (late, late_owner) = payer, late_payer
    clock.move(first_payment() - clock.now())
    _subscribe(first, owner, "business_month_eur", 12, NAME)
    _subscribe(late, late_owner, "team_month_eur", 3, SECOND_NAME)
    clock.move(timedelta(days=32))
    for account in (first, late):
        subscription_sync(account.id)
        _card_give(account, FAILS)
    clock.move(datetime.now(UTC) - FAILED + timedelta(hours=6) - clock.now())
    for account in (first, late):
        subscription_sync(account.id)
    _card_give(first, VISA)
    open_invoice = first.invoices.get(status="open")
    _send(open_invoice.page_url, {"action": "saved"})
    subscription_sync(first.id)


def _subscribe(account: BillingAccount, owner: User, lookup_key: str, seats: int, name: str) -> None:
    price = PlanPrice.objects.select_related("plan").get(lookup_key=lookup_key)
    page = checkout_start(account, price, seats, owner)
    _send(page, {**CARD, **PERSON, "action": "pay", "number": VISA, "name": name})
    subscription_sync(account.id)


def _card_give(account: BillingAccount, number: str) -> None:
    account.refresh_from_db()
    _send(portal_open(account, card=True), {**CARD, "number": number})


class _Stays(urllib.request.HTTPRedirectHandler):
    """Where a page leads after its form is not asked for: our own host does not answer yet."""

    def redirect_request(self, *_args: object, **_named: object) -> None:
        return None


def _send(page: str, form: dict[str, str]) -> None:
    """Send the form of one of the stand-in's pages. Raises HTTPError where it is refused."""
    asked = urllib.request.Request(page, urlencode(form).encode(), method="POST")  # noqa: S310
    try:
        urllib.request.build_opener(_Stays).open(asked, timeout=SECONDS).close()
    except urllib.error.HTTPError as answer:
        if not 300 <= answer.code < 400:
            raise
