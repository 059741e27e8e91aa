"""Reading pipelines: the board, the time deals spent in their stages, and what the day asks for."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from babel.numbers import get_currency_precision
from django.db import connection
from django.db.models import Count, DateTimeField, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from crm.activities.selectors import TaskRow, my_tasks
from crm.records import history, reading
from crm.records.errors import BadCursor, NotFound
from crm.records.history import Entry
from crm.records.models import Event
from crm.records.types import registry
from crm.sales.models import Deal, Stage
from crm.sales.rules import LOST, OPEN, WON
from tenants.actors import Actor

CARDS = 25
KIND_ORDER = {OPEN: 0, WON: 1, LOST: 2}
UNDATED = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PipelineRef:
    id: UUID
    name: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class StageRef:
    id: UUID
    name: str
    pipeline_id: UUID
    position: int
    probability: Decimal
    color: str
    kind: str
    required_fields: list[str]
    stale_days: int | None


@dataclass(frozen=True, slots=True)
class Card:
    """A deal as the board shows it. ``next_state`` is late, planned, undated (an open task without a time) or none."""

    id: UUID
    name: str
    stage_id: UUID
    company_name: str | None
    amount: Decimal | None
    currency: str
    probability: Decimal | None
    owner_id: UUID | None
    owner_name: str | None
    owner_color: str | None
    expected_close: date | None
    closed_on: date | None
    next_at: datetime | None
    next_state: str
    days_in_stage: int
    stale: bool
    version: int
    is_sample: bool
    stage_entered_at: datetime


@dataclass(slots=True)
class Column:
    """A stage with its deals: how many, their sums and weighted sums by currency, and the first cards."""

    stage: StageRef
    count: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)
    weighted: dict[str, Decimal] = field(default_factory=dict)
    cards: list[Card] = field(default_factory=list)
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Board:
    pipeline: PipelineRef
    pipelines: list[PipelineRef]
    columns: list[Column]


@dataclass(frozen=True, slots=True)
class StageTime:
    """One stay of a deal in a stage; ``left_at`` is None while it lasts."""

    stage_id: UUID
    name: str
    color: str
    kind: str
    entered_at: datetime
    left_at: datetime | None
    seconds: int


def money_rounded(amount: Decimal, currency: str) -> Decimal:
    """To the decimals of the currency."""
    return amount.quantize(Decimal(1).scaleb(-get_currency_precision(currency)))


def stage_ref(stage: Stage) -> StageRef:
    return StageRef(
        id=stage.pk,
        name=stage.name,
        pipeline_id=stage.pipeline_id,
        position=stage.position,
        probability=stage.probability,
        color=stage.color,
        kind=stage.kind,
        required_fields=list(stage.required_fields),
        stale_days=stage.stale_days,
    )


def in_board_order(stages: Sequence[Stage]) -> list[Stage]:
    """Open stages by their order, then won, then lost ones."""
    return sorted(stages, key=lambda stage: (KIND_ORDER[stage.kind], stage.position, stage.pk))


def all_stages(actor: Actor) -> list[Stage]:
    """Every stage with its pipeline, in one query."""
    rows = reading.visible(actor, registry.get("stage")).filter(pipeline__deleted_at=None).select_related("pipeline")
    return in_board_order(list(rows))


def stages(actor: Actor, pipeline_id: UUID) -> list[StageRef]:
    """A pipeline's stages: open ones in their order, then won, then lost."""
    rows = reading.visible(actor, registry.get("stage")).filter(pipeline_id=pipeline_id)
    return [stage_ref(stage) for stage in in_board_order(list(rows))]


def pipelines(actor: Actor) -> list[PipelineRef]:
    rows = reading.visible(actor, registry.get("pipeline")).order_by("-is_default", "position", "pk")
    return [PipelineRef(row.pk, row.name, row.is_default) for row in rows]


# The board


def _deals(actor: Actor, tree: Mapping[str, Any] | None, search: str) -> QuerySet[Deal]:
    return reading.matching(actor, registry.get("deal"), reading.Query(filter=tree, search=search))


def _cards(actor: Actor, deals: QuerySet[Deal]) -> QuerySet[Any, Any]:
    companies = reading.visible(actor, registry.get("company")).filter(pk=OuterRef("company_id"))
    tasks = (
        reading.visible(actor, registry.get("task"))
        .filter(about_type="deal", about_id=OuterRef("pk"), done=False)
        .annotate(due_or_never=Coalesce("due_at", Value(UNDATED), output_field=DateTimeField()))
        .order_by("due_or_never")
    )
    return deals.annotate(
        company_name=Subquery(companies.values("name")[:1]),
        owner_name=F("owner__name"),
        owner_color=F("owner__color"),
        next_at=Subquery(tasks.values("due_or_never")[:1]),
    ).values(
        "id",
        "name",
        "stage_id",
        "company_name",
        "amount",
        "currency",
        "probability",
        "owner_id",
        "owner_name",
        "owner_color",
        "expected_close",
        "closed_on",
        "next_at",
        "version",
        "is_sample",
        "stage_entered_at",
    )


def _card(row: dict[str, Any], stage: Stage, now: datetime) -> Card:
    next_at = row["next_at"]
    days = max((now - row["stage_entered_at"]).days, 0)
    if next_at is None:
        state = "none"
    elif next_at == UNDATED:
        state = "undated"
    else:
        state = "late" if next_at < now else "planned"
    return Card(
        **{
            **row,
            "next_at": None if state == "undated" else next_at,
            "next_state": state,
            "days_in_stage": days,
            "stale": bool(stage.kind == OPEN and stage.stale_days and days > stage.stale_days),
        }
    )


def _column_order(deals: QuerySet[Deal]) -> QuerySet[Deal]:
    return deals.order_by("-stage_entered_at", "-pk")


def _page(cards: list[Card]) -> tuple[list[Card], str | None]:
    shown = cards[:CARDS]
    last = shown[-1] if len(cards) > CARDS else None
    return shown, f"{last.stage_entered_at.isoformat()}~{last.id}" if last else None


def board(
    actor: Actor, pipeline_id: UUID | str | None = None, *, tree: Mapping[str, Any] | None = None, search: str = ""
) -> Board:
    """A pipeline (the default one for None) as columns, in three queries however many deals there are.

    Counts and sums are of all deals that match, not of the cards shown. Raises NotFound for an unknown pipeline.
    """
    found = all_stages(actor)
    known = {stage.pipeline_id: stage.pipeline for stage in found}
    ordered = sorted(known.values(), key=lambda one: (not one.is_default, one.position, one.pk))
    chosen = next((one for one in ordered if pipeline_id is None or str(one.pk) == str(pipeline_id)), None)
    if chosen is None:
        raise NotFound
    columns = {stage.pk: Column(stage=stage_ref(stage)) for stage in found if stage.pipeline_id == chosen.pk}
    deals = _deals(actor, tree, search).filter(pipeline_id=chosen.pk)
    _add_sums(columns, deals, actor.tenant.currency)
    _add_cards(actor, columns, {stage.pk: stage for stage in found}, deals)
    refs = [PipelineRef(one.pk, one.name, one.is_default) for one in ordered]
    return Board(PipelineRef(chosen.pk, chosen.name, chosen.is_default), refs, list(columns.values()))


def _add_sums(columns: Mapping[UUID, Column], deals: QuerySet[Deal], first: str) -> None:
    """Fill in counts and sums by currency, the currency ``first`` before the others."""
    totals = (
        deals.order_by()
        .values("stage_id", "currency")
        .annotate(
            count=Count("pk"),
            total=Sum("amount"),
            weighted_total=Sum(F("amount") * F("probability") / Decimal(100)),
        )
    )
    for row in sorted(totals, key=lambda row: (row["currency"] != first, row["currency"])):
        column = columns.get(row["stage_id"])
        if column is None:
            continue
        column.count += row["count"]
        if row["total"] is not None:
            column.sums[row["currency"]] = money_rounded(row["total"], row["currency"])
            column.weighted[row["currency"]] = money_rounded(row["weighted_total"] or Decimal(0), row["currency"])


def _add_cards(
    actor: Actor, columns: Mapping[UUID, Column], stages_by_id: Mapping[UUID, Stage], deals: QuerySet[Deal]
) -> None:
    filled = [column.stage.id for column in columns.values() if column.count]
    if not filled:
        return
    rows = _of_each(filled, lambda stage_id: _cards(actor, _column_order(deals.filter(stage_id=stage_id))[: CARDS + 1]))
    now = timezone.now()
    by_stage: dict[UUID, list[Card]] = defaultdict(list)
    for row in rows:
        by_stage[row["stage_id"]].append(_card(row, stages_by_id[row["stage_id"]], now))
    for stage_id, cards in by_stage.items():
        cards.sort(key=lambda card: (card.stage_entered_at, card.id), reverse=True)
        columns[stage_id].cards, columns[stage_id].next_cursor = _page(cards)


def _of_each(ids: Sequence[UUID], rows_for: Callable[[UUID], QuerySet[Any, Any]]) -> list[dict[str, Any]]:
    """The rows of ``rows_for`` for each id, in one statement that Django has to write only once."""
    stand_in = uuid4()
    queryset = rows_for(stand_in)
    statement, params = queryset.query.get_compiler(connection.alias).as_sql()
    every = [one if value == stand_in else value for one in ids for value in params]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join([f"({statement})"] * len(ids)), every)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def board_column(
    actor: Actor,
    stage_id: UUID | str,
    cursor: str | None = None,
    *,
    tree: Mapping[str, Any] | None = None,
    search: str = "",
) -> tuple[list[Card], str | None]:
    """The next cards of one column, and the cursor of those after them."""
    stage = reading.get_record(actor, registry.get("stage"), stage_id)
    assert isinstance(stage, Stage)
    deals = _column_order(_deals(actor, tree, search).filter(stage_id=stage.pk))
    if cursor:
        try:
            entered, _tilde, last_id = cursor.partition("~")
            at, pk = datetime.fromisoformat(entered), UUID(last_id)
        except ValueError:
            raise BadCursor from None
        if at.tzinfo is None:
            raise BadCursor
        deals = deals.filter(Q(stage_entered_at__lt=at) | Q(stage_entered_at=at, pk__lt=pk))
    now = timezone.now()
    return _page([_card(row, stage, now) for row in _cards(actor, deals[: CARDS + 1])])


def board_card(actor: Actor, deal_id: UUID | str) -> Card:
    """One deal as a card. Raises NotFound."""
    deal = reading.get_record(actor, registry.get("deal"), deal_id)
    rows = list(_cards(actor, Deal.objects.filter(pk=deal.pk)))
    stage = Stage.objects.get(pk=rows[0]["stage_id"])
    return _card(rows[0], stage, timezone.now())


# Time in stages


def stage_times(actor: Actor, deal_id: UUID | str) -> list[StageTime]:
    """The stays of a deal in its stages, the oldest first, as its events tell."""
    deal = reading.get_record(actor, registry.get("deal"), deal_id)
    moves = (
        Event.objects.filter(record_type="deal", record_id=deal.pk, after__has_key="stage")
        .exclude(type="deal.stage_changed")
        .order_by("at", "id")
        .values_list("at", "after__stage")
    )
    stays: list[tuple[UUID, datetime]] = []
    for at, stage_id in moves:
        if stage_id and (not stays or str(stays[-1][0]) != stage_id):
            stays.append((UUID(stage_id), at))
    known = Stage.objects.in_bulk([stage_id for stage_id, _at in stays])
    now = timezone.now()
    ends: list[datetime | None] = [at for _stage, at in stays[1:]]
    return [
        StageTime(
            stage_id=stage_id,
            name=known[stage_id].name,
            color=known[stage_id].color,
            kind=known[stage_id].kind,
            entered_at=at,
            left_at=left,
            seconds=int(((left or now) - at).total_seconds()),
        )
        for (stage_id, at), left in zip(stays, [*ends, None], strict=True)
        if stage_id in known
    ]


# Settings: what happens when a stage goes


@dataclass(frozen=True, slots=True)
class StageEffect:
    """What removing a stage means: how many deals stand in it, what they are worth, and where they could go.

    ``lacking`` counts, for each other stage, the deals that lack a field which that stage demands.
    """

    stage: StageRef
    count: int
    sums: dict[str, Decimal]
    targets: list[StageRef]
    lacking: dict[UUID, int]
    last_of_its_kind: bool


def stage_remove_preview(actor: Actor, *, stage_id: UUID | str) -> StageEffect:
    """The effect of removing a stage, before it is done. Raises NotFound."""
    found = reading.get_record(actor, registry.get("stage"), stage_id, action="delete")
    assert isinstance(found, Stage)
    stage = stage_ref(found)
    others = [one for one in stages(actor, stage.pipeline_id) if one.id != stage.id]
    deals = Deal.objects.filter(stage_id=stage.id, deleted_at=None)
    column = Column(stage=stage)
    _add_sums({stage.id: column}, deals, actor.tenant.currency)
    lacking = {}
    for other in others:
        empty = Q(pk__in=[])
        for slug in other.required_fields:
            empty |= _is_empty(slug)
        lacking[other.id] = deals.filter(empty).distinct().count() if column.count and other.required_fields else 0
    return StageEffect(
        stage=stage,
        count=column.count,
        sums=column.sums,
        targets=others,
        lacking=lacking,
        last_of_its_kind=all(other.kind != stage.kind for other in others),
    )


def _is_empty(slug: str) -> Q:
    if slug == "contacts":
        return Q(contact_links__isnull=True)
    column = Deal._meta.get_field(slug)
    return Q(**{f"{slug}__isnull": True}) if column.null else Q(**{slug: ""})


def deal_counts(actor: Actor) -> dict[UUID, int]:
    """How many deals stand in each stage."""
    rows = Deal.objects.filter(deleted_at=None).values_list("stage_id").annotate(count=Count("pk"))
    return dict(rows) if actor.can("stage", "edit") else {}


# My day


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
class MyDay:
    """What the day asks of a member: his tasks, his deals that need something, what changed, and his numbers."""

    overdue: list[TaskRow]
    today: list[TaskRow]
    upcoming: list[TaskRow]
    deals: list[DealNeed]
    recent: list[Entry]
    numbers: list[PipelineNumbers]
    open_count: int


def my_day(actor: Actor, *, deals: int = 8, recent: int = 12) -> MyDay:
    """Everything on the home page, in a fixed number of queries."""
    tasks = my_tasks(actor)
    numbers = my_numbers(actor)
    return MyDay(
        overdue=tasks.overdue,
        today=tasks.today,
        upcoming=tasks.upcoming,
        deals=deals_in_need(actor, limit=deals),
        recent=history.recent(actor, recent),
        numbers=numbers,
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
    needy = Q(expected_close__lt=today) | Q(next_at=None)
    for stage in by_id.values():
        if stage.stale_days:
            needy |= Q(stage_id=stage.pk, stage_entered_at__lt=now - timedelta(days=stage.stale_days + 1))
    rows = (
        _cards(actor, mine).filter(needy).order_by(F("expected_close").asc(nulls_last=True), "stage_entered_at", "pk")
    )
    needs = []
    for row in rows[:limit]:
        card = _card(row, by_id[row["stage_id"]], now)
        late = card.expected_close is not None and card.expected_close < today
        reason = "late_close" if late else "stale" if card.stale else "no_task"
        needs.append(DealNeed(card, stage_ref(by_id[row["stage_id"]]), reason))
    return needs


def my_numbers(actor: Actor) -> list[PipelineNumbers]:
    """The actor's own pipeline by currency, the workspace's own first."""
    if actor.member_id is None:
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
        sums = {slug: money_rounded(row[slug] or Decimal(0), currency) for slug in ("open_sum", "weighted", "won_sum")}
        numbers.append(
            PipelineNumbers(currency=currency, open_count=row["open_count"], won_count=row["won_count"], **sums)
        )
    return sorted(numbers, key=lambda one: (one.currency != actor.tenant.currency, -one.open_count, one.currency))
