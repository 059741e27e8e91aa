"""Who changed what is paid for, in the workspace's own audit."""

from typing import Any

from tenants.actors import Actor
from tenants.hooks import audit_note


def billing_note(actor: Actor, what: str, **facts: Any) -> None:
    """Note ``billing.<what>`` in the workspace's scope; ``facts`` are what an auditor has to know."""
    audit_note(actor, f"billing.{what}", record_id=actor.tenant.id, after=facts)
