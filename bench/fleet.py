"""How much longer a start takes with 1,000 workspaces than with one, and how fast those behind come to this release.

``python -m bench.fleet [workspaces]``; BENCH_DATA says where, BENCH_PORT on which port. Takes some minutes.
"""

import io
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psycopg2

from bench.stack import ROOT, address, product

STARTS = 5


def main() -> None:
    match sys.argv[1:]:
        case ["make", count]:
            make(int(count))
        case ["upgrade"]:
            upgrade()
        case arguments:
            measure(int(arguments[0]) if arguments else 1000)


def measure(many: int) -> None:
    port = int(os.environ.get("BENCH_PORT", "8400"))
    data = Path(os.environ.get("BENCH_DATA", ROOT / "var" / "bench-fleet")).resolve()
    shutil.rmtree(data, ignore_errors=True)
    folders = {count: data / str(count) for count in (1, many)}
    for count, folder in folders.items():
        with product(port, folder) as environment:
            ran(environment, "make", str(count))
            # Some 400,000 new files, which the end of the server would otherwise have to write.
            with psycopg2.connect(address(environment)) as connection, connection.cursor() as cursor:
                cursor.execute("CHECKPOINT")
    seconds: dict[int, list[float]] = {count: [] for count in folders}
    for _number in range(STARTS):
        for count, folder in folders.items():
            seconds[count].append(start(port, folder))
    for count, found in seconds.items():
        print(f"to /readyz with {count} workspaces: {statistics.median(found):.2f} s ({spread(found)})")
    with product(port, folders[many], kept=True) as environment:
        with psycopg2.connect(address(environment)) as connection, connection.cursor() as cursor:
            cursor.execute("UPDATE public.tenants_tenant SET schema_version = 'of-a-release-before'")
        began = time.monotonic()
        ran(environment, "upgrade")
        each = (time.monotonic() - began) / many
    print(f"brought to this release one after the other: {each * 1000:.0f} ms a workspace, beside the servers")
    few, all_of_them = (statistics.median(found) for found in seconds.values())
    print(f"a start with {many} workspaces / with 1: {all_of_them / few:.2f}× ({all_of_them - few:+.2f} s)")
    shutil.rmtree(data)


def start(port: int, folder: Path) -> float:
    """Seconds from the start of the program to /readyz 200."""
    began = time.monotonic()
    with product(port, folder, kept=True):
        return time.monotonic() - began


def spread(seconds: list[float]) -> str:
    return f"{min(seconds):.2f} to {max(seconds):.2f} in {len(seconds)} starts"


def ran(environment: dict[str, str], *arguments: str) -> None:
    """Run a part of this script inside the product's environment."""
    subprocess.run(
        [sys.executable, "-m", "bench.fleet", *arguments],
        env={**environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
        check=True,
    )


def make(count: int) -> None:
    """Workspaces at this release with the tables of any and nobody in them."""
    import django

    django.setup()
    from tenants.db.release import template_digest
    from tenants.db.scopes import shared
    from tenants.models import Tenant
    from tenants.workspaces.schema_template import schema_create

    for _number in range(count):
        tenant = Tenant(name="Fleet", state=Tenant.State.ACTIVE, schema_version=template_digest())
        schema_create(tenant.schema_name)
        with shared():
            tenant.save()


def upgrade() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate_all", stdout=io.StringIO())


if __name__ == "__main__":
    main()
