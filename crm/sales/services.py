"""What is done with deals and with the stages they stand in."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from crm.records import reading, writing
from crm.records.errors import FieldError, Forbidden, Invalid
from crm.records.types import registry
from crm.records.writing import Change
from crm.sales.models import Deal, Stage
from crm.sales.rules import OPEN
from crm.sales.selectors import stages
from tenants.actors import Actor


def deal_move(
    actor: Actor,
    *,
    deal_id: UUID | str,
    stage_id: UUID | str,
    values: Mapping[str, Any] | None = None,
    source: str = "ui",
) -> Change:
    """Move a deal to a stage, with the values the stage demands.

    Raises Invalid with the code ``required_in_stage`` for each field that is missing.
    """
    return writing.update(actor, registry.get("deal"), deal_id, {**(values or {}), "stage": stage_id}, source=source)


def _need_settings(actor: Actor) -> None:
    if not actor.can("stage", "edit"):
        raise Forbidden


def stage_create(actor: Actor, *, pipeline_id: UUID | str, values: Mapping[str, Any], source: str = "ui") -> Change:
    """Add a stage behind the last one of its kind."""
    return writing.create(actor, registry.get("stage"), {**values, "pipeline": pipeline_id}, source=source)


def stages_order(actor: Actor, *, pipeline_id: UUID | str, stage_ids: Sequence[UUID | str]) -> Change | None:
    """Put the open stages of a pipeline in this order; None when they stand so already.

    Raises Invalid unless exactly the pipeline's open stages are named.
    """
    _need_settings(actor)
    pipeline = reading.get_record(actor, registry.get("pipeline"), pipeline_id)
    wanted = [str(stage_id) for stage_id in stage_ids]
    with transaction.atomic():
        found = Stage.objects.select_for_update().filter(pipeline_id=pipeline.pk, kind=OPEN, deleted_at=None)
        stages = {str(stage.pk): stage for stage in found.order_by("pk")}
        if sorted(wanted) != sorted(stages):
            raise Invalid([FieldError("", "stages_differ", _("The stages have changed meanwhile. Look again."))])
        change: Change | None = None
        for position, stage_id in enumerate(wanted, 1):
            if stages[stage_id].position != position:
                change = writing.update(
                    actor,
                    registry.get("stage"),
                    stages[stage_id].pk,
                    {"position": position},
                    change_set=change.change_set if change else None,
                )
    return change


def stage_shift(actor: Actor, *, stage_id: UUID | str, by: int) -> Change | None:
    """Move an open stage up (-1) or down (1) among the open ones; None when there is nowhere to go."""
    stage = reading.get_record(actor, registry.get("stage"), stage_id)
    ids = [one.id for one in stages(actor, stage.pipeline_id) if one.kind == OPEN]
    if stage.pk not in ids:
        return None
    place = ids.index(stage.pk)
    other = place + by
    if not 0 <= other < len(ids):
        return None
    ids[place], ids[other] = ids[other], ids[place]
    return stages_order(actor, pipeline_id=stage.pipeline_id, stage_ids=ids)


def stage_remove(actor: Actor, *, stage_id: UUID | str, move_to: UUID | str | None = None) -> Change:
    """Remove a stage; deals that stand in it go to ``move_to``, in the same change-set.

    Raises Invalid: ``move_to_needed`` when deals stand in it and no stage is named, ``required_in_stage`` for deals
    that lack what the other stage demands, ``last_of_its_kind`` for a stage the pipeline cannot do without.
    """
    _need_settings(actor)
    if not actor.can("stage", "delete"):
        raise Forbidden
    stage_type, deal_type = registry.get("stage"), registry.get("deal")
    with transaction.atomic():
        stage = reading.get_record(actor, stage_type, stage_id)
        deals = list(
            Deal.objects.filter(stage_id=stage.pk, deleted_at=None).order_by("pk").values_list("pk", flat=True)
        )
        change: Change | None = None
        if deals:
            if not move_to:
                raise Invalid([FieldError("", "move_to_needed", _("Say where the deals of this stage go."))])
            target = reading.get_record(actor, stage_type, move_to)
            if target.pk == stage.pk or target.pipeline_id != stage.pipeline_id:
                raise Invalid([FieldError("", "move_to_wrong", _("Choose another stage of the same pipeline."))])
            change = writing.update(actor, deal_type, deals, {"stage": target.pk})
        return writing.trash(actor, stage_type, stage.pk, change_set=change.change_set if change else None)


def pipeline_create(actor: Actor, *, name: str) -> Change:
    """A further pipeline with stages to begin with."""
    from crm.sales.provisioning import STAGES

    with transaction.atomic():
        change = writing.create(actor, registry.get("pipeline"), {"name": name})
        writing.create_many(
            actor,
            registry.get("stage"),
            [{**stage, "pipeline": change.id} for stage in STAGES],
            change_set=change.change_set,
        )
    return change
