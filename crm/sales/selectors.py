"""Reading pipelines: the board, the time deals spent in their stages, and what the day asks for."""

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
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils import timezone

from crm.activities.rules import UNDATED
from crm.activities.selectors import ActivityRow, my_plan, planned_places
from crm.records import history, query, reading
from crm.records.errors import BadCursor, NotFound
from crm.records.history import Entry
from crm.records.models import Event
from crm.records.types import SYSTEM_FIELDS, Field, Kind, registry
from crm.records.visibility import hidden_slugs, may_read, readable_fields
from crm.sales import entry
from crm.sales.models import Deal, Pipeline, Stage
from crm.sales.rules import FREE_SLUGS, LOST, OPEN, WON
from crm.workspace.currencies import Converted, rounded, totals
from crm.workspace.models import Member
from crm.workspace.selectors import team_reach
from tenants.actors import Actor

CARDS = 25
KIND_ORDER = {OPEN: 0, WON: 1, LOST: 2}


@dataclass(frozen=True, slots=True)
class PipelineRef:
    id: UUID
    name: str
    is_default: bool
    archived: bool = False


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
    guidance: str
    entry_condition: Mapping[str, Any]
    enter_from: list[str]


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
    """A stage with its deals: how many, their sums and weighted sums by currency, and the first cards.

    ``closed_count`` and ``closed_sums`` are of those won or lost this month. The totals are in the workspace's
    currency; None for who may not see amounts.
    """

    stage: StageRef
    count: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)
    weighted: dict[str, Decimal] = field(default_factory=dict)
    closed_count: int = 0
    closed_sums: dict[str, Decimal] = field(default_factory=dict)
    total: Converted | None = None
    weighted_total: Converted | None = None
    closed_total: Converted | None = None
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
        guidance=stage.guidance,
        entry_condition=stage.entry_condition,
        enter_from=list(stage.enter_from),
    )


def pipeline_ref(pipeline: Pipeline) -> PipelineRef:
    return PipelineRef(pipeline.pk, pipeline.name, pipeline.is_default, pipeline.archived)


def in_board_order(stages: Sequence[Stage]) -> list[Stage]:
    """Open stages by their order, then won, then lost ones."""
    return sorted(stages, key=lambda stage: (KIND_ORDER[stage.kind], stage.position, stage.pk))


def all_stages(actor: Actor) -> list[Stage]:
    """Every stage with its pipeline, archived ones too, in one query."""
    rows = reading.visible(actor, registry.get("stage")).filter(pipeline__deleted_at=None).select_related("pipeline")
    return in_board_order(list(rows))


def stages(actor: Actor, pipeline_id: UUID) -> list[StageRef]:
    """A pipeline's stages: open ones in their order, then won, then lost."""
    rows = reading.visible(actor, registry.get("stage")).filter(pipeline_id=pipeline_id)
    return [stage_ref(stage) for stage in in_board_order(list(rows))]


def pipelines(actor: Actor, *, archived: bool = False) -> list[PipelineRef]:
    """The pipelines in use, in their order; or those that are archived."""
    rows = reading.visible(actor, registry.get("pipeline")).filter(archived=archived).order_by("position", "pk")
    return [pipeline_ref(row) for row in rows]


# What forms offer


def pipeline_options(actor: Actor, values: Mapping[str, Any]) -> list[tuple[UUID, str]]:
    return [(one.id, one.name) for one in pipelines(actor)]


def stage_options(actor: Actor, values: Mapping[str, Any]) -> list[tuple[UUID, str]]:
    """The stages of the deal's pipeline; of all, each with its pipeline's name, where that is not known yet."""
    found = all_stages(actor)
    pipeline_id = _id_in(values, "pipeline")
    mine = [stage for stage in found if str(stage.pipeline_id) == pipeline_id]
    if mine:
        return [(stage.pk, stage.name) for stage in mine]
    live = [stage for stage in found if not stage.pipeline.archived]
    live.sort(key=lambda stage: (stage.pipeline.position, stage.pipeline_id))
    several = len({stage.pipeline_id for stage in live}) > 1
    return [(stage.pk, f"{stage.pipeline.name} › {stage.name}" if several else stage.name) for stage in live]


def lost_reason_options(actor: Actor, values: Mapping[str, Any]) -> list[tuple[UUID, str]]:
    """The reasons that the deal's pipeline takes."""
    rows = reading.visible(actor, registry.get("lost_reason")).order_by("position", "pk")
    try:
        pipeline = UUID(_id_in(values, "pipeline"))
    except ValueError:
        return list(rows.values_list("pk", "name"))
    taken = rows.filter(pipeline_links__pipeline=pipeline).values_list("pk", "name")
    return list(taken) or list(rows.values_list("pk", "name"))


USUAL = ("name", "pipeline", "stage", "owner")


def deal_fields_of(actor: Actor, values: Mapping[str, Any]) -> Collection[str] | None:
    """The fields that a deal of this pipeline is shown with: those it chose, those a stage asks for, and the usual."""
    pipeline = values.get("pipeline")
    if pipeline and not isinstance(pipeline, Mapping):
        try:
            rows = reading.visible(actor, registry.get("pipeline")).filter(pk=UUID(_id_in(values, "pipeline")))
        except ValueError:
            return None
        pipeline = rows.values("deal_fields").first()
    chosen = pipeline.get("deal_fields") if isinstance(pipeline, Mapping) else None
    if not chosen:
        return None
    stage = values.get("stage")
    demanded = stage.get("required_fields", ()) if isinstance(stage, Mapping) else ()
    return {*chosen, *demanded, *USUAL, *([] if values.get("id") is None else FREE_SLUGS)}


def _id_in(values: Mapping[str, Any], slug: str) -> str:
    value = values.get(slug)
    return str(value["id"]) if isinstance(value, Mapping) else str(value or "")


# The board


QUICK = {"mine": "owner", "team": "owner", "closing": "expected_close", "stale": "stage_entered_at", "idle": ""}
"""What a board is narrowed by with one click, and the field that each goes by."""


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
        rows = rows.filter(_is_stale(found, timezone.now()))
    if "idle" in quick:
        rows = rows.filter(~Exists(_planned(actor)), stage__kind=OPEN)
    if "closing" in quick:
        rows = rows.filter(stage__kind=OPEN)
    return rows


def quick_filters(actor: Actor, among: Collection[str] = tuple(QUICK)) -> list[str]:
    """Those that mean something to the actor: who is a member, and may see what they go by."""
    deal = registry.get("deal")
    return [
        name
        for name, slug in QUICK.items()
        if name in among
        and (not slug or may_read(actor, deal, slug))
        and (slug != "owner" or actor.member_id is not None)
    ]


def _team(actor: Actor) -> Collection[UUID]:
    if actor.member_id is None:
        return [UUID(int=0)]
    if actor.team_members:
        return actor.team_members
    return team_reach(actor.member_id, Member.objects.values_list("team_id", flat=True).get(pk=actor.member_id))


def _is_stale(found: Iterable[Stage], now: datetime) -> Q:
    """Deals that stand in their stage for longer than it allows."""
    stale = Q(pk__in=[])
    for stage in found:
        if stage.kind == OPEN and stage.stale_days:
            stale |= Q(stage_id=stage.pk, stage_entered_at__lt=now - timedelta(days=stage.stale_days + 1))
    return stale


def _planned(actor: Actor) -> QuerySet[Any]:
    """What is planned about a deal of the outer query, the next first."""
    return planned_places(actor).filter(about_type="deal", about_id=OuterRef("pk"))


def _cards(actor: Actor, deals: QuerySet[Deal], more: Iterable[Field] = ()) -> QuerySet[Any, Any]:
    companies = reading.visible(actor, registry.get("company")).filter(pk=OuterRef("company_id"))
    cards: QuerySet[Any, Any] = deals.annotate(
        company_name=Subquery(companies.values("name")[:1]),
        owner_name=F("owner__name"),
        owner_color=F("owner__color"),
        next_at=Subquery(_planned(actor).values("planned_at")[:1]),
        **{f"more_{one.slug}": _shown_on_card(actor, one) for one in more},
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
        *(f"more_{one.slug}" for one in more),
    )
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
    """Makes cards of rows, without what the reader may not see and what the view leaves out."""

    left_out: Collection[str]
    more: Sequence[Field]
    now: datetime

    @classmethod
    def of(cls, actor: Actor, chosen: Sequence[str] = ()) -> "CardReader":
        left_out = {*hidden_slugs(actor, registry.get("deal"))}
        if chosen:
            left_out |= {slug for slug in ON_CARD[1:] if slug not in chosen}
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
        hidden = {name: None for slug in self.left_out for name in CARD_COLUMNS.get(slug, ())}
        return Card(
            **{
                **row,
                **hidden,
                "next_at": None if state == "undated" else next_at,
                "next_state": state,
                "days_in_stage": days,
                "stale": bool(stage.kind == OPEN and stage.stale_days and days > stage.stale_days),
                "more": more,
            }
        )


CARD_COLUMNS = {
    "company": ("company_name",),
    "amount": ("amount",),
    "owner": ("owner_name", "owner_color", "owner_id"),
    "probability": ("probability",),
    "expected_close": ("expected_close",),
    "closed_on": ("closed_on",),
}


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
    _add_sums(columns, deals, actor)
    _add_totals(actor, columns)
    _add_cards(actor, columns, {stage.pk: stage for stage in here}, deals, CardReader.of(actor, asked.card_fields))
    refs = [pipeline_ref(one) for one in ordered if not one.archived or one is chosen]
    return Board(pipeline_ref(chosen), refs, list(columns.values()))


def _add_sums(columns: Mapping[UUID, Column], deals: QuerySet[Deal], actor: Actor) -> None:
    """Fill in counts and sums by currency, the workspace's own before the others."""
    first = actor.tenant.currency
    month = timezone.now().astimezone(actor.time_zone).date().replace(day=1)
    in_month = Q(closed_on__gte=month)
    found = (
        deals.order_by()
        .values("stage_id", "currency")
        .annotate(
            count=Count("pk"),
            total=Sum("amount"),
            weighted_total=Sum(F("amount") * F("probability") / Decimal(100)),
            closed=Count("pk", filter=in_month),
            closed_total=Sum("amount", filter=in_month),
        )
    )
    for row in sorted(found, key=lambda row: (row["currency"] != first, row["currency"])):
        column = columns.get(row["stage_id"])
        if column is None:
            continue
        column.count += row["count"]
        column.closed_count += row["closed"]
        if row["total"] is not None:
            column.sums[row["currency"]] = rounded(row["total"], row["currency"])
            column.weighted[row["currency"]] = rounded(row["weighted_total"] or Decimal(0), row["currency"])
        if row["closed_total"] is not None:
            column.closed_sums[row["currency"]] = rounded(row["closed_total"], row["currency"])


def _add_totals(actor: Actor, columns: Mapping[UUID, Column]) -> None:
    """The sums of each column as one in the workspace's currency, for who may see amounts."""
    deal = registry.get("deal")
    if not may_read(actor, deal, "amount"):
        for column in columns.values():
            column.sums, column.weighted, column.closed_sums = {}, {}, {}
        return
    weighs = may_read(actor, deal, "probability")
    sums: dict[str, Mapping[str, Decimal]] = {}
    for id, column in columns.items():
        column.weighted = column.weighted if weighs else {}
        sums |= {f"sum {id}": column.sums, f"weighted {id}": column.weighted, f"closed {id}": column.closed_sums}
    found = totals(actor, sums)
    for id, column in columns.items():
        column.total = found[f"sum {id}"] if column.sums else None
        column.weighted_total = found[f"weighted {id}"] if column.weighted else None
        column.closed_total = found[f"closed {id}"] if column.closed_sums else None


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
        return _cards(actor, _column_order(deals.filter(stage_id=stage_id))[: CARDS + 1], reader.more)

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
    return _page([reader.card(row, stage) for row in _cards(actor, deals[: CARDS + 1], reader.more)])


def board_card(actor: Actor, deal_id: UUID | str, asked: Asked = ASKS_NOTHING) -> Card:
    """One deal as a card. Raises NotFound."""
    deal = reading.get_record(actor, registry.get("deal"), deal_id)
    reader = CardReader.of(actor, asked.card_fields)
    (row,) = _cards(actor, Deal.objects.filter(pk=deal.pk), reader.more)
    return reader.card(row, Stage.objects.get(pk=row["stage_id"]))


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
    _add_effects({stage.id: column}, deals, actor)
    lacking = {other.id: not_taken(actor, deals, other) if column.count else 0 for other in others}
    return StageEffect(
        stage=stage,
        count=column.count,
        sums=column.sums,
        targets=others,
        lacking=lacking,
        last_of_its_kind=all(other.kind != stage.kind for other in others),
    )


def _add_effects(columns: Mapping[UUID, Column], deals: QuerySet[Deal], actor: Actor) -> None:
    """Counts of all deals, whoever may see them; what they are worth for who may see all of it."""
    _add_sums(columns, deals, actor)
    deal = registry.get("deal")
    if not (deal.shows_all_to(actor) and may_read(actor, deal, "amount")):
        for column in columns.values():
            column.sums = {}


def not_taken(actor: Actor, deals: QuerySet[Deal], target: StageRef) -> int:
    """How many of these deals a stage would refuse, for a field they lack or by its rule of entry."""
    if not (target.required_fields or target.entry_condition or target.enter_from):
        return 0
    refused = Q(pk__in=[])
    for slug in target.required_fields:
        refused |= _is_empty(slug)
    if target.entry_condition:
        left_out = query.compile(entry.judging(actor), registry.get("deal"), {"not": target.entry_condition})
        refused |= Q(pk__in=Deal.objects.filter(left_out).values("pk"))
    if target.enter_from:
        refused |= ~Q(stage_id__in=[one for one in target.enter_from if one != entry.NEW])
    return deals.filter(refused).distinct().count()


@dataclass(frozen=True, slots=True)
class Leaving:
    """A stage of a pipeline that is archived: its deals, where they are to go, and how many would be refused there."""

    stage: StageRef
    count: int
    sums: dict[str, Decimal]
    target: UUID | None
    refused: int

    @property
    def may_stay(self) -> bool:
        return self.stage.kind != OPEN


@dataclass(frozen=True, slots=True)
class ArchiveEffect:
    """What archiving a pipeline means, with the stages of other pipelines that its deals could go to."""

    pipeline: PipelineRef
    stages: list[Leaving]
    targets: list[tuple[PipelineRef, list[StageRef]]]

    @property
    def moving(self) -> int:
        return sum(one.count for one in self.stages if one.target)


def pipeline_archive_preview(
    actor: Actor, *, pipeline_id: UUID | str, moves: Mapping[UUID, UUID | None] | None = None
) -> ArchiveEffect:
    """The effect of archiving a pipeline with these moves; without any, open deals go to the like stage elsewhere.

    Raises NotFound.
    """
    pipeline = reading.get_record(actor, registry.get("pipeline"), pipeline_id, action="edit")
    found = all_stages(actor)
    elsewhere = [stage for stage in found if stage.pipeline_id != pipeline.pk and not stage.pipeline.archived]
    own = {stage.pk: Column(stage=stage_ref(stage)) for stage in found if stage.pipeline_id == pipeline.pk}
    deals = Deal.objects.filter(pipeline_id=pipeline.pk, deleted_at=None)
    _add_effects(own, deals, actor)
    refs = {stage.pk: stage_ref(stage) for stage in elsewhere}
    if moves is None:
        moves = {pk: _like(column.stage, elsewhere) for pk, column in own.items() if column.stage.kind == OPEN}
    leaving = []
    for pk, column in own.items():
        target = refs.get(moves.get(pk) or pk)
        refused = not_taken(actor, deals.filter(stage_id=pk), target) if target and column.count else 0
        leaving.append(Leaving(column.stage, column.count, column.sums, target.id if target else None, refused))
    by_pipeline: dict[UUID, list[StageRef]] = defaultdict(list)
    for stage in elsewhere:
        by_pipeline[stage.pipeline_id].append(refs[stage.pk])
    others = {stage.pipeline_id: stage.pipeline for stage in elsewhere}.values()
    ordered = sorted(others, key=lambda one: (not one.is_default, one.position, one.pk))
    return ArchiveEffect(pipeline_ref(pipeline), leaving, [(pipeline_ref(one), by_pipeline[one.pk]) for one in ordered])


def _like(stage: StageRef, others: Sequence[Stage]) -> UUID | None:
    """The stage of that name among others, the default pipeline's first, else their first open one."""
    ordered = sorted(others, key=lambda one: (not one.pipeline.is_default, KIND_ORDER[one.kind], one.position))
    named = (one.pk for one in ordered if one.name.casefold() == stage.name.casefold() and one.kind == stage.kind)
    return next(named, next((one.pk for one in ordered if one.kind == stage.kind), None))


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
    needy |= _is_stale(by_id.values(), now)
    rows = (
        _cards(actor, mine).filter(needy).order_by(F("expected_close").asc(nulls_last=True), "stage_entered_at", "pk")
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
