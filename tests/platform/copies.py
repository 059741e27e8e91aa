"""Copies of the whole product as processes, for tests of what starts and stops them."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.stack import ROOT

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


def start(data: Path, port: int, **wishes: str) -> Copy:
    """A copy without demo; ``wishes`` are variables of its environment."""
    data.mkdir(exist_ok=True)
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = {**clean, **SMALL, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}"}
    with (data / "console").open("wb") as console:
        process = psutil.Popen(
            [sys.executable, "-m", "embedded"],
            env={**environment, **wishes, "DATA": str(data), "PORT": str(port)},
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


@contextmanager
def ending_what_is_left(folder: Path) -> Iterator[Path]:
    """Ends whatever a failed test left running in ``folder``."""
    yield folder
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("DATA", "").startswith(f"{folder}{os.sep}"):
            process.kill()
