"""Keeps the processes of one copy from outliving each other."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Under the supervisor, have Linux kill this process when the one that made it dies, however that dies."""
    if sys.platform == "linux" and os.environ.get("SUPERVISED") == "1":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
