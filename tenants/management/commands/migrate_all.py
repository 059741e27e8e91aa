"""Bring the shared schema, the template and every tenant to this release."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from tenants.backend.base import OWNER_ALIAS
from tenants.models import Tenant
from tenants.roles import SHARED_SCHEMA
from tenants.scopes import owner_scope
from tenants.template import schema_exists, schema_migrate, template_record

ATTEMPTS = 3


class Command(BaseCommand):
    help = "Migrates the shared schema, records the template anew where it changed, and migrates every tenant."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("shared schema")
        schema_migrate(SHARED_SCHEMA)
        if template_record():
            self.stdout.write("template recorded")
        failed = []
        for schema in tenant_schemas():
            if not schema_exists(schema):
                continue
            try:
                migrate(schema)
                self.stdout.write(schema)
            except DatabaseError as error:
                failed.append(schema)
                self.stderr.write(f"{schema}: {error}")
        if failed:
            raise CommandError(f"Not migrated, run this again: {', '.join(failed)}")


def tenant_schemas() -> list[str]:
    with owner_scope(SHARED_SCHEMA):
        tenants = Tenant.objects.using(OWNER_ALIAS).exclude(state__in=[Tenant.State.RESERVED, Tenant.State.DELETED])
        return list(tenants.order_by("created_at").values_list("schema_name", flat=True))


def migrate(schema: str) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            schema_migrate(schema)
            break
        except DatabaseError:
            if attempt == ATTEMPTS:
                raise
            time.sleep(attempt)
