"""Who changed what is paid for, in the workspace's own audit."""

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from tenants.actors import Actor


def billing_note(actor: Actor, what: str, **facts: Any) -> None:
    """Note ``billing.<what>`` in the workspace's scope; ``facts`` are what an auditor has to know."""
    import_string(settings.AUDIT_SINK)(actor, f"billing.{what}", record_id=actor.tenant.id, after=facts)
