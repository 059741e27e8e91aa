"""A workspace that is not paid for, and what of it has changed."""

from typing import Any

from django.db import connection

from tenants.actors import TenantRef
from tenants.db.scopes import shared
from tenants.models import ApiKey, Domain, Membership, Tenant
from tenants.workspaces.entitlements import Entitlements, entitlements_write


def put(tenant: TenantRef, state: str) -> None:
    entitlements_write(tenant.id, Entitlements(state, "canceled", None, "Team", {}, None))


def dump() -> dict[str, Any]:
    """Every table of the workspace by its contents, and the shared rows that are about it."""
    found: dict[str, Any] = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename")
        for (table,) in cursor.fetchall():
            name = connection.ops.quote_name(table)
            cursor.execute(f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} AS t")
            found[table] = cursor.fetchone()
    with shared():
        for model in (Tenant, Domain, Membership):
            found[model.__name__] = list(model.objects.order_by("pk").values())
        found["ApiKey"] = list(ApiKey.objects.order_by("pk").values("pk", "scopes", "revoked_at", "expires_at"))
    return found


def changed(before: dict[str, Any]) -> set[str]:
    after = dump()
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
