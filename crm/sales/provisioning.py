"""What a new workspace sells with: one pipeline and the usual reasons for losing."""

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.sales.models import LostReason, Pipeline
from crm.workspace.actors import system_actor
from tenants.actors import TenantRef
from tenants.models import User

PIPELINE = gettext_noop("Sales")
STAGES = (
    {"name": gettext_noop("New"), "probability": 10, "color": "gray", "kind": "open", "position": 1, "stale_days": 7},
    {
        "name": gettext_noop("Qualified"),
        "probability": 25,
        "color": "blue",
        "kind": "open",
        "position": 2,
        "stale_days": 14,
    },
    {
        "name": gettext_noop("Proposal"),
        "probability": 50,
        "color": "violet",
        "kind": "open",
        "position": 3,
        "stale_days": 14,
    },
    {
        "name": gettext_noop("Negotiation"),
        "probability": 75,
        "color": "amber",
        "kind": "open",
        "position": 4,
        "stale_days": 21,
    },
    {"name": gettext_noop("Won"), "probability": 100, "color": "green", "kind": "won", "position": 5},
    {
        "name": gettext_noop("Lost"),
        "probability": 0,
        "color": "red",
        "kind": "lost",
        "position": 6,
    },
)
LOST_REASONS = (
    gettext_noop("Price"),
    gettext_noop("Chose a competitor"),
    gettext_noop("No budget"),
    gettext_noop("Bad timing"),
    gettext_noop("No answer"),
    gettext_noop("Not a fit"),
)


def provision(tenant: TenantRef, owner: User | None) -> None:
    """Make the default pipeline and the lost reasons in the workspace's language; safe to repeat."""
    actor = system_actor(tenant)
    with transaction.atomic(), override(tenant.locale):
        if not Pipeline.objects.exists():
            pipeline = gate.create(
                actor,
                registry.get("pipeline"),
                {"name": _(PIPELINE), "is_default": True, "position": 1},
                source="system",
            )
            gate.create_many(
                actor,
                registry.get("stage"),
                [{**stage, "name": _(str(stage["name"])), "pipeline": pipeline.id} for stage in STAGES],
                change_set=pipeline.change_set,
                source="system",
            )
        if not LostReason.objects.exists():
            gate.create_many(
                actor,
                registry.get("lost_reason"),
                [{"name": _(name), "position": position} for position, name in enumerate(LOST_REASONS, 1)],
                source="system",
            )
