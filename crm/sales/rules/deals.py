"""What must hold of deals."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from uuid import UUID

from babel.numbers import get_currency_precision
from django.db import connection
from django.utils.translation import gettext as _

from crm.records.schema.registry import registry
from crm.records.write.batch import Batch, Draft
from crm.sales.models import Pipeline, PipelineLostReason, Stage
from crm.sales.pipelines import stage_entry_rules
from crm.sales.probability import weigh_deal
from crm.sales.rules.common import LOST, OPEN, writes
from tenants.db.prepared import PreparedInstances

STAGE_ENTERED = PreparedInstances(
    lambda id: Stage.objects.filter(pk=id).order_by(), UUID, related=("pipeline",), locking="FOR KEY SHARE"
)
STAGE = PreparedInstances(lambda id: Stage.objects.filter(pk=id).order_by(), UUID, related=("pipeline",))
HOLD_STAGES = """
    SELECT FROM sales_stage JOIN sales_pipeline ON sales_pipeline.id = sales_stage.pipeline_id
    WHERE sales_stage.id = ANY(%s) ORDER BY sales_stage.id FOR KEY SHARE
"""


class Stages:
    """The stages of a batch of deals, each with its pipeline.

    One that a deal comes into is locked against being removed or archived until the deal stands there: who removes it
    waits, and who comes too late sees that it is gone. Stages that deals leave are not locked, since who removes them
    holds them while they wait for the deals.
    """

    def __init__(self) -> None:
        self.known: dict[UUID, Stage] = {}
        self.held: set[UUID] = set()

    def hold(self, ids: Iterable[UUID]) -> None:
        wanted = sorted(set(ids) - self.held)
        self.held.update(wanted)
        if len(wanted) == 1:
            self.known.update({stage.pk: stage for stage in STAGE_ENTERED.all(wanted[0])})
        elif wanted:
            with connection.cursor() as cursor:
                cursor.execute(HOLD_STAGES, [wanted])
            self._read(wanted)

    def look(self, ids: Iterable[UUID]) -> None:
        wanted = sorted(set(ids) - self.known.keys())
        if len(wanted) == 1:
            self.known.update({stage.pk: stage for stage in STAGE.all(wanted[0])})
        elif wanted:
            self._read(wanted)

    def _read(self, ids: list[UUID]) -> None:
        rows = Stage.objects.filter(pk__in=ids).select_related("pipeline").order_by()
        self.known.update({stage.pk: stage for stage in rows})

    def of(self, draft: Draft) -> Stage | None:
        return self.known.get(draft.after["stage"]) if draft.after["stage"] else None


def _first_open(pipelines: Iterable[UUID]) -> dict[UUID, UUID]:
    rows = Stage.objects.filter(pipeline_id__in=list(pipelines), kind=OPEN, deleted_at=None)
    return dict(rows.order_by("-position", "-pk").values_list("pipeline_id", "pk"))


def assign_stage(batch: Batch) -> None:
    """Give each deal its place, hold what the stage asks for, and keep what follows from it in step."""
    if batch.action == "trash":
        return
    stages = Stages()
    coming = [draft for draft in batch.drafts if batch.action == "restore" or "stage" in draft.changed]
    stages.hold(draft.after["stage"] for draft in coming if draft.after["stage"])
    stages.look(draft.after["stage"] for draft in batch.drafts if draft.after["stage"])
    _places_given(batch, stages)
    was_closed = [draft for draft in batch.drafts if "stage" in draft.changed and draft.before.get("closed_on")]
    stages.look(draft.before["stage"] for draft in was_closed)
    entering = []
    for draft in batch.drafts:
        stage = stages.of(draft)
        if stage is None:
            continue
        moved = "stage" in draft.changed
        if moved:
            entering.append((draft, stage))
            draft.set("stage_entered_at", draft.at)
        weigh_deal(draft, stage, moved)
        before = stages.known.get(draft.before["stage"]) if draft.before.get("closed_on") else None
        _close_or_reopen(draft, stage, before if moved else stage)
        _hold_open(draft, stage, moved)
        if batch.action != "restore":
            _hold_demands(draft, stage, moved)
    if batch.action != "restore":
        _hold_lost_reasons(batch, stages)
        stage_entry_rules.hold_entry(batch, entering)


def stage_gone(name: str) -> str:
    return _("The stage “%(stage)s” has been removed meanwhile. Choose another.") % {"stage": name}


def _hold_open(draft: Draft, stage: Stage, moved: bool) -> None:
    """Nobody comes into a stage that was removed meanwhile, nor opens a deal in an archived pipeline."""
    came = moved or draft.batch.action == "restore"
    if came and (stage.deleted_at or stage.pipeline.deleted_at):
        draft.error(
            "stage",
            "stage_gone",
            stage_gone(stage.name),
        )
    elif stage.pipeline.archived and ((came and stage.kind == OPEN) or "pipeline" in draft.changed):
        draft.error(
            "pipeline",
            "pipeline_archived",
            _("The pipeline “%(pipeline)s” is archived. Choose another, or restore it first.")
            % {"pipeline": stage.pipeline.name},
        )


def _place_kept(draft: Draft) -> None:
    """A deal always stands somewhere: neither its stage nor its pipeline is cleared without the other leading on."""
    if draft.batch.action != "update":
        return
    for slug, other in (("stage", "pipeline"), ("pipeline", "stage")):
        leads = other in draft.changed and draft.after[other] is not None
        if slug in draft.given and draft.after[slug] is None and not leads:
            draft.error(slug, "required", _("A deal always stands in a stage of a pipeline. Choose another instead."))
            draft.set(slug, draft.before[slug])


def _places_given(batch: Batch, stages: Stages) -> None:
    without_stage = []
    for draft in batch.drafts:
        _place_kept(draft)
        stage = stages.of(draft)
        if stage is None or (batch.action == "restore" and stage.deleted_at):
            without_stage.append(draft)
        elif stage.pipeline_id != draft.after["pipeline"]:
            if draft.after["pipeline"] is None or "pipeline" not in draft.given or "pipeline" not in draft.changed:
                draft.set("pipeline", stage.pipeline_id)
            elif "stage" not in draft.given:
                without_stage.append(draft)
            else:
                draft.error("stage", "stage_of_another_pipeline", _("This stage belongs to another pipeline."))
    if not without_stage:
        return
    if any(draft.after["pipeline"] is None for draft in without_stage):
        default = (
            Pipeline.objects.filter(deleted_at=None, archived=False)
            .order_by("-is_default", "position")
            .values_list("pk", flat=True)
            .first()
        )
        for draft in without_stage:
            if draft.after["pipeline"] is None and default:
                draft.set("pipeline", default)
    first = _first_open({draft.after["pipeline"] for draft in without_stage if draft.after["pipeline"]})
    stages.hold(first.values())
    for draft in without_stage:
        stage_id = first.get(draft.after["pipeline"])
        if stage_id is None:
            draft.error("pipeline", "no_stage", _("This pipeline has no open stage."))
        else:
            draft.set("stage", stage_id)


def _close_or_reopen(draft: Draft, stage: Stage, before: Stage | None) -> None:
    kind_before = before.kind if before else OPEN
    if stage.kind == OPEN:
        if "closed_on" in draft.given and draft.after["closed_on"] and "closed_on" in draft.changed:
            draft.error("closed_on", "only_when_closed", _("Only a won or lost deal has a closing date."))
        draft.set("closed_on", None)
    elif draft.after["closed_on"] is None or (kind_before != stage.kind and "closed_on" not in draft.given):
        draft.set("closed_on", today(draft))
    elif "closed_on" in draft.given and "closed_on" in draft.changed and draft.after["closed_on"] > today(draft):
        draft.error("closed_on", "in_the_future", _("A deal cannot have been closed in the future."))
    if stage.kind != LOST:
        if "lost_reason" in draft.given and draft.after["lost_reason"] and "lost_reason" in draft.changed:
            draft.error("lost_reason", "only_when_lost", _("Only a lost deal has a lost reason."))
        draft.set("lost_reason", None)


def today(draft: Draft) -> date:
    return draft.at.astimezone(draft.batch.actor.time_zone).date()


def _hold_demands(draft: Draft, stage: Stage, moved: bool) -> None:
    deal = registry.get("deal")
    for slug in stage.required_fields:
        if slug in deal.by_slug and draft.after[slug] in (None, "", [], {}) and (moved or slug in draft.changed):
            draft.error(
                slug,
                "required_in_stage",
                _("The stage “%(stage)s” needs “%(field)s”.") % {"stage": stage.name, "field": deal.field(slug).label},
            )


def _hold_lost_reasons(batch: Batch, stages: Stages) -> None:
    """A lost deal says why where its pipeline wants it, with a reason that the pipeline takes."""
    lost = [
        (draft, stage)
        for draft in batch.drafts
        if draft.changed & {"stage", "lost_reason"} and (stage := stages.of(draft)) and stage.kind == LOST
    ]
    given = {stage.pipeline_id for draft, stage in lost if draft.after["lost_reason"]}
    taken: dict[UUID, set[UUID]] = defaultdict(set)
    if given:
        rows = PipelineLostReason.objects.filter(pipeline_id__in=given)
        for pipeline_id, reason_id in rows.values_list("pipeline_id", "lost_reason_id"):
            taken[pipeline_id].add(reason_id)
    for draft, stage in lost:
        reason = draft.after["lost_reason"]
        if reason is None and stage.pipeline.lost_reason_required:
            draft.error("lost_reason", "required_in_stage", _("Say why the deal was lost."))
        elif reason and taken[stage.pipeline_id] and reason not in taken[stage.pipeline_id]:
            draft.error(
                "lost_reason",
                "reason_of_another_pipeline",
                _("“%(pipeline)s” does not take this reason.") % {"pipeline": stage.pipeline.name},
            )


def deal_money_has_a_currency(batch: Batch) -> None:
    if not writes(batch):
        return
    for draft in batch.drafts:
        amount = draft.after["amount"]
        if amount is None:
            continue
        if not draft.after["currency"]:
            if draft.before["currency"] and "currency" in draft.given:
                draft.error("currency", "required", _("An amount has a currency. Choose one, or clear the amount too."))
                continue
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
