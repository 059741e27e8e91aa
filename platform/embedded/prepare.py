"""Bring database, static files and demo up to this release; run as a program before anything serves."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import django
import structlog
from django.conf import settings
from django.core.management import call_command

from embedded.disk import read_json, write_private

log = structlog.get_logger(__name__)


def main() -> None:
    django.setup()
    steps: list[tuple[str, Callable[[], None]]] = [
        ("database", prepare_database),
        ("migrate", migrate),
        ("payments", begin_demo),
        ("plans", load_plans),
        ("static", collect_static),
        ("demo", write_demo),
    ]
    for name, step in steps:
        started = time.perf_counter()
        step()
        log.info("prepare.done", step=name, seconds=round(time.perf_counter() - started, 2))


def prepare_database() -> None:
    if os.environ.get("DATABASE_ADMIN_URL"):
        call_command("database_prepare", verbosity=0)


def migrate() -> None:
    """What every workspace needs; those behind are upgraded beside the servers, by a program of its own."""
    call_command("migrate_all", shared=True, verbosity=0)


def begin_demo() -> None:
    """What the demo pays for lies behind it, so payments of a new copy begin in the past."""
    is_new = not (settings.DATA / "demo.json").exists()
    if is_new and os.environ.get("DEMO") == "1" and settings.STRIPE_API_URL:
        from embedded.demo_payments import begin

        begin()


def load_plans() -> None:
    """What is sold, in our tables and at the stand-in; at Stripe itself the operator does it, see docs/billing.md."""
    call_command("billing_plans_sync", tables=not settings.STRIPE_API_URL, verbosity=0)


def collect_static() -> None:
    """Run collectstatic when a file or a package has changed since the last time."""
    if not settings.STATIC_MANIFEST:
        return
    digest = hashlib.sha256()
    for folder in settings.STATICFILES_DIRS:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                digest.update(f"{path}:{path.stat().st_mtime_ns}:{path.stat().st_size}\n".encode())
    digest.update("\n".join(sorted(f"{found.name}=={found.version}" for found in distributions())).encode())
    stamp = Path(settings.STATIC_ROOT).with_name("static.stamp")
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(digest.hexdigest())


def write_demo() -> None:
    """Make the demo workspace and write demo.json, which scripts and people take their addresses from."""
    if os.environ.get("DEMO") != "1":
        return
    from console.demo import demo_operator_ensure
    from crm.sales.sample.demo import demo_workspace_ensure
    from tenants.workspaces.hosts import api_url, public_url

    path = settings.DATA / "demo.json"
    known = read_json(path)
    made: dict[str, Any] = demo_workspace_ensure(known=known) | demo_operator_ensure(known=known)
    if settings.STRIPE_API_URL:
        from embedded.demo_payments import live

        made |= live(known or {})
    addresses = {
        "base_url": public_url("/").rstrip("/"),
        "api_url": api_url("/api/v1/").rstrip("/"),
        "mail_url": os.environ.get("MAIL_PAGE_URL", ""),
    }
    write_private(path, json.dumps({**addresses, **made}, indent=2) + "\n")


if __name__ == "__main__":
    main()
