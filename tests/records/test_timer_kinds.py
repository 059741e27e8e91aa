"""Every kind of timer, killed between its effect and the commit: nothing twice, nothing lost."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from crm.activities.models import Meeting, Task
from crm.activities.services import activity_done
from crm.records.events import timers
from crm.records.jobs import export
from crm.records.models import Job, Timer
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.workspace.models import Member, Notification, NotificationMail, Role
from crm.workspace.people.provisioning import roles_ensure
from tenants.actors import Actor, TenantRef
from tests.records.conftest import elsewhere

type Really = Callable[[Callable[[], Any]], Any]

HERE = "tests.records.test_timer_kinds"
KINDS = tuple(timers.kinds)
TOLD = {"reminder": "reminder", "overdue": "task_overdue", "escalation": "escalation"}
SCRIPT = """
import django; django.setup()
import uuid
from time import monotonic
from dataclasses import replace
from functools import partial
from crm.records.events import timers
from crm.records.events.timers import fire_due
from tenants.registration import Table
from {here} import do_and_die
kinds, timers.kinds = timers.kinds, Table("kind of timer")
for kind, one in kinds.items():
    deadly = replace(one, handler=partial(do_and_die, one.handler))
    timers.kinds.add(kind, deadly if kind == "{kind}" else one)
from tenants.actors import TenantRef
from tenants.db.scopes import tenant_scope
tenant = TenantRef(id=uuid.UUID("{id}"), schema_name="{schema}", name="", subdomain="", state="active", locale="en",
                   currency="EUR", time_zone="UTC")
with tenant_scope(tenant):
    fire_due(tenant, monotonic() + 30)
"""


def do_and_die(handler: timers.TimerHandler, tenant: TenantRef, due: Sequence[timers.Due]) -> None:
    """Do what the kind does, and be killed before anybody can commit it."""
    handler(tenant, due)
    os.kill(os.getpid(), signal.SIGKILL)


def ago(**time: float) -> datetime:
    return timezone.now() - timedelta(**time)


def member(name: str, **values: Any) -> Member:
    role = Role.objects.get(slug="owner")
    return Member.objects.create(user_id=uuid4(), name=name, email=f"{name}@example.com", role=role, **values)


def planned(robot: Actor, kind: str) -> UUID:
    """Something of which a timer of this kind is due; the id of its record."""
    roles_ensure()
    anna = member("anna", manager=member("boss"))
    noun, _, what = kind.partition("_")
    if kind == "export_expired":
        job = Job.objects.create(
            kind="export", title="", member=anna, actor_kind="member", result={"file": True}, noun="company"
        )
        path = export.path_of(robot.tenant, job.pk)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Name\n")
        timers.schedule(kind, "job", job.pk, ago(seconds=1))
        return job.pk
    record_type, values = registry.get(noun), {"name": "Plan", "assignee": anna.pk}
    moment = "due_at" if noun == "task" else "starts_at"
    if kind == "meeting_series":
        values |= {moment: ago(days=1), "repeat": "FREQ=WEEKLY", "done": False}
    elif what == "reminder":
        values |= {moment: timezone.now() + timedelta(minutes=10), "reminder": 15}
    else:
        values |= {moment: ago(hours=30)} | ({"done": False} if noun == "call" else {})
    made = gate.create(robot, record_type, values).id
    if kind == "meeting_series":
        Meeting.objects.filter(occurrence__gt=2).delete()
        made = Meeting.objects.get(occurrence=2).pk
        timers.schedule(kind, noun, made, ago(seconds=1))
    return made


def effects(robot: Actor, kind: str, id: UUID) -> int:
    """How often what the kind does has happened."""
    if kind == "export_expired":
        return Job.objects.filter(pk=id, result={}).count()
    if kind == "meeting_series":
        return int(Meeting.objects.filter(occurrence=3).exists()) if Meeting.objects.count() < 3 else further()
    told = Notification.objects.filter(kind=TOLD[kind.partition("_")[2]], record_id=id)
    assert told.filter(mail__isnull=False).count() == NotificationMail.objects.filter(notifications__in=told).count()
    return told.count()


def further() -> int:
    """How many meetings a series has for one of its times; all of them are there."""
    numbers = [one.occurrence for one in Meeting.objects.order_by("occurrence")]
    assert numbers[:4] == [1, 2, 3, 4]
    return len(numbers) // len(set(numbers))


@pytest.mark.slow("starts a process that is killed")
@pytest.mark.parametrize("kind", KINDS)
def test_killed_before_the_commit_it_happens_once_all_the_same(
    robot: Actor, real_tenant: TenantRef, really: Really, kind: str
) -> None:
    id = really(lambda: planned(robot, kind))
    assert really(lambda: Timer.objects.get(kind=kind, record_id=id).due_at) <= timezone.now()
    script = SCRIPT.format(kind=kind, here=HERE, id=real_tenant.id, schema=real_tenant.schema_name)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    run = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60, check=False)
    assert run.returncode == -signal.SIGKILL
    assert really(lambda: effects(robot, kind, id)) == 0
    assert really(lambda: Timer.objects.get(kind=kind, record_id=id).fired_at) is None

    for _again in range(2):
        really(lambda: timers.fire_due(real_tenant, monotonic() + 20))
        assert really(lambda: effects(robot, kind, id)) == 1
    assert not really(lambda: Timer.objects.filter(fired_at=None, due_at__lte=timezone.now()).exists())


def test_a_repeated_task_that_two_tick_off_at_once_goes_on_once(
    robot: Actor, real_tenant: TenantRef, really: Really
) -> None:
    """Each of the two has a connection of its own, and neither is done before both have begun."""
    values = {"name": "Water the plants", "due_at": ago(hours=1), "repeat": "FREQ=DAILY"}
    task = really(lambda: gate.create(robot, registry.get("task"), values).id)
    together = threading.Barrier(4)

    def tick() -> None:
        together.wait(10)
        activity_done(robot, noun="task", id=task)

    for wait in [elsewhere(tick, real_tenant) for _hand in range(4)]:
        wait()
    found = really(lambda: list(Task.objects.order_by("occurrence").values_list("occurrence", "done")))
    assert found == [(1, True), (2, False)]
