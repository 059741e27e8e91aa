"""For whom the connection speaks: one tenant, or the shared schema. Without a scope nothing runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from django.db import DEFAULT_DB_ALIAS, connections

from tenants.actors import TenantRef
from tenants.db.backend.base import OWNER_ALIAS, ConnectionScope, DatabaseWrapper, NoScope
from tenants.db.database_roles import SHARED_SCHEMA, is_tenant_schema
from tenants.models import Tenant

__all__ = [
    "NoScope",
    "WorkspaceBehind",
    "current_schema",
    "current_tenant",
    "owner_scope",
    "scope_copy",
    "scope_resume",
    "shared",
    "tenant_scope",
]


class WorkspaceBehind(RuntimeError):
    """A workspace's schema is of a release before this one: it opens again when it has been upgraded."""

    def __init__(self, tenant: TenantRef) -> None:
        super().__init__(f"{tenant.schema_name} is being upgraded.")
        self.tenant = tenant


def _wrapper(alias: str = DEFAULT_DB_ALIAS) -> DatabaseWrapper:
    return cast(DatabaseWrapper, connections[alias])


@contextmanager
def _entered(wrapper: DatabaseWrapper, scope: ConnectionScope | None) -> Iterator[None]:
    previous = wrapper.scope_enter(scope)
    try:
        yield
    finally:
        wrapper.scope_enter(previous)


@contextmanager
def tenant_scope(tenant: TenantRef | Tenant) -> Iterator[None]:
    """Every statement in the block runs in the tenant's schema as the tenant's role. Raises WorkspaceBehind."""
    ref = tenant.ref() if isinstance(tenant, Tenant) else tenant
    if not is_tenant_schema(ref.schema_name):
        raise NoScope(f"{ref.schema_name!r} is no schema of a tenant.")
    if ref.is_behind:
        raise WorkspaceBehind(ref)
    wrapper = _wrapper()
    with _entered(wrapper, wrapper.scope_for(ref.schema_name, ref)):
        yield


@contextmanager
def shared() -> Iterator[None]:
    """Every statement in the block runs in the shared schema as the shared role, in the transaction there is.

    Only the modules named in tests/architecture may call it.
    """
    wrapper = _wrapper()
    with _entered(wrapper, wrapper.scope_for(SHARED_SCHEMA)):
        yield


@contextmanager
def owner_scope(schema: str) -> Iterator[None]:
    """Every statement on the connection ``owner`` runs in ``schema``: for migrations, never for a request's data."""
    wrapper = _wrapper(OWNER_ALIAS)
    with _entered(wrapper, wrapper.scope_for(schema)):
        yield


def current_schema() -> str | None:
    return _wrapper().schema_name


def current_tenant() -> TenantRef | None:
    """The tenant whose scope this is; None in the shared scope and outside of any."""
    return _wrapper().tenant


def scope_copy() -> ConnectionScope | None:
    return _wrapper().scope


@contextmanager
def scope_resume(scope: ConnectionScope | None) -> Iterator[None]:
    """Take up a scope copied before, when a streamed response is read."""
    with _entered(_wrapper(), scope):
        yield
