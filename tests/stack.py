"""The whole product as ``make run`` starts it, in a folder and on a port of its own, for tests from the outside."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 240.0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@dataclass
class Answer:
    """An HTTP answer: ``body`` is the JSON document, or None where it is not JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass
class Stack:
    """A running copy: its demo.json, its mails, its processes."""

    data: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    demo: dict[str, str] = field(default_factory=dict)

    def request(
        self, method: str, path: str, body: Any = None, *, host: str = "localhost", key: str = "", timeout: float = 60
    ) -> Answer:
        """One request over a connection of its own; Python resolves no ``*.localhost``, so the Host header is sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        headers = {"Host": f"{urlsplit(f'//{host}').hostname}:{self.port}"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        with contextlib.suppress(ValueError):
            return Answer(response.status, dict(response.headers), json.loads(raw) if raw else None)
        return Answer(response.status, dict(response.headers), None)

    def api(self, method: str, path: str, body: Any = None, **kwargs: Any) -> Answer:
        """A request to the demo workspace's API with its key."""
        return self.request(
            method, f"/api/v1{path}", body, host=self.demo["workspace_host"], key=self.demo["api_key"], **kwargs
        )

    def ready(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.request("GET", "/readyz", timeout=5).status == 200
        return False

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"The stack stopped with {self.process.returncode}; see {self.data / 'run.log'}")
            if self.ready() and (self.data / "demo.json").exists():
                self.demo = json.loads((self.data / "demo.json").read_text())
                return
            time.sleep(0.2)
        raise AssertionError(f"Not ready after {seconds} s; see {self.data / 'run.log'}")

    def manage(self, *arguments: str) -> str:
        """What a command of manage.py says, run beside the servers."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**inherited(), "DATA": str(self.data)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pids(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.data / "processes.json").read_text())
        return found

    def mails(self, to: str) -> list[dict[str, Any]]:
        """Mails to an address, newest first, as the mail catcher's page lists them."""
        address = urlsplit(self.demo["mail_url"])
        connection = http.client.HTTPConnection("127.0.0.1", address.port or 80, timeout=60)
        try:
            connection.request("GET", "/mails.json")
            mails = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return [mail for mail in mails if to in mail["to"]]

    def wait_mail(self, to: str, *, subject: str = "", seconds: float = 120) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for mail in self.mails(to):
                if subject.lower() in mail["subject"].lower():
                    return mail
            time.sleep(0.2)
        raise AssertionError(f"No mail to {to} with {subject!r} in {seconds} s")


def inherited() -> dict[str, str]:
    """The environment of the tests without what leads to their own database."""
    own = ("DATABASE_", "DJANGO_", "INSTALLATION")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


def adopted_stack(data: Path) -> Stack:
    """A copy that somebody started already, as while tests are being written."""
    stack = Stack(data, int(json.loads((data / "demo.json").read_text())["base_url"].rsplit(":", 1)[1].strip("/")))
    stack.wait_ready(5)
    return stack


@contextmanager
def running_stack(data: Path, *, environment: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Start the product in ``data``, wait until it is ready, and stop it as Ctrl-C does."""
    data.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with (data / "run.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "embedded"],
            cwd=ROOT,
            env={
                **inherited(),
                "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
                "DATA": str(data),
                "PORT": str(port),
                **(environment or {}),
            },
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    stack = Stack(data, port, process)
    try:
        stack.wait_ready()
        yield stack
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
