"""Which tables belong where: shared apps in the shared schema, tenant apps in the tenants'."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections

from tenants.db.backend.base import OWNER_ALIAS
from tenants.db.database_roles import SHARED_SCHEMA


class TenantRouter:
    """Only the owner migrates, and only the apps of the schema that its connection is in."""

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool | None:
        if db != OWNER_ALIAS:
            return False
        schema = getattr(connections[db], "schema_name", None)
        if schema is None:
            return False
        names = settings.SHARED_APPS if schema == SHARED_SCHEMA else settings.TENANT_APPS
        return None if apps.get_app_config(app_label).name in names else False
