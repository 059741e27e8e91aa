"""Make the installation's roles, database and extensions, as the superuser."""

import os
from typing import Any

import psycopg2
import psycopg2.extensions
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from psycopg2 import sql

from tenants.db import grants
from tenants.db.backend.base import OWNER_ALIAS
from tenants.db.catalogue_grants import catalogue_close
from tenants.db.database_roles import app_role, common_role, owner_role, shared_role

LOGIN_SETTINGS = {"timezone": "UTC", "search_path": ""}
OWNER_SETTINGS = {"timezone": "UTC", "search_path": "", "lock_timeout": "10s"}


class Command(BaseCommand):
    help = (
        "Makes the installation's roles, database and extensions with DATABASE_ADMIN_URL, a superuser's address. "
        "DATABASE_URL and DATABASE_OWNER_URL name the database and the passwords. Safe to repeat."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        url = os.environ.get("DATABASE_ADMIN_URL", "")
        if not url:
            raise CommandError("Set DATABASE_ADMIN_URL to the address of a superuser.")
        prepare(url)


def prepare(admin_url: str) -> None:
    app, owner = settings.DATABASES["default"], settings.DATABASES[OWNER_ALIAS]
    for given, name in ((app, app_role()), (owner, owner_role())):
        if given["USER"] != name:
            raise CommandError(
                f"The installation {settings.INSTALLATION!r} signs in as {name!r}; the address says {given['USER']!r}."
            )
    admin = psycopg2.connect(admin_url)
    admin.autocommit = True
    try:
        if admin.info.server_version < 180000:
            raise CommandError("Postgres 18 or newer is needed.")
        with admin.cursor() as cursor:
            _roles(cursor, str(app["PASSWORD"]), str(owner["PASSWORD"]))
            _database(cursor, str(app["NAME"]))
        parameters = admin.get_dsn_parameters() | {"dbname": str(app["NAME"]), "password": admin.info.password}
    finally:
        admin.close()
    inside = psycopg2.connect(psycopg2.extensions.make_dsn(**parameters))
    try:
        with inside, inside.cursor() as cursor:
            cursor.execute(grants.database_sql())
            catalogue_close(cursor)
    finally:
        inside.close()


def _roles(cursor: Any, app_password: str, owner_password: str) -> None:
    cursor.execute("SELECT rolname, rolsuper OR rolbypassrls OR rolreplication OR rolcreatedb FROM pg_roles")
    known: dict[str, bool] = dict(cursor.fetchall())
    for name in (app_role(), owner_role(), shared_role(), common_role()):
        if name not in known:
            cursor.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
    for name, powers, password, values in (
        (
            app_role(),
            "LOGIN NOINHERIT NOCREATEROLE",
            app_password,
            LOGIN_SETTINGS,
        ),
        (
            owner_role(),
            "LOGIN CREATEROLE",
            owner_password,
            OWNER_SETTINGS,
        ),
    ):
        role = sql.Identifier(name)
        if known.get(name):
            # The walls between workspaces are rights; whoever made this role beforehand gave it all of them.
            cursor.execute(sql.SQL("ALTER ROLE {} WITH NOSUPERUSER NOBYPASSRLS NOREPLICATION NOCREATEDB").format(role))
        cursor.execute(sql.SQL("ALTER ROLE {} WITH {} PASSWORD %s").format(role, sql.SQL(powers)), [password])
        for setting, value in values.items():
            cursor.execute(
                sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.Identifier(setting), sql.Literal(value))
            )


def _database(cursor: Any, name: str) -> None:
    database, owner = sql.Identifier(name), sql.Identifier(owner_role())
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    if not cursor.fetchone():
        cursor.execute(
            sql.SQL(
                "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' "
                "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
            ).format(database, owner)
        )
    cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    cursor.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(app_role())))
