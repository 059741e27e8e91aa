"""One tree of processes that lives and dies together; what crashes is started again."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from embedded.disk import write_private
from embedded.errors import StartError

LOG_BYTES = 20 * 1024 * 1024
HEALTHY_SECONDS = 30.0
QUIET_SECONDS = 60.0
TRACE_LINES = 8
HURRY_SECONDS = 0.5
ERROR = re.compile(r"[\w.]*(Error|Exception|Configured)\b.*: ")
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Stopped(Exception):
    """Somebody asked for the end while something was being started."""


@dataclass
class Part:
    """One supervised program. ``command`` is asked again at each start; ``stage`` 0 stops last.

    One that ``ends`` is started again only where it failed.
    """

    name: str
    command: Callable[[], list[str]]
    environment: Mapping[str, str]
    ending: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    stage: int = 1
    ready: Callable[[], bool] | None = None
    ends: bool = False
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    crashes: int = 0
    again_at: float = 0.0
    tail: list[str] = field(default_factory=list)
    told: dict[str, float] = field(default_factory=dict)


class Supervisor:
    """Start parts from the main thread only: the kernel ties a child's life to the thread that made it."""

    def __init__(self, logs: Path, processes: Path) -> None:
        """``processes`` is kept as a JSON object of each part's name and the id of its process."""
        self.logs = logs
        self.processes = processes
        self.logs.mkdir(parents=True, exist_ok=True)
        self.parts: list[Part] = []
        self.stopping = threading.Event()
        self.hurried = False
        self.asked_at = 0.0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)

    def start(self, part: Part) -> None:
        self.parts.append(part)
        self._spawn(part)
        self._note_processes()

    def await_ready(self, parts: list[Part], seconds: float = 60.0) -> None:
        """Return when all ``parts`` answer. Raises StartError with a program's last words if one gives up."""
        deadline = time.monotonic() + seconds
        waiting = list(parts)
        while waiting:
            waiting = [part for part in waiting if part.ready is not None and not part.ready()]
            for part in waiting:
                if part.process is not None and part.process.poll() is not None:
                    raise StartError(f"{part.name} did not start: {self._last_words(part)}")
                if time.monotonic() > deadline:
                    raise StartError(f"{part.name} did not answer within {seconds:.0f} s; see {self._log(part.name)}.")
            if waiting:
                self._pause(0.05)

    def run_once(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        """Run a program to its end. Raises StartError if it fails."""
        part = Part(name=name, command=lambda: command, environment=environment)
        self._spawn(part)
        self.parts.append(part)
        assert part.process is not None
        while part.process.poll() is None:
            self._pause(0.02)
        self.parts.remove(part)
        if part.process.returncode:
            time.sleep(0.1)
            raise StartError(f"{name} failed: {self._last_words(part)} (all of it in {self._log(name)})")

    def watch(self) -> None:
        """Restart what ends, until somebody asks to stop."""
        while not self.stopping.wait(0.1):
            now = time.monotonic()
            self.parts = [part for part in self.parts if not (part.ends and self._is_done(part))]
            for part in self.parts:
                if part.process is not None and part.process.poll() is not None:
                    self._note_crash(part, now)
                if part.process is None and now >= part.again_at:
                    self._spawn(part)
                    self._note_processes()

    def _is_done(self, part: Part) -> bool:
        return part.process is not None and part.process.poll() == 0

    def stop(self) -> None:
        for stage in sorted({part.stage for part in self.parts}, reverse=True):
            living = [part for part in self.parts if part.stage == stage and part.process is not None]
            for part in living:
                self._signal(part, part.ending)
            for part in living:
                self._await_end(part)
        self.processes.unlink(missing_ok=True)

    def _await_end(self, part: Part) -> None:
        assert part.process is not None
        deadline = time.monotonic() + part.stop_seconds
        while part.process.poll() is None and time.monotonic() < deadline and not self.hurried:
            time.sleep(0.02)
        group = part.process.pid
        if part.process.poll() is None and part.stage == 0:
            self._signal(part, signal.SIGQUIT)
            try:
                part.process.wait(5)
            except subprocess.TimeoutExpired:
                part.process.kill()
        kill_group(group)
        part.process.wait()

    def _spawn(self, part: Part) -> None:
        part.started = time.monotonic()
        part.process = subprocess.Popen(  # noqa: S603
            part.command(),
            env=dict(part.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert part.process.stdout is not None
        threading.Thread(target=self._pump, args=(part, part.process.stdout), daemon=True).start()

    def _note_processes(self) -> None:
        running = {part.name: part.process.pid for part in self.parts if part.process is not None}
        write_private(self.processes, json.dumps(running, indent=1))

    def _note_crash(self, part: Part, now: float) -> None:
        assert part.process is not None
        if now - part.started > HEALTHY_SECONDS:
            part.crashes = 0
        pause = BACKOFF_SECONDS[min(part.crashes, len(BACKOFF_SECONDS) - 1)]
        say(f"{part.name} ended by itself ({reason(part.process.returncode)}); starting it again in {pause:g} s")
        kill_group(part.process.pid)
        part.crashes += 1
        part.again_at = now + pause
        part.process = None

    def _signal(self, part: Part, number: signal.Signals) -> None:
        if part.process is not None and part.process.poll() is None:
            part.process.send_signal(number)

    def _pump(self, part: Part, stream: IO[bytes]) -> None:
        """Carry a program's output into its log, and what people must see to the console."""
        path = self._log(part.name)
        file: IO[bytes] | None = None
        for raw in stream:
            line = raw.decode(errors="replace").rstrip()
            part.tail = [*part.tail[-40:], line]
            try:
                if file is None or file.tell() > LOG_BYTES:
                    file = reopened(path, file)
                file.write(raw)
                file.flush()
            except OSError:
                file = None
            told = None if self.stopping.is_set() else worth_telling(line)
            if told and time.monotonic() - part.told.get(told, -QUIET_SECONDS) > QUIET_SECONDS:
                part.told = {told: time.monotonic()} if len(part.told) > 100 else {**part.told, told: time.monotonic()}
                say(f"{part.name}: {told}")
        if file is not None:
            file.close()

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _last_words(self, part: Part) -> str:
        for line in reversed(part.tail):
            if "No space left" in line:
                return "the disk is full"
        for line in part.tail:
            if ERROR.match(line):
                return line
        for line in reversed(part.tail):
            told = worth_telling(line)
            if told:
                return told.splitlines()[-1]
        return part.tail[-1] if part.tail else f"see {self._log(part.name)}"

    def _pause(self, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise Stopped

    def _asked_to_stop(self, number: int, _frame: FrameType | None) -> None:
        """Only a second Ctrl-C hurries; the same wish by another way (the end of make, of the terminal) does not."""
        now = time.monotonic()
        if not self.stopping.is_set():
            self.asked_at = now
        elif number == signal.SIGINT and now - self.asked_at > HURRY_SECONDS:
            self.hurried = True
        self.stopping.set()


def kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def reopened(path: Path, file: IO[bytes] | None) -> IO[bytes]:
    if file is not None:
        file.close()
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def reason(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def worth_telling(line: str) -> str | None:
    """An error as people read it, or None for a line that only the log needs."""
    if line.startswith("{"):
        try:
            event = json.loads(line)
        except ValueError:
            return None
        if event.get("level") not in {"error", "critical"}:
            return None
        where = " ".join(f"{name}={event[name]}" for name in ("tenant", "request_id") if event.get(name))
        head = str(event.get("event", "")).strip().splitlines() or [""]
        trace = str(event.get("exception", "")).strip().splitlines()[-TRACE_LINES:]
        return "\n  ".join([f"{head[0]} {where}".strip(), *trace])
    if " FATAL: " in line or " PANIC: " in line:
        return None if "terminating connection" in line or "the database system is " in line else line
    return line if line.startswith("[ERROR]") or ERROR.match(line) else None


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
