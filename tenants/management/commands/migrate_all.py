"""Bring the shared schema, the template and every tenant to this release."""

from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from tenants.db.backend.base import OWNER_ALIAS
from tenants.db.catalogue_grants import catalogue_open
from tenants.db.database_roles import SHARED_SCHEMA, app_role, owner_role
from tenants.db.scopes import owner_scope
from tenants.workspaces.fleet import FleetStopped, fleet_upgrade
from tenants.workspaces.schema_template import schema_migrate, template_record

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = (
        "Migrates the shared schema, records the template anew where it changed, and upgrades every workspace that is "
        "not at this release; those at it are not opened. Stopped in the middle, the next call goes on from there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--shared", action="store_true", help="leave the workspaces for a call beside the servers")
        which.add_argument("--every", action="store_true", help="open also the workspaces that are at this release")

    def handle(self, *args: Any, **options: Any) -> None:
        self.refuse_superusers()
        self.stdout.write("shared schema")
        schema_migrate(SHARED_SCHEMA)
        self.tell_open_catalogue()
        if template_record():
            self.stdout.write("template recorded")
        if options["shared"]:
            return
        count = 0
        try:
            for schema in fleet_upgrade(every=options["every"]):
                self.stdout.write(schema)
                count += 1
        except FleetStopped as stopped:
            for schema, problem in stopped.failed.items():
                self.stderr.write(f"{schema}: {problem}")
            raise CommandError(
                f"{count} workspaces upgraded, {len(stopped.failed)} failed ({', '.join(stopped.failed)}), "
                f"{stopped.left} not tried: mend what is said above and run this again."
            ) from stopped
        self.stdout.write(f"{count} workspaces upgraded")

    def refuse_superusers(self) -> None:
        """The walls between workspaces are rights, and a superuser has all of them."""
        with owner_scope(SHARED_SCHEMA), connections[OWNER_ALIAS].cursor() as cursor:
            cursor.execute(
                "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND (rolsuper OR rolbypassrls)",
                [[app_role(), owner_role()]],
            )
            found = [name for (name,) in cursor.fetchall()]
        if found:
            raise CommandError(
                f"{' and '.join(found)} may do everything in the database: run manage.py database_prepare, "
                "which takes that from them."
            )

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
