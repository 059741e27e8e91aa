"""What the day asks of a member: his activities, his deals that need something, and his numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from crm.activities.selectors import ActivityRow, my_plan
from crm.records import history, reading
from crm.records.history import Entry
from crm.records.types import registry
from crm.records.visibility import hidden_slugs, may_read
from crm.sales.boards import Card, CardReader, cards_of, is_stale
from crm.sales.rules import OPEN, WON
from crm.sales.selectors import StageRef, all_stages, stage_ref
from crm.workspace.currencies import Converted, rounded, totals
from tenants.actors import Actor


@dataclass(frozen=True, slots=True)
class DealNeed:
    """A deal of mine that needs something: ``stale``, ``no_task`` or ``late_close``."""

    card: Card
    stage: StageRef
    reason: str


@dataclass(frozen=True, slots=True)
class PipelineNumbers:
    """Mine in one currency: what is open, and what was won this month."""

    currency: str
    open_count: int
    open_sum: Decimal
    weighted: Decimal
    won_count: int
    won_sum: Decimal


@dataclass(frozen=True, slots=True)
class PipelineTotal:
    """Mine of all currencies in the workspace's own."""

    open_count: int
    open_sum: Converted
    weighted: Converted
    won_count: int
    won_sum: Converted

    @classmethod
    def of(cls, actor: Actor, numbers: Sequence[PipelineNumbers]) -> "PipelineTotal":
        parts = ("open_sum", "weighted", "won_sum")
        sums = totals(actor, {part: {one.currency: getattr(one, part) for one in numbers} for part in parts})
        return cls(
            open_count=sum(one.open_count for one in numbers), won_count=sum(one.won_count for one in numbers), **sums
        )


@dataclass(frozen=True, slots=True)
class MyDay:
    """What the day asks of a member: his tasks, his deals that need something, what changed, and his numbers."""

    overdue: list[ActivityRow]
    today: list[ActivityRow]
    upcoming: list[ActivityRow]
    deals: list[DealNeed]
    recent: list[Entry]
    numbers: list[PipelineNumbers]
    total: PipelineTotal
    open_count: int


def my_day(actor: Actor, *, deals: int = 8, recent: int = 12) -> MyDay:
    """Everything on the home page, in a fixed number of queries."""
    plan = my_plan(actor)
    numbers = my_numbers(actor)
    return MyDay(
        overdue=plan.overdue,
        today=plan.today,
        upcoming=plan.upcoming,
        deals=deals_in_need(actor, limit=deals),
        recent=history.recent(actor, recent),
        numbers=numbers,
        total=PipelineTotal.of(actor, numbers),
        open_count=sum(one.open_count for one in numbers),
    )


def deals_in_need(actor: Actor, *, limit: int = 8) -> list[DealNeed]:
    """The actor's open deals that are past their expected close, too long in their stage, or without an open task."""
    if actor.member_id is None:
        return []
    now = timezone.now()
    today = now.astimezone(actor.time_zone).date()
    by_id = {stage.pk: stage for stage in all_stages(actor) if stage.kind == OPEN}
    mine = reading.visible(actor, registry.get("deal")).filter(owner_id=actor.member_id, stage_id__in=list(by_id))
    needy = Q(next_at=None)
    if may_read(actor, registry.get("deal"), "expected_close"):
        needy |= Q(expected_close__lt=today)
    needy |= is_stale(by_id.values(), now)
    rows = (
        cards_of(actor, mine).filter(needy).order_by(F("expected_close").asc(nulls_last=True), "stage_entered_at", "pk")
    )
    needs = []
    reader = CardReader.of(actor)
    for row in rows[:limit]:
        card = reader.card(row, by_id[row["stage_id"]])
        late = card.expected_close is not None and card.expected_close < today
        reason = "late_close" if late else "stale" if card.stale else "no_task"
        needs.append(DealNeed(card, stage_ref(by_id[row["stage_id"]]), reason))
    return needs


def my_numbers(actor: Actor) -> list[PipelineNumbers]:
    """The actor's own pipeline by currency, the workspace's own first; nothing for who does not read amounts."""
    hidden = hidden_slugs(actor, registry.get("deal"))
    if actor.member_id is None or hidden & {"amount", "closed_on"}:
        return []
    today = timezone.now().astimezone(actor.time_zone).date()
    is_open = Q(stage__kind=OPEN)
    is_won = Q(stage__kind=WON, closed_on__gte=today.replace(day=1), closed_on__lte=today)
    rows = (
        reading.visible(actor, registry.get("deal"))
        .filter(is_open | is_won, owner_id=actor.member_id)
        .order_by()
        .values("currency")
        .annotate(
            open_count=Count("pk", filter=is_open),
            open_sum=Sum("amount", filter=is_open),
            weighted=Sum(F("amount") * F("probability") / Decimal(100), filter=is_open),
            won_count=Count("pk", filter=is_won),
            won_sum=Sum("amount", filter=is_won),
        )
    )
    numbers = []
    for row in rows:
        currency = row["currency"] or actor.tenant.currency
        sums = {slug: rounded(row[slug] or Decimal(0), currency) for slug in ("open_sum", "weighted", "won_sum")}
        if "probability" in hidden:
            sums["weighted"] = Decimal(0)
        numbers.append(
            PipelineNumbers(currency=currency, open_count=row["open_count"], won_count=row["won_count"], **sums)
        )
    return sorted(numbers, key=lambda one: (one.currency != actor.tenant.currency, -one.open_count, one.currency))
