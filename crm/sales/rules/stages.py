"""What must hold of stages."""

from collections import Counter, defaultdict
from uuid import UUID

from django.db.models import Max
from django.utils.translation import gettext as _

from crm.records.schema.registry import registry
from crm.records.write import evaluate
from crm.records.write.batch import Batch
from crm.sales.models import Deal, Pipeline, Stage
from crm.sales.pipelines import stage_entry_rules
from crm.sales.probability import weigh_stages
from crm.sales.rules.common import demandable_fields, not_to_name, standing, writes
from crm.sales.rules.locks import lock_pipelines_shared, stages_lock
from tenants.ids import id_of


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
