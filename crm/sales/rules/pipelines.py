"""What must hold of pipelines, and of the reasons why their deals are lost."""

from django.utils.translation import gettext as _

from crm.records.write import gate
from crm.records.write.batch import Batch
from crm.records.write.limits import added, hold_room
from crm.sales.models import Deal, LostReason, Pipeline
from crm.sales.rules.common import OPEN, demandable_fields, next_position, not_to_name, writes
from crm.sales.rules.locks import lock_pipelines


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
    chosen = [draft.record for draft in batch.drafts if draft.record and draft.after["is_default"]]
    if not writes(batch) or not chosen:
        return
    others = Pipeline.objects.filter(is_default=True, deleted_at=None).exclude(pk=chosen[-1].pk)
    ids = list(others.values_list("pk", flat=True))
    if ids:
        gate.update(
            batch.actor, batch.record_type, ids, {"is_default": False}, change_set=batch.change_set, source=batch.source
        )


def lost_reason_has_its_place(batch: Batch) -> None:
    missing = [draft for draft in batch.drafts if writes(batch) and draft.after["position"] is None]
    if missing:
        for position, draft in enumerate(missing, next_position(LostReason.objects.filter(deleted_at=None))):
            draft.set("position", position)
