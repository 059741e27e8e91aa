"""What must hold of pipelines, stages and deals."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from babel.numbers import get_currency_precision
from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _

from crm.records.batch import Batch, Draft
from crm.records.types import registry
from crm.sales.models import Deal, LostReason, Pipeline, Stage
from tenants.prepared import PreparedInstances

OPEN, WON, LOST = "open", "won", "lost"
FREE_SLUGS = frozenset({"name", "pipeline", "stage", "stage_entered_at", "probability", "closed_on"})
"""Fields that a stage cannot demand: they are always there, or follow from the stage itself."""


def demandable_fields() -> list[str]:
    """The deal's fields that a stage may demand."""
    return [field.slug for field in registry.get("deal").fields if field.editable and field.slug not in FREE_SLUGS]


def writes(batch: Batch) -> bool:
    return batch.action in {"create", "update"}


def next_position(rows: QuerySet[Any]) -> int:
    return (rows.aggregate(last=Max("position"))["last"] or 0) + 1


# Pipelines


def pipeline_has_its_place(batch: Batch) -> None:
    missing = [draft for draft in batch.drafts if writes(batch) and draft.after["position"] is None]
    if missing:
        for position, draft in enumerate(missing, next_position(Pipeline.objects.filter(deleted_at=None))):
            draft.set("position", position)
    demoted = [
        draft
        for draft in batch.drafts
        if batch.action == "update" and "is_default" in draft.changed and not draft.after["is_default"]
    ]
    if demoted:
        ids = [draft.record.pk for draft in demoted if draft.record]
        if not Pipeline.objects.filter(is_default=True, deleted_at=None).exclude(pk__in=ids).exists():
            for draft in demoted:
                draft.error("is_default", "default_needed", _("Make another pipeline the default instead."))


def pipeline_in_use_stays(batch: Batch) -> None:
    if batch.action != "trash":
        return
    ids = [draft.record.pk for draft in batch.drafts if draft.record]
    used = set(
        Deal.objects.filter(pipeline_id__in=ids, deleted_at=None).values_list("pipeline_id", flat=True).distinct()
    )
    for draft in batch.drafts:
        if draft.before["is_default"]:
            draft.error("", "default_needed", _("The default pipeline stays. Make another the default first."))
        elif draft.record and draft.record.pk in used:
            draft.error("", "pipeline_in_use", _("Deals stand in this pipeline. Move them to another first."))


def one_pipeline_is_the_default(batch: Batch) -> None:
    """The newest default takes over from the one before."""
    from crm.records import writing

    chosen = [draft.record for draft in batch.drafts if draft.record and draft.after["is_default"]]
    if not writes(batch) or not chosen:
        return
    others = Pipeline.objects.filter(is_default=True, deleted_at=None).exclude(pk=chosen[-1].pk)
    ids = list(others.values_list("pk", flat=True))
    if ids:
        writing.update(
            batch.actor, batch.rt, ids, {"is_default": False}, change_set=batch.change_set, source=batch.source
        )


# Stages


def stage_is_sound(batch: Batch) -> None:
    if not writes(batch):
        return
    known = set(demandable_fields())
    for draft in batch.drafts:
        if draft.after["kind"] != OPEN:
            draft.set("probability", Decimal(100 if draft.after["kind"] == WON else 0))
        demanded = list(dict.fromkeys(draft.after["required_fields"] or []))
        unknown = [slug for slug in demanded if slug not in known]
        if unknown:
            draft.error(
                "required_fields",
                "unknown_field",
                _("A stage cannot demand %(fields)s.") % {"fields": ", ".join(map(str, unknown))},
            )
        draft.set("required_fields", demanded)
        if batch.action == "update" and "pipeline" in draft.changed:
            draft.error("pipeline", "fixed", _("A stage stays in its pipeline."))
    _positions_given(batch)
    _names_differ(batch)


def _positions_given(batch: Batch) -> None:
    missing = [draft for draft in batch.drafts if draft.after["position"] is None and draft.after["pipeline"]]
    if not missing:
        return
    pipelines = {draft.after["pipeline"] for draft in missing}
    last = dict(
        Stage.objects.filter(pipeline_id__in=pipelines, deleted_at=None)
        .values_list("pipeline_id")
        .annotate(last=Max("position"))
    )
    for draft in missing:
        last[draft.after["pipeline"]] = (last.get(draft.after["pipeline"]) or 0) + 1
        draft.set("position", last[draft.after["pipeline"]])


def _names_differ(batch: Batch) -> None:
    named = [draft for draft in batch.drafts if draft.changed & {"name", "pipeline"} and draft.after["name"]]
    if not named:
        return
    own = {draft.record.pk for draft in batch.drafts if draft.record}
    rows = Stage.objects.filter(pipeline_id__in={draft.after["pipeline"] for draft in named}, deleted_at=None)
    taken = Counter(
        (pipeline, name.casefold()) for pipeline, name in rows.exclude(pk__in=own).values_list("pipeline_id", "name")
    )
    taken.update(
        (draft.after["pipeline"], draft.after["name"].casefold()) for draft in batch.drafts if draft.after["name"]
    )
    for draft in named:
        if taken[draft.after["pipeline"], draft.after["name"].casefold()] > 1:
            draft.error("name", "not_unique", _("This pipeline already has a stage of that name."))


def every_pipeline_keeps_its_ends(batch: Batch) -> None:
    """A pipeline that has stages keeps an open, a won and a lost one."""
    leaving = {
        draft.record.pk: draft
        for draft in batch.drafts
        if draft.record and (batch.action == "trash" or (batch.action == "update" and "kind" in draft.changed))
    }
    if not leaving:
        return
    pipelines = {draft.before["pipeline"] for draft in leaving.values()}
    remaining: dict[UUID, Counter[str]] = defaultdict(Counter)
    rows = Stage.objects.filter(pipeline_id__in=pipelines, deleted_at=None).values_list("pk", "pipeline_id", "kind")
    for pk, pipeline, kind in rows:
        if pk not in leaving:
            remaining[pipeline][kind] += 1
    for draft in leaving.values():
        if batch.action == "update":
            remaining[draft.after["pipeline"]][draft.after["kind"]] += 1
    for draft in leaving.values():
        if not remaining[draft.before["pipeline"]][draft.before["kind"]]:
            draft.error(
                "kind" if batch.action == "update" else "",
                "last_of_its_kind",
                _("A pipeline keeps at least one open, one won and one lost stage."),
            )


def stage_in_use_stays(batch: Batch) -> None:
    """A stage in which deals stand is neither trashed nor given another kind; ``stage_remove`` moves them first."""
    leaving = [
        draft
        for draft in batch.drafts
        if draft.record and (batch.action == "trash" or (batch.action == "update" and "kind" in draft.changed))
    ]
    if not leaving:
        return
    ids = [draft.record.pk for draft in leaving if draft.record]
    used = set(Deal.objects.filter(stage_id__in=ids, deleted_at=None).values_list("stage_id", flat=True).distinct())
    for draft in leaving:
        if draft.record and draft.record.pk in used:
            draft.error(
                "kind" if batch.action == "update" else "",
                "stage_in_use",
                _("Deals stand in this stage. Say where they go first."),
            )


def lost_reason_has_its_place(batch: Batch) -> None:
    missing = [draft for draft in batch.drafts if writes(batch) and draft.after["position"] is None]
    if missing:
        for position, draft in enumerate(missing, next_position(LostReason.objects.filter(deleted_at=None))):
            draft.set("position", position)


# Deals


STAGES = PreparedInstances(lambda one, other: Stage.objects.filter(pk__in=(one, other)).order_by(), UUID, UUID)


def _stages_of(batch: Batch) -> dict[UUID, Stage]:
    wanted = {stage for draft in batch.drafts for stage in (draft.after["stage"], draft.before.get("stage")) if stage}
    if 0 < len(wanted) <= 2:
        return {stage.pk: stage for stage in STAGES.all(min(wanted), max(wanted))}
    return Stage.objects.in_bulk(list(wanted))


def _first_open(pipelines: Iterable[UUID]) -> dict[UUID, Stage]:
    rows = Stage.objects.filter(pipeline_id__in=list(pipelines), kind=OPEN, deleted_at=None).order_by(
        "-position", "-pk"
    )
    return {stage.pipeline_id: stage for stage in rows}


def deal_stands_in_a_stage(batch: Batch) -> None:
    """Give each deal its place, hold the demands of the stage, and keep what follows from it in step."""
    if batch.action == "trash":
        return
    stages = _stages_of(batch)
    _places_given(batch, stages)
    for draft in batch.drafts:
        stage = stages.get(draft.after["stage"])
        if stage is None:
            continue
        moved = "stage" in draft.changed
        before = stages.get(draft.before["stage"]) if draft.before.get("stage") else None
        if moved:
            draft.set("stage_entered_at", draft.at)
            if "probability" not in draft.given or draft.after["probability"] is None:
                draft.set("probability", stage.probability)
        elif draft.after["probability"] is None:
            draft.set("probability", stage.probability)
        _close_or_reopen(draft, stage, before if moved else stage)
        if batch.action != "restore":
            _hold_demands(draft, stage, moved)


def _places_given(batch: Batch, stages: dict[UUID, Stage]) -> None:
    homeless = []
    for draft in batch.drafts:
        stage = stages.get(draft.after["stage"]) if draft.after["stage"] else None
        if stage is None or (batch.action == "restore" and stage.deleted_at):
            homeless.append(draft)
        elif stage.pipeline_id != draft.after["pipeline"]:
            if draft.after["pipeline"] is None or "pipeline" not in draft.given or "pipeline" not in draft.changed:
                draft.set("pipeline", stage.pipeline_id)
            elif "stage" not in draft.given:
                homeless.append(draft)
            else:
                draft.error("stage", "stage_of_another_pipeline", _("This stage belongs to another pipeline."))
    if not homeless:
        return
    if any(draft.after["pipeline"] is None for draft in homeless):
        default = (
            Pipeline.objects.filter(deleted_at=None)
            .order_by("-is_default", "position")
            .values_list("pk", flat=True)
            .first()
        )
        for draft in homeless:
            if draft.after["pipeline"] is None and default:
                draft.set("pipeline", default)
    first = _first_open({draft.after["pipeline"] for draft in homeless if draft.after["pipeline"]})
    for draft in homeless:
        stage = first.get(draft.after["pipeline"])
        if stage is None:
            draft.error("pipeline", "no_stage", _("This pipeline has no open stage."))
        else:
            stages[stage.pk] = stage
            draft.set("stage", stage.pk)


def _close_or_reopen(draft: Draft, stage: Stage, before: Stage | None) -> None:
    kind_before = before.kind if before else OPEN
    if stage.kind == OPEN:
        if "closed_on" in draft.given and draft.after["closed_on"] and "closed_on" in draft.changed:
            draft.error("closed_on", "only_when_closed", _("Only a won or lost deal has a closing date."))
        draft.set("closed_on", None)
    elif draft.after["closed_on"] is None or (kind_before != stage.kind and "closed_on" not in draft.given):
        draft.set("closed_on", draft.at.astimezone(draft.batch.actor.time_zone).date())
    if stage.kind != LOST:
        if "lost_reason" in draft.given and draft.after["lost_reason"] and "lost_reason" in draft.changed:
            draft.error("lost_reason", "only_when_lost", _("Only a lost deal has a lost reason."))
        draft.set("lost_reason", None)


def _hold_demands(draft: Draft, stage: Stage, moved: bool) -> None:
    deal = registry.get("deal")
    for slug in stage.required_fields:
        if slug in deal.by_slug and draft.after[slug] in (None, "", [], {}) and (moved or slug in draft.changed):
            draft.error(
                slug,
                "required_in_stage",
                _("The stage “%(stage)s” needs “%(field)s”.") % {"stage": stage.name, "field": deal.field(slug).label},
            )


def deal_money_has_a_currency(batch: Batch) -> None:
    if not writes(batch):
        return
    for draft in batch.drafts:
        amount = draft.after["amount"]
        if amount is None:
            continue
        if not draft.after["currency"]:
            draft.set("currency", batch.actor.tenant.currency)
        if draft.changed & {"amount", "currency"}:
            decimals = get_currency_precision(draft.after["currency"])
            rounded = amount.quantize(Decimal(1).scaleb(-decimals))
            if rounded == amount:
                draft.set("amount", rounded)
            else:
                draft.error(
                    "amount",
                    "too_many_decimals",
                    _("%(currency)s has %(count)d decimals.")
                    % {"currency": draft.after["currency"], "count": decimals},
                )


def stage_change_is_told(batch: Batch) -> None:
    if batch.action != "update":
        return
    for draft in batch.drafts:
        if "stage" in draft.changed:
            draft.event(
                "deal.stage_changed",
                before={"stage": draft.before["stage"], "pipeline": draft.before["pipeline"]},
                after={"stage": draft.after["stage"], "pipeline": draft.after["pipeline"]},
            )
