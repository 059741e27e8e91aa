"""A copy kept by ``updated_at`` misses nothing, however late a writer commits."""

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from crm.people.models import Company
from crm.records.read import reading
from crm.records.read.reading import Query
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.settling import settled_until
from tenants.actors import Actor, TenantRef
from tests.records.conftest import PATIENCE, elsewhere

type Really = Callable[[Callable[[], Any]], Any]


class Copy:
    """What a program keeps: every row it was shown, asked for by the latest time of change that it knows."""

    def __init__(self, actor: Actor, *, limit: int = 500, sort: tuple[str, ...] = ("updated_at",)) -> None:
        self.actor = actor
        self.limit = limit
        self.sort = sort
        self.known: dict[UUID, int] = {}
        self.latest: datetime | None = None

    def catch_up(self, between: Callable[[], Any] = lambda: None) -> set[str]:
        """Go through all pages; ``between`` happens after each. Gives the names of what was shown."""
        since = {"field": "updated_at", "op": "gte", "value": self.latest.isoformat()} if self.latest else None
        wanted = Query(
            filter=since,
            sort=self.sort,
            deleted="include",
            limit=self.limit,
            settled=True,
            fields=("name", "updated_at"),
        )
        shown: set[str] = set()
        latest, cursor = self.latest, None
        while True:
            page = reading.page(self.actor, registry.get("company"), Query(**{**fields(wanted), "cursor": cursor}))
            for row in page.rows:
                shown.add(row["name"])
                self.known[row["id"]] = row["version"]
                latest = max(latest or row["updated_at"], row["updated_at"])
            cursor = page.next_cursor
            if cursor is None:
                self.latest = latest
                return shown
            between()


def fields(wanted: Query) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in Query.__dataclass_fields__}


def create(actor: Actor, name: str) -> UUID:
    return gate.create(actor, registry.get("company"), {"name": name}).id


@pytest.fixture
def late(robot: Actor, real_tenant: TenantRef) -> Any:
    """``late(work)``: a writer who has written and commits only when the result is called."""
    waiting: list[threading.Event] = []

    def begin(work: Callable[[], Any]) -> Callable[[], Any]:
        wrote, may_end = threading.Event(), threading.Event()
        waiting.append(may_end)

        def run() -> None:
            with transaction.atomic():
                work()
                wrote.set()
                assert may_end.wait(PATIENCE)

        result = elsewhere(run, real_tenant)
        assert wrote.wait(PATIENCE)

        def end() -> None:
            may_end.set()
            result()

        return end

    yield begin
    for one in waiting:
        one.set()


def test_what_changed_after_a_writer_still_at_work_began_waits_for_it(robot: Actor, really: Really, late: Any) -> None:
    copy = Copy(robot)
    really(partial(create, robot, "before"))
    time.sleep(0.02)
    end = late(partial(create, robot, "late"))
    really(partial(create, robot, "after"))
    assert really(copy.catch_up) == {"before"}
    end()
    assert really(copy.catch_up) == {"before", "late", "after"}


@pytest.mark.parametrize("kind", ["many made", "many changed alike", "each changed", "trashed", "restored"])
def test_every_kind_of_write_holds_the_copy_back(robot: Actor, really: Really, late: Any, kind: str) -> None:
    company = registry.get("company")
    ids = [really(partial(create, robot, name)) for name in ("one", "two")]
    if kind == "restored":
        really(lambda: gate.trash(robot, company, ids))
    works: dict[str, Callable[[], Any]] = {
        "many made": lambda: gate.create_many(robot, company, [{"name": "three"}, {"name": "four"}]),
        "many changed alike": lambda: gate.update(robot, company, ids, {"industry": "Glass"}),
        "each changed": lambda: gate.update_many(robot, company, {id: {"industry": str(id)} for id in ids}),
        "trashed": lambda: gate.trash(robot, company, ids),
        "restored": lambda: gate.restore(robot, company, ids),
    }
    copy = Copy(robot)
    really(copy.catch_up)
    end = late(works[kind])
    really(partial(create, robot, "meanwhile"))
    assert "meanwhile" not in really(copy.catch_up)
    end()
    really(copy.catch_up)
    assert copy.known == really(lambda: dict(Company.objects.values_list("id", "version")))


def test_a_walk_over_pages_goes_no_further_than_its_beginning(robot: Actor, really: Really, late: Any) -> None:
    """Whatever the order: what comes in between is left to the next time, so that the latest time known is sound."""
    for name in "abcd":
        really(partial(create, robot, name))
    time.sleep(0.02)
    ends = [late(partial(create, robot, "a late one"))]

    def between() -> None:
        really(partial(create, robot, "z in between"))
        if ends:
            ends.pop()()

    copy = Copy(robot, limit=2, sort=("name",))
    assert elsewhere(lambda: copy.catch_up(between), robot.tenant)() == set("abcd")
    assert really(copy.catch_up) >= {"a late one", "z in between"}


def test_another_workspace_and_those_who_only_read_hold_nobody_back(
    robot: Actor, real_tenant: TenantRef, tenant_b: TenantRef, really: Really, outsider: Actor
) -> None:
    began, may_end = threading.Event(), threading.Event()

    def write_elsewhere() -> None:
        try:
            with transaction.atomic():
                create(outsider, "of another workspace")
                began.set()
                assert may_end.wait(PATIENCE)
                transaction.set_rollback(True)
        finally:
            began.set()

    def read() -> None:
        with transaction.atomic():
            Company.objects.count()
            assert may_end.wait(PATIENCE)

    others = [elsewhere(write_elsewhere, tenant_b), elsewhere(read, real_tenant)]
    try:
        assert began.wait(PATIENCE)
        really(partial(create, robot, "ours"))
        assert really(Copy(robot).catch_up) == {"ours"}
    finally:
        may_end.set()
        for other in others:
            other()


def test_writers_who_commit_in_any_order_leave_no_hole(robot: Actor, real_tenant: TenantRef, really: Really) -> None:
    """Three writers whose transactions overlap, and a program that keeps a copy all the while."""
    company = registry.get("company")

    def write(number: int) -> None:
        chance = random.Random(number)
        mine: list[UUID] = []
        for turn in range(12):
            with transaction.atomic():
                if mine and chance.random() < 0.5:
                    gate.update(robot, company, chance.choice(mine), {"industry": f"{turn}"})
                else:
                    mine.append(create(robot, f"{number}-{turn}"))
                time.sleep(chance.random() * 0.03)

    copy = Copy(robot, limit=5)
    writers = [elsewhere(partial(write, number), real_tenant) for number in range(3)]
    rest = threading.Event()

    def keep() -> None:
        while not rest.is_set():
            copy.catch_up()

    keeper = elsewhere(keep, real_tenant)
    for writer in writers:
        writer()
    rest.set()
    keeper()
    really(copy.catch_up)
    assert copy.known == really(lambda: dict(Company.objects.values_list("id", "version")))


def test_what_is_dated_back_changed_now(robot: Actor, really: Really) -> None:
    """A sample or an import is told as of long ago; that it came is of today."""
    begun = really(settled_until)
    old = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
    made = really(lambda: gate.create(robot, registry.get("company"), {"name": "Old"}, source="sample", at=old).id)
    row = really(lambda: Company.objects.get(pk=made))
    assert (row.created_at, row.updated_at > begun) == (old, True)


def test_a_workspace_learns_of_no_locks_but_its_own_writers(robot: Actor, really: Really) -> None:
    """Within one transaction one's own writes hold nothing back."""

    def work() -> bool:
        with transaction.atomic():
            row = Company.objects.get(pk=create(robot, "ours"))
            return bool(settled_until() > row.updated_at)

    assert really(work)
