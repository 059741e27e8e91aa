"""What billing knows of one workspace, and its events and comparisons, as operators see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from billing import clock
from billing.accounts.granting import subscription_newest
from billing.models import (
    LIVE,
    BillingAccount,
    BillingNotice,
    InvoiceMirror,
    ReconcileRun,
    SeatLedger,
    StripeEvent,
    StripeRequest,
    Subscription,
    SubscriptionChange,
)
from tenants.models import Tenant

PAGE = 50
FEW = 10
RUNS = 20


@dataclass(frozen=True, slots=True)
class AccountDetail:
    """``subscription`` is the one that exists, else the last; ``ended`` are those before. Lists hold the newest few;
    ``requests`` those first that have no answer."""

    account: BillingAccount
    subscription: Subscription | None
    ended: list[Subscription]
    invoices: list[InvoiceMirror]
    events: list[StripeEvent]
    requests: list[StripeRequest]
    changes: list[SubscriptionChange]
    seats: list[SeatLedger]
    notices: list[BillingNotice]
    drift: list[dict[str, str]]

    @property
    def is_subscribed(self) -> bool:
        return self.subscription is not None and self.subscription.status in LIVE

    @property
    def has_contract(self) -> bool:
        return self.account.contract_at(clock.now()) is not None


def account_detail(tenant_id: UUID) -> AccountDetail | None:
    """What is known of a workspace's billing; None where it has no account."""
    account = BillingAccount.objects.select_related("contract_plan", "trial_plan").filter(tenant_id=tenant_id).first()
    if account is None:
        return None
    newest = subscription_newest(account)
    return AccountDetail(
        account=account,
        subscription=newest,
        ended=[one for one in account.subscriptions.all() if newest is None or one.pk != newest.pk],
        invoices=list(account.invoices.all()[:FEW]),
        events=list(account.events.defer("payload").order_by("-id")[:FEW]),
        requests=list(account.requests.exclude(state=StripeRequest.State.DONE).order_by("state", "-id")[:FEW]),
        changes=list(account.changes.order_by("-at", "-id")[:FEW]),
        seats=list(account.seats.all()[:FEW]),
        notices=list(account.notices.order_by("-id")[:FEW]),
        drift=[one for run in runs(FEW) for one in run.drift if one.get("account") == str(account.id)],
    )


def runs(most: int = RUNS) -> Sequence[ReconcileRun]:
    return list(ReconcileRun.objects.all()[:most])


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One thing that was not as it should have been, mended since."""

    tenant: Tenant | None
    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RunRow:
    run: ReconcileRun
    drift: list[DriftRow]


def run_rows() -> list[RunRow]:
    """The newest comparisons with Stripe, each with what it found and whose that is."""
    found = runs()
    ids = {one["account"] for run in found for one in run.drift if one.get("account")}
    accounts = BillingAccount.objects.select_related("tenant").filter(id__in=ids)
    named = {str(one.id): one.tenant for one in accounts}
    return [
        RunRow(
            run,
            [DriftRow(named.get(one["account"]), one["what"], one["before"], one["after"]) for one in run.drift],
        )
        for run in found
    ]


@dataclass(frozen=True, slots=True)
class EventPage:
    events: list[StripeEvent]
    next: UUID | None


def event_page(*, q: str = "", state: str = "", tenant: UUID | None = None, before: UUID | None = None) -> EventPage:
    """The newest events older than ``before``: of a state, of a workspace, whose type or id begins with ``q``."""
    rows: QuerySet[StripeEvent] = StripeEvent.objects.select_related("account__tenant").defer("payload")
    if q:
        rows = (
            rows.filter(stripe_id__istartswith=q) if q.lower().startswith("evt_") else rows.filter(type__istartswith=q)
        )
    if state:
        rows = rows.filter(state=state)
    if tenant is not None:
        rows = rows.filter(account__tenant_id=tenant)
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = list(rows.order_by("-id")[: PAGE + 1])
    shown = found[:PAGE]
    return EventPage(shown, shown[-1].pk if len(found) > PAGE else None)


def event_find(event_id: UUID) -> StripeEvent | None:
    return StripeEvent.objects.select_related("account__tenant").filter(id=event_id).first()
