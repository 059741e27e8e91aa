"""What happens to deals when their stage or their pipeline goes: told before it is done."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db.models import Q, QuerySet

from crm.records.query import language
from crm.records.read import reading
from crm.records.read.currencies_used import MoneySum
from crm.records.schema.registry import registry
from crm.records.write import evaluate
from crm.sales.board.columns import Column, add_sums
from crm.sales.models import Deal, Stage
from crm.sales.pipelines import stage_entry_rules
from crm.sales.rules.common import OPEN
from crm.sales.selectors import KIND_ORDER, PipelineRef, StageRef, all_stages, pipeline_ref, stage_ref, stages
from tenants.actors import Actor


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
    add_sums(actor, columns, deals)
    if not registry.get("deal").shows_all_to(actor):
        for column in columns.values():
            column.worth = MoneySum(rows=column.count)


def not_taken(actor: Actor, deals: QuerySet[Deal], target: StageRef) -> int:
    """How many of these deals a stage would refuse, for a field they lack or by its rule of entry; of those that the
    actor sees, since a rule that is one's own would tell of the others."""
    if not (target.required_fields or target.entry_condition or target.enter_from):
        return 0
    deals = deals.filter(pk__in=reading.visible(actor, registry.get("deal")).values("pk"))
    refused = Q(pk__in=[])
    for slug in target.required_fields:
        refused |= _is_empty(slug)
    if target.entry_condition:
        left_out = language.compile(evaluate.judging(actor), registry.get("deal"), {"not": target.entry_condition})
        refused |= Q(pk__in=Deal.objects.filter(left_out).values("pk"))
    if target.enter_from:
        refused |= ~Q(stage_id__in=[one for one in target.enter_from if one != stage_entry_rules.NEW])
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
