"""What every process of a copy does first: it outlives no other, and what it writes is its owner's alone."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def keep_files_private() -> None:
    """Have nobody else read what this process and those it starts write: mails, exports, uploads, logs."""
    os.umask(0o077)


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Under the supervisor, have Linux send ``number`` to this process when the one that made it dies in any way."""
    if sys.platform == "linux" and os.environ.get("SUPERVISED") == "1":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
