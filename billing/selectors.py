"""Reading what was sold to whom. Rows of billing are shared: each function here reads them in that scope."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.utils.functional import Promise

from billing import clock
from billing.access import State
from billing.models import LIVE, BillingAccount, CheckoutAttempt, InvoiceMirror, Plan, PlanPrice, Subscription
from billing.plans.wording import FOR_WHOM
from billing.seats import seats_billable
from billing.subscriptions.mirror import FAILED
from tenants.db.scopes import shared

INVOICES_SHOWN = 6
INVOICES_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class Offered:
    """A plan on sale with the price of one seat in the currency and for the interval asked for."""

    plan: Plan
    price: PlanPrice
    for_whom: Promise | str

    @property
    def monthly(self) -> Decimal:
        """What a seat comes to in a month, to the cent, half up."""
        months = 12 if self.price.interval == PlanPrice.Interval.YEAR else 1
        return (self.price.amount / months).quantize(Decimal("0.01"))


def offered(interval: str, currency: str) -> list[Offered]:
    """The plans on sale, the smallest first."""
    with shared():
        prices = (
            PlanPrice.objects.select_related("plan")
            .filter(plan__is_sold=True, interval=interval, currency=currency)
            .order_by("plan__rank", "plan__code")
        )
        return [Offered(one.plan, one, FOR_WHOM.get(one.plan.code, "")) for one in prices]


def price_find(lookup_key: str) -> PlanPrice | None:
    """A price of a plan that is on sale."""
    with shared():
        return PlanPrice.objects.select_related("plan").filter(lookup_key=lookup_key, plan__is_sold=True).first()


def members(tenant_id: UUID) -> int:
    """How many seats the workspace's members take."""
    with shared():
        return seats_billable(tenant_id)


@dataclass(frozen=True, slots=True)
class Overview:
    """What is known of a workspace's billing. ``subscription`` is the live one, else the last that there was.

    ``contract`` is the plan agreed by contract while that lasts, ``plan`` what the workspace has or had last by
    contract, subscription or trial; ``open_invoice`` what waits to be paid, so that the subscription goes on.
    """

    account: BillingAccount
    contract: Plan | None
    subscription: Subscription | None
    plan: Plan | None
    invoices: list[InvoiceMirror]
    invoice_count: int
    open_invoice: InvoiceMirror | None
    checkout: CheckoutAttempt | None

    @property
    def is_live(self) -> bool:
        return self.subscription is not None and self.subscription.status in LIVE

    @property
    def price(self) -> PlanPrice | None:
        return self.subscription.price if self.subscription is not None and self.is_live else None

    @property
    def seats_paid(self) -> int | None:
        """None where nobody pays by the seat."""
        if self.contract is not None:
            return self.account.contract_seats
        return self.subscription.paid_quantity if self.subscription is not None and self.is_live else None

    @property
    def total(self) -> Decimal | None:
        """What a period comes to before tax and discount."""
        if self.price is None or self.seats_paid is None:
            return None
        return self.price.amount * self.seats_paid


def overview(tenant_id: UUID) -> Overview | None:
    """None for a workspace that has no billing account."""
    with shared():
        account = (
            BillingAccount.objects.select_related("trial_plan", "contract_plan").filter(tenant_id=tenant_id).first()
        )
        if account is None:
            return None
        subscriptions = list(
            Subscription.objects.select_related("price__plan").filter(account=account).order_by("-started_at", "-id")
        )
        live = [one for one in subscriptions if one.status in LIVE]
        subscription = next(iter([*live, *subscriptions]), None)
        invoices = InvoiceMirror.objects.filter(account=account).exclude(status="draft")
        newest = list(invoices[: INVOICES_SHOWN + 1])
        is_failed = subscription is not None and subscription.status in FAILED
        contract = account.contract_at(clock.now())
        is_tried = not live and account.access_state == State.TRIALING
        bought = None if is_tried or subscription is None or subscription.price is None else subscription.price.plan
        return Overview(
            account=account,
            contract=contract,
            subscription=subscription,
            plan=contract or bought or account.trial_plan,
            invoices=newest[:INVOICES_SHOWN],
            invoice_count=len(newest),
            open_invoice=invoices.filter(status="open").first() if is_failed else None,
            checkout=CheckoutAttempt.objects.filter(account=account, state=CheckoutAttempt.State.OPEN).first(),
        )


def invoice_page(tenant_id: UUID, number: str | None) -> Page[InvoiceMirror]:
    """Invoices of a workspace, the newest first; a page that there is not is the nearest."""
    with shared():
        rows = InvoiceMirror.objects.filter(account__tenant_id=tenant_id).exclude(status="draft")
        page = Paginator(rows, INVOICES_A_PAGE).get_page(number)
        page.object_list = list(page.object_list)
        return page
