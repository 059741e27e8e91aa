"""Timers under floods, kills and several dispatchers: none twice, none early, and each workspace has its turn."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import current_app
from django.utils import timezone

from crm.records.events import timers
from crm.records.models import Timer
from crm.records.tasks import timers_fire
from crm.workspace.models import Role
from tenants.actors import TenantRef
from tenants.db.database_roles import role_of
from tenants.db.scopes import shared, tenant_scope
from tenants.models import Wakeup
from tenants.work import turns, wakeups
from tests.records.conftest import elsewhere
from tests.registrations import anew

type Really = Callable[[Callable[[], Any]], Any]

HERE = "tests.records.test_turns"
rung: list[tuple[str, UUID]] = []


def ring(tenant: TenantRef, due: Sequence[timers.Due]) -> None:
    assert all(one.due_at <= timezone.now() for one in due)
    rung.extend((tenant.name, one.record_id) for one in due)


def mark_and_die(tenant: TenantRef, due: Sequence[timers.Due]) -> None:
    """Be killed, once at each third timer, after the effect and before the commit."""
    for record_id, _due_at in due:
        Role.objects.create(slug=str(uuid4()), name=str(record_id))
        flag = os.path.join(os.environ["FLAGS"], str(record_id))
        if record_id.int % 3 == 0 and not os.path.exists(flag):
            open(flag, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    anew(monkeypatch, timers, "kinds")
    timers.register("ring", ring)
    rung.clear()


def ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


@pytest.mark.django_db
def test_a_flood_of_one_has_one_turn_and_then_queues_behind_the_other(
    tenant_a: TenantRef, tenant_b: TenantRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue: list[list[str]] = []
    names = {str(tenant_a.id): tenant_a.name, str(tenant_b.id): tenant_b.name}
    monkeypatch.setattr(current_app, "send_task", lambda _task, kwargs, **_more: queue.append(kwargs["tenant_ids"]))
    monkeypatch.setattr(timers, "BATCH_SIZE", 5)
    looks = iter(range(10**6))
    monkeypatch.setattr(timers, "monotonic", lambda: next(looks))
    monkeypatch.setattr(turns, "monotonic", lambda: next(looks))
    monkeypatch.setattr(timers, "TURN_SECONDS", 4)
    monkeypatch.setattr(turns, "MESSAGE_SECONDS", 0.5)
    with tenant_scope(tenant_a):
        timers.schedule_many("ring", "task", [(uuid4(), ago(60)) for _number in range(60)])
    with tenant_scope(tenant_b):
        timers.schedule_many("ring", "task", [(uuid4(), ago(1)) for _number in range(3)])

    queue += [[str(tenant_a.id), str(tenant_b.id)], [str(tenant_a.id)]]
    while queue and len(rung) < 63:
        timers_fire(tenant_ids=queue.pop(0))

    order = [name for name, _record in rung]
    assert Counter(order) == {tenant_a.name: 60, tenant_b.name: 3}
    first_of_b = order.index(tenant_b.name)
    assert first_of_b < 30, order
    assert order[first_of_b : first_of_b + 3] == [names[str(tenant_b.id)]] * 3
    assert len({record for _name, record in rung}) == 63


@pytest.mark.django_db
def test_one_workspace_that_fails_holds_up_no_other_of_its_message(
    tenant_a: TenantRef, tenant_b: TenantRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[list[str]] = []
    monkeypatch.setattr(current_app, "send_task", lambda _task, kwargs, **_more: sent.append(kwargs["tenant_ids"]))
    for tenant in (tenant_a, tenant_b):
        with tenant_scope(tenant):
            wakeups.wake(ago(1), "timers")
    acted: list[str] = []

    def act(tenant: TenantRef, _until: float) -> turns.Reached:
        acted.append(tenant.name)
        if tenant == tenant_a:
            raise RuntimeError("broken")
        return turns.Progress.DONE, None

    with pytest.raises(RuntimeError, match="broken"):
        turns.turns("timers", [tenant_a, tenant_b], 1, act)
    with shared():
        left = set(Wakeup.objects.filter(work="timers").values_list("role", flat=True))
    assert role_of(tenant_a.schema_name) in left
    assert role_of(tenant_b.schema_name) not in left

    turns.turns("timers", [tenant_b], 1, act)
    assert acted == [tenant_a.name, tenant_b.name]
    assert sent == []


@pytest.mark.django_db
def test_wake_ups_that_meet_a_turn_underway_come_again_soon(tenant_a: TenantRef) -> None:
    with tenant_scope(tenant_a):
        wakeups.wake(ago(1), "timers")
        assert wakeups.turn_take("timers")
    with shared():
        Wakeup.objects.filter(work="timers").update(claimed_at=timezone.now())
    turns.turns("timers", [tenant_a], 1, lambda _tenant, _until: pytest.fail("two turns at once"))
    with shared():
        again = Wakeup.objects.get(role=role_of(tenant_a.schema_name), work="timers")
    assert again.claimed_at is None
    assert ago(0) - timedelta(seconds=1) < again.due_at <= ago(-wakeups.PUT_OFF.total_seconds())


@pytest.mark.django_db
def test_one_turn_of_a_workspace_and_sort_at_a_time(tenant_a: TenantRef, tenant_b: TenantRef) -> None:
    with tenant_scope(tenant_a):
        assert wakeups.turn_take("timers")
        assert not wakeups.turn_take("timers")
        assert wakeups.turn_take("events")
    with tenant_scope(tenant_b):
        assert wakeups.turn_take("timers")
    with tenant_scope(tenant_a):
        wakeups.turn_end("timers")
        assert wakeups.turn_take("timers")


def test_one_wake_up_stands_for_all_and_the_next_is_set_when_the_first_has_fired(
    real_tenant: TenantRef, really: Really
) -> None:
    soon, later = timezone.now() + timedelta(hours=1), timezone.now() + timedelta(hours=2)
    due = [(uuid4(), ago(1)), (uuid4(), later), (uuid4(), soon)]
    really(lambda: timers.schedule_many("ring", "task", due))

    def waiting() -> list[datetime]:
        with shared():
            found = Wakeup.objects.filter(role=role_of(real_tenant.schema_name), work="timers").order_by("due_at")
            return list(found.values_list("due_at", flat=True))

    assert len(really(waiting)) == 1
    for _turn in range(2):
        really(lambda: turns.turns("timers", [real_tenant], 5, timers.fire_due))
        assert really(waiting) == [timers.moment(soon)]
    assert len(rung) == 1


def test_two_dispatchers_share_what_is_due(real_tenant: TenantRef, really: Really) -> None:
    """Of the same wake-ups each is claimed by one of them."""

    def thirty() -> None:
        for _number in range(30):
            wakeups.wake(ago(1), "timers")

    really(thirty)

    def keys() -> list[UUID]:
        with shared():
            return list(Wakeup.objects.filter(role=role_of(real_tenant.schema_name)).values_list("id", flat=True))

    def claim() -> list[tuple[str, str]]:
        with shared():
            return wakeups._claim(found, timezone.now())

    found = really(keys)
    claimed = [one for wait in [elsewhere(claim) for _dispatcher in range(4)] for one in wait()]
    assert claimed == [(role_of(real_tenant.schema_name), "timers")]


@pytest.mark.slow("starts workers that are killed")
def test_a_killed_worker_fires_none_twice_and_leaves_none_out(
    real_tenant: TenantRef, really: Really, tmp_path: Any
) -> None:
    timers.register("die", mark_and_die)
    records = [UUID(int=(1 << 100) + number) for number in range(9)]
    later = UUID(int=(1 << 100) + 50)
    due = [(record, ago(1)) for record in records] + [(later, timezone.now() + timedelta(hours=1))]
    really(lambda: timers.schedule_many("die", "task", due))
    script = (
        "import django; django.setup()\n"
        "from crm.records.events import timers\n"
        f"from {HERE} import mark_and_die\n"
        "timers.register('die', mark_and_die)\n"
        "from time import monotonic\n"
        "import uuid\n"
        "from tenants.actors import TenantRef\n"
        "from tenants.db.scopes import tenant_scope\n"
        "from crm.records.events.timers import fire_due\n"
        f"tenant = TenantRef(id=uuid.UUID('{real_tenant.id}'), schema_name='{real_tenant.schema_name}', name='', "
        "subdomain='', state='active', locale='en', currency='EUR', time_zone='UTC')\n"
        "with tenant_scope(tenant):\n"
        "    fire_due(tenant, monotonic() + 120)\n"
    )
    environment = os.environ | {
        "FLAGS": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    codes: list[int] = []
    while not codes or codes[-1] != 0:
        ended = subprocess.run([sys.executable, "-c", script], env=environment, timeout=240, check=False)
        codes.append(ended.returncode)
        assert codes[-1] in {0, -signal.SIGKILL}, codes
        assert len(codes) < 10
    assert -signal.SIGKILL in codes
    marks = really(lambda: list(Role.objects.filter(is_fixed=False).values_list("name", flat=True)))
    assert sorted(marks) == sorted(str(record) for record in records)
    assert really(lambda: Timer.objects.get(record_id=later).fired_at) is None
