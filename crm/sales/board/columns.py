"""Reading the board: the columns of a pipeline with their sums, and deals as cards."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.apps import apps
from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from crm.activities.rules import UNDATED
from crm.activities.selectors import planned_places
from crm.records.access.visibility import may_read, readable_columns, readable_fields, readable_quick_filters
from crm.records.errors import BadCursor, NotFound
from crm.records.read import reading
from crm.records.read.currencies_used import MoneySum, Part, money_sums
from crm.records.schema.field import SYSTEM_FIELDS, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.registry import registry
from crm.sales.models import Deal, Stage
from crm.sales.rules.common import OPEN
from crm.sales.selectors import PipelineRef, StageRef, all_stages, pipeline_ref, stage_ref
from crm.workspace.actors import team_reach
from crm.workspace.currencies.convert import Converted
from crm.workspace.models import Member
from tenants.actors import Actor

CARDS = 25


@dataclass(frozen=True, slots=True)
class Card:
    """A deal as the board shows it. ``next_state`` is late, planned, undated (an open task without a time) or none.

    What the reader may not see is None. ``more`` are the further fields of the view, related records by their names.
    """

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
    more: Mapping[str, Any]


@dataclass(slots=True)
class Column:
    """A stage with its deals: how many and what they are ``worth``, the same weighed by probability, what of it was won
    or lost this month, and the first cards. What the reader may not see is None, or has no amounts."""

    stage: StageRef
    worth: MoneySum = field(default_factory=MoneySum)
    weighted: MoneySum | None = None
    closed: MoneySum | None = None
    cards: list[Card] = field(default_factory=list)
    next_cursor: str | None = None

    @property
    def count(self) -> int:
        return self.worth.rows

    @property
    def sums(self) -> dict[str, Decimal]:
        return self.worth.sums

    @property
    def total(self) -> Converted | None:
        return self.worth.total


@dataclass(frozen=True, slots=True)
class Board:
    pipeline: PipelineRef
    pipelines: list[PipelineRef]
    columns: list[Column]


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a pipeline a board shows: a filter, a search and quick filters together, and the fields on its cards."""

    tree: Mapping[str, Any] | None = None
    search: str = ""
    quick: Collection[str] = ()
    card_fields: tuple[str, ...] = ()


ASKS_NOTHING = Asked()


def _deals(actor: Actor, asked: Asked, found: Sequence[Stage]) -> QuerySet[Deal]:
    """The deals that are asked for, of these stages' pipelines or of any."""
    deal = registry.get("deal")
    quick = quick_filters(actor, asked.quick)
    trees: list[Mapping[str, Any]] = [asked.tree] if asked.tree else []
    if "mine" in quick:
        trees.append({"field": "owner", "op": "eq", "value": "me"})
    if "team" in quick:
        trees.append({"field": "owner", "op": "in", "value": [str(one) for one in _team(actor)]})
    if "closing" in quick:
        trees.append({"field": "expected_close", "op": "this_month"})
    rows = reading.matching(actor, deal, reading.Query(filter={"all": trees} if trees else None, search=asked.search))
    if "stale" in quick:
        rows = rows.filter(is_stale(found, timezone.now()))
    if "idle" in quick:
        rows = rows.filter(~Exists(_planned(actor)), stage__kind=OPEN)
    if "closing" in quick:
        rows = rows.filter(stage__kind=OPEN)
    return rows


def quick_filters(actor: Actor, among: Collection[str] | None = None) -> list[str]:
    """Those that mean something to the actor: who is a member, and may see what they go by."""
    deal = registry.get("deal")
    return [
        name
        for name in readable_quick_filters(actor, deal)
        if (among is None or name in among) and (deal.quick_filters[name] != "owner" or actor.member_id is not None)
    ]


def _team(actor: Actor) -> Collection[UUID]:
    if actor.member_id is None:
        return [UUID(int=0)]
    if actor.team_members:
        return actor.team_members
    return team_reach(actor.member_id, Member.objects.values_list("team_id", flat=True).get(pk=actor.member_id))


def is_stale(found: Iterable[Stage], now: datetime) -> Q:
    """Deals that stand in their stage for longer than it allows."""
    stale = Q(pk__in=[])
    for stage in found:
        if stage.kind == OPEN and stage.stale_days:
            stale |= Q(stage_id=stage.pk, stage_entered_at__lt=now - timedelta(days=stage.stale_days + 1))
    return stale


def _planned(actor: Actor) -> QuerySet[Any]:
    """What is planned about a deal of the outer query, the next first."""
    return planned_places(actor).filter(about_type="deal", about_id=OuterRef("pk"))


CARD = {
    "company_name": "company",
    "amount": "amount",
    "currency": "amount",
    "probability": "probability",
    "owner_id": "owner",
    "owner_name": "owner",
    "owner_color": "owner",
    "expected_close": "expected_close",
    "closed_on": "closed_on",
}
"""What a card says of a deal beside its name and stage, each by the field that it tells of."""
ALWAYS_ON_CARD = ("id", "name", "stage_id", "version", "is_sample", "stage_entered_at")


def cards_of(actor: Actor, deals: QuerySet[Deal], more: Iterable[Field] = ()) -> QuerySet[Any, Any]:
    """Deals as rows for a ``CardReader``, with nothing that the actor may not read."""
    companies = reading.visible(actor, registry.get("company")).filter(pk=OuterRef("company_id"))
    made = {
        "company_name": Subquery(companies.values("name")[:1]),
        "owner_name": F("owner__name"),
        "owner_color": F("owner__color"),
    }
    readable = readable_columns(actor, registry.get("deal"), CARD)
    cards: QuerySet[Any, Any] = deals.annotate(
        **{key: made[key] for key in made if key in readable},
        next_at=Subquery(_planned(actor).values("planned_at")[:1]),
        **{f"more_{one.slug}": _shown_on_card(actor, one) for one in more},
    ).values(*ALWAYS_ON_CARD, *readable, "next_at", *(f"more_{one.slug}" for one in more))
    return cards


def _shown_on_card(actor: Actor, one: Field) -> Any:
    """A field's value, of what it leads to the names that the reader may see."""
    if one.kind is Kind.MEMBER:
        return F(f"{one.slug}__name")
    if one.kind is Kind.RELATION:
        target = registry.get(one.target)
        rows = reading.visible(actor, target).filter(pk=OuterRef(one.column))
        return Subquery(rows.values(target.title)[:1])
    if one.kind is Kind.LINKS:
        target = registry.get(one.target)
        links = apps.get_model(one.through)._default_manager.filter(
            **{"deal": OuterRef("pk"), f"{one.target}__in": reading.visible(actor, target)}
        )
        return ArraySubquery(links.order_by("pk").values(f"{one.target}__{target.title}")[:3])
    return F(one.column)


ON_CARD = ("name", "company", "amount", "owner")
"""The fields that have a place of their own on a card."""


def card_fields(actor: Actor, slugs: Iterable[str]) -> list[Field]:
    """Of the fields chosen for cards those that stand there beside the usual ones."""
    deal = registry.get("deal")
    system = {slug: SYSTEM_FIELDS[slug] for slug in ("created_at", "updated_at", "created_by")}
    known = {one.slug: one for one in readable_fields(actor, deal)} | system
    return [known[slug] for slug in slugs if slug in known and slug not in ON_CARD]


@dataclass(frozen=True, slots=True)
class CardReader:
    """Makes cards of rows, without what the view leaves out."""

    left_out: Collection[str]
    more: Sequence[Field]
    now: datetime

    @classmethod
    def of(cls, actor: Actor, chosen: Sequence[str] = ()) -> "CardReader":
        left_out = {slug for slug in ON_CARD[1:] if slug not in chosen} if chosen else set()
        return cls(left_out, card_fields(actor, chosen), timezone.now())

    def card(self, row: dict[str, Any], stage: Stage) -> Card:
        next_at = row["next_at"]
        days = max((self.now - row["stage_entered_at"]).days, 0)
        if next_at is None:
            state = "none"
        elif next_at == UNDATED:
            state = "undated"
        else:
            state = "late" if next_at < self.now else "planned"
        more = {one.slug: row.pop(f"more_{one.slug}") for one in self.more}
        left_out = {key for key, slug in CARD.items() if slug in self.left_out}
        return Card(
            **{
                **dict.fromkeys(CARD),
                "currency": "",
                **{key: value for key, value in row.items() if key not in left_out},
                "next_at": None if state == "undated" else next_at,
                "next_state": state,
                "days_in_stage": days,
                "stale": bool(stage.kind == OPEN and stage.stale_days and days > stage.stale_days),
                "more": more,
            }
        )


def _column_order(deals: QuerySet[Deal]) -> QuerySet[Deal]:
    return deals.order_by("-stage_entered_at", "-pk")


def _page(cards: list[Card]) -> tuple[list[Card], str | None]:
    shown = cards[:CARDS]
    last = shown[-1] if len(cards) > CARDS else None
    return shown, f"{last.stage_entered_at.isoformat()}~{last.id}" if last else None


def board(actor: Actor, pipeline_id: UUID | str | None = None, asked: Asked = ASKS_NOTHING) -> Board:
    """A pipeline (the default one for None) as columns, in three queries however many deals there are.

    A fourth reads rates where there are several currencies. Counts and sums are of all deals that match, not of the
    cards shown. Raises NotFound for an unknown pipeline.
    """
    found = all_stages(actor)
    known = {stage.pipeline_id: stage.pipeline for stage in found}
    ordered = sorted(known.values(), key=lambda one: (one.position, one.pk))
    if pipeline_id is None:
        live = [one for one in ordered if not one.archived]
        chosen = next((one for one in live if one.is_default), live[0] if live else None)
    else:
        chosen = next((one for one in ordered if str(one.pk) == str(pipeline_id)), None)
    if chosen is None:
        raise NotFound
    here = [stage for stage in found if stage.pipeline_id == chosen.pk]
    columns = {stage.pk: Column(stage=stage_ref(stage)) for stage in here}
    deals = _deals(actor, asked, here).filter(pipeline_id=chosen.pk)
    add_sums(actor, columns, deals)
    _add_cards(actor, columns, {stage.pk: stage for stage in here}, deals, CardReader.of(actor, asked.card_fields))
    refs = [pipeline_ref(one) for one in ordered if not one.archived or one is chosen]
    return Board(pipeline_ref(chosen), refs, list(columns.values()))


def add_sums(actor: Actor, columns: Mapping[UUID, Column], deals: QuerySet[Deal]) -> None:
    """Fill in what the columns come to, as far as the actor may read it."""
    deal = registry.get("deal")
    month = timezone.now().astimezone(actor.time_zone).date().replace(day=1)
    money = deal.field("amount") if may_read(actor, deal, "amount") else None
    parts = {"worth": Part()}
    if money and may_read(actor, deal, "probability"):
        parts["weighted"] = Part(percent="probability")
    if may_read(actor, deal, "closed_on"):
        parts["closed"] = Part(Q(closed_on__gte=month))
    found = money_sums(actor, deals, money, parts, by="stage_id")
    for id, column in columns.items():
        sums = found.get(id, {})
        column.worth = sums.get("worth", MoneySum())
        column.weighted = sums.get("weighted", MoneySum() if "weighted" in parts else None)
        column.closed = sums.get("closed", MoneySum() if "closed" in parts else None)


def _add_cards(
    actor: Actor,
    columns: Mapping[UUID, Column],
    stages_by_id: Mapping[UUID, Stage],
    deals: QuerySet[Deal],
    reader: CardReader,
) -> None:
    filled = [column.stage.id for column in columns.values() if column.count]
    if not filled:
        return

    def first(stage_id: UUID) -> QuerySet[Any, Any]:
        return cards_of(actor, _column_order(deals.filter(stage_id=stage_id))[: CARDS + 1], reader.more)

    by_stage: dict[UUID, list[Card]] = defaultdict(list)
    for row in _of_each(filled, first):
        by_stage[row["stage_id"]].append(reader.card(row, stages_by_id[row["stage_id"]]))
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
    actor: Actor, stage_id: UUID | str, cursor: str | None = None, asked: Asked = ASKS_NOTHING
) -> tuple[list[Card], str | None]:
    """The next cards of one column, and the cursor of those after them."""
    stage = reading.get_record(actor, registry.get("stage"), stage_id)
    assert isinstance(stage, Stage)
    deals = _column_order(_deals(actor, asked, [stage]).filter(stage_id=stage.pk))
    if cursor:
        try:
            entered, _tilde, last_id = cursor.partition("~")
            at, pk = datetime.fromisoformat(entered), UUID(last_id)
        except ValueError:
            raise BadCursor from None
        if at.tzinfo is None:
            raise BadCursor
        deals = deals.filter(Q(stage_entered_at__lt=at) | Q(stage_entered_at=at, pk__lt=pk))
    reader = CardReader.of(actor, asked.card_fields)
    return _page([reader.card(row, stage) for row in cards_of(actor, deals[: CARDS + 1], reader.more)])


def board_card(actor: Actor, deal_id: UUID | str, asked: Asked = ASKS_NOTHING) -> Card:
    """One deal as a card. Raises NotFound."""
    deal = reading.get_record(actor, registry.get("deal"), deal_id)
    reader = CardReader.of(actor, asked.card_fields)
    (row,) = cards_of(actor, Deal.objects.filter(pk=deal.pk), reader.more)
    return reader.card(row, Stage.objects.get(pk=row["stage_id"]))
