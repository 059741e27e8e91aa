"""What is done with tasks."""

from uuid import UUID

from crm.records import writing
from crm.records.types import registry
from crm.records.writing import Change
from tenants.actors import Actor


def task_done(actor: Actor, *, task_id: UUID | str, done: bool = True, source: str = "ui") -> Change:
    """Tick a task off, or open it again."""
    return writing.update(actor, registry.get("task"), task_id, {"done": done}, source=source)
