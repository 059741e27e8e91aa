"""Events get positions without gaps, and every reader's effect happens once, whatever is killed in between."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from crm.records import wakeups
from crm.records.events import dispatch, timers
from crm.records.models import Event, HandlerPosition, Timer
from crm.records.schema.registry import registry
from crm.records.tasks import events_turn
from crm.records.write import gate
from crm.workspace.models import Role
from tenants.actors import Actor, TenantRef
from tenants.db.database_roles import role_of
from tenants.db.scopes import shared
from tenants.models import Wakeup
from tenants.work.turns import Progress, turns
from tests import factories
from tests.records.conftest import PATIENCE, elsewhere
from tests.registrations import anew

type Really = Callable[[Callable[[], Any]], Any]

told: list[tuple[str, Any]] = []
HERE = "tests.records.test_drainer"


def tally(tenant: TenantRef, event: Event) -> None:
    """A reader whose every effect leaves a mark in the database."""
    Role.objects.create(slug=f"{event.position}-{timezone.now().timestamp()}", name=str(event.pk))


def tell(tenant: TenantRef, event: Event) -> None:
    told.append((event.type, event.position))


def stumble(tenant: TenantRef, event: Event) -> None:
    tally(tenant, event)
    if event.after.get("name") == "Poison":
        raise RuntimeError("cannot read this")


def die_sometimes(tenant: TenantRef, event: Event) -> None:
    """Be killed, once at each third event, after the effect and before the commit."""
    tally(tenant, event)
    flag = os.path.join(os.environ["FLAGS"], str(event.position))
    if (event.position or 0) % 3 == 0 and not os.path.exists(flag):
        open(flag, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(autouse=True)
def _nothing_told() -> Iterator[None]:
    told.clear()
    yield
    told.clear()


def marks() -> list[str]:
    return list(Role.objects.filter(is_fixed=False).order_by("name").values_list("name", flat=True))


def positions() -> list[int]:
    return [one.position or 0 for one in Event.objects.exclude(position=None).order_by("position")]


def test_events_are_read_in_order_each_once(owner: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch.drain(owner.tenant)
    start = max(positions(), default=0)
    anew(monkeypatch, dispatch, "readers")
    dispatch.on("*", name="tell", handler=tell)
    HandlerPosition.objects.create(handler="tell", position=start)
    company = factories.company(owner)
    gate.update(owner, registry.get("company"), company.pk, {"industry": "Glass"})

    assert dispatch.drain(owner.tenant) is Progress.DONE
    dispatch.drain(owner.tenant)

    assert told == [("company.created", start + 1), ("company.updated", start + 2)]
    assert HandlerPosition.objects.get(handler="tell").position == start + 2


def test_a_reader_is_called_for_the_events_it_wants_and_no_other(owner: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    anew(monkeypatch, dispatch, "readers")
    dispatch.on("company.updated", "*.trashed", name="tell", handler=tell)
    dispatch.drain(owner.tenant)
    told.clear()
    company = factories.company(owner)
    gate.update(owner, registry.get("company"), company.pk, {"industry": "Glass"})
    contact = factories.contact(owner)
    gate.trash(owner, registry.get("contact"), [contact.pk])
    factories.company(owner)

    dispatch.drain(owner.tenant)

    assert [type for type, _position in told] == ["company.updated", "contact.trashed"]
    assert HandlerPosition.objects.get(handler="tell").position == max(positions())


def test_a_late_commit_gets_a_later_position_and_is_not_skipped(
    robot: Actor, real_tenant: TenantRef, really: Really, monkeypatch: pytest.MonkeyPatch
) -> None:

    anew(monkeypatch, dispatch, "readers")
    dispatch.on("*", name="tally", handler=tally)
    company = registry.get("company")
    written, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            gate.create(robot, company, {"name": "Slow"})
            written.set()
            go_on.wait(PATIENCE)

    waiting = elsewhere(slow, real_tenant)
    written.wait(PATIENCE)
    really(lambda: gate.create(robot, company, {"name": "Quick"}))
    really(lambda: dispatch.drain(real_tenant))
    assert really(lambda: list(Event.objects.values_list("after__name", "position"))) == [("Quick", 1)]
    go_on.set()
    waiting()
    really(lambda: dispatch.drain(real_tenant))

    assert really(lambda: list(Event.objects.order_by("position").values_list("after__name", "position"))) == [
        ("Quick", 1),
        ("Slow", 2),
    ]
    assert len(really(marks)) == 2


def test_many_drainers_at_once_give_each_event_one_position_and_one_effect(
    robot: Actor, real_tenant: TenantRef, really: Really, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew(monkeypatch, dispatch, "readers")
    dispatch.on("*", name="tally", handler=tally)
    dispatch.on("*", name="stumble", handler=tell)
    rows = [{"name": f"Company {number}"} for number in range(120)]
    really(lambda: gate.create_many(robot, registry.get("company"), rows))

    waiting = [elsewhere(lambda: dispatch.drain(real_tenant), real_tenant) for _worker in range(4)]
    for wait in waiting:
        wait()
    while really(lambda: dispatch.drain(real_tenant)) is not Progress.DONE:
        pass

    assert really(positions) == list(range(1, 121))
    assert len(set(really(marks))) == len(really(marks)) == 120
    assert sorted(position for _type, position in told) == list(range(1, 121))


@pytest.mark.slow("starts workers that are killed")
def test_a_killed_worker_repeats_nothing_and_leaves_nothing_out(
    robot: Actor, real_tenant: TenantRef, really: Really, tmp_path: Any
) -> None:
    rows = [{"name": f"Company {number}"} for number in range(10)]
    really(lambda: gate.create_many(robot, registry.get("company"), rows))
    script = (
        "import django; django.setup()\n"
        "from crm.records.events import dispatch\n"
        "from tenants.registration import Table\n"
        f"from {HERE} import die_sometimes\n"
        "dispatch.readers = Table('reader')\n"
        "dispatch.on('*', name='die', handler=die_sometimes)\n"
        "from dataclasses import replace\n"
        "from tenants.actors import TenantRef\n"
        "from tenants.db.scopes import tenant_scope\n"
        "from crm.records.events.dispatch import drain\n"
        "import uuid\n"
        f"tenant = TenantRef(id=uuid.UUID('{real_tenant.id}'), schema_name='{real_tenant.schema_name}', name='', "
        "subdomain='', state='active', locale='en', currency='EUR', time_zone='UTC')\n"
        "with tenant_scope(tenant):\n"
        "    drain(tenant)\n"
    )
    environment = os.environ | {
        "FLAGS": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    codes: list[int] = []
    while not codes or codes[-1] != 0:
        codes.append(
            subprocess.run([sys.executable, "-c", script], env=environment, timeout=240, check=False).returncode
        )
        assert codes[-1] in {0, -signal.SIGKILL}, codes
        assert len(codes) < 10

    assert codes.count(-signal.SIGKILL) == 3
    assert len(set(really(marks))) == len(really(marks)) == 10
    assert really(positions) == list(range(1, 11))


def test_a_reader_that_fails_waits_and_holds_up_no_other(owner: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch.drain(owner.tenant)
    start = max(positions(), default=0)
    anew(monkeypatch, dispatch, "readers")
    dispatch.on("*", name="stumble", handler=stumble)
    dispatch.on("*", name="tell", handler=tell)
    for name in dispatch.readers:
        HandlerPosition.objects.create(handler=name, position=start)
    for name in ("Good", "Poison", "After"):
        factories.company(owner, name=name)

    for _try in range(3):
        assert dispatch.drain(owner.tenant) is Progress.DONE

    assert [position for _type, position in told] == [start + 1, start + 2, start + 3]
    place = HandlerPosition.objects.get(handler="stumble")
    assert (place.position, place.failures) == (start + 1, 1)
    assert "cannot read this" in place.error
    assert place.retry_at is not None
    assert place.retry_at > timezone.now()
    assert len(marks()) == 1

    anew(monkeypatch, dispatch, "readers")
    dispatch.on("*", name="stumble", handler=tally)
    HandlerPosition.objects.filter(handler="stumble").update(retry_at=timezone.now())
    dispatch.drain(owner.tenant)
    assert HandlerPosition.objects.get(handler="stumble").position == start + 3
    assert len(marks()) == 3


def test_positions_are_never_given_twice_even_after_a_purge(owner: Actor) -> None:
    factories.company(owner)
    dispatch.drain(owner.tenant)
    last = max(positions())
    HandlerPosition.objects.filter(handler="").update(position=last + 5)
    factories.company(owner)
    dispatch.drain(owner.tenant)
    assert max(positions()) == last + 6


def wakeups_of(tenant: TenantRef) -> int:
    with shared():
        return Wakeup.objects.filter(role=role_of(tenant.schema_name)).count()


def test_the_work_of_a_workspace_ends_its_wakeups_but_not_while_others_are_at_it(
    robot: Actor, real_tenant: TenantRef, really: Really, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew(monkeypatch, dispatch, "readers")
    dispatch.on("*", name="tally", handler=tally)
    really(lambda: gate.create(robot, registry.get("company"), {"name": "Acme"}))
    assert really(lambda: wakeups_of(real_tenant)) == 1

    holding, let_go = threading.Event(), threading.Event()

    def other_drainer() -> None:
        with transaction.atomic():
            assert dispatch.give_positions() == 1
            holding.set()
            let_go.wait(PATIENCE)

    waiting = elsewhere(other_drainer, real_tenant)
    holding.wait(PATIENCE)
    really(lambda: turns("events", [real_tenant], 5, events_turn))
    assert really(lambda: wakeups_of(real_tenant)) == 1
    let_go.set()
    waiting()
    really(lambda: turns("events", [real_tenant], 5, events_turn))
    assert really(lambda: wakeups_of(real_tenant)) == 0
    assert len(really(marks)) == 1


def test_a_reader_that_another_worker_runs_is_looked_at_again(
    robot: Actor, real_tenant: TenantRef, really: Really, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew(monkeypatch, dispatch, "readers")
    dispatch.on("*", name="tally", handler=tally)
    really(lambda: dispatch.drain(real_tenant))
    really(lambda: gate.create(robot, registry.get("company"), {"name": "Acme"}))
    holding, let_go = threading.Event(), threading.Event()

    def other_worker() -> None:
        with transaction.atomic():
            HandlerPosition.objects.select_for_update().get(handler="tally")
            holding.set()
            let_go.wait(PATIENCE)

    waiting = elsewhere(other_worker, real_tenant)
    holding.wait(PATIENCE)
    assert really(lambda: dispatch.drain(real_tenant)) is Progress.BUSY
    let_go.set()
    waiting()
    assert really(lambda: dispatch.drain(real_tenant)) is Progress.DONE
    assert len(really(marks)) == 1


def test_lost_wakeups_are_made_anew_from_what_is_to_do(
    robot: Actor, real_tenant: TenantRef, really: Really, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew(monkeypatch, dispatch, "readers")
    anew(monkeypatch, timers, "kinds")
    timers.register("ring", lambda tenant, due: None)
    company = really(lambda: gate.create(robot, registry.get("company"), {"name": "Acme"})).record
    due = timezone.now() + timedelta(hours=1)
    really(lambda: timers.schedule("ring", "company", company.pk, due))

    def lose() -> None:
        with shared():
            Wakeup.objects.filter(role=role_of(real_tenant.schema_name)).delete()

    really(lose)
    assert really(lambda: wakeups.wakeups_rebuild(real_tenant)) == 2

    def when() -> list[Any]:
        with shared():
            found = Wakeup.objects.filter(role=role_of(real_tenant.schema_name)).order_by("due_at")
            return list(found.values_list("due_at", flat=True))

    now, later = really(when)
    assert now <= timezone.now()
    assert due <= later <= due + timedelta(minutes=1)
    assert really(lambda: Timer.objects.count()) == 1
    really(lambda: dispatch.drain(real_tenant))
    really(lose)
    assert really(lambda: wakeups.wakeups_rebuild(real_tenant)) == 1


def test_a_long_queue_is_left_for_the_next_turn(owner: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    anew(monkeypatch, dispatch, "readers")
    dispatch.on("*", name="tell", handler=tell)
    factories.company(owner)
    assert dispatch.drain(owner.tenant, until=time.monotonic() - 1) is Progress.MORE
    assert told == []
