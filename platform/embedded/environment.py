"""What the environment asks of a start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config.production import production_problems
from embedded.errors import StartError

ROOT = Path(__file__).resolve().parents[2]


def flag(environment: Mapping[str, str], name: str, default: bool) -> bool:
    return environment.get(name, str(default)).strip().lower() in {"1", "true", "yes", "on"}


def number(environment: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environment.get(name, "").strip() or str(default)
    if not text.isdecimal() or not least <= int(text) <= most:
        raise StartError(f"{name} is {text!r}; it has to be a number from {least} to {most}.")
    return int(text)


@dataclass(frozen=True)
class Wishes:
    data: Path
    host: str
    port: int
    production: bool
    demo: bool
    installation: str
    base_domain: str
    database: bool
    valkey: bool
    mail: bool
    web_workers: int
    web_threads: int
    timers: int
    interactive: int
    bulk: int

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "Wishes":
        """Raises StartError where the environment contradicts itself."""
        production = flag(environment, "PRODUCTION", False)
        if production:
            problems = production_problems(environment, "")
            if problems:
                raise StartError("PRODUCTION is on, but " + "; ".join(problems) + ".")
        given = [name for name in ("DATABASE_URL", "DATABASE_OWNER_URL") if environment.get(name)]
        if len(given) == 1:
            raise StartError(f"{given[0]} is set alone: DATABASE_URL and DATABASE_OWNER_URL go together.")
        cores = os.cpu_count() or 2
        return cls(
            data=Path(environment.get("DATA") or ROOT / "var").expanduser().resolve(),
            host=environment.get("HOST") or "127.0.0.1",
            port=number(environment, "PORT", 8000, 1, 65535),
            production=production,
            demo=flag(environment, "DEMO", not production),
            installation=environment.get("INSTALLATION") or "rapport",
            base_domain=environment.get("BASE_DOMAIN") or "localhost",
            database=not given,
            valkey=not environment.get("VALKEY_URL"),
            mail=not environment.get("EMAIL_URL"),
            web_workers=number(environment, "WEB_WORKERS", max(2, min(cores, 8)), 1, 64),
            web_threads=number(environment, "WEB_THREADS", 4, 1, 64),
            timers=number(environment, "TIMERS_WORKERS", 2, 1, 64),
            interactive=number(environment, "INTERACTIVE_WORKERS", 2, 1, 64),
            bulk=number(environment, "BULK_WORKERS", 1, 1, 64),
        )
