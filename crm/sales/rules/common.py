"""What the rules of pipelines, stages and deals share."""

from collections.abc import Collection
from typing import Any

from django.db.models import Max, QuerySet

from crm.records.query import authoring
from crm.records.schema.registry import registry
from crm.records.write.batch import Batch, Draft

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
