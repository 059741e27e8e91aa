"""One tree of processes: what crashes comes back, and nothing outlives the supervisor."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import os, sys
from pathlib import Path
from embedded.programs import launched
from embedded.supervisor import Part, Supervisor

folder = Path(sys.argv[1])
sleeper = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
supervisor = Supervisor(folder / "logs", folder / "processes.json")
tied = launched(os.getpid(), [sys.executable, "-c", "import time; time.sleep(600)"])
supervisor.start(Part("tied", lambda: tied, os.environ))
supervisor.start(Part("family", lambda: [sys.executable, "-c", sleeper], os.environ, stop_seconds=0.5))
supervisor.watch()
supervisor.stop()
"""


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[psutil.Process]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "platform")}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], env=environment)
    watched = psutil.Process(process.pid)
    until(lambda: len(watched.children(recursive=True)) == 3)
    family = watched.children(recursive=True)
    yield watched
    if process.poll() is None:
        process.kill()
    process.wait()
    for member in family:
        if member.is_running():
            member.kill()


def tied(supervisor: psutil.Process) -> psutil.Process:
    return next(child for child in supervisor.children() if not child.children())


def test_a_killed_program_is_started_again_under_a_new_id(supervisor: psutil.Process, tmp_path: Path) -> None:
    before = tied(supervisor).pid
    noted = (tmp_path / "processes.json").read_text()
    assert str(before) in noted
    os.kill(before, signal.SIGKILL)
    until(lambda: before not in {child.pid for child in supervisor.children()} and len(supervisor.children()) == 2)
    until(lambda: (tmp_path / "processes.json").read_text() != noted)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_leaves_no_process(supervisor: psutil.Process, number: signal.Signals) -> None:
    family = supervisor.children(recursive=True)
    supervisor.send_signal(number)
    supervisor.wait(60)
    until(lambda: not any(alive(member) for member in family))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_killed_outright_it_takes_its_programs_along(supervisor: psutil.Process) -> None:
    program = tied(supervisor)
    supervisor.kill()
    until(lambda: not alive(program))


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
