"""What is measured: the product as ``make run`` starts it, filled workspaces, and the references beside it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2

from bench.fill import fill
from bench.load import request
from embedded.programs import launched

ROOT = Path(__file__).resolve().parents[1]
PORTS = {"ours": 0, "raw": 1, "plain": 2, "naive": 3}
SIZES = {"small": 10_000, "large": 100_000}
LIMITS = {"api_reads_per_minute": 100_000_000, "api_writes_per_minute": 100_000_000}
OWNERS = 5
START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace of the product, and what opens it."""

    size: str
    rows: int
    schema: str
    host: str
    key: str
    session: str
    lead_key: str
    lead_session: str

    @property
    def by_team(self) -> "Workspace":
        """The same workspace, asked by somebody whose role reaches as far as their team."""
        return replace(self, key=self.lead_key, session=self.lead_session)

    def ask(self, method: str, path: str, body: Any = None) -> bytes:
        """A request to the API with the key."""
        content = b"" if body is None else json.dumps(body).encode()
        return request(
            method, f"/api/v1{path}", self.host, headers={"Authorization": f"Bearer {self.key}"}, body=content
        )

    def look(self, path: str) -> bytes:
        """A request for a page, signed in."""
        return request("GET", path, self.host, headers={"Cookie": self.session})


@dataclass(slots=True)
class Stack:
    port: int
    database: str
    workspaces: dict[str, Workspace]
    environment: dict[str, str]
    token: str = "0123456789abcdef0123456789abcdef01234567"

    def naive(self, method: str, path: str, body: Any = None) -> bytes:
        """A request to the naive reference, with its token."""
        content = b"" if body is None else json.dumps(body).encode()
        return request(method, path, "localhost", headers={"Authorization": f"Token {self.token}"}, body=content)

    @property
    def small(self) -> Workspace:
        return self.workspaces["small"]

    @property
    def large(self) -> Workspace:
        return self.workspaces["large"]

    def port_of(self, name: str) -> int:
        return self.port + PORTS[name]

    def rows(self, workspace: Workspace | str, statement: str) -> list[tuple[Any, ...]]:
        """What a statement finds in a workspace (or the schema of one), asked as the superuser."""
        schema = workspace if isinstance(workspace, str) else workspace.schema
        connection = psycopg2.connect(self.database, options=f"-c search_path={schema},ext")
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def settled(self, workspace: Workspace) -> None:
        """Wait until the workers have handled every event, so that nobody else is charged for ours."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if not self.rows(workspace, "SELECT 1 FROM records_event WHERE position IS NULL LIMIT 1"):
                return
            time.sleep(0.2)


@contextmanager
def running() -> Iterator[Stack]:
    """The product and the references, started; BENCH_PORT and BENCH_DATA say where, BENCH_ROWS=1000000 adds a third."""
    port = int(os.environ.get("BENCH_PORT", "8400"))
    data = Path(os.environ.get("BENCH_DATA", ROOT / "var" / "bench")).resolve()
    sizes = dict(SIZES)
    if os.environ.get("BENCH_ROWS"):
        sizes["huge"] = int(os.environ["BENCH_ROWS"])
    with ExitStack() as stack:
        environment = stack.enter_context(product(port, data))
        database = address(environment)
        workspaces = prepared(environment, database, sizes)
        found = Stack(port, database, workspaces, environment)
        accounts(found, environment)
        for name in ("raw", "plain", "naive"):
            stack.enter_context(reference(found, name, environment))
        yield found


@contextmanager
def product(port: int, data: Path, *, kept: bool = False) -> Iterator[dict[str, str]]:
    """The product, started in ``data``: anew, unless what is there is to be ``kept``."""
    if (data / "bench.log").exists() and not kept:
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}",
        "DATA": str(data),
        "PORT": str(port),
        "DEMO": "0",
        "WEB_WORKERS": "2",
        "WEB_THREADS": "4",
    }
    with (data / "bench.log").open("w") as log:
        command = [sys.executable, "-m", "embedded", "--with-parent"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            await_answer(process, port, "/readyz", f"localhost:{port}")
            told = json.loads((data / "environment.json").read_text())
            yield {**environment, **told}
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def reference(stack: Stack, name: str, environment: dict[str, str]) -> Iterator[None]:
    """One of the references, served by the same server with as many processes and threads."""
    port = stack.port_of(name)
    own = reference_environment(stack, environment) | {"BENCH_REFERENCE": name}
    command = [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
        *("--no-ws", "--http", "1", "--workers", "2", "--blocking-threads", "4"),
        *("--blocking-threads-idle-timeout", "600", "--log-level", "warning", f"bench.reference.{name}:application"),
    ]
    process = subprocess.Popen(launched(os.getpid(), command), env=own, stdout=subprocess.DEVNULL)
    try:
        await_answer(process, port, "/small/ready", "localhost")
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def reference_environment(stack: Stack, environment: dict[str, str]) -> dict[str, str]:
    return {
        **environment,
        "BENCH_DATABASE": stack.database,
        "BENCH_SCHEMAS": json.dumps({one.size: one.schema for one in stack.workspaces.values()}),
        "DJANGO_SETTINGS_MODULE": "bench.reference.settings",
    }


def accounts(stack: Stack, environment: dict[str, str]) -> None:
    """The schema of naive's users and tokens, with one of each."""
    connection = psycopg2.connect(stack.database)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS bench_reference")
    connection.close()
    subprocess.run(
        [sys.executable, "-m", "bench.reference.accounts", stack.token],
        env=reference_environment(stack, environment),
        check=True,
    )


def await_answer(process: "subprocess.Popen[bytes]", port: int, path: str, host: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"A server on port {port} did not start.")
        try:
            asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
            with urllib.request.urlopen(asked, timeout=10):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"Nothing answered on port {port}.")


def address(environment: dict[str, str]) -> str:
    """The superuser's address of the product's database."""
    server = environment["DATABASE_ADMIN_URL"].rpartition("/")[0]
    return f"{server}/{quote(environment['DATABASE_URL'].rpartition('/')[2])}"


def prepared(environment: dict[str, str], database: str, sizes: dict[str, int]) -> dict[str, Workspace]:
    """The workspaces, made and filled, with a key and a session each."""
    made = subprocess.run(
        [sys.executable, "-m", "bench.workspaces", json.dumps(sizes)],
        env={**environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found = json.loads(made.stdout.splitlines()[-1])
    for one in found:
        fill(database, one["schema"], one["rows"], one.pop("owners"))
    return {one["size"]: Workspace(**one) for one in found}
