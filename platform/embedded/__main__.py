"""``python -m embedded``: the whole product on one machine, in the foreground."""

import contextlib
import errno
import json
import os
import resource
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from config.environment import ROOT, Environment, NotUnderstood
from config.processes import die_with_parent, keep_files_private
from embedded.disk import Notes, lock, make_private, no_space, port_is_free, read_json, require_space, write_private
from embedded.errors import StartError
from embedded.postgres import Postgres
from embedded.programs import launched, web_server
from embedded.supervisor import Part, Stopped, Supervisor, say
from embedded.valkey import Valkey

READY_SECONDS = 60.0
OPEN_FILES = 8192
UNWRITABLE = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENOENT,
    errno.ENOSPC,
}


def main() -> int:
    keep_files_private()
    if "--with-parent" in sys.argv:
        os.environ["SUPERVISED"] = "1"
        die_with_parent(signal.SIGTERM)
    raise_file_limit()
    try:
        wishes = Environment.read()
        with held(wishes):
            return Copy(wishes).run()
    except (StartError, NotUnderstood) as error:
        say(f"Rapport cannot start: {error}")
    except OSError as error:
        say(f"Rapport cannot start: {unwritable(error)}")
    return 1


def unwritable(error: OSError) -> StartError:
    """What a file or folder that could not be written is told as. Raises what is not of that kind."""
    path = error.filename or error.filename2
    if path is None or error.errno not in UNWRITABLE:
        raise error
    if error.errno == errno.ENOSPC:
        return no_space(Path(str(path)))
    return StartError(
        f"{path} cannot be written ({os.strerror(error.errno)}): choose another DATA, or let us write there."
    )


def raise_file_limit() -> None:
    """Let each process hold as many connections as the web server takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextlib.contextmanager
def held(wishes: Environment) -> Iterator[None]:
    """DATA is ours and the port free, or StartError."""
    wishes.data.mkdir(parents=True, exist_ok=True)
    require_space(wishes.data)
    with lock(wishes.data / "lock", f"{wishes.data} is in use by a running copy: stop it, or choose another DATA."):
        if not port_is_free(wishes.port, wishes.host):
            raise StartError(f"Port {wishes.port} is taken by another program: choose another one with PORT=….")
        make_private(wishes.data)
        yield


class Copy:
    """One running copy: its parts, and the environment that they share."""

    def __init__(self, wishes: Environment) -> None:
        self.wishes = wishes
        self.data = wishes.data
        self.notes = Notes(self.data / "copy.json")
        self.supervisor = Supervisor(self.data / "logs", self.data / "processes.json")
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}",
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "config.settings"),
            "SUPERVISED": "1",
            "DATA": str(self.data),
            "PORT": str(wishes.port),
            "INSTALLATION": wishes.installation,
            "STATIC_MANIFEST": "1",
            "DEMO": "1" if wishes.demo else "0",
            "WEB_THREADS": str(wishes.web_threads),
        }
        self.private: dict[str, str] = {}

    def run(self) -> int:
        started = time.monotonic()
        environment_file = self.data / "environment.json"
        try:
            self._servers()
            write_private(environment_file, json.dumps(self._shareable(), indent=1))
            self._prepare()
            self._programs()
            self._tell(time.monotonic() - started)
            self.supervisor.watch()
            say("Stopping…")
        except Stopped:
            say("Stopping…")
        finally:
            self.supervisor.stop()
            environment_file.unlink(missing_ok=True)
        return 0

    def _servers(self) -> None:
        if not self.environment.get("SECRET_KEY"):
            self.environment["SECRET_KEY"] = self.notes.secret("secret_key")
        embedded: list[str] = []
        parts: list[Part] = []
        if not self.wishes.database_url:
            postgres = self._postgres()
            embedded.append("Postgres")
            parts.append(self._postgres_part(postgres))
        if not self.wishes.valkey_url:
            valkey = Valkey(self.data / "valkey", self.notes)
            valkey.prepare()
            self.environment["VALKEY_URL"] = valkey.url
            embedded.append("Valkey")
            parts.append(Part("valkey", valkey.command, os.environ, stage=0, stop_seconds=20, ready=valkey.ready))
        for part in parts:
            self.supervisor.start(part)
        if not self.wishes.email_url:
            embedded.append("mail catcher")
            self._mail()
        if not self.wishes.stripe_secret_key:
            embedded.append("Stripe stand-in")
            parts.append(self._stripe_part())
            self.supervisor.start(parts[-1])
        self.environment["EMBEDDED"] = ", ".join(embedded)
        self.supervisor.await_ready(parts)

    def _postgres(self) -> Postgres:
        postgres = Postgres(self.data / "postgres")
        if not postgres.initialised:
            say(f"Setting up Postgres in {postgres.folder} …")
        postgres.prepare()
        name = self.wishes.installation
        for variable, role in (("DATABASE_URL", f"{name}_app"), ("DATABASE_OWNER_URL", f"{name}_owner")):
            self.environment[variable] = postgres.url_for(role, self.notes.secret(f"{role}_password"), name)
        self.private["DATABASE_ADMIN_URL"] = postgres.url
        return postgres

    def _postgres_part(self, postgres: Postgres) -> Part:
        return Part(
            "postgres",
            lambda: postgres.command(os.getpid()),
            {**os.environ, "LC_ALL": "C"},
            ending=postgres.ending,
            stage=0,
            stop_seconds=60,
            ready=postgres.ready,
        )

    def _mail(self) -> None:
        smtp = self.notes.port("smtp_port")
        page = self.notes.port("mail_page_port", self.wishes.port + 1000)
        self.environment["EMAIL_URL"] = f"smtp://127.0.0.1:{smtp}"
        self.environment["MAIL_PAGE_URL"] = f"http://127.0.0.1:{page}/"
        self._program("mail", ["embedded.mail", str(smtp), str(page), str(self.data / "mails")])

    def _stripe_part(self) -> Part:
        """The stand-in for Stripe, which sends its webhooks to our public host at the web server's own address."""
        port = self.notes.port("stripe_port")
        self.environment |= {
            "STRIPE_SECRET_KEY": f"sk_test_{self.notes.secret('stripe_key').replace('-', '_')}",
            "STRIPE_WEBHOOK_SECRET": f"whsec_{self.notes.secret('stripe_webhook_secret')}",
            "STRIPE_API_URL": f"http://127.0.0.1:{port}",
        }
        webhook = f"http://{urlsplit(self.wishes.public_origin).netloc}/billing/webhooks/stripe/"
        command = [
            *(sys.executable, "-m", "embedded.stripe", str(port), str(self.data / "stripe")),
            *("--webhook", webhook, "--connect", f"{self.web_host}:{self.wishes.port}"),
        ]
        return Part(
            "stripe",
            lambda: launched(os.getpid(), command),
            self.environment.copy(),
            ready=lambda: not port_is_free(port),
            stop_seconds=8,
        )

    def _shareable(self) -> dict[str, str]:
        names = (
            *("SECRET_KEY", "DATABASE_URL", "DATABASE_OWNER_URL", "VALKEY_URL", "EMAIL_URL", "MAIL_PAGE_URL"),
            *("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_API_URL"),
        )
        found = {name: self.environment[name] for name in (*names, "PORT", "INSTALLATION") if name in self.environment}
        return found | self.private

    def _prepare(self) -> None:
        command = launched(os.getpid(), [sys.executable, "-m", "embedded.prepare"])
        self.supervisor.run_once("prepare", command, self.environment | self.private)

    def _programs(self) -> None:
        wishes = self.wishes
        web = web_server(wishes.host, wishes.port, wishes.web_workers)
        self._program("web", web, ready=self._web_ready)
        self.supervisor.await_ready(self.supervisor.parts, READY_SECONDS)
        self._program("upgrade", ["django", "migrate_all"], ends=True)
        for queue, size in (
            ("timers", wishes.timers_workers),
            ("interactive", wishes.interactive_workers),
            ("bulk", wishes.bulk_workers),
        ):
            worker = [
                *("celery", "-A", "config.celery", "worker", "-Q", queue, "-c", str(size)),
                *("-n", f"{queue}-{wishes.port}@%h", "--without-gossip", "--without-mingle", "--without-heartbeat"),
            ]
            self._program(f"worker-{queue}", worker)
        self._program("dispatch", ["django", "dispatch"])
        schedule = self.data / "celery" / "schedule"
        schedule.parent.mkdir(exist_ok=True)
        self._program("beat", ["celery", "-A", "config.celery", "beat", "-s", str(schedule), "--pidfile="])

    def _program(
        self, name: str, module: list[str], *, ready: Callable[[], bool] | None = None, ends: bool = False
    ) -> None:
        command = [sys.executable, "-m", *module]
        self.supervisor.start(
            Part(
                name,
                lambda: launched(os.getpid(), command),
                self.environment.copy(),
                ready=ready,
                ends=ends,
                stop_seconds=8,
            )
        )

    @property
    def web_host(self) -> str:
        """Where this machine reaches the web server."""
        return "127.0.0.1" if self.wishes.host in {"0.0.0.0", "::"} else self.wishes.host  # noqa: S104

    def _web_ready(self) -> bool:
        request = urllib.request.Request(
            f"http://{self.web_host}:{self.wishes.port}/readyz",
            headers={"Host": f"{self.wishes.base_domain}:{self.wishes.port}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _tell(self, seconds: float) -> None:
        demo = read_json(self.data / "demo.json") if self.wishes.demo else {}
        say(f"\nRapport is ready after {seconds:.1f} s. Ctrl-C stops it; everything is kept in {self.data}\n")
        rows = [
            ("Public site", demo.get("base_url") or self.wishes.public_origin),
            ("Demo workspace", demo.get("workspace_url")),
            ("  sign in as", demo.get("email")),
            ("  password", demo.get("password")),
            ("A payment failed", demo.get("past_due_url")),
            ("  sign in as", demo.get("past_due_email")),
            ("API", demo.get("api_url")),
            ("  key", demo.get("api_key")),
            ("Console", demo.get("console_url")),
            ("  sign in as", demo.get("operator_email")),
            ("  password", demo.get("operator_password")),
            ("  app's secret", demo.get("operator_totp")),
            ("Mails sent", self.environment.get("MAIL_PAGE_URL") if not self.wishes.email_url else None),
            ("Payments", self._payments()),
            ("Logs", self.data / "logs"),
        ]
        for label, value in rows:
            if value:
                say(f"  {label:<16} {value}")
        say("")

    def _payments(self) -> str:
        if self.wishes.stripe_secret_key:
            return "Stripe's test mode, by your key" if "_test_" in self.wishes.stripe_secret_key else "Stripe"
        return f"stand-in for Stripe at {self.environment['STRIPE_API_URL']}/ (test cards only, no money moves)"


if __name__ == "__main__":
    sys.exit(main())
