"""Work in bulk while others write, cancel, undo, or die: every row once, nothing half."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from crm.people.models import Company
from crm.records.errors import UndoConflict
from crm.records.jobs import jobs
from crm.records.jobs.bulk import Selection, bulk_start, undo_start
from crm.records.models import ChangeSet, Event, Job, JobChunk
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.workspace.actors import actor_for_member
from crm.workspace.models import Member, Role
from tenants.actors import Actor, TenantRef
from tests.records.conftest import PATIENCE, elsewhere, until_waited_for

type Really = Callable[[Callable[[], Any]], Any]

ROWS = 40


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "CHUNK", 4)


@pytest.fixture
def boss(real_tenant: TenantRef, really: Really) -> Actor:
    def join() -> Actor:
        role, _made = Role.objects.get_or_create(slug="owner", defaults={"name": "Owner", "is_fixed": True})
        member = Member.objects.create(
            user_id="0198c0de-0000-7000-8000-000000000001", name="Bea Boss", email="bea@example.com", role=role
        )
        actor = actor_for_member(real_tenant, member.pk)
        assert actor is not None
        gate.create_many(actor, registry.get("company"), [{"name": f"Company {place}"} for place in range(ROWS)])
        return actor

    return really(join)  # type: ignore[no-any-return]


def start(actor: Actor) -> Job:
    return bulk_start(actor, registry.get("company"), "edit", Selection(), values={"industry": "Glass"})


def run(actor: Actor, job: Job) -> Callable[[], Any]:
    return elsewhere(lambda: jobs.run(actor.tenant, job.pk), actor.tenant)


def glass() -> int:
    return Company.objects.filter(industry="Glass").count()


def test_two_workers_do_each_row_once(boss, really):
    job = really(lambda: start(boss))
    waiting = [run(boss, job) for _worker in range(3)]
    for wait in waiting:
        wait()
    really(lambda: jobs.run(boss.tenant, job.pk))
    job = really(lambda: Job.objects.get(pk=job.pk))
    assert (job.state, job.done, job.result["changed"]) == ("done", ROWS, ROWS)
    events = really(lambda: list(Event.objects.filter(change_set=job.change_set_id).values_list("record_id")))
    assert len(events) == len(set(events)) == ROWS


def test_a_worker_that_dies_in_a_chunk_leaves_no_trace_of_it(boss, really):
    job = really(lambda: start(boss))
    really(lambda: jobs.step(boss.tenant, job.pk))

    def dies() -> None:
        with transaction.atomic():
            jobs.step(boss.tenant, job.pk)
            assert glass() == 8
            connection.connection.close()

    with pytest.raises(Exception, match="closed"):
        elsewhere(dies, boss.tenant)()
    assert really(glass) == 4
    assert really(lambda: sum(len(one.ids) for one in JobChunk.objects.all())) == ROWS - 4
    really(lambda: jobs.run(boss.tenant, job.pk))
    assert really(lambda: Job.objects.get(pk=job.pk).result["changed"]) == ROWS


def test_a_row_that_is_being_edited_is_waited_for_and_judged_by_what_it_becomes(boss, really):
    """The editor holds the row while its chunk begins; by their edit it is not what was asked for any more."""
    company = registry.get("company")
    first = really(lambda: Company.objects.order_by("id").values_list("pk", flat=True)[0])
    tree = {"field": "name", "op": "starts_with", "value": "Company"}
    job = really(lambda: bulk_start(boss, company, "edit", Selection(filter=tree), values={"industry": "Glass"}))
    holds = threading.Event()

    def edit() -> None:
        with transaction.atomic():
            gate.update(boss, company, first, {"name": "Something else"})
            holds.set()
            until_waited_for()

    editing = elsewhere(edit, boss.tenant)
    holds.wait(PATIENCE)
    working = run(boss, job)
    editing()
    working()
    job = really(lambda: Job.objects.get(pk=job.pk))
    assert (job.state, job.result["changed"], job.skipped) == ("done", ROWS - 1, 1)
    assert really(lambda: Company.objects.get(pk=first).industry) == ""


def test_a_cancel_that_comes_in_the_middle_of_a_chunk_ends_it_behind_that(boss, really):
    job = really(lambda: start(boss))
    inside = threading.Event()

    def slow() -> None:
        with transaction.atomic():
            jobs.step(boss.tenant, job.pk)
            inside.set()
            until_waited_for()

    working = elsewhere(slow, boss.tenant)
    inside.wait(PATIENCE)
    cancelling = elsewhere(lambda: jobs.job_cancel(boss, job.pk), boss.tenant)
    working()
    cancelling()
    really(lambda: jobs.run(boss.tenant, job.pk))
    job = really(lambda: Job.objects.get(pk=job.pk))
    assert (job.state, job.done) == ("cancelled", 4)
    assert really(glass) == job.result["changed"] == 4


def test_cancelled_and_finished_at_once_it_is_one_of_the_two(boss, really):
    for _turn in range(3):
        job = really(lambda: start(boss))
        working = run(boss, job)

        def cancel(job: Job = job) -> str:
            try:
                jobs.job_cancel(boss, job.pk)
            except Exception as refused:
                return str(refused)
            return ""

        cancelling = elsewhere(cancel, boss.tenant)
        working()
        cancelling()
        really(lambda job=job: jobs.run(boss.tenant, job.pk))
        ended = really(lambda job=job: Job.objects.get(pk=job.pk))
        assert ended.state in {"done", "cancelled"}
        assert (ended.state == "done") == (ended.done == ended.total)
        if ended.change_set_id:
            back = really(lambda ended=ended: undo_start(boss, ended.change_set_id))
            really(lambda back=back: jobs.run(boss.tenant, back.pk))
        assert really(glass) == 0


def test_of_two_undos_at_once_one_is_begun(boss, really):
    job = really(lambda: start(boss))
    really(lambda: jobs.run(boss.tenant, job.pk))
    change_set = really(lambda: Job.objects.get(pk=job.pk).change_set_id)
    together = threading.Barrier(2)

    def take_back() -> str:
        together.wait(PATIENCE)
        try:
            return str(undo_start(boss, change_set).pk)
        except UndoConflict:
            return "refused"

    found = [wait() for wait in [elsewhere(take_back, boss.tenant) for _hand in range(2)]]
    assert sorted(one == "refused" for one in found) == [False, True]
    assert really(lambda: ChangeSet.objects.filter(undo_of=change_set).count()) == 1
    for one in found:
        if one != "refused":
            really(lambda one=one: jobs.run(boss.tenant, Job.objects.get(pk=one).pk))
    assert really(glass) == 0
