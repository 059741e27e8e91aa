"""The Postgres of the tests: one cluster a run, one database a worker, kept between runs of equal migrations."""

import hashlib
import io
import os
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg2
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg2 import sql

from tenants.db.backend.base import OWNER_ALIAS
from tenants.db.database_roles import owner_role
from tenants.db.release import template_digest
from tenants.management.commands.database_prepare import prepare
from tenants.workspaces.schema_template import TEMPLATE_SCHEMA, schema_drop

PASSWORD = "test"
KEPT_TABLES = {"django_migrations", "tenants_templaterecording"}


def point_settings(admin_url: str, worker: str) -> None:
    """Make the settings, here and in processes started from here, speak to this worker's own database."""
    server = urlsplit(admin_url)
    installation = f"test_{worker}"
    settings.INSTALLATION = installation
    os.environ["INSTALLATION"] = installation
    for alias, role, variable in (("default", "app", "DATABASE_URL"), (OWNER_ALIAS, "owner", "DATABASE_OWNER_URL")):
        values = {
            "NAME": f"rapport_{installation}",
            "USER": f"{installation}_{role}",
            "PASSWORD": PASSWORD,
            "HOST": server.hostname or "",
            "PORT": str(server.port or ""),
        }
        settings.DATABASES[alias].update(values)
        connections.settings[alias].update(values)
        os.environ[variable] = (
            f"postgresql://{values['USER']}:{PASSWORD}@{server.hostname}:{server.port}/{quote(values['NAME'])}"
        )


def digest() -> str:
    """Of everything that the database of a worker is made from, but for the cast."""
    found = hashlib.sha256(f"{template_digest()} {settings.SHARED_APPEND_ONLY}".encode())
    for config in sorted(apps.get_app_configs(), key=lambda config: config.label):
        for path in sorted((Path(config.path) / "migrations").glob("*.py")):
            found.update(f"{config.label}/{path.name}\n".encode() + path.read_bytes())
    for name in ("db/grants.py", "db/catalogue_grants.py", "management/commands/database_prepare.py"):
        found.update(Path(config_path(name)).read_bytes())
    return found.hexdigest()


def config_path(name: str) -> str:
    return str(Path(apps.get_app_config("tenants").path) / name)


def database_ready(admin_url: str) -> None:
    """A database with this release's shared schema and template and nobody in it; made anew when migrations changed."""
    name, wanted = str(settings.DATABASES["default"]["NAME"]), digest()
    admin = psycopg2.connect(admin_url)
    admin.autocommit = True
    try:
        with admin.cursor() as cursor:
            cursor.execute("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name])
            if cursor.fetchone() == (wanted,):
                empty()
                return
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            # The owner last: who is a member of which role depends on who said so.
            cursor.execute(
                "SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s) ORDER BY rolname = %s",
                [f"{settings.INSTALLATION}_", owner_role()],
            )
            for (role,) in cursor.fetchall():
                cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
            prepare(admin_url)
            call_command("migrate_all", verbosity=0, stdout=io.StringIO())
            cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(wanted)))
    finally:
        admin.close()


def empty() -> None:
    """Take away what the run before has left: every tenant and every shared row."""
    from tenants.db.scopes import owner_scope

    with owner_scope("public"), connections[OWNER_ALIAS].cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [table for (table,) in cursor.fetchall() if table not in KEPT_TABLES]
        cursor.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(map(sql.Identifier, tables))))
    for schema in schemas():
        schema_drop(schema)


def schemas() -> set[str]:
    """The tenants' schemas that there are, the template's not counted."""
    from tenants.db.scopes import owner_scope

    with owner_scope("public"), connections[OWNER_ALIAS].cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\\_%'")
        return {schema for (schema,) in cursor.fetchall()} - {TEMPLATE_SCHEMA}
