"""Pipelines and their stages, what forms offer of them, and the time deals spent in them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.utils import timezone

from crm.records.models import Event
from crm.records.read import reading
from crm.records.schema.registry import registry
from crm.sales.models import Deal, Pipeline, Stage
from crm.sales.rules.common import FREE_SLUGS, LOST, OPEN, WON
from tenants.actors import Actor

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


def deal_counts(actor: Actor) -> dict[UUID, int]:
    """How many deals stand in each stage."""
    rows = Deal.objects.filter(deleted_at=None).values_list("stage_id").annotate(count=Count("pk"))
    return dict(rows) if actor.can("stage", "edit") else {}
