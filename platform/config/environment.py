"""The one reader of the environment: what it does not understand it refuses. README.md has the table."""

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
ON, OFF = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"{LABEL}(?:\.{LABEL})*\Z")
INSTALLATION = re.compile(r"[a-z][0-9a-z_]{0,18}\Z")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MAIL_SCHEMES = ("smtp", "smtps", "submission")
VALKEY_SCHEMES = ("redis", "rediss", "valkey", "valkeys")
DATABASE_SCHEMES = ("postgresql", "postgres")
DATABASE_OPTIONS = frozenset(
    {"sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs", "application_name"}
)
"""What may stand behind the ``?`` of a database's address, as libpq knows it."""
STRIPE_KEY = re.compile(r"(?:sk|rk)_(?P<mode>test|live)_[0-9A-Za-z_]{10,250}\Z")
WEBHOOK_SECRET = re.compile(r"whsec_[0-9A-Za-z_+/=-]{14,250}\Z")
SECRET_LENGTH = 50
PASSWORD_LENGTH = 12
NEEDED = {
    "SECRET_KEY": "it signs cookies and tokens",
    "DATABASE_URL": "the embedded Postgres is for one machine; name the login role's database",
    "DATABASE_OWNER_URL": "the embedded Postgres is for one machine; name the owner role's database",
    "VALKEY_URL": "the embedded Valkey is for one machine",
    "EMAIL_URL": "the mail catcher delivers nothing",
    "BASE_DOMAIN": "workspaces are its subdomains",
    "STRIPE_SECRET_KEY": "subscriptions are paid through Stripe; use a key of live mode",
    "STRIPE_WEBHOOK_SECRET": "it proves that a webhook is Stripe's",
    "TRUSTED_PROXIES": "how many reverse proxies add to X-Forwarded-For; 0 has to be said",
}
"""What PRODUCTION asks for, and why."""


class NotUnderstood(ValueError):
    """The environment is refused; ``problems`` has a line each, none of which tells a secret."""

    def __init__(self, problems: list[str], *, production: bool) -> None:
        start = "PRODUCTION is on, but " if production else ""
        super().__init__(start + "; ".join(problems) + ".")
        self.problems = problems


@dataclass(frozen=True)
class Environment:
    """What the environment says, with what holds where it says nothing. Addresses are empty for embedded servers."""

    production: bool
    debug: bool
    demo: bool
    static_manifest: bool
    data: Path
    host: str
    port: int
    base_domain: str
    public_origin: str
    trusted_proxies: int
    installation: str
    log_level: str
    secret_key: str
    secret_key_fallbacks: tuple[str, ...]
    database_url: str
    database_owner_url: str
    valkey_url: str
    email_url: str
    email_from: str
    stripe_secret_key: str
    stripe_webhook_secret: str
    stripe_api_url: str
    web_workers: int
    web_threads: int
    timers_workers: int
    interactive_workers: int
    bulk_workers: int

    @classmethod
    def read(cls, values: Mapping[str, str] = os.environ) -> "Environment":
        """Raises NotUnderstood."""
        reader = Reader(values)
        production = reader.flag("PRODUCTION", False)
        port = reader.number("PORT", 8000, 1, 65535)
        base_domain = reader.base_domain()
        cores = os.cpu_count() or 2
        found = cls(
            production=production,
            debug=reader.flag("DEBUG", False),
            demo=reader.flag("DEMO", not production),
            static_manifest=reader.flag("STATIC_MANIFEST", production),
            data=Path(reader.text("DATA") or ROOT / "var").expanduser().resolve(),
            host=reader.host(),
            port=port,
            base_domain=base_domain,
            public_origin=reader.public_origin(base_domain) or f"http://{base_domain}:{port}",
            trusted_proxies=reader.number("TRUSTED_PROXIES", 0, 0, 10),
            installation=reader.installation(),
            log_level=reader.choice("LOG_LEVEL", "INFO", LEVELS),
            secret_key=reader.secret(),
            secret_key_fallbacks=reader.fallbacks(),
            database_url=reader.database("DATABASE_URL", "app", production),
            database_owner_url=reader.database("DATABASE_OWNER_URL", "owner", production),
            valkey_url=reader.valkey(production),
            email_url=reader.email(),
            email_from=reader.email_from() or f"Rapport <no-reply@{base_domain}>",
            stripe_secret_key=reader.stripe_key(production),
            stripe_webhook_secret=reader.stripe_webhook_secret(),
            stripe_api_url=reader.stripe_api(),
            web_workers=reader.number("WEB_WORKERS", max(2, min(cores, 8)), 1, 64),
            web_threads=reader.number("WEB_THREADS", 4, 1, 64),
            timers_workers=reader.number("TIMERS_WORKERS", 2, 1, 64),
            interactive_workers=reader.number("INTERACTIVE_WORKERS", 2, 1, 64),
            bulk_workers=reader.number("BULK_WORKERS", 1, 1, 64),
        )
        reader.together()
        if production:
            reader.for_production(found)
        if reader.problems:
            raise NotUnderstood(reader.problems, production=production)
        return found


class Reader:
    """Reads one variable at a time and notes what is wrong. Nothing but spaces is as good as nothing."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        return self.values.get(name, "").strip()

    def refuse(self, problem: str) -> None:
        self.problems.append(problem)

    def flag(self, name: str, default: bool) -> bool:
        text = self.text(name).lower()
        if text and text not in ON | OFF:
            self.refuse(f"{name} is {text!r}; it is switched on by 1 and off by 0")
        return text in ON if text else default

    def number(self, name: str, default: int, least: int, most: int) -> int:
        text = self.text(name) or str(default)
        if not (text.isascii() and text.isdecimal()) or len(text) > 9 or not least <= int(text) <= most:
            self.refuse(f"{name} is {text!r}; it has to be a number from {least} to {most}")
            return default
        return int(text)

    def choice(self, name: str, default: str, choices: Collection[str]) -> str:
        text = self.text(name).upper() or default
        if text not in choices:
            self.refuse(f"{name} is {text!r}; it is one of {', '.join(choices)}")
        return text

    def matched(self, name: str, default: str, judge: Callable[[str], bool], wanted: str) -> str:
        text = self.text(name) or default
        if not judge(text):
            self.refuse(f"{name} is {text!r}; {wanted}")
        return text

    def base_domain(self) -> str:
        wanted = "it has to be a domain in small letters without port or path, such as crm.example.com"
        return self.matched("BASE_DOMAIN", "localhost", is_domain, wanted)

    def host(self) -> str:
        wanted = "it has to be an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all"
        return self.matched("HOST", "127.0.0.1", lambda text: is_address(text) or is_domain(text), wanted)

    def installation(self) -> str:
        wanted = "it has to be small letters, digits and _, at most 19, with a letter first"
        return self.matched("INSTALLATION", "rapport", lambda text: bool(INSTALLATION.match(text)), wanted)

    def public_origin(self, base_domain: str) -> str:
        text = self.text("PUBLIC_ORIGIN")
        if not text:
            return ""
        parts = self.address("PUBLIC_ORIGIN", text, ("http", "https"))
        if parts is None:
            return ""
        host = parts.hostname or ""
        if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username is not None:
            self.refuse(f"PUBLIC_ORIGIN is {text!r}; it has a scheme, a host and perhaps a port, and nothing else")
        elif host != base_domain and not host.endswith(f".{base_domain}"):
            self.refuse(f"PUBLIC_ORIGIN is {text!r}; its host has to be BASE_DOMAIN ({base_domain}) or lie below it")
        elif host == f"api.{base_domain}":
            self.refuse(f"PUBLIC_ORIGIN is {text!r}; that host is the API's")
        return text.rstrip("/")

    def address(self, name: str, text: str, schemes: Collection[str]) -> SplitResult | None:
        """The parts of an address with one of the schemes, a host and a sound port; the text itself is never told."""
        wanted = f"{name} has to begin with {', '.join(f'{one}://' for one in schemes)} and name a host"
        try:
            parts = urlsplit(text)
            sound = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound or not text.isprintable() or " " in text:
            self.refuse(wanted)
            return None
        return parts

    def secret(self) -> str:
        text = self.text("SECRET_KEY")
        if text:
            self.judge_secret("SECRET_KEY", text)
        return text

    def fallbacks(self) -> tuple[str, ...]:
        found = tuple(one.strip() for one in self.text("SECRET_KEY_FALLBACKS").split(",") if one.strip())
        for one in found:
            self.judge_secret("SECRET_KEY_FALLBACKS", one)
        return found

    def judge_secret(self, name: str, text: str) -> None:
        if text.startswith("django-insecure"):
            self.refuse(f"{name} begins with django-insecure: it was made for trying things out, and others know it")
        elif len(text) < SECRET_LENGTH or len(set(text)) < 5:
            self.refuse(f"{name} is too weak: use {SECRET_LENGTH} or more random characters")

    def judge_password(self, name: str, parts: SplitResult) -> None:
        password = unquote(parts.password or "")
        if password and (len(password) < PASSWORD_LENGTH or len(set(password)) < 5 or password == parts.username):
            self.refuse(f"the password in {name} is too weak: use {PASSWORD_LENGTH} or more random characters")

    def database(self, name: str, role: str, production: bool) -> str:
        text = self.text(name)
        parts = self.address(name, text, DATABASE_SCHEMES) if text else None
        if parts is None:
            return text
        user, wanted = unquote(parts.username or ""), f"{self.text('INSTALLATION') or 'rapport'}_{role}"
        if user != wanted:
            self.refuse(f"{name} signs in as {user!r}; it has to be the role {wanted}, which is no superuser")
        if not parts.path.strip("/") or "/" in parts.path.strip("/"):
            self.refuse(f"{name} has to name a database behind the host")
        unknown = {option for option, _value in parse_qsl(parts.query, keep_blank_values=True)} - DATABASE_OPTIONS
        if unknown or parts.fragment:
            self.refuse(f"{name} has options that are not known: {', '.join(sorted(unknown)) or '#'}")
        if production:
            self.judge_password(name, parts)
        return text

    def valkey(self, production: bool) -> str:
        text = self.text("VALKEY_URL")
        parts = self.address("VALKEY_URL", text, VALKEY_SCHEMES) if text else None
        if parts is None:
            return text
        if parts.path not in {"", "/", "/0"} or parts.query or parts.fragment:
            self.refuse("VALKEY_URL ends with its port or /0: databases 0 and 1 are used, and no options are known")
        if production:
            self.judge_password("VALKEY_URL", parts)
        return text

    def email(self) -> str:
        text = self.text("EMAIL_URL")
        parts = self.address("EMAIL_URL", text, MAIL_SCHEMES) if text else None
        if parts is not None and (parts.path not in {"", "/"} or parts.query or parts.fragment):
            self.refuse("EMAIL_URL ends with its port: there are no options")
        return text

    def email_from(self) -> str:
        text = self.text("EMAIL_FROM")
        _name, address = parseaddr(text)
        bare = text.partition("<")[2] or text
        local, _at, domain = address.rpartition("@")
        if text and (not local or not is_domain(domain.lower()) or not text.isprintable() or " " in bare):
            self.refuse(f"EMAIL_FROM is {text!r}; it has to be an address, such as Rapport <no-reply@crm.example.com>")
        return text

    def stripe_key(self, production: bool) -> str:
        """A secret or restricted key, of live mode in production only; the key itself is never told."""
        text = self.text("STRIPE_SECRET_KEY")
        found = STRIPE_KEY.match(text)
        if text and found is None:
            self.refuse("STRIPE_SECRET_KEY has to be a secret key (sk_…) or a restricted one (rk_…) of Stripe's")
        elif found is not None and production and found["mode"] == "test":
            self.refuse("STRIPE_SECRET_KEY is a key of Stripe's test mode, which takes no money")
        elif found is not None and not production and found["mode"] == "live":
            self.refuse("STRIPE_SECRET_KEY is a key of live mode, which takes real money; that is for PRODUCTION only")
        return text

    def stripe_webhook_secret(self) -> str:
        """The signing secret of the webhook; while it is renewed the old one too, by a comma."""
        text = self.text("STRIPE_WEBHOOK_SECRET")
        if text and not all(WEBHOOK_SECRET.match(one.strip()) for one in text.split(",")):
            self.refuse("STRIPE_WEBHOOK_SECRET has to be the signing secret of the webhook, which begins with whsec_")
        return text

    def stripe_api(self) -> str:
        """The address of the stand-in, which is on this machine; empty for Stripe's own."""
        text = self.text("STRIPE_API_URL")
        parts = self.address("STRIPE_API_URL", text, ("http",)) if text else None
        if parts is not None and (parts.hostname != "127.0.0.1" or parts.path not in {"", "/"} or parts.query):
            self.refuse("STRIPE_API_URL is for the stand-in on this machine, such as http://127.0.0.1:12111")
        return text.rstrip("/")

    def together(self) -> None:
        for pair in (("DATABASE_URL", "DATABASE_OWNER_URL"), ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")):
            given = [name for name in pair if self.text(name)]
            if len(given) == 1:
                self.refuse(f"{given[0]} is set alone: {' and '.join(pair)} go together")

    def for_production(self, found: Environment) -> None:
        self.problems += [f"{name} is not set ({reason})" for name, reason in NEEDED.items() if not self.text(name)]
        if found.stripe_api_url:
            self.refuse("STRIPE_API_URL is set: the stand-in for Stripe takes no money")
        if embedded := self.text("EMBEDDED"):
            self.refuse(f"embedded parts are running ({embedded})")
        if found.debug:
            self.refuse("DEBUG is on")
        if found.demo:
            self.refuse("DEMO is on")
        if not self.text("PUBLIC_ORIGIN").startswith("https://"):
            self.refuse("PUBLIC_ORIGIN does not start with https://")
        if self.text("BASE_DOMAIN").rpartition(".")[2] == "localhost":
            self.refuse("BASE_DOMAIN is this machine alone")


def is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def is_domain(text: str) -> bool:
    """Whether hosts can lie below it: an address of the network has none."""
    return len(text) <= 200 and bool(DOMAIN.match(text)) and not text.rpartition(".")[2].isdigit()
