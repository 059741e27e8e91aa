"""A tenant's life: made step by step, each safe to repeat and noted, and taken away whole."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction

from tenants.actors import TenantRef
from tenants.db.database_roles import role_of
from tenants.db.release import template_digest
from tenants.db.scopes import shared, tenant_scope
from tenants.models import ApiKey, HandoverToken, Tenant, TenantStep, User, Wakeup
from tenants.registration import Table
from tenants.workspaces.fleet import workspace_upgrade
from tenants.workspaces.memberships import memberships_end
from tenants.workspaces.schema_template import schema_create, schema_drop, schema_exists

State = Tenant.State
MOVES: dict[str, frozenset[str]] = {
    State.RESERVED: frozenset({State.PROVISIONING, State.DELETING}),
    State.PROVISIONING: frozenset({State.ACTIVE, State.DELETING}),
    State.ACTIVE: frozenset({State.READ_ONLY, State.SUSPENDED, State.DELETING}),
    State.READ_ONLY: frozenset({State.ACTIVE, State.SUSPENDED, State.DELETING}),
    State.SUSPENDED: frozenset({State.ACTIVE, State.READ_ONLY, State.DELETING}),
    State.DELETING: frozenset({State.ACTIVE, State.SUSPENDED, State.DELETED}),
    State.DELETED: frozenset(),
}


type Provision = Callable[[TenantRef, User | None], None]
"""Gives a new workspace, in its scope and one transaction, some of what it starts with; safe to repeat. The user is
the owner, if there is one."""


@dataclass(frozen=True, slots=True)
class Provisioner:
    provision: Provision
    order: int


provisioners = Table[Provisioner]("provisioner")


def provisioner_register(name: str, provision: Provision, *, order: int) -> None:
    """Have each new workspace be given what ``provision`` gives, those of the lowest order first; an app registers in
    its ``ready()``. Raises ImproperlyConfigured when the name is taken."""
    provisioners.add(name, Provisioner(provision, order))


class StateRefused(RuntimeError):
    """A tenant cannot go from the state it is in to the one wanted."""


def tenant_state_set(tenant: Tenant, state: str, *, detail: str = "") -> Tenant:
    """Move a tenant to ``state`` and note it; nothing when it is there. Raises StateRefused."""
    with shared(), transaction.atomic():
        current = Tenant.objects.select_for_update().get(id=tenant.id)
        if current.state != state:
            if state not in MOVES[current.state]:
                raise StateRefused(f"A workspace that is {current.state} cannot become {state}.")
            TenantStep.objects.create(
                tenant=current, kind=TenantStep.Kind.STATE, name=f"{current.state} → {state}", detail=detail
            )
            current.state = state
            current.save(update_fields=["state"])
        tenant.state = state
    return tenant


def tenant_provision(tenant: Tenant, owner: User | None) -> TenantRef:
    """Give a reserved tenant its schema and what a workspace starts with; ``owner`` becomes its first member.

    Call it again after a failure: it goes on where it stopped.
    """
    with shared():
        tenant.refresh_from_db()
    if tenant.state not in (State.RESERVED, State.PROVISIONING):
        with shared():
            return tenant.ref()
    tenant_state_set(tenant, State.PROVISIONING)
    _step(tenant, "schema", lambda: _schema_ready(tenant.schema_name))
    with shared():
        tenant.refresh_from_db()
        ref = tenant.ref()
    for name in sorted(provisioners, key=lambda name: provisioners[name].order):
        _step(tenant, name, partial(_provision, provisioners[name].provision, ref, owner))
    tenant_state_set(tenant, State.ACTIVE)
    with shared():
        return tenant.ref()


def tenant_drop(tenant: Tenant) -> None:
    """Take away all that a workspace has: schema and role, files, wake-ups, keys, sessions and memberships.

    The row stays as ``deleted``, with its steps and its address, which nobody else gets. Call it again after a failure:
    it goes on where it stopped.
    """
    tenant_state_set(tenant, State.DELETING)
    schema_drop(tenant.schema_name)
    with suppress(FileNotFoundError):
        shutil.rmtree(Path(settings.MEDIA_ROOT) / "tenants" / str(tenant.id))
    with shared(), transaction.atomic():
        Wakeup.objects.filter(role=role_of(tenant.schema_name)).delete()
        ApiKey.objects.filter(tenant=tenant).delete()
        HandoverToken.objects.filter(tenant=tenant).delete()
        memberships_end(tenant.id)
        tenant_state_set(tenant, State.DELETED)


def _schema_ready(schema: str) -> None:
    """Make the schema, or bring one that an earlier call made and had no time to note to this release."""
    if schema_exists(schema):
        workspace_upgrade(schema)
        return
    schema_create(schema)
    with shared():
        Tenant.objects.filter(schema_name=schema).update(schema_version=template_digest())


def _provision(provision: Provision, ref: TenantRef, owner: User | None) -> None:
    with tenant_scope(ref), transaction.atomic():
        provision(ref, owner)


def _step(tenant: Tenant, name: str, work: Callable[[], None]) -> None:
    with shared():
        if TenantStep.objects.filter(tenant=tenant, kind=TenantStep.Kind.STEP, name=name).exists():
            return
    work()
    with shared():
        TenantStep.objects.get_or_create(tenant=tenant, kind=TenantStep.Kind.STEP, name=name)
