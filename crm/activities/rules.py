"""What must hold of tasks."""

from collections.abc import Mapping
from typing import Any

from crm.records import timers
from crm.records.batch import Batch

OVERDUE = "task_overdue"
WATCHED = frozenset({"due_at", "done", "assignee"})


def done_has_its_time(batch: Batch) -> None:
    for draft in batch.drafts:
        if "done" in draft.changed:
            draft.set("done_at", draft.at if draft.after["done"] else None)


def done_is_told(batch: Batch) -> None:
    for draft in batch.drafts:
        if batch.action in {"create", "update"} and "done" in draft.changed and draft.after["done"]:
            draft.event("task.done", before={"done": False}, after={"done": True})


def overdue_is_watched(batch: Batch) -> None:
    """After a write: set the timer of every open task that has a due time and an assignee, cancel the others'."""
    due = [
        (draft.record.pk, draft.after["due_at"] if _waits(batch, draft.after) else None)
        for draft in batch.drafts
        if draft.record is not None and (batch.action != "update" or draft.changed & WATCHED)
    ]
    if due:
        timers.schedule_many(OVERDUE, "task", due)


def _waits(batch: Batch, task: Mapping[str, Any]) -> bool:
    return batch.action != "trash" and not task["done"] and task["assignee"] is not None
