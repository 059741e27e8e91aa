"""Replace this process by a command that dies with its parent, as another user where asked.

Run as a script, never imported: ``launch.py --parent PID [--signal N] [--user NAME] [--traverse] -- command …``.
``--traverse`` lets that user pass folders closed to it on the way to its own (a clone below /root); Linux only.
"""

import argparse
import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION = 0x20080522


class CapHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class CapData(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def become(name: str, *, traverse: bool) -> None:
    user = pwd.getpwnam(name)
    libc = ctypes.CDLL(None, use_errno=True) if traverse else None
    header, data = CapHeader(CAPABILITY_VERSION, 0), (CapData * 2)()
    kept = 0
    if libc is not None:
        libc.capget(ctypes.byref(header), data)
        held = data[0].permitted
        kept = CAP_DAC_READ_SEARCH if held & (1 << CAP_DAC_READ_SEARCH) else CAP_DAC_OVERRIDE
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        # Else access(2), by which Postgres looks for its own parts, would judge without the capability.
        libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    if libc is not None:
        data = (CapData * 2)()
        data[0].effective = data[0].permitted = data[0].inheritable = 1 << kept
        libc.capset(ctypes.byref(header), data)
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept, 0, 0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--signal", type=int, default=int(signal.SIGKILL))
    parser.add_argument("--user")
    parser.add_argument("--traverse", action="store_true")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    if options.user:
        become(options.user, traverse=options.traverse)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, options.signal, 0, 0, 0)
    if os.getppid() != options.parent:
        sys.exit(1)
    os.execv(options.command[0], options.command)  # noqa: S606


if __name__ == "__main__":
    main()
