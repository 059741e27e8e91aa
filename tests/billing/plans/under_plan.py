"""An actor under a plan, and contacts to fill it with."""

from dataclasses import replace
from typing import Any

from crm.records.schema.registry import registry
from crm.records.write import gate
from tenants.actors import Actor

CONTACT = registry.get("contact")


def under(actor: Actor, features: frozenset[str] | None = None, **limits: int) -> Actor:
    """The actor under a plan."""
    return replace(actor, tenant=replace(actor.tenant, limits=limits, features=features))


def contacts(actor: Actor, number: int) -> list[Any]:
    return gate.create_many(actor, CONTACT, [{"name": f"Contact {place}"} for place in range(number)]).records
