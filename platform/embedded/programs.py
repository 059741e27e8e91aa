"""Command lines of programs that die with the process that starts them."""

import signal
import sys
from pathlib import Path

LAUNCH = Path(__file__).with_name("launch.py")


def launched(
    parent: int, command: list[str], ending: signal.Signals = signal.SIGKILL, *, user: str = "", traverse: bool = False
) -> list[str]:
    """``command``, to be started by the process ``parent`` and sent ``ending`` at its death; see launch.py."""
    launch = [sys.executable, "-I", "-S", str(LAUNCH), "--parent", str(parent), "--signal", str(int(ending))]
    if user:
        launch += ["--user", user]
    if traverse:
        launch.append("--traverse")
    return [*launch, "--", *command]


def web_server(host: str, port: int, workers: int) -> list[str]:
    """The web server's module and arguments. Heads are due within 10 s; bodies and answers are config.buffering's."""
    return [
        *("granian", "--interface", "asginl", "--host", host, "--port", str(port), "--http", "1", "--no-ws"),
        *("--workers", str(workers), "--backlog", "4096", "--backpressure", "2048"),
        *("--http1-header-read-timeout", "10000", "--respawn-failed-workers", "--respawn-interval", "0.5"),
        *("--workers-kill-timeout", "8", "--log-level", "warning", "config.asgi:application"),
    ]
