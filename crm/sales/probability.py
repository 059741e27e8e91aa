"""What a deal weighs: what is won counts whole, what is lost not at all, and the rest by its probability in percent."""

from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext as _

from crm.records.write.batch import Batch, Draft
from crm.sales.models import Stage

CERTAIN = {"won": Decimal(100), "lost": Decimal(0)}
STEP = Decimal(5)


def weigh_deal(draft: Draft, stage: Stage, moved: bool) -> None:
    """Give a deal the probability of its stage where it brings none; one that is closed has no other.

    An undo brings back what was, so it is not asked.
    """
    sent = draft.after["probability"]
    certain = CERTAIN.get(stage.kind)
    if certain is not None:
        if _contradicts(draft, sent, certain) and draft.batch.change_set.undo_of_id is None:
            draft.error("probability", "closed_is_certain", _certainty(stage.kind))
        draft.set("probability", certain)
        return
    reopened = moved or (draft.batch.action == "restore" and draft.before.get("closed_on") is not None)
    if sent is None or (reopened and "probability" not in draft.given):
        draft.set("probability", stage.probability)


def weigh_stages(batch: Batch) -> None:
    """Give stages their probability: the certain one, the one that was sent, or one between those beside it."""
    unsaid = []
    for draft in batch.drafts:
        sent, certain = draft.after["probability"], CERTAIN.get(draft.after["kind"])
        if certain is not None:
            if _contradicts(draft, sent, certain) and batch.change_set.undo_of_id is None:
                draft.error("probability", "closed_is_certain", _certainty(draft.after["kind"]))
            draft.set("probability", certain)
        elif sent is None or ("kind" in draft.changed and "probability" not in draft.given):
            unsaid.append(draft)
    if unsaid:
        _weigh_between(batch, unsaid)


def _contradicts(draft: Draft, sent: Decimal | None, certain: Decimal) -> bool:
    return sent is not None and sent != certain and "probability" in draft.given & draft.changed


def _certainty(kind: str) -> str:
    return _("What is won counts 100 %.") if kind == "won" else _("What is lost counts 0 %.")


def _weigh_between(batch: Batch, unsaid: list[Draft]) -> None:
    """Halfway from the open stage before to the one behind, or to 100 %, as a number that people would say."""
    beside: dict[UUID, dict[UUID | int, tuple[int, Decimal]]] = {}
    rows = Stage.objects.filter(pipeline_id__in={draft.after["pipeline"] for draft in unsaid}, kind="open")
    for pk, pipeline, position, probability in rows.filter(deleted_at=None).values_list(
        "pk", "pipeline_id", "position", "probability"
    ):
        beside.setdefault(pipeline, {})[pk] = (position, probability)
    for draft in batch.drafts:
        here = beside.setdefault(draft.after["pipeline"], {})
        if draft.record:
            here.pop(draft.record.pk, None)
        if draft.after["kind"] == "open" and draft not in unsaid:
            here[draft.record.pk if draft.record else draft.index] = (
                draft.after["position"] or 0,
                draft.after["probability"],
            )
    for draft in sorted(unsaid, key=lambda one: one.after["position"] or 0):
        here, position = beside[draft.after["pipeline"]], draft.after["position"] or 0
        before = max((one for one in here.values() if one[0] <= position), default=(0, Decimal(0)))[1]
        behind = min((one for one in here.values() if one[0] > position), default=(0, Decimal(100)))[1]
        probability = between(before, behind)
        draft.set("probability", probability)
        here[draft.record.pk if draft.record else draft.index] = (position, probability)


def between(before: Decimal, behind: Decimal) -> Decimal:
    """A probability between two others: half of the way, in whole steps as long as these lie between."""
    if behind <= before:
        return before
    half = (before + behind) / 2
    stepped = half // STEP * STEP
    return stepped if stepped > before else half.quantize(Decimal("0.01"))
