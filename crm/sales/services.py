"""What is done with deals and with the stages they stand in."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.records.errors import FieldError, Forbidden, Invalid, NotFound
from crm.records.jobs.jobs import Work, job_start
from crm.records.models import ChangeSet, Job
from crm.records.read import reading
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.gate import Change, change_set_new
from crm.sales.models import Deal, LostReason, Pipeline, Stage
from crm.sales.pipelines.impact import pipeline_archive_preview
from crm.sales.provisioning import STAGES
from crm.sales.rules.common import OPEN, STANDING
from crm.sales.rules.locks import lock_pipelines, lock_pipelines_shared, stages_lock
from crm.sales.selectors import KIND_ORDER, in_board_order
from tenants.actors import Actor
from tenants.ids import id_of
from tenants.workspaces.entitlements import require_writable

MAX_AT_ONCE = 500
MAX_ATTEMPTS = 20
ARCHIVING = "pipeline_archive"


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
    return gate.update(actor, registry.get("deal"), deal_id, {**(values or {}), "stage": stage_id}, source=source)


def deals_move(
    actor: Actor,
    *,
    deal_ids: Sequence[UUID],
    stage_id: UUID | str,
    values: Mapping[str, Any] | None = None,
    source: str = "ui",
) -> Change:
    """Move several deals to a stage, all or none; ``values`` go to those that the stage refuses for want of them.

    Raises Forbidden for who may not deal with all of these together, and Invalid with the errors of each deal.
    """
    deal = registry.get("deal")
    check_bulk_permission(actor, deal_ids, "edit")
    rows: dict[UUID, dict[str, Any]] = {deal_id: {"stage": stage_id} for deal_id in deal_ids}
    try:
        return gate.update_many(actor, deal, rows, source=source)
    except Invalid as error:
        if not values:
            raise
        for one in error.errors:
            if one.field in values:
                rows[deal_ids[one.index]] |= {one.field: values[one.field]}
                currency = deal.field(one.field).currency
                if currency in values:
                    rows[deal_ids[one.index]] |= {currency: values[currency]}
    return gate.update_many(actor, deal, rows, source=source)


def deals_assign(actor: Actor, *, deal_ids: Sequence[UUID], owner_id: UUID | str) -> Change:
    """Give several deals to one member, all or none."""
    check_bulk_permission(actor, deal_ids, "edit")
    return gate.update(actor, registry.get("deal"), deal_ids, {"owner": owner_id})


def deals_trash(actor: Actor, *, deal_ids: Sequence[UUID]) -> Change:
    """Move several deals to the trash, all or none."""
    check_bulk_permission(actor, deal_ids, "delete")
    return gate.trash(actor, registry.get("deal"), deal_ids)


def check_bulk_permission(actor: Actor, deal_ids: Sequence[UUID], action: str) -> None:
    """Raise Forbidden or Invalid unless the actor may deal with all of these at once."""
    deal = registry.get("deal")
    if not actor.can(deal.slug, "bulk") or not actor.can(deal.slug, action):
        raise Forbidden(_("Your role does not allow this for many records at once."))
    if not deal_ids:
        raise Invalid([], _("Select at least one record."))
    if len(deal_ids) > MAX_AT_ONCE:
        raise Invalid([], _("Select at most %(number)s records at once.") % {"number": MAX_AT_ONCE})
    if reading.rows_allowing(actor, deal, "bulk").filter(pk__in=deal_ids).count() != len(deal_ids):
        if reading.visible(actor, deal).filter(pk__in=deal_ids).count() != len(deal_ids):
            raise NotFound
        raise Forbidden(_("Your role does not allow this for all of these deals."))


def _need_settings(actor: Actor) -> None:
    if not actor.can("stage", "edit"):
        raise Forbidden
    require_writable(actor.tenant)


def stage_create(actor: Actor, *, pipeline_id: UUID | str, values: Mapping[str, Any], source: str = "ui") -> Change:
    """Add a stage behind the last one of its kind."""
    return gate.create(actor, registry.get("stage"), {**values, "pipeline": pipeline_id}, source=source)


def stages_order(actor: Actor, *, pipeline_id: UUID | str, stage_ids: Sequence[UUID | str]) -> Change | None:
    """Put the stages of one kind in this order; None when they stand so already.

    Raises Invalid unless exactly the pipeline's open, won or lost stages are named.
    """
    _need_settings(actor)
    pipeline = reading.get_record(actor, registry.get("pipeline"), pipeline_id)
    with transaction.atomic():
        found = Stage.objects.select_for_update(no_key=True).filter(pipeline_id=pipeline.pk, deleted_at=None)
        by_kind: dict[str, list[Stage]] = {kind: [] for kind in KIND_ORDER}
        for stage in in_board_order(list(found.order_by("pk"))):
            by_kind[stage.kind].append(stage)
        wanted = [str(stage_id) for stage_id in stage_ids]
        kind = next((kind for kind, group in by_kind.items() if sorted(map(_key, group)) == sorted(wanted)), None)
        if kind is None:
            raise Invalid([FieldError("", "stages_differ", _("The stages have changed meanwhile. Look again."))])
        by_kind[kind].sort(key=lambda stage: wanted.index(_key(stage)))
        return _positions(actor, "stage", [stage for group in by_kind.values() for stage in group])


def pipelines_order(actor: Actor, *, pipeline_ids: Sequence[UUID | str]) -> Change | None:
    """Put the pipelines in use in this order; None when they stand so already. Raises Invalid unless all are named."""
    return _order(actor, "pipeline", Pipeline.objects.filter(archived=False), pipeline_ids)


def lost_reasons_order(actor: Actor, *, reason_ids: Sequence[UUID | str]) -> Change | None:
    """Put the reasons for losing in this order, as ``pipelines_order`` does."""
    return _order(actor, "lost_reason", LostReason.objects.all(), reason_ids)


def _order(actor: Actor, noun: str, rows: QuerySet[Any], ids: Sequence[UUID | str]) -> Change | None:
    _need_settings(actor)
    wanted = [str(one) for one in ids]
    with transaction.atomic():
        gate.acquire_writer_lock(registry.get(noun))
        found = {_key(row): row for row in rows.select_for_update(no_key=True).filter(deleted_at=None).order_by("pk")}
        if sorted(found) != sorted(wanted):
            raise Invalid([FieldError("", "rows_differ", _("The list has changed meanwhile. Look again."))])
        return _positions(actor, noun, [found[one] for one in wanted])


def _key(row: Any) -> str:
    return str(row.pk)


def _positions(actor: Actor, noun: str, rows: Sequence[Any]) -> Change | None:
    moved = {row.pk: {"position": place} for place, row in enumerate(rows, 1) if row.position != place}
    return gate.update_many(actor, registry.get(noun), moved) if moved else None


def stage_remove(
    actor: Actor, *, stage_id: UUID | str, move_to: UUID | str | None = None, source: str = "ui"
) -> Change:
    """Remove a stage; deals that stand in it go to ``move_to``, in the same change-set.

    Stages that took deals from it take them from ``move_to`` instead. Raises Invalid: ``move_to_needed`` when deals
    stand in it and no stage is named, ``last_of_its_kind`` for a stage the pipeline cannot do without, and what the
    other stage refuses.
    """
    _need_settings(actor)
    if not actor.can("stage", "delete"):
        raise Forbidden
    stage_type = registry.get("stage")
    with transaction.atomic():
        stage = reading.get_record(actor, stage_type, stage_id)
        _stages_set_aside(stage)
        deals = _deals_held(Q(stage_id=stage.pk), partial(stages_lock, [stage.pk]))
        target = reading.get_record(actor, stage_type, move_to) if move_to else None
        if deals and target is None:
            raise Invalid([FieldError("", "move_to_needed", _("Say where the deals of this stage go."))])
        if target is not None and (target.pk == stage.pk or target.pipeline_id != stage.pipeline_id):
            raise Invalid([FieldError("", "move_to_wrong", _("Choose another stage of the same pipeline."))])
        change_set = change_set_new(actor, source)
        if deals and target is not None:
            gate.update(actor, registry.get("deal"), list(deals), {"stage": target.pk}, change_set=change_set)
        _entries_without(actor, stage, target, change_set)
        return gate.trash(actor, stage_type, stage.pk, change_set=change_set)


def _stages_set_aside(stage: Stage) -> None:
    """Keep other admins from the stage, those that take deals from it and its pipeline; deals still come and go."""
    rows = Stage.objects.filter(Q(pk=stage.pk) | Q(enter_from__contains=[str(stage.pk)], deleted_at=None))
    list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    lock_pipelines_shared([stage.pipeline_id])


def _entries_without(actor: Actor, stage: Stage, target: Stage | None, change_set: ChangeSet) -> None:
    """Stages that took deals from the one that goes take them from where its deals went."""
    gone, instead = str(stage.pk), [str(target.pk)] if target else []
    rows = Stage.objects.filter(enter_from__contains=[gone], deleted_at=None)
    changed = {}
    for other in rows:
        left = [new for old in other.enter_from for new in (instead if old == gone else [old])]
        changed[other.pk] = {"enter_from": [one for one in left if one != str(other.pk)]}
    if changed:
        gate.update_many(actor, registry.get("stage"), changed, change_set=change_set)


class _Newcomers(Exception):
    """Deals came in while the others were being locked."""


def _deals_held(where: Q, close: Callable[[], None]) -> dict[UUID, UUID]:
    """The deals of a stage or pipeline with their stages, locked, once nobody comes in any more.

    Everywhere deals are locked before the stage they go to. So if some came in before the stage was closed, it is
    opened again to begin anew: to wait for them behind the closed stage could be to wait for somebody who waits for it.
    """
    rows = Deal.objects.filter(where, deleted_at=None).order_by("pk").values_list("pk", "stage_id")
    for _attempt in range(MAX_ATTEMPTS):
        with suppress(_Newcomers), transaction.atomic():
            held = dict(rows.select_for_update(no_key=True))
            close()
            if dict(rows.all()).keys() - held.keys():
                raise _Newcomers
            return held
    raise Invalid([FieldError("", "busy", _("Deals keep coming in. Try again in a moment."))])


def pipeline_create(actor: Actor, *, name: str) -> Change:
    """A further pipeline with stages to begin with."""
    with transaction.atomic():
        change = gate.create(actor, registry.get("pipeline"), {"name": name})
        gate.create_many(
            actor,
            registry.get("stage"),
            [{**stage, "name": _(str(stage["name"])), "pipeline": change.id} for stage in STAGES],
            change_set=change.change_set,
        )
    return change


def pipeline_copy(actor: Actor, *, pipeline_id: UUID | str, name: str, source: str = "ui") -> Change:
    """A pipeline with the settings and stages of another, and without its deals."""
    _need_settings(actor)
    pipeline_type, stage_type = registry.get("pipeline"), registry.get("stage")
    with transaction.atomic():
        pattern = reading.get_record(actor, pipeline_type, pipeline_id)
        row = reading.get_row(actor, pipeline_type, pattern.pk)
        kept = {slug: row[slug] for slug in ("lost_reason_required", "lost_reasons")}
        kept |= {"deal_fields": pattern.deal_fields}
        values, details = {**kept, "name": name}, {STANDING: [kept]}
        change = gate.create_many(actor, pipeline_type, [values], source=source, details=details)
        stages = in_board_order(list(Stage.objects.filter(pipeline_id=pattern.pk, deleted_at=None)))
        copied = [one.slug for one in stage_type.fields if one.slug not in {"pipeline", "position", "enter_from"}]
        there = [{slug: getattr(stage, slug) for slug in copied} for stage in stages]
        made = gate.create_many(
            actor,
            stage_type,
            [{**one, "pipeline": change.id, "position": place} for place, one in enumerate(there, 1)],
            change_set=change.change_set,
            details={STANDING: there},
        )
        twin = {str(old.pk): str(new.pk) for old, new in zip(stages, made.records, strict=True)}
        entries = {
            new.pk: {"enter_from": [twin.get(one, one) for one in old.enter_from]}
            for old, new in zip(stages, made.records, strict=True)
            if old.enter_from
        }
        if entries:
            gate.update_many(actor, stage_type, entries, change_set=change.change_set)
    return change


def pipeline_archive_start(
    actor: Actor, *, pipeline_id: UUID | str, moves: Mapping[UUID, UUID | str], source: str = "ui"
) -> Change | Job:
    """``pipeline_archive`` at once, or as a job when many deals move.

    A job is not begun while the other stages would refuse some deals: Invalid with ``deals_refused``.
    """
    _need_settings(actor)
    count = Deal.objects.filter(pipeline_id=pipeline_id, stage_id__in=moves, deleted_at=None).count()
    if count <= MAX_AT_ONCE:
        change_set = change_set_new(actor, source)
        return pipeline_archive(actor, pipeline_id=pipeline_id, moves=moves, change_set=change_set)
    targets = {stage: UUID(str(target)) for stage, target in moves.items()}
    effect = pipeline_archive_preview(actor, pipeline_id=pipeline_id, moves=targets)
    refused = sum(one.refused for one in effect.stages)
    if refused:
        message = ngettext(
            "%(count)d deal would be refused where it is to go.",
            "%(count)d deals would be refused where they are to go.",
            refused,
        )
        raise Invalid([FieldError("", "deals_refused", message % {"count": refused})])
    return job_start(
        actor,
        ARCHIVING,
        {"pipeline": str(pipeline_id), "moves": {str(stage): str(target) for stage, target in moves.items()}},
        title=_("Archive the pipeline “%(name)s”") % {"name": effect.pipeline.name},
        noun="deal",
        total=count,
    )


def archive_step(work: Work) -> bool:
    """The runner of ``ARCHIVING``: some deals a chunk, the last of them together with the pipeline itself."""
    pipeline_id = UUID(work.job.params["pipeline"])
    moves = {UUID(stage): UUID(target) for stage, target in work.job.params["moves"].items()}
    rows = Deal.objects.filter(pipeline_id=pipeline_id, stage_id__in=moves, deleted_at=None).order_by("pk")
    chunk = dict(rows.values_list("pk", "stage_id")[: MAX_AT_ONCE + 1])
    try:
        done = len(chunk) <= MAX_AT_ONCE
        if done:
            pipeline_archive(work.actor, pipeline_id=pipeline_id, moves=moves, change_set=work.change_set)
        else:
            chunk.popitem()
            values = {deal: {"stage": moves[stage]} for deal, stage in chunk.items()}
            gate.update_many(work.actor, registry.get("deal"), values, change_set=work.change_set)
    except Invalid as error:
        work.fail(error.errors[0].message if error.errors else error.message)
        return False
    work.job.done += len(chunk)
    return not done


def pipeline_archive(
    actor: Actor,
    *,
    pipeline_id: UUID | str,
    moves: Mapping[UUID, UUID | str],
    change_set: ChangeSet | None = None,
) -> Change:
    """Put a pipeline to rest; ``moves`` says for stages of it where their deals go, in the same change-set.

    Won and lost deals may stay. Raises Invalid: ``move_to_needed`` for an open stage with deals that is not named,
    ``move_to_wrong`` for a target that is no stage of another pipeline in use, ``default_needed`` for the default
    pipeline, and what the target stages refuse, each deal with its own errors.
    """
    _need_settings(actor)
    pipeline_type, deal_type = registry.get("pipeline"), registry.get("deal")
    with transaction.atomic():
        pipeline = reading.get_record(actor, pipeline_type, pipeline_id)
        targets = [one for one in moves.values() if id_of(str(one))]
        gate.acquire_writer_lock(pipeline_type)
        to = Stage.objects.filter(pk__in=targets).values_list("pipeline_id", flat=True)
        lock_pipelines_shared([pipeline.pk, *to])
        deals = _deals_held(Q(pipeline_id=pipeline.pk), partial(lock_pipelines, [pipeline.pk]))
        by_stage: dict[UUID, list[UUID]] = defaultdict(list)
        for deal_id, stage_id in deals.items():
            by_stage[stage_id].append(deal_id)
        change_set = change_set or change_set_new(actor, "ui")
        rows: dict[UUID, dict[str, Any]] = {}
        for stage in Stage.objects.filter(pk__in=by_stage).order_by("position", "pk"):
            target_id = moves.get(stage.pk)
            if not target_id:
                if stage.kind == OPEN:
                    message = _("Say where the deals of “%(stage)s” go.") % {"stage": stage.name}
                    raise Invalid([FieldError("", "move_to_needed", message)])
                continue
            target = reading.get_record(actor, registry.get("stage"), target_id)
            if target.pipeline_id == pipeline.pk or target.pipeline.archived:
                message = _("Choose a stage of another pipeline for “%(stage)s”.") % {"stage": stage.name}
                raise Invalid([FieldError("", "move_to_wrong", message)])
            rows |= {deal_id: {"stage": target.pk} for deal_id in by_stage[stage.pk]}
        if rows:
            gate.update_many(actor, deal_type, rows, change_set=change_set)
        return gate.update(actor, pipeline_type, pipeline.pk, {"archived": True}, change_set=change_set)


def pipeline_restore(actor: Actor, *, pipeline_id: UUID | str) -> Change:
    """Take an archived pipeline into use again."""
    _need_settings(actor)
    return gate.update(actor, registry.get("pipeline"), pipeline_id, {"archived": False})
