"""The whole product, twice side by side, from the outside: nothing shared, nothing lost, nothing left behind."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from tests.stack import free_port

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"DEMO": "0", "WEB_WORKERS": "1", "INTERACTIVE_WORKERS": "1"}


@dataclass
class Copy:
    data: Path
    port: int
    process: psutil.Popen

    @property
    def environment(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.data / "environment.json").read_text())
        return found

    @property
    def pids(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.data / "processes.json").read_text())
        return found

    def ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/readyz", headers={"Host": "whoever.localhost"})
            return connection.getresponse().status == 200
        return False

    def log(self) -> str:
        return (self.data / "console").read_text()


def start(data: Path, port: int) -> Copy:
    data.mkdir(exist_ok=True)
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = {**clean, **SMALL, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}"}
    with (data / "console").open("wb") as console:
        process = psutil.Popen(
            [sys.executable, "-m", "embedded"],
            env={**environment, "DATA": str(data), "PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
        )
    return Copy(data, port, process)


def until(true: Callable[[], bool], copy: Copy, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, copy.log()
        assert copy.process.poll() is None, copy.log()
        time.sleep(0.1)


def living(processes: list[psutil.Process]) -> list[str]:
    _gone, left = psutil.wait_procs(processes, timeout=60)
    return [" ".join(process.cmdline()) for process in left if process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Ends whatever a failed test left running in it."""
    yield tmp_path
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("DATA", "").startswith(f"{tmp_path}{os.sep}"):
            process.kill()


def test_two_copies_live_and_die_apart_and_keep_what_they_hold(folder: Path) -> None:
    first, second = start(folder / "first", free_port()), start(folder / "second", free_port())
    until(first.ready, first)
    until(second.ready, second)

    with contextlib.closing(psycopg2.connect(first.environment["DATABASE_ADMIN_URL"])) as connection, connection:
        connection.cursor().execute("CREATE TABLE kept AS SELECT 'a window' AS what")
    redis.Redis.from_url(first.environment["VALKEY_URL"]).set("kept", "a door")
    with contextlib.closing(psycopg2.connect(second.environment["DATABASE_ADMIN_URL"])) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT to_regclass('kept')")
        assert cursor.fetchone() == (None,)

    before = first.pids
    for name in ("postgres", "web", "worker-interactive"):
        os.kill(before[name], signal.SIGKILL)
    until(lambda: not set(before.values()) <= set(first.pids.values()) and first.ready(), first)
    assert "postgres ended by itself (SIGKILL); starting it again" in first.log()

    family = first.process.children(recursive=True)
    assert len(family) >= 10
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(120) == 0
    assert living(family) == []
    assert second.ready()

    if sys.platform == "linux":
        family = second.process.children(recursive=True)
        second.process.kill()
        assert living(family) == []
    else:
        second.process.send_signal(signal.SIGTERM)
    second.process.wait(120)

    ports = json.loads((first.data / "copy.json").read_text())
    again = start(first.data, first.port)
    until(again.ready, again)
    assert json.loads((first.data / "copy.json").read_text()) == ports
    with contextlib.closing(psycopg2.connect(again.environment["DATABASE_ADMIN_URL"])) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT what FROM kept")
        assert cursor.fetchone() == ("a window",)
    assert redis.Redis.from_url(again.environment["VALKEY_URL"]).get("kept") == b"a door"
    family = again.process.children(recursive=True)
    again.process.send_signal(signal.SIGTERM)
    assert again.process.wait(120) == 0
    assert living(family) == []
