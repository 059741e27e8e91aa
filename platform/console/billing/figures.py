"""The operator's figures. Each is the sum of a list that its page opens; currencies are never added to each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import TruncMonth
from django.utils.formats import date_format

from billing import clock
from billing.models import LIVE, BillingAccount, InvoiceMirror, Subscription, SubscriptionChange
from tenants.models import Membership, Tenant

MONTHS = 12
Kind = SubscriptionChange.Kind
OUTCOMES = ("converted", "running", "lost")


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the calendar in UTC, as ``YYYY-MM``."""

    year: int
    number: int

    @classmethod
    def read(cls, text: str) -> "Month":
        """Raises ValueError."""
        at = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
        return cls(at.year, at.month)

    @classmethod
    def of(cls, at: datetime) -> "Month":
        local = at.astimezone(UTC)
        return cls(local.year, local.month)

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return self.after.start

    @property
    def after(self) -> "Month":
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def before(self) -> "Month":
        return Month(self.year - (self.number == 1), 12 if self.number == 1 else self.number - 1)

    @property
    def label(self) -> str:
        return date_format(self.start, "YEAR_MONTH_FORMAT")

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"


def months(last: Month, count: int = MONTHS) -> list[Month]:
    """The newest first."""
    found = [last]
    while len(found) < count:
        found.append(found[-1].before)
    return found


# Revenue


def _latest(before: datetime | None = None) -> QuerySet[SubscriptionChange]:
    """The last change of each account (up to a moment) after which something comes in."""
    rows = SubscriptionChange.objects.all() if before is None else SubscriptionChange.objects.filter(at__lt=before)
    newest = rows.order_by("account_id", "-at", "-id").distinct("account_id").values("id")
    return SubscriptionChange.objects.filter(id__in=newest, after__gt=0)


def revenue(before: datetime | None = None) -> dict[str, tuple[Decimal, int]]:
    """What comes in a month and from how many workspaces, by currency; now, or up to a moment."""
    rows = _latest(before).values("currency").annotate(sum=Sum("after"), n=Count("id")).order_by("currency")
    return {one["currency"]: (one["sum"], one["n"]) for one in rows}


type Moved = dict[tuple[str, Month, str], Decimal]


def movements(since: datetime) -> Moved:
    """The sum of changes from a moment on, by currency, month and kind."""
    rows = (
        SubscriptionChange.objects.filter(at__gte=since)
        .annotate(month=TruncMonth("at", tzinfo=UTC))
        .values("currency", "month", "kind")
        .annotate(sum=Sum(F("after") - F("before")))
    )
    return {(one["currency"], Month.of(one["month"]), one["kind"]): one["sum"] for one in rows}


def revenue_rows(currency: str) -> QuerySet[SubscriptionChange]:
    return _latest().filter(currency=currency).select_related("account__tenant").order_by("-after", "id")


def movement_rows(currency: str, month: Month, kind: str) -> QuerySet[SubscriptionChange]:
    rows = SubscriptionChange.objects.filter(currency=currency, kind=kind, at__gte=month.start, at__lt=month.end)
    return rows.select_related("account__tenant").order_by("-at", "-id")


@dataclass(frozen=True, slots=True)
class MonthRow:
    """One month in one currency: what came in a month at its end, and why that changed, by kind."""

    month: Month
    total: Decimal
    by_kind: Sequence[tuple[Kind, Decimal]]


def month_rows(
    currency: str, last: Month, total: Decimal, moved: dict[tuple[str, Month, str], Decimal]
) -> list[MonthRow]:
    """Backwards from what comes in now: a month's total is the next one's without its movements."""
    found = []
    for month in months(last):
        by_kind = [(kind, moved.get((currency, month, kind), Decimal(0))) for kind in Kind]
        found.append(MonthRow(month, total, by_kind))
        total -= sum((amount for _kind, amount in by_kind), Decimal(0))
    return found


# Customers: who came, and who left


def _paying(moments: Sequence[datetime]) -> dict[datetime, set[UUID]]:
    """The accounts from which something came in, at each of the moments."""
    rows = SubscriptionChange.objects.filter(at__lt=max(moments)).order_by("account_id", "at", "id")
    found: dict[datetime, set[UUID]] = {moment: set() for moment in moments}
    for account_id, changes in groupby(rows.values_list("account_id", "at", "after"), key=itemgetter(0)):
        known = list(changes)
        for moment in moments:
            before = [after for _account, at, after in known if at < moment]
            if before and before[-1]:
                found[moment].add(account_id)
    return found


@dataclass(frozen=True, slots=True)
class Churn:
    """How many of those who paid as a month began did not as it ended."""

    month: Month
    customers: int
    lost: int

    @property
    def rate(self) -> Decimal | None:
        """In percent; None where there was nobody to lose."""
        return (Decimal(100) * self.lost / self.customers).quantize(Decimal("0.1")) if self.customers else None


def lost_in(month: Month) -> set[UUID]:
    paying = _paying([month.start, month.end])
    return paying[month.start] - paying[month.end]


def churns(last: Month) -> list[Churn]:
    wanted = months(last)
    paying = _paying([last.end, *(month.start for month in wanted)])
    return [Churn(month, len(paying[month.start]), len(paying[month.start] - paying[month.end])) for month in wanted]


def churn_rows(month: Month) -> QuerySet[BillingAccount]:
    rows = BillingAccount.objects.filter(id__in=lost_in(month))
    return rows.select_related("tenant").order_by("tenant__name", "id")


@dataclass(frozen=True, slots=True)
class Trials:
    """What became of the trials that began in a month."""

    month: Month
    begun: int
    converted: int
    running: int
    lost: int

    @property
    def outcomes(self) -> list[tuple[str, int]]:
        return [("converted", self.converted), ("running", self.running), ("lost", self.lost)]

    @property
    def rate(self) -> Decimal | None:
        """How many of those that are over were converted, in percent."""
        over = self.converted + self.lost
        return (Decimal(100) * self.converted / over).quantize(Decimal("0.1")) if over else None


def _trials() -> QuerySet[BillingAccount]:
    """The accounts that have or had a trial, each with whether it has ``bought`` since."""
    bought = Exists(SubscriptionChange.objects.filter(account=OuterRef("pk"), kind=Kind.NEW))
    rows: QuerySet[BillingAccount] = BillingAccount.objects.filter(trial_ends_at__isnull=False).annotate(bought=bought)
    return rows


def _outcomes() -> dict[str, Q]:
    """What tells the outcomes from each other, by their words."""
    now = clock.now()
    return {
        "converted": Q(bought=True),
        "running": Q(bought=False, trial_ends_at__gt=now),
        "lost": Q(bought=False, trial_ends_at__lte=now),
    }


def trial_rows(month: Month, outcome: str = "") -> QuerySet[BillingAccount]:
    """The accounts whose trial began in a month; of an outcome, if one is given."""
    rows = _trials().filter(created_at__gte=month.start, created_at__lt=month.end)
    if outcome:
        rows = rows.filter(_outcomes()[outcome])
    return rows.select_related("tenant").order_by("-created_at", "-id")


def trials(last: Month) -> list[Trials]:
    wanted = months(last)
    counts = {outcome: Count("id", filter=condition) for outcome, condition in _outcomes().items()}
    rows = (
        _trials()
        .filter(created_at__gte=wanted[-1].start, created_at__lt=last.end)
        .annotate(month=TruncMonth("created_at", tzinfo=UTC))
        .values("month")
        .annotate(begun=Count("id"), **counts)
    )
    found: dict[Month, dict[str, Any]] = {Month.of(one["month"]): dict(one) for one in rows}
    nothing: dict[str, Any] = dict.fromkeys(("begun", *OUTCOMES), 0)
    return [Trials(month, *(int(found.get(month, nothing)[name]) for name in ("begun", *OUTCOMES))) for month in wanted]


# What is owed, and seats


def unpaid_rows(currency: str = "") -> QuerySet[InvoiceMirror]:
    """Invoices that were issued and not paid in full."""
    rows = InvoiceMirror.objects.filter(status__in=("open", "uncollectible"), total__gt=F("paid"))
    if currency:
        rows = rows.filter(currency=currency)
    return rows.select_related("account__tenant").order_by("issued_at", "id")


def unpaid() -> dict[str, tuple[Decimal, int]]:
    rows = (
        unpaid_rows().order_by("currency").values("currency").annotate(sum=Sum(F("total") - F("paid")), n=Count("id"))
    )
    return {one["currency"]: (one["sum"], one["n"]) for one in rows}


def seat_rows() -> QuerySet[Subscription]:
    """The subscriptions that exist, with how many active members their workspace has."""
    members = (
        Membership.objects.filter(tenant=OuterRef("account__tenant"), state=Membership.State.ACTIVE)
        .order_by()
        .values("tenant")
        .annotate(n=Count("id"))
        .values("n")
    )
    rows = Subscription.objects.filter(status__in=LIVE).select_related("account__tenant", "price__plan")
    return rows.annotate(members=Subquery(members)).order_by("-quantity", "id")


def seats() -> tuple[int, int]:
    """The seats that are billed, and in how many workspaces."""
    found = Subscription.objects.filter(status__in=LIVE).aggregate(sum=Sum("quantity"), n=Count("id"))
    return found["sum"] or 0, found["n"]


def trialing() -> int:
    """Workspaces in their trial now."""
    count: int = Tenant.objects.filter(access_state="trialing").count()
    return count


def this_month() -> Month:
    return Month.of(clock.now())
