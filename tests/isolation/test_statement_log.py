"""Postgres's own log: as whom each statement of a request ran."""

import os
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from django.conf import settings
from django.db import connections
from psycopg2 import sql

from crm.records.schema.registry import registry
from crm.workspace.actors import actor_for_user
from tenants.db.database_roles import app_role, role_of, shared_role
from tenants.db.scopes import shared, tenant_scope
from tenants.models import Session

LOG = Path(settings.DATA) / "test-postgres.log"
LINE = re.compile(r"^\S+ \S+ \S+ \[(\d+)\] (\S+) (\S+) LOG:  (?:statement|execute [^:]*): (.*)$")
SAID = re.compile(r'^SET search_path = "(?P<schema>\w+)", ext; SET ROLE "(?P<role>\w+)"; (?P<rest>.*)$', re.DOTALL)
UNDONE = re.compile(r"^ROLLBACK", re.IGNORECASE)
HOUSEKEEPING = re.compile(r"^(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET CONSTRAINTS|SELECT 1$)", re.IGNORECASE)
SHARED_TABLES = re.compile(r'"?\b(tenants|account)_[a-z]+')
OWN_TABLES = re.compile(r'"?\b(workspace|records|people|sales|activities)_[a-z]+')


@dataclass
class Statement:
    role: str | None
    schema: str | None
    text: str


@contextmanager
def logged():
    """Every statement of the app's new connections in the block; gives a list that is filled at its end."""
    if not LOG.exists():
        pytest.skip("the cluster's log is not here (DATABASE_ADMIN_URL was given)")
    found: list[Statement] = []
    role = sql.Identifier(app_role())
    admin = psycopg2.connect(os.environ["DATABASE_ADMIN_URL"])
    admin.autocommit = True
    try:
        with admin.cursor() as cursor:
            cursor.execute(sql.SQL("ALTER ROLE {} SET log_statement = 'all'").format(role))
            start = LOG.stat().st_size
            yield found
            cursor.execute(sql.SQL("ALTER ROLE {} RESET log_statement").format(role))
    finally:
        admin.close()
    with LOG.open() as log:
        log.seek(start)
        found += read(log.read(), str(connections["default"].settings_dict["NAME"]))


def read(text: str, database: str) -> list[Statement]:
    """The log of one database as statements, each with the role that its connection had taken by then."""
    entries: list[tuple[str, str]] = []
    for line in text.splitlines():
        match = LINE.match(line)
        if match and match[2] == app_role() and match[3] == database:
            entries.append((match[1], match[4]))
        elif line.startswith("\t") and entries:
            entries[-1] = (entries[-1][0], f"{entries[-1][1]}\n{line[1:]}")
    speaking: dict[str, tuple[str, str] | None] = {}
    found = []
    for process, statement in entries:
        said = SAID.match(statement)
        if said:
            speaking[process], statement = (said["role"], said["schema"]), said["rest"]
        if UNDONE.match(statement):
            speaking[process] = None
        role, schema = speaking.get(process) or (None, None)
        if statement:
            found.append(Statement(role, schema, statement))
    return found


def in_a_thread(work) -> None:
    """On connections of its own, which are made while the log is on."""
    problems: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as problem:
            problems.append(problem)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if problems:
        raise problems[0]


def test_the_reading_of_the_log_knows_what_a_rollback_undoes():
    at, rest = "2026-01-01 00:00:00 UTC [7]", f"{app_role()} base LOG:  statement: "
    text = "\n".join(
        f"{at} {rest}{statement}"
        for statement in (
            'SET search_path = "t_a", ext; SET ROLE "r_a"; SELECT 1',
            "SELECT 2",
            "ROLLBACK TO SAVEPOINT s",
            "SELECT 3",
        )
    )
    assert [one.role for one in read(text, "base")] == ["r_a", "r_a", None, None]


def test_every_statement_ran_as_its_tenant_or_as_the_shared_role(
    tenant_a, tenant_b, the_cast, browser_client, django_db_blocker
):
    pages = ["/", "/inbox/", "/search/?q=a", "/palette/", "/settings/", "/trash/", "/nothing/"]
    pages += [f"/{record_type.plural}/" for record_type in registry.all()]

    def walk(ref, person) -> None:
        with tenant_scope(ref):
            actor = actor_for_user(ref, the_cast.users[person])
        client = browser_client(actor)
        for page in pages:
            assert client.get(page).status_code in (200, 302, 403, 404), page
        assert client.post("/companies/new/", {"name": ""}).status_code < 500

    def sign_out() -> None:
        with shared():
            Session.objects.all().delete()

    with django_db_blocker.unblock():
        for ref, person in ((tenant_a, "owner"), (tenant_b, "outsider")):
            with logged() as statements:
                in_a_thread(lambda ref=ref, person=person: walk(ref, person))
            own = role_of(ref.schema_name)
            asked = [one for one in statements if not HOUSEKEEPING.match(one.text)]
            assert len(asked) > 50
            for one in asked:
                assert one.role in (own, shared_role()), one
                assert one.schema == ("public" if one.role == shared_role() else ref.schema_name), one
                if SHARED_TABLES.search(one.text) and "public.tenants_wakeup" not in one.text:
                    assert one.role == shared_role(), one
                elif OWN_TABLES.search(one.text):
                    assert one.role == own, one
        in_a_thread(sign_out)
        connections.close_all()
