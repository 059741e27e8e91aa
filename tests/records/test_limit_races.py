"""The last free place, and many who want it at once."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from crm.people.models import Contact
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.limits import SPARE, counts
from tenants.actors import Actor, TenantRef
from tenants.workspaces.limits import LimitReached
from tests.records.conftest import PATIENCE, elsewhere, until_waited_for

type Really = Callable[[Callable[[], Any]], Any]
CONTACT = registry.get("contact")


def under(actor: Actor, most: int) -> Actor:
    return replace(actor, tenant=replace(actor.tenant, limits={"contacts": most}))


def filled(robot: Actor, really: Really, number: int) -> list[Any]:
    rows = [{"name": f"Contact {place}"} for place in range(number)]
    return [record.pk for record in really(lambda: gate.create_many(robot, CONTACT, rows)).records]


def live(really: Really) -> int:
    found: int = really(lambda: Contact.objects.filter(deleted_at=None).count())
    return found


def race(robot: Actor, real_tenant: TenantRef, works: list[Callable[[Actor], Any]]) -> list[bool]:
    """Begin all together; which of them were let in."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[Actor], Any]) -> bool:
        start.wait(PATIENCE)
        try:
            work(robot)
        except LimitReached:
            return False
        return True

    return [wait() for wait in [elsewhere(partial(run, work), real_tenant) for work in works]]


def create(actor: Actor) -> None:
    gate.create(actor, CONTACT, {"name": "One more"})


def test_of_twenty_at_the_last_free_place_exactly_one_wins(
    robot: Actor, real_tenant: TenantRef, really: Really
) -> None:
    filled(robot, really, 4)
    won = race(under(robot, 5), real_tenant, [create] * 20)
    assert sum(won) == 1
    assert live(really) == 5


def test_creates_and_restores_race_for_the_same_place(robot: Actor, real_tenant: TenantRef, really: Really) -> None:
    ids = filled(robot, really, 7)
    really(lambda: gate.trash(robot, CONTACT, ids[:4]))
    restores = [partial(lambda one, actor: gate.restore(actor, CONTACT, one), one) for one in ids[:4]]
    won = race(under(robot, 4), real_tenant, [create, *restores, create])
    assert sum(won) == 1
    assert live(really) == 4


def test_many_who_come_from_far_off_stop_at_the_limit(robot: Actor, real_tenant: TenantRef, really: Really) -> None:
    """Each counts what it added, and is counted in by the others, over the border where counting begins."""
    most = SPARE + 40
    filled(robot, really, 30)

    def add(actor: Actor) -> None:
        for _number in range(20):
            create(actor)

    race(under(robot, most), real_tenant, [add] * 8)
    assert live(really) == most


@pytest.mark.parametrize("commits", [True, False], ids=["it is saved", "it is rolled back"])
def test_who_comes_second_waits_for_what_becomes_of_the_first(
    robot: Actor, real_tenant: TenantRef, really: Really, commits: bool
) -> None:
    limited = under(robot, 1)
    first_holds = threading.Event()

    def first() -> None:
        with transaction.atomic():
            create(limited)
            first_holds.set()
            until_waited_for()
            transaction.set_rollback(not commits)

    def second() -> bool:
        first_holds.wait(PATIENCE)
        try:
            create(limited)
        except LimitReached:
            return False
        return True

    waiting = [elsewhere(first, real_tenant), elsewhere(second, real_tenant)]
    waiting[0]()
    assert waiting[1]() is not commits
    assert live(really) == 1


def test_far_from_the_limit_nobody_waits(robot: Actor, real_tenant: TenantRef, really: Really) -> None:
    far = under(robot, 1_000_000)
    first_holds, second_done = threading.Event(), threading.Event()

    def first() -> None:
        with transaction.atomic():
            counts.clear()
            create(far)
            first_holds.set()
            assert second_done.wait(PATIENCE)

    def second() -> None:
        assert first_holds.wait(PATIENCE)
        counts.clear()
        create(far)
        second_done.set()

    for wait in [elsewhere(first, real_tenant), elsewhere(second, real_tenant)]:
        wait()
    assert live(really) == 2
