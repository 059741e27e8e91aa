"""A workspace whose rows are really committed, for what only happens between transactions."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
from django.db import connections

from crm.workspace.actors import system_actor
from tenants.actors import Actor, TenantRef
from tenants.db.database_roles import role_of, schema_name_new
from tenants.db.scopes import shared, tenant_scope
from tenants.models import Wakeup
from tenants.workspaces.schema_template import schema_create

PATIENCE = 120  # for what ends by itself at once, on however slow a machine
WAITING = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = %s"


def elsewhere[T](work: Callable[[], T], tenant: TenantRef | None = None) -> Callable[[], T]:
    """Start ``work`` in a thread with a connection of its own, for the tenant; call the result to wait for it."""
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            if tenant is None:
                found.append(work())
            else:
                with tenant_scope(tenant):
                    found.append(work())
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> T:
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"still running after {PATIENCE} s"
        if failed:
            raise failed[0]
        return found[0]

    return result


def until_waited_for(ended: threading.Event | None = None) -> None:
    """Until somebody in this database waits for a lock, or has ended without having to.

    Asks as the superuser, who alone may know; other workers race in databases of their own.
    """
    deadline = time.monotonic() + PATIENCE
    with closing(psycopg2.connect(os.environ["DATABASE_ADMIN_URL"])) as admin, admin.cursor() as cursor:
        admin.autocommit = True  # Within one transaction, pg_stat_activity knows of no connection that came later.
        while ended is None or not ended.is_set():
            cursor.execute(WAITING, [connections["default"].settings_dict["NAME"]])
            if cursor.fetchone() != (0,):
                return
            assert time.monotonic() < deadline, "nobody waits for a lock"
            time.sleep(0.02)


@pytest.fixture
def real_tenant(owner_alias: None, tenant_a: TenantRef) -> Iterator[TenantRef]:
    """An empty workspace; what is written to it through ``really`` is committed, and dropped with it."""
    schema = schema_name_new()
    schema_create(schema)

    def forget() -> None:
        with shared():
            Wakeup.objects.filter(role=role_of(schema)).delete()

    yield replace(tenant_a, schema_name=schema)
    elsewhere(forget)()


@pytest.fixture
def robot(real_tenant: TenantRef) -> Actor:
    return system_actor(real_tenant)


@pytest.fixture
def really(real_tenant: TenantRef) -> Callable[[Callable[[], Any]], Any]:
    """``really(work)``: do it for the real tenant in a transaction of its own, and wait."""
    return lambda work: elsewhere(work, real_tenant)()
