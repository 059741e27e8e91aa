"""Files and ports of one copy: what is kept under DATA besides the data itself."""

import errno
import fcntl
import json
import os
import secrets
import shutil
import socket
import stat
from pathlib import Path
from typing import IO, Any

from embedded.errors import StartError

NEEDED_BYTES = 300 * 1024 * 1024


def no_space(path: Path) -> StartError:
    return StartError(f"The disk that holds {path} is full: free at least {NEEDED_BYTES >> 20} MB and start again.")


def require_space(path: Path) -> None:
    if shutil.disk_usage(path).free < NEEDED_BYTES:
        raise no_space(path)


def make_private(data: Path) -> None:
    """Take from everybody but their owner what an older copy left in DATA; new files are private from the beginning.

    What is not ours, what links lead to and Postgres's folder, which Postgres itself keeps private, are left alone. So
    is a folder that no copy has worked in, or that all users share.
    """
    if (data / "copy.json").exists() and not data.stat().st_mode & stat.S_ISVTX:
        withdraw(data, but=data / "postgres")


def withdraw(path: Path, *, but: Path) -> None:
    found = path.lstat()
    if path == but or stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid():
        return
    if found.st_mode & 0o077:
        path.chmod(stat.S_IMODE(found.st_mode) & ~0o077)
    if stat.S_ISDIR(found.st_mode):
        for one in path.iterdir():
            withdraw(one, but=but)


def lock(path: Path, message: str) -> IO[str]:
    """Hold ``path`` locked until the returned file is closed or the process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise StartError(message) from None
    return file


def write_private(path: Path, text: str) -> None:
    """Write ``path`` whole or not at all, readable by its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        if error.errno == errno.ENOSPC:
            raise no_space(path.parent) from None
        raise


def read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Notes:
    """Ports and secrets that a copy picks once and finds again at its next start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values = read_json(path)

    def secret(self, name: str) -> str:
        if name not in self.values:
            self._keep(name, secrets.token_urlsafe(48))
        return str(self.values[name])

    def port(self, name: str, wish: int | None = None) -> int:
        """The port noted under ``name`` while it is free, else ``wish`` if that is, else any free one."""
        for candidate in (self.values.get(name), wish):
            if isinstance(candidate, int) and port_is_free(candidate):
                if candidate != self.values.get(name):
                    self._keep(name, candidate)
                return candidate
        return int(self._keep(name, free_port()))

    def _keep(self, name: str, value: str | int) -> str | int:
        self.values[name] = value
        write_private(self.path, json.dumps(self.values, indent=1))
        return value


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    if not 0 < port < 65536:
        return False
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
