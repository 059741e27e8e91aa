"""Two at once: nothing is lost, nothing is half."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from crm.people.models import Company
from crm.records.errors import UndoConflict, VersionConflict
from crm.records.models import ChangeSet, Event
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.undo import undo
from tenants.actors import Actor, TenantRef
from tests.records.conftest import PATIENCE, elsewhere, until_waited_for

type Really = Callable[[Callable[[], Any]], Any]


def test_of_two_writers_with_one_version_only_one_wins(robot: Actor, real_tenant: TenantRef, really: Really) -> None:
    company = registry.get("company")
    made = really(lambda: gate.create(robot, company, {"name": "Acme"}).id)
    start = threading.Barrier(4)

    def write(name: str) -> str:
        start.wait(PATIENCE)
        try:
            gate.update(robot, company, made, {"name": name}, if_version=1)
        except VersionConflict:
            return "refused"
        return name

    waiting = [elsewhere(partial(write, name), real_tenant) for name in "ABCD"]
    results = [wait() for wait in waiting]

    kept = really(lambda: Company.objects.values_list("name", "version").get())
    assert sorted(result == "refused" for result in results) == [False, True, True, True]
    assert kept == (next(result for result in results if result != "refused"), 2)
    assert really(lambda: Event.objects.filter(type="company.updated").count()) == 1


def test_writers_of_different_fields_both_keep_theirs(robot: Actor, real_tenant: TenantRef, really: Really) -> None:
    company = registry.get("company")
    made = really(lambda: gate.create(robot, company, {"name": "Acme"}).id)
    first_holds = threading.Event()

    def first() -> None:
        with transaction.atomic():
            gate.update(robot, company, made, {"name": "Acme Ltd"})
            first_holds.set()
            until_waited_for()

    def second() -> None:
        first_holds.wait(PATIENCE)
        gate.update(robot, company, made, {"industry": "Glass"})

    for wait in [elsewhere(first, real_tenant), elsewhere(second, real_tenant)]:
        wait()

    assert really(lambda: Company.objects.values_list("name", "industry", "version").get()) == ("Acme Ltd", "Glass", 3)
    events = really(lambda: list(Event.objects.filter(type="company.updated").values_list("before", "after")))
    assert ({"industry": ""}, {"industry": "Glass"}) in events


def test_bulk_writers_in_opposite_order_do_not_deadlock(robot: Actor, real_tenant: TenantRef, really: Really) -> None:
    company = registry.get("company")
    rows = [{"name": f"Company {number}"} for number in range(20)]
    ids = [record.pk for record in really(lambda: gate.create_many(robot, company, rows)).records]

    def write(order: list[Any], industry: str) -> None:
        for _round in range(5):
            gate.update(robot, company, order, {"industry": f"{industry}{_round}"})

    for wait in [
        elsewhere(lambda: write(ids, "glass"), real_tenant),
        elsewhere(lambda: write(ids[::-1], "steel"), real_tenant),
    ]:
        wait()
    assert really(lambda: set(Company.objects.values_list("version", flat=True))) == {11}


def test_a_failure_in_the_middle_leaves_neither_record_nor_event(
    robot: Actor, really: Really, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("crm.records.wakeups.wake", broken)
    with pytest.raises(RuntimeError):
        really(lambda: gate.create(robot, registry.get("company"), {"name": "Acme"}))
    assert really(lambda: (Company.objects.count(), Event.objects.count(), ChangeSet.objects.count())) == (0, 0, 0)


def test_a_broken_queue_does_not_fail_the_request(
    robot: Actor, really: Really, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def broken(tenant: TenantRef) -> None:
        asked.append(tenant)
        raise ConnectionError("no broker")

    monkeypatch.setattr("crm.records.wakeups.send", broken)
    monkeypatch.setattr("crm.records.wakeups._nudged", {})
    really(lambda: gate.create(robot, registry.get("company"), {"name": "Acme"}))
    assert really(Company.objects.count) == 1
    assert len(asked) == 1


def test_one_change_is_undone_once(robot: Actor, real_tenant: TenantRef, really: Really) -> None:
    company = registry.get("company")
    change = really(lambda: gate.create(robot, company, {"name": "Acme"}))
    start = threading.Barrier(3)

    def take_back() -> bool:
        start.wait(PATIENCE)
        try:
            undo(robot, change.change_set.pk)
        except UndoConflict:
            return False
        return True

    waiting = [elsewhere(take_back, real_tenant) for _one in range(3)]
    assert sorted(wait() for wait in waiting) == [False, False, True]
    assert really(lambda: Event.objects.filter(type="company.trashed").count()) == 1
