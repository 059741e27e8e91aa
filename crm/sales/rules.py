"""What must hold of pipelines, stages and deals."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from babel.numbers import get_currency_precision
from django.db import connection
from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _

from crm.records.query import authoring
from crm.records.schema.record_type import registry
from crm.records.write import evaluate
from crm.records.write.batch import Batch, Draft
from crm.records.write.limits import added, hold_room
from crm.sales.models import Deal, LostReason, Pipeline, PipelineLostReason, Stage
from crm.sales.pipelines import stage_entry_rules
from crm.sales.probability import weigh_deal, weigh_stages
from tenants.db.prepared import PreparedInstances
from tenants.ids import id_of

OPEN, WON, LOST = "open", "won", "lost"
FREE_SLUGS = frozenset({"name", "pipeline", "stage", "stage_entered_at", "probability", "closed_on", "lost_reason"})
"""Fields that a stage cannot demand: they are always there, or follow from the stage itself."""


def demandable_fields() -> list[str]:
    """The deal's fields that a stage may demand, and that a pipeline may choose to show."""
    return [field.slug for field in registry.get("deal").fields if field.editable and field.slug not in FREE_SLUGS]


STANDING = "standing"
"""What a batch's ``details`` hold of the rows that are copied: their values stand already, whoever copies them."""


def standing(draft: Draft, slug: str) -> Any:
    """What of a field was there before whoever writes now: of the record itself, or of the one it is a copy of."""
    copied = draft.batch.details.get(STANDING)
    return copied[draft.index][slug] if copied else draft.before[slug]


def not_to_name(draft: Draft, slug: str, known: Collection[str]) -> list[str]:
    """Of the deal's fields that a list names those that there are not, or that are hidden from who adds them."""
    named = draft.after[slug]
    if draft.batch.change_set.undo_of_id is not None:
        return [one for one in named if one not in known]
    new = authoring.added(standing(draft, slug), named)
    unread = authoring.unreadable(draft.batch.actor, registry.get("deal"), new)
    return [one for one in named if one not in known or one in unread]


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


def pipeline_is_sound(batch: Batch) -> None:
    if not writes(batch):
        return
    known = set(demandable_fields())
    for draft in batch.drafts:
        shown = list(dict.fromkeys(draft.after["deal_fields"] or []))
        draft.set("deal_fields", shown)
        unknown = not_to_name(draft, "deal_fields", known)
        if unknown and "deal_fields" in draft.changed:
            draft.error(
                "deal_fields",
                "unknown_field",
                _("A pipeline cannot choose %(fields)s.") % {"fields": ", ".join(map(str, unknown))},
            )
        if draft.after["archived"] and draft.after["is_default"]:
            draft.error("archived", "default_needed", _("The default pipeline stays. Make another the default first."))


def forbid_open_deals_when_archived(batch: Batch) -> None:
    """No open deal stands in an archived pipeline; ``pipeline_archive`` moves them first."""
    if batch.action != "update":
        return
    leaving = {
        draft.record.pk: draft
        for draft in batch.drafts
        if draft.record and "archived" in draft.changed and draft.after["archived"]
    }
    if not leaving:
        return
    lock_pipelines(leaving)
    rows = Deal.objects.filter(pipeline_id__in=leaving, stage__kind=OPEN, deleted_at=None)
    for pk in rows.values_list("pipeline_id", flat=True).distinct():
        leaving[pk].error(
            "archived", "pipeline_in_use", _("Open deals stand in this pipeline. Say where they go first.")
        )


def pipelines_in_use() -> int:
    """How many count against the plan's limit: neither archived nor sample data nor in the trash."""
    return Pipeline.objects.filter(archived=False, is_sample=False, deleted_at=None).count()


def pipelines_have_room(batch: Batch) -> None:
    """No more pipelines come into use than the plan holds."""
    used = [draft for draft in batch.drafts if not draft.after["archived"]]
    if batch.action == "update":
        adding = sum("archived" in draft.changed for draft in used)
    else:
        adding = min(added(batch), len(used))
    hold_room(batch, "pipelines", adding, pipelines_in_use)


def lock_pipelines(ids: Iterable[UUID]) -> None:
    """Wait for deals on their way into these pipelines, and keep others out until the end of the transaction."""
    list(Pipeline.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk").values_list("pk"))


def lock_pipelines_shared(ids: Iterable[UUID]) -> None:
    """Keep other admins from these pipelines until the end of the transaction; deals still come and go."""
    list(Pipeline.objects.select_for_update(no_key=True).filter(pk__in=list(ids)).order_by("pk").values_list("pk"))


def stages_lock(ids: Iterable[UUID]) -> None:
    """Wait for deals on their way into these stages, and keep others out until the end of the transaction."""
    list(Stage.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk").values_list("pk"))


def pipeline_in_use_stays(batch: Batch) -> None:
    if batch.action != "trash":
        return
    ids = [draft.record.pk for draft in batch.drafts if draft.record]
    lock_pipelines(ids)
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
    from crm.records.write import gate

    chosen = [draft.record for draft in batch.drafts if draft.record and draft.after["is_default"]]
    if not writes(batch) or not chosen:
        return
    others = Pipeline.objects.filter(is_default=True, deleted_at=None).exclude(pk=chosen[-1].pk)
    ids = list(others.values_list("pk", flat=True))
    if ids:
        gate.update(
            batch.actor, batch.record_type, ids, {"is_default": False}, change_set=batch.change_set, source=batch.source
        )


# Stages


def validate_stage(batch: Batch) -> None:
    if not writes(batch):
        return
    known = set(demandable_fields())
    for draft in batch.drafts:
        draft.set("required_fields", list(dict.fromkeys(draft.after["required_fields"] or [])))
        unknown = not_to_name(draft, "required_fields", known)
        if unknown:
            draft.error(
                "required_fields",
                "unknown_field",
                _("A stage cannot demand %(fields)s.") % {"fields": ", ".join(map(str, unknown))},
            )
        if batch.action == "update" and "pipeline" in draft.changed:
            draft.error("pipeline", "fixed", _("A stage stays in its pipeline."))
        if "entry_condition" in draft.changed and draft.after["entry_condition"]:
            undone = batch.change_set.undo_of_id is not None
            before = draft.after["entry_condition"] if undone else standing(draft, "entry_condition")
            problem = evaluate.problem_of(batch.actor, registry.get("deal"), draft.after["entry_condition"], before)
            if problem:
                draft.error("entry_condition", "bad_condition", problem)
    _positions_given(batch)
    weigh_stages(batch)
    _names_differ(batch)
    _sources_exist(batch)


def _sources_exist(batch: Batch) -> None:
    """The stages that deals may come from are there."""
    named = [draft for draft in batch.drafts if "enter_from" in draft.changed and draft.after["enter_from"]]
    wanted = {text for draft in named for text in draft.after["enter_from"] if text != stage_entry_rules.NEW}
    found = {
        str(pk)
        for pk in Stage.objects.filter(pk__in=[text for text in wanted if id_of(text)], deleted_at=None).values_list(
            "pk", flat=True
        )
    }
    for draft in named:
        own = str(draft.record.pk) if draft.record else ""
        if any(
            text != stage_entry_rules.NEW and (text not in found or text == own) for text in draft.after["enter_from"]
        ):
            draft.error("enter_from", "unknown_stage", _("One of these is no other stage."))


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


def require_open_won_lost(batch: Batch) -> None:
    """A pipeline that has stages keeps an open, a won and a lost one, until it goes itself."""
    leaving = {
        draft.record.pk: draft
        for draft in batch.drafts
        if draft.record and (batch.action == "trash" or (batch.action == "update" and "kind" in draft.changed))
    }
    if not leaving:
        return
    pipelines = {draft.before["pipeline"] for draft in leaving.values()}
    lock_pipelines_shared(pipelines)
    gone = set(Pipeline.objects.filter(pk__in=pipelines, deleted_at__isnull=False).values_list("pk", flat=True))
    leaving = {pk: draft for pk, draft in leaving.items() if draft.before["pipeline"] not in gone}
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
    stages_lock(ids)
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
