"""Bring the shared schema, the template and every tenant to this release."""

import time
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections

from tenants.backend.base import OWNER_ALIAS
from tenants.catalogue_grants import catalogue_open
from tenants.models import Tenant
from tenants.roles import SHARED_SCHEMA
from tenants.scopes import owner_scope
from tenants.template import schema_exists, schema_migrate, schema_upgrade, template_record

log = structlog.get_logger(__name__)

ATTEMPTS = 3


class Command(BaseCommand):
    help = "Migrates the shared schema, records the template anew where it changed, and migrates every tenant."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("shared schema")
        schema_migrate(SHARED_SCHEMA)
        self.tell_open_catalogue()
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

    def tell_open_catalogue(self) -> None:
        with owner_scope(SHARED_SCHEMA), connections[OWNER_ALIAS].cursor() as cursor:
            found = catalogue_open(cursor)
        if found:
            shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
            log.error("catalogue.open", count=len(found), names=found[:10])
            self.stderr.write(
                f"Workspaces can read statistics of each other's rows in {shown}: "
                "run manage.py database_prepare with a superuser's address in DATABASE_ADMIN_URL."
            )


def tenant_schemas() -> list[str]:
    with owner_scope(SHARED_SCHEMA):
        tenants = Tenant.objects.using(OWNER_ALIAS).exclude(state__in=[Tenant.State.RESERVED, Tenant.State.DELETED])
        return list(tenants.order_by("created_at").values_list("schema_name", flat=True))


def migrate(schema: str) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            schema_upgrade(schema)
            break
        except DatabaseError:
            if attempt == ATTEMPTS:
                raise
            time.sleep(attempt)
