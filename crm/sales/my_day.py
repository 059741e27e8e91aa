"""What the day asks of a member: their activities, their deals that need something, and their numbers."""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.activities.selectors import ActivityRow, my_plan
from crm.records.access.visibility import may_read
from crm.records.events import history
from crm.records.events.history import Entry
from crm.records.read import reading
from crm.records.read.currencies_used import MoneySum, Part, money_sums
from crm.records.schema.registry import registry
from crm.sales.board.columns import Card, CardReader, cards_of, is_stale
from crm.sales.rules.common import OPEN, WON
from crm.sales.selectors import StageRef, all_stages, stage_ref
from tenants.actors import Actor


@dataclass(frozen=True, slots=True)
class DealNeed:
    """A deal of mine that needs something: ``stale``, ``no_task`` or ``late_close``."""

    card: Card
    stage: StageRef
    reason: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One of my numbers: ``open``, ``weighted`` (the same by probability) or ``won`` (this month)."""

    name: str
    label: str
    worth: MoneySum

    @property
    def is_inexact(self) -> bool:
        """Whether it needed a rate, or lacks one."""
        return self.worth.total is not None and not self.worth.total.is_exact


@dataclass(frozen=True, slots=True)
class MyDay:
    """What the day asks of a member: their tasks, their deals that need something, what changed, and their numbers."""

    overdue: list[ActivityRow]
    today: list[ActivityRow]
    upcoming: list[ActivityRow]
    deals: list[DealNeed]
    recent: list[Entry]
    numbers: list[Figure]


def my_day(actor: Actor, *, deals: int = 8, recent: int = 12) -> MyDay:
    """Everything on the home page, in a fixed number of queries."""
    plan = my_plan(actor)
    return MyDay(
        overdue=plan.overdue,
        today=plan.today,
        upcoming=plan.upcoming,
        deals=deals_in_need(actor, limit=deals),
        recent=history.recent(actor, recent),
        numbers=my_numbers(actor),
    )


def deals_in_need(actor: Actor, *, limit: int = 8) -> list[DealNeed]:
    """The actor's open deals that are past their expected close, too long in their stage, or without an open task."""
    if actor.member_id is None:
        return []
    now = timezone.now()
    today = now.astimezone(actor.time_zone).date()
    by_id = {stage.pk: stage for stage in all_stages(actor) if stage.kind == OPEN}
    mine = reading.visible(actor, registry.get("deal")).filter(owner_id=actor.member_id, stage_id__in=list(by_id))
    needy = Q(next_at=None) | is_stale(by_id.values(), now)
    order: list[Any] = ["stage_entered_at", "pk"]
    if may_read(actor, registry.get("deal"), "expected_close"):
        needy |= Q(expected_close__lt=today)
        order.insert(0, F("expected_close").asc(nulls_last=True))
    rows = cards_of(actor, mine).filter(needy).order_by(*order)
    needs = []
    reader = CardReader.of(actor)
    for row in rows[:limit]:
        card = reader.card(row, by_id[row["stage_id"]])
        late = card.expected_close is not None and card.expected_close < today
        reason = "late_close" if late else "stale" if card.stale else "no_task"
        needs.append(DealNeed(card, stage_ref(by_id[row["stage_id"]]), reason))
    return needs


def my_numbers(actor: Actor) -> list[Figure]:
    """What the actor's own pipeline comes to, as far as they may read it; nothing without anything open or won."""
    deal = registry.get("deal")
    if actor.member_id is None or not may_read(actor, deal, "amount"):
        return []
    today = timezone.now().astimezone(actor.time_zone).date()
    is_open = Q(stage__kind=OPEN)
    parts, labels = {"open": Part(is_open)}, {"open": _("Open")}
    if may_read(actor, deal, "probability"):
        parts["weighted"], labels["weighted"] = Part(is_open, "probability"), _("Weighted")
    if may_read(actor, deal, "closed_on"):
        this_month = Q(stage__kind=WON, closed_on__gte=today.replace(day=1), closed_on__lte=today)
        parts["won"], labels["won"] = Part(this_month), _("Won this month")
    mine = reading.visible(actor, deal).filter(owner_id=actor.member_id)
    some = mine.filter(reduce(or_, (part.where for part in parts.values())))
    found = money_sums(actor, some, deal.field("amount"), parts)[None]
    if not any(one.rows for one in found.values()):
        return []
    return [Figure(name, labels[name], worth) for name, worth in found.items()]
