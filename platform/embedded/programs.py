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
