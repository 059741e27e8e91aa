"""10,000 timers due in one minute over 100 workspaces, and 5,000 due at once in one while others have a few.

Each is a task that becomes overdue, with its assignee told of it. ``python -m bench.timers`` alone starts the product
without the references.
"""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import django

from bench.claim import Claim
from bench.stack import ROOT, Stack, address, product

WORKSPACES = 100
TIMERS = 10_000
MINUTE = 60.0
FLOOD = 5_000
OTHERS = 10
OTHERS_SECONDS = 10
LEAD = 5.0
PLANTED = 300
"""So many seconds after the planting began, and one more for so many tasks, the first timer is due."""
GIVE_UP = 300.0
type Due = dict[str, list[float]]
type Delays = list[float]


def measure(stack: Stack) -> list[Claim]:
    schemas = json.loads(ran(stack, "workspaces", str(WORKSPACES)))
    return [spread(stack, schemas), flood(stack, schemas)]


def spread(stack: Stack, schemas: list[str]) -> Claim:
    chance = Random(7)
    due: Due = {schema: [] for schema in schemas}
    for number in range(TIMERS):
        due[schemas[number % len(schemas)]].append(chance.random() * MINUTE)
    plant(stack, "spread", due)
    time.sleep(MINUTE)
    delays = fired(stack, "spread", {schema: len(seconds) for schema, seconds in due.items()})
    work = f"{TIMERS:,} timers due in one minute over {len(schemas)} workspaces: delay at p95"
    return Claim(work, "one second", at(delays, 0.95), 1.0, at_most=True, detail=said(delays))


def flood(stack: Stack, schemas: list[str]) -> Claim:
    """What others wait longer while one has thousands due, at worst."""
    one, *rest = schemas[: OTHERS + 1]
    few = [place + 0.5 for place in range(OTHERS_SECONDS)]
    counts = dict.fromkeys(rest, len(few))
    plant(stack, "calm", dict.fromkeys(rest, few))
    time.sleep(OTHERS_SECONDS)
    calm = fired(stack, "calm", counts)
    plant(stack, "flooded", {**dict.fromkeys(rest, few), one: []}, {one: FLOOD})
    time.sleep(OTHERS_SECONDS)
    busy = fired(stack, "flooded", counts)
    thousands = fired(stack, "flooded", {one: FLOOD})
    work = f"{FLOOD:,} timers due at once in one workspace: the longest delay of another's, beyond that without"
    detail = f"others {said(busy)}; without {said(calm)}; the {FLOOD:,} took {max(thousands):.0f} s"
    return Claim(work, "one second", max(0.0, max(busy) - max(calm)), 1.0, at_most=True, detail=detail)


def at(delays: Delays, share: float) -> float:
    return sorted(delays)[min(len(delays) - 1, int(len(delays) * share))]


def said(delays: Delays) -> str:
    return f"p50 {at(delays, 0.5):.2f} s, p95 {at(delays, 0.95):.2f} s, longest {max(delays):.2f} s"


def plant(stack: Stack, name: str, due: Due, at_once: dict[str, int] | None = None) -> None:
    """Make tasks called ``name``, due so many seconds after a moment, and wait for it."""
    took, left = json.loads(ran(stack, "tasks", plan=[name, due, at_once or {}]))
    print(f"  {name}: planted in {took:.0f} s, {left:.0f} s ahead", flush=True)
    if left < 0:
        raise SystemExit("Planting took too long.")
    time.sleep(left)


def fired(stack: Stack, name: str, counts: dict[str, int]) -> Delays:
    """The delays of each schema's timers once all have fired; none of them early, and each task told of once."""
    statement = f"""
        SELECT extract(epoch FROM timer.fired_at - timer.due_at)::float8,
            (SELECT count(*) FROM workspace_notification AS told WHERE told.record_id = task.id)
        FROM records_timer AS timer JOIN activities_task AS task ON task.id = timer.record_id
        WHERE task.name = '{name}' AND timer.kind = 'task_overdue'
    """
    give_up = time.monotonic() + GIVE_UP
    rows: list[tuple[Any, ...]] = []
    waiting = dict(counts)
    while waiting and time.monotonic() < give_up:
        for schema in list(waiting):
            found = stack.rows(schema, statement)
            if len(found) != waiting[schema] or any(delay is None for delay, _told in found):
                time.sleep(0.5)
                break
            rows += found
            del waiting[schema]
    delays = [delay for delay, _told in rows]
    early, told = sum(delay < 0 for delay in delays), {count for _delay, count in rows}
    if waiting or early or told != {1}:
        raise SystemExit(f"{len(waiting)} workspaces wait, {early} timers early, each told {sorted(told)} times.")
    print(f"  {name}: {said(delays)}", flush=True)
    return delays


def ran(stack: Stack, *arguments: str, plan: Any = None) -> str:
    """The last line of what this program says inside the product's environment, with ``plan`` for it to read."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.timers", *arguments],
        env={**stack.environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
        input=json.dumps(plan),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout.splitlines()[-1]


def make_workspaces(count: int) -> list[str]:
    from tenants.db.scopes import shared
    from tenants.models import Domain, Tenant, User
    from tenants.workspaces.hosts import subdomain_host
    from tenants.workspaces.provisioning import tenant_provision

    schemas = []
    for number in range(count):
        with shared():
            user = User.objects.create_user(f"timers.{number}@example.com")
            tenant = Tenant.objects.create(name=f"Timers {number}")
            Domain.objects.create(tenant=tenant, domain=subdomain_host(f"timers-{number}"), is_primary=True)
        schemas.append(tenant_provision(tenant, user).schema_name)
    return schemas


def make_tasks(name: str, due: Due, at_once: dict[str, int]) -> tuple[float, float]:
    """Plant tasks by the write gate, as owners; in how many seconds, and how many before the first is due."""
    from crm.records.schema.registry import registry
    from crm.records.write import gate
    from crm.workspace.actors import actor_for_member
    from crm.workspace.models import Member
    from tenants.db.scopes import shared, tenant_scope
    from tenants.models import Tenant

    began = time.monotonic()
    total = sum(map(len, due.values())) + sum(at_once.values())
    start = datetime.now(UTC) + timedelta(seconds=LEAD + total / PLANTED)
    task = registry.get("task")
    for schema, seconds in due.items():
        with shared():
            ref = Tenant.objects.get(schema_name=schema).ref()
        with tenant_scope(ref):
            actor = actor_for_member(ref, Member.objects.earliest("created_at").pk)
            assert actor is not None
            moments = [start + timedelta(seconds=one) for one in seconds] + [start] * at_once.get(schema, 0)
            for place in range(0, len(moments), 500):
                rows = [{"name": name, "due_at": one} for one in moments[place : place + 500]]
                gate.create_many(actor, task, rows)
    return time.monotonic() - began, (start - datetime.now(UTC)).total_seconds()


def main() -> None:
    match sys.argv[1:]:
        case ["workspaces", count]:
            django.setup()
            print("\n" + json.dumps(make_workspaces(int(count))))
        case ["tasks"]:
            django.setup()
            print("\n" + json.dumps(make_tasks(*json.load(sys.stdin))))
        case _:
            port = int(os.environ.get("BENCH_PORT", "8400"))
            data = Path(os.environ.get("BENCH_DATA", ROOT / "var" / "bench")).resolve()
            with product(port, data) as environment:
                claims = measure(Stack(port, address(environment), {}, environment))
            for claim in claims:
                print(claim.detail)
            for claim in claims:
                print(claim)


if __name__ == "__main__":
    main()
