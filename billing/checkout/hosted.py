"""To Stripe's own pages and back: the checkout, where a subscription begins, and the portal for cards and addresses."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from billing import clock, stripe_reads, stripe_writes
from billing.errors import AccountBusy, BillingRefused, StripeRefused
from billing.locking import account_lock
from billing.models import LIVE, BillingAccount, CheckoutAttempt, PlanPrice
from billing.outgoing import Fetched
from billing.plans.prices import price_ensure
from billing.seats import seats_billable
from billing.subscriptions.sync import subscription_sync
from tenants.accounts.services import is_verified
from tenants.db.scopes import shared
from tenants.models import Tenant, User
from tenants.workspaces.hosts import tenant_url

OPEN_FOR = timedelta(hours=24)
"""How long Stripe keeps a checkout open."""
PAGE = "/settings/billing/"
State = CheckoutAttempt.State


@dataclass(frozen=True, slots=True)
class Return:
    """What is known when somebody comes back from the checkout."""

    attempt: CheckoutAttempt
    is_paid: bool


@shared()
def checkout_start(account: BillingAccount, price: PlanPrice, quantity: int, by: User) -> str:
    """The address of Stripe's checkout for so many seats at that price.

    A second tab that wants the same gets the same; one that wants another replaces it, and the first is shut at Stripe.
    Raises BillingRefused with what to do, AccountBusy, StripeAway and StripeRefused.
    """
    if not is_verified(by.id):
        raise BillingRefused(_("Confirm your email address first: the link is in the mail that we sent you."))
    account = BillingAccount.objects.get(id=account.id)
    if account.customer_id:
        # What was paid, made or deleted at Stripe and is not known here yet would be paid for twice, or never.
        subscription_sync(account.id)
        account.refresh_from_db()
    _require_startable(account, price, quantity)
    customer_id = customer_ensure(account, by)
    price_id = price_ensure(price)
    attempt = _attempt(account, price, quantity, by)
    if attempt.url:
        return attempt.url
    try:
        session = stripe_writes.checkout_create(
            account, str(attempt.id), _session_params(account, attempt, customer_id, price_id)
        )
    except StripeRefused:
        CheckoutAttempt.objects.filter(id=attempt.id).update(state=State.EXPIRED, ended_at=clock.now())
        raise
    with transaction.atomic():
        still = CheckoutAttempt.objects.select_for_update().get(id=attempt.id)
        still.session_id, still.url = session["id"], session["url"] or ""
        still.save(update_fields=["session_id", "url"])
    if still.state != State.OPEN or not still.url:
        raise AccountBusy
    return still.url


def _require_startable(account: BillingAccount, price: PlanPrice, quantity: int) -> None:
    if account.deleted_at is not None or account.tenant.state not in (
        Tenant.State.ACTIVE,
        Tenant.State.READ_ONLY,
        Tenant.State.SUSPENDED,
    ):
        raise BillingRefused(_("This workspace is being deleted: there is nothing to pay for any more."))
    if account.contract_at(clock.now()) is not None:
        raise BillingRefused(_("Your plan is agreed by contract. Ask us, and we change it."))
    if account.subscriptions.filter(status__in=LIVE).exists():
        raise BillingRefused(_("There is a subscription already: change its plan instead."))
    if not price.plan.is_sold:
        raise BillingRefused(_("This plan is not sold any more. Choose another one."))
    if account.currency and account.currency != price.currency:
        raise BillingRefused(
            _("Your invoices are in {currency}, and Stripe keeps to one currency: choose a price in it.").format(
                currency=account.currency
            )
        )
    seats_require(account, price, quantity)


def seats_require(account: BillingAccount, price: PlanPrice, quantity: int) -> None:
    """Raise BillingRefused where a plan has not that many seats, or the workspace has more members."""
    members = max(seats_billable(account.tenant_id), 1)
    if quantity < members:
        raise BillingRefused(
            _("There are {members} members: pay for as many seats, or deactivate some first.").format(members=members)
        )
    most = price.plan.limits.get("seats")
    if most is not None and quantity > most:
        raise BillingRefused(
            _("{plan} has at most {most} seats. Choose a larger plan.").format(plan=price.plan.name, most=most)
        )


@shared()
def customer_ensure(account: BillingAccount, by: User) -> str:
    """Stripe's id of who pays; the customer is made at the first checkout. Raises StripeAway and StripeRefused."""
    if account.customer_id:
        return account.customer_id
    customer = stripe_writes.customer_create(
        account, email=account.email or by.email, name=account.name or account.tenant.name, intent=str(account.id)
    )
    with transaction.atomic():
        still = account_lock(account.id)
        if not still.customer_id:
            still.customer_id, still.livemode = customer["id"], customer["livemode"]
            still.email = still.email or by.email
            still.save(update_fields=["customer_id", "livemode", "email"])
    account.refresh_from_db()
    return str(account.customer_id)


def _attempt(account: BillingAccount, price: PlanPrice, quantity: int, by: User) -> CheckoutAttempt:
    """The open attempt for this, or a new one after what was open is shut."""
    now = clock.now()
    found = CheckoutAttempt.objects.filter(account=account, state=State.OPEN).first()
    if found is not None:
        if (found.price_id, found.quantity) == (price.id, quantity) and found.expires_at > now and _is_open(found):
            return found
        _attempt_shut(account, found)
    try:
        with transaction.atomic():
            return CheckoutAttempt.objects.create(
                account=account, price=price, quantity=quantity, started_by=by.id, expires_at=now + OPEN_FOR
            )
    except IntegrityError:
        raise AccountBusy from None


def _is_open(attempt: CheckoutAttempt) -> bool:
    """Whether a checkout can still be paid; one that nobody has an address of yet can be asked for."""
    return not attempt.session_id or bool(stripe_reads.checkout_fetch(attempt.session_id)["status"] == "open")


def _attempt_shut(account: BillingAccount, attempt: CheckoutAttempt) -> None:
    """Shut a checkout at Stripe, so that nobody can pay it. Raises BillingRefused where somebody has."""
    if attempt.session_id:
        try:
            stripe_writes.checkout_expire(account, attempt.session_id)
        except StripeRefused:
            # Only an open one can be shut: this one was paid, or its time was over.
            if stripe_reads.checkout_fetch(attempt.session_id)["status"] == "complete":
                bought = subscription_sync(account.id, wait=False)
                CheckoutAttempt.objects.filter(id=attempt.id, state=State.OPEN).update(
                    state=State.COMPLETED, ended_at=clock.now()
                )
                if bought is not None and bought.status in LIVE:
                    raise BillingRefused(
                        _("The checkout was paid in another tab. Look at the page of your plan.")
                    ) from None
    CheckoutAttempt.objects.filter(id=attempt.id, state=State.OPEN).update(state=State.EXPIRED, ended_at=clock.now())


@shared()
def checkout_shut(account: BillingAccount) -> None:
    """Shut what is open, so that nobody can pay there any more. Raises BillingRefused where somebody just did, and
    StripeAway."""
    found = CheckoutAttempt.objects.filter(account=account, state=State.OPEN).first()
    if found is not None:
        _attempt_shut(account, found)


def _session_params(
    account: BillingAccount, attempt: CheckoutAttempt, customer_id: str, price_id: str
) -> dict[str, Any]:
    named = {"account": str(account.id), "attempt": str(attempt.id)}
    tenant = account.tenant
    return {
        "mode": "subscription",
        "customer": customer_id,
        "line_items": [{"price": price_id, "quantity": attempt.quantity}],
        "success_url": tenant_url(tenant, f"{PAGE}return/{attempt.id}/"),
        "cancel_url": tenant_url(tenant, PAGE),
        "client_reference_id": str(account.id),
        "metadata": named,
        "subscription_data": {"metadata": named},
        "automatic_tax": {"enabled": True},
        "tax_id_collection": {"enabled": True},
        "customer_update": {"address": "auto", "name": "auto"},
        "billing_address_collection": "required",
        "allow_promotion_codes": True,
    }


@shared()
def checkout_return(account: BillingAccount, attempt_id: UUID) -> Return | None:
    """What is known of an attempt of this account, asked of Stripe; None where it is no attempt of theirs.

    The address says which attempt somebody came back from and nothing else: whether it was paid, Stripe says.
    Raises AccountBusy and StripeAway: then a task finds out, and the page says so.
    """
    attempt = CheckoutAttempt.objects.filter(id=attempt_id, account=account).first()
    if attempt is None:
        return None
    subscription = subscription_sync(account.id, wait=False)
    attempt.refresh_from_db()
    if attempt.state == State.OPEN and attempt.session_id:
        _attempt_close(attempt, stripe_reads.checkout_fetch(attempt.session_id))
    is_paid = subscription is not None and subscription.status in LIVE and attempt.state == State.COMPLETED
    return Return(attempt, is_paid)


def _attempt_close(attempt: CheckoutAttempt, session: Fetched) -> None:
    ended = {"complete": State.COMPLETED, "expired": State.EXPIRED}.get(session["status"])
    if ended is not None:
        attempt.state, attempt.ended_at = ended, clock.now()
        attempt.save(update_fields=["state", "ended_at"])


PORTAL_FEATURES: dict[str, Any] = {
    "customer_update": {"enabled": True, "allowed_updates": ["email", "name", "address", "tax_id"]},
    "invoice_history": {"enabled": True},
    "payment_method_update": {"enabled": True},
    "subscription_cancel": {"enabled": False},
    "subscription_update": {"enabled": False},
}
"""Plan, seats and cancelling are ours alone: what they cost and what follows is said before."""


@shared()
def portal_open(account: BillingAccount, *, card: bool = False) -> str:
    """The address of Stripe's portal; with ``card`` straight to another payment method.

    Raises BillingRefused before the first payment, StripeAway and StripeRefused.
    """
    if not account.customer_id:
        raise BillingRefused(_("There is nothing at Stripe yet: choose a plan first."))
    back = tenant_url(account.tenant, PAGE)
    configuration = stripe_writes.portal_configure({"features": PORTAL_FEATURES})
    params: dict[str, Any] = {
        "customer": account.customer_id,
        "configuration": configuration["id"],
        "return_url": back,
    }
    if card:
        params["flow_data"] = {"type": "payment_method_update"}
    return str(stripe_writes.portal_create(account, params)["url"])
