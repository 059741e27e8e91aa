"""Records made the way people make them: through the write gate. Each returns the saved instance."""

from typing import Any

from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.workspace.configuration import kept, workspace_settings
from crm.workspace.models import WorkspaceSettings
from tenants.actors import Actor
from tenants.db.scopes import tenant_scope


def make(actor: Actor, slug: str, values: dict[str, Any]) -> Any:
    """One record of the type, in the actor's own workspace."""
    with tenant_scope(actor.tenant):
        return gate.create(actor, registry.get(slug), values).record


def company(actor: Actor, **values: Any) -> Any:
    return make(actor, "company", {"name": "Acme"} | values)


def contact(actor: Actor, **values: Any) -> Any:
    return make(actor, "contact", {"name": "Ada Byron"} | values)


def pipeline(actor: Actor, **values: Any) -> Any:
    return make(actor, "pipeline", {"name": "Service"} | values)


def stage(actor: Actor, **values: Any) -> Any:
    open_one = {} if values.get("kind", "open") != "open" else {"probability": 20}
    return make(actor, "stage", {"name": "Asked", "kind": "open"} | open_one | values)


def currency_used(actor: Actor, *codes: str) -> None:
    """Have the workspace use these currencies too, as its settings do."""
    with tenant_scope(actor.tenant):
        present = workspace_settings(actor.tenant).currencies
        missing = [code for code in codes if code and code not in (*present, actor.tenant.currency)]
        if missing:
            WorkspaceSettings.objects.update_or_create(defaults={"currencies": [*present, *missing]})
            kept.clear()


def deal(actor: Actor, **values: Any) -> Any:
    currency_used(actor, values.get("currency") or "")
    return make(actor, "deal", {"name": "Twelve windows"} | values)


def task(actor: Actor, **values: Any) -> Any:
    return make(actor, "task", {"name": "Call back"} | values)


def note(actor: Actor, **values: Any) -> Any:
    if "about" not in values:
        values["about"] = {"type": "company", "id": company(actor).id}
    return make(actor, "note", {"body": "They like oak."} | values)
