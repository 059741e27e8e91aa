"""Web, worker and Postgres are killed under twenty writing clients: nothing acknowledged is lost or done twice."""

import contextlib
import http.client
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from tests.depth import DEEP
from tests.stack import Stack, running_stack

CLIENTS = 20
SECONDS = 60 if DEEP else 24
KILL_EVERY = 5.0 if DEEP else 3.0


class Client(threading.Thread):
    """Writes one company after the other and keeps the ids of those that were acknowledged."""

    def __init__(self, stack: Stack, number: int, end: float) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self.stack = stack
        self.number = number
        self.end = end
        self.acknowledged: dict[str, str] = {}
        self.refused: Counter[int] = Counter()

    def run(self) -> None:
        count = 0
        while time.monotonic() < self.end:
            count += 1
            name = f"Kill {self.number}-{count}"
            try:
                answer = self.stack.api("POST", "/companies", {"name": name}, timeout=10)
            except (OSError, http.client.HTTPException):
                time.sleep(0.2)
                continue
            if answer.status == 201:
                self.acknowledged[answer.body["id"]] = name
            else:
                self.refused[answer.status] += 1
                time.sleep(0.2)


def kill(stack: Stack, name: str) -> bool:
    """SIGKILL one of the stack's processes, and its children, as a machine would lose them."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, KeyError):
        process = psutil.Process(stack.pids()[name])
        family = [process, *process.children(recursive=True)] if not name.startswith("postgres") else [process]
        for one in family:
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                os.kill(one.pid, signal.SIGKILL)
        return True
    return False


def tenant_rows(stack: Stack, query: str) -> list[tuple[object, ...]]:
    """Read the demo workspace's schema as the owner of its tables."""
    environment = json.loads((stack.data / "environment.json").read_text())
    with (
        contextlib.closing(psycopg2.connect(environment["DATABASE_OWNER_URL"])) as connection,
        connection.cursor() as cursor,
    ):
        subdomain = stack.demo["workspace_host"].split(".")[0]
        cursor.execute(
            "SELECT t.schema_name FROM public.tenants_tenant t JOIN public.tenants_domain d ON d.tenant_id = t.id"
            " WHERE d.domain LIKE %s",
            [f"{subdomain}.%"],
        )
        (schema,) = cursor.fetchone() or ("",)
        cursor.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
        cursor.execute(query)
        return cursor.fetchall()


@pytest.mark.deep
@pytest.mark.slow("the clients write for twenty-four seconds, in which each process dies once")
def test_every_acknowledged_write_survives_with_its_event_handled_once(tmp_path: Path) -> None:
    settings = {"DJANGO_SETTINGS_MODULE": "tests.faults.settings"}
    with running_stack(tmp_path / "kill", environment=settings) as stack:
        start = time.monotonic()
        clients = [Client(stack, number, start + SECONDS) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        victims = [name for name in stack.pids() if name.startswith(("web", "worker", "celery", "postgres", "valkey"))]
        assert {name.split("-")[0] for name in victims} >= {"web", "postgres"}
        killed: Counter[str] = Counter()
        order = random.Random(7)
        rounds: list[str] = []
        while time.monotonic() < start + SECONDS - KILL_EVERY:
            time.sleep(KILL_EVERY)
            if not rounds:
                rounds = order.sample(victims, len(victims))
            name = rounds.pop()
            killed[name] += kill(stack, name)
        for client in clients:
            client.join(120)
        acknowledged = {id: name for client in clients for id, name in client.acknowledged.items()}
        assert len(acknowledged) > 50, (len(acknowledged), killed, [c.refused for c in clients])
        assert "postgres" in killed

        stack.wait_ready()
        stored = {str(id): name for id, name in tenant_rows(stack, "SELECT id, name FROM people_company")}
        assert {id: stored.get(id) for id in acknowledged} == acknowledged

        wait_drained(stack)
        events = Counter(
            str(id)
            for (id,) in tenant_rows(stack, "SELECT record_id FROM records_event WHERE type = 'company.created'")
        )
        assert {id: events[id] for id in acknowledged} == dict.fromkeys(acknowledged, 1)
        handled = Counter(
            str(key).split(":")[1]
            for (key,) in tenant_rows(stack, "SELECT key FROM workspace_notification WHERE key LIKE 'count:%'")
        )
        all_events = {str(id) for (id,) in tenant_rows(stack, "SELECT id FROM records_event")}
        assert {id: handled[id] for id in all_events} == dict.fromkeys(all_events, 1)


def wait_drained(stack: Stack, seconds: float = 300) -> None:
    """Wait until every event has a position and every reader has come to the last one."""
    end = time.monotonic() + seconds
    behind: list[tuple[object, ...]] = []
    while time.monotonic() < end:
        behind = tenant_rows(
            stack,
            "SELECT (SELECT count(*) FROM records_event WHERE position IS NULL),"
            " (SELECT max(position) FROM records_event)"
            " - (SELECT position FROM records_handlerposition WHERE handler = 'count')",
        )
        if behind == [(0, 0)]:
            return
        time.sleep(0.5)
    raise AssertionError(f"events without a position and readers' lag after {seconds} s: {behind}")
