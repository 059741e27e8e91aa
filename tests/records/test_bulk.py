"""One change over many records, in the background: what is reached, what is refused, cancel, undo, and lost workers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from crm.records import tasks
from crm.records.errors import Forbidden, Invalid, NotFound, UndoConflict
from crm.records.jobs import bulk, jobs
from crm.records.jobs.bulk import Selection, bulk_start, undo_start
from crm.records.models import ChangeSet, Event, Job, JobChunk
from crm.records.schema.registry import registry
from crm.records.write import gate, undo
from crm.workspace.models import Member, Notification, Role
from tenants.actors import Actor
from tests import factories

pytestmark = pytest.mark.django_db

OPEN_AMOUNT = {"field": "amount", "op": "gte", "value": "100"}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "CHUNK", 3)


def deals(actor: Actor, number: int, **values: Any) -> list[Any]:
    rows = [{"name": f"Deal {place}", "amount": str(100 + place), **values} for place in range(number)]
    return gate.create_many(actor, registry.get("deal"), rows).records


def start(actor: Actor, wanted: Selection | None = None, **options: Any) -> Job:
    options = {"values": {"probability": 40}} | options
    return bulk_start(actor, registry.get("deal"), options.pop("action", "edit"), wanted or Selection(), **options)


def finish(actor: Actor, job: Job) -> Any:
    jobs.run(actor.tenant, job.pk)
    return Job.objects.get(pk=job.pk)


def table(of: str = "deal") -> list[tuple[Any, ...]]:
    """All there is in the table, but for what every write leaves: version and times of change."""
    left_out = {"version", "updated_at"}
    model = registry.get(of).model_class
    names = [one.attname for one in model._meta.concrete_fields if one.attname not in left_out]
    return sorted(model._default_manager.values_list(*names), key=lambda row: str(row[0]))


def changes(job: Job) -> Any:
    return Job.objects.get(pk=job.pk).change_set_id


def reasons(actor: Actor) -> list[str]:
    return [str(factories.make(actor, "lost_reason", {"name": name}).pk) for name in ("Too dear", "Too late")]


def lose(actor: Actor, deal: Any, reason: str) -> None:
    lost = registry.get("stage").rows.get(kind="lost", pipeline=deal.pipeline_id)
    gate.update(actor, registry.get("deal"), deal.pk, {"stage": str(lost.pk), "lost_reason": reason})


def names(**condition: Any) -> set[str]:
    return set(registry.get("deal").rows.filter(**condition).values_list("name", flat=True))


class TestEdit:
    def test_all_that_match_are_changed_and_nothing_else(self, owner):
        deals(owner, 8)
        factories.deal(owner, name="Small", amount="5")
        job = finish(owner, start(owner, Selection(filter=OPEN_AMOUNT)))
        assert (job.state, job.total, job.done, job.skipped) == ("done", 8, 8, 0)
        assert names(probability=40) == {f"Deal {place}" for place in range(8)}

    def test_it_is_one_change_with_an_event_a_record(self, owner):
        deals(owner, 7)
        job = finish(owner, start(owner))
        events = Event.objects.filter(change_set=job.change_set, type="deal.updated")
        assert events.count() == 7
        assert job.change_set.member_id == owner.member_id

    def test_a_selection_reaches_only_what_was_selected(self, owner):
        made = deals(owner, 5)
        finish(owner, start(owner, Selection(ids=[made[1].pk, made[4].pk])))
        assert names(probability=40) == {"Deal 1", "Deal 4"}

    def test_what_was_made_after_the_start_is_left_alone(self, owner):
        deals(owner, 4)
        job = start(owner)
        factories.deal(owner, name="Late")
        finish(owner, job)
        assert "Late" not in names(probability=40)

    def test_a_row_that_stopped_to_match_is_left_and_told_of(self, owner):
        made = deals(owner, 4)
        job = start(owner, Selection(filter=OPEN_AMOUNT))
        gate.update(owner, registry.get("deal"), made[3].pk, {"amount": "1"})
        gate.trash(owner, registry.get("deal"), made[2].pk)
        job = finish(owner, job)
        assert names(probability=40) == {"Deal 0", "Deal 1"}
        assert {one["id"]: one["code"] for one in job.problems} == {
            str(made[3].pk): "changed",
            str(made[2].pk): "gone",
        }
        assert (job.done, job.skipped, job.result["changed"]) == (4, 2, 2)

    def test_a_row_that_the_filter_itself_changes_is_not_lost(self, owner):
        """What was changed does not match any more; the others still have their turn."""
        deals(owner, 8)
        job = finish(owner, start(owner, Selection(filter=OPEN_AMOUNT), values={"amount": "1"}))
        assert job.result["changed"] == 8

    def test_a_day_in_the_filter_is_the_day_of_the_start(self, owner):
        deals(owner, 2)
        tree = {"field": "created_at", "op": "today"}
        job = start(owner, Selection(filter=tree))
        Job.objects.filter(pk=job.pk).update(created_at=timezone.now() + timedelta(days=1))
        assert finish(owner, job).skipped == 2

    def test_rows_that_the_rules_refuse_are_skipped_with_the_reason(self, owner):
        made = deals(owner, 5)
        one, other = reasons(owner)
        lose(owner, made[1], one)
        job = finish(owner, start(owner, values={"lost_reason": other}))
        assert (job.state, job.result["changed"], job.skipped) == ("done", 1, 4)
        assert {problem["field"] for problem in job.problems} == {"lost_reason"}
        assert names(lost_reason=other) == {"Deal 1"}

    def test_or_it_stops_at_the_first_and_takes_back_what_was_done(self, owner):
        made = deals(owner, 7)
        one, other = reasons(owner)
        for deal in made[:4]:
            lose(owner, deal, one)
        before = table()
        job = finish(owner, start(owner, values={"lost_reason": other}, on_error="stop"))
        assert (job.state, names(lost_reason=other)) == ("failed", {"Deal 0", "Deal 1", "Deal 2"})
        assert "lost" in job.error
        assert finish(owner, Job.objects.get(undo_of=job)).state == "done"
        assert table() == before

    def test_a_value_that_no_row_could_take_is_refused_at_once(self, owner):
        deals(owner, 1)
        for values in ({"probability": "many"}, {"nonsense": 1}, {"stage_entered_at": "2026-01-01"}, {}):
            with pytest.raises(Invalid):
                start(owner, values=values)
        assert not Job.objects.exists()

    def test_nothing_that_matches_is_said_so(self, owner):
        with pytest.raises(Invalid):
            start(owner, Selection(filter=OPEN_AMOUNT))

    def test_of_many_made_his_a_member_is_told_once(self, owner, seller):
        deals(owner, 7)
        finish(owner, start(owner, values={"owner": str(seller.member_id)}))
        told = Notification.objects.filter(member_id=seller.member_id)
        assert [one.count for one in told] == [7]

    def test_who_started_it_is_told_at_the_end(self, owner):
        deals(owner, 2)
        finish(owner, start(owner))
        assert Notification.objects.filter(member_id=owner.member_id, kind="job_done").count() == 1


class TestTrash:
    def test_all_go_to_the_trash_and_come_back(self, owner):
        deals(owner, 5)
        before = table()
        job = finish(owner, start(owner, action="trash", values=None))
        assert names(deleted_at=None) == set()
        finish(owner, undo_start(owner, job.change_set_id))
        assert table() == before


class TestRights:
    def test_without_the_right_nobody_works_in_bulk(self, owner, reader):
        deals(owner, 2)
        with pytest.raises(Forbidden):
            start(reader)

    def test_a_narrow_right_reaches_only_his_own(self, owner, seller):
        deals(owner, 3)
        deals(owner, 2, owner=str(seller.member_id))
        job = finish(seller, start(seller))
        assert (job.total, job.done, job.skipped) == (2, 2, 0)
        assert registry.get("deal").rows.filter(probability=40).exclude(owner_id=seller.member_id).count() == 0

    def test_a_selection_beyond_his_reach_is_left_and_told_of(self, owner, seller):
        theirs = deals(owner, 2)
        own = deals(owner, 1, owner=str(seller.member_id))
        job = finish(seller, start(seller, Selection(ids=[one.pk for one in [*theirs, *own]])))
        assert (job.done, job.skipped, job.result["changed"]) == (3, 2, 1)

    def test_a_right_withdrawn_meanwhile_stops_it(self, owner, manager):
        deals(owner, 7)
        job = start(manager)
        assert jobs.step(owner.tenant, job.pk)
        Member.objects.filter(pk=manager.member_id).update(role=Role.objects.get(slug="read_only"))
        job = finish(owner, job)
        assert (job.state, job.done) == ("failed", 3)
        assert len(names(probability=40)) == 3

    def test_so_does_a_member_deactivated_meanwhile(self, owner, manager):
        deals(owner, 4)
        job = start(manager)
        Member.objects.filter(pk=manager.member_id).update(state=Member.State.DEACTIVATED)
        assert finish(owner, job).state == "failed"
        assert names(probability=40) == set()

    def test_nobody_sees_the_jobs_of_others(self, owner, seller, manager):
        deals(owner, 1)
        job = start(owner)
        with pytest.raises(NotFound):
            jobs.job_get(seller, job.pk)
        with pytest.raises(NotFound):
            jobs.job_cancel(manager, job.pk)
        assert jobs.job_get(owner, job.pk).pk == job.pk


class TestCancel:
    def test_what_is_done_stays_and_can_be_undone(self, owner):
        deals(owner, 8)
        before = table()
        job = start(owner)
        assert jobs.step(owner.tenant, job.pk)
        jobs.job_cancel(owner, job.pk)
        job = finish(owner, job)
        assert (job.state, job.done, job.total) == ("cancelled", 3, 8)
        assert len(names(probability=40)) == 3
        assert not JobChunk.objects.exists()
        finish(owner, undo_start(owner, job.change_set_id))
        assert table() == before

    def test_before_the_first_row(self, owner):
        deals(owner, 3)
        job = start(owner)
        jobs.job_cancel(owner, job.pk)
        assert (finish(owner, job).state, names(probability=40)) == ("cancelled", set())

    def test_too_late_is_said_so(self, owner):
        deals(owner, 1)
        job = finish(owner, start(owner))
        with pytest.raises(Invalid):
            jobs.job_cancel(owner, job.pk)

    def test_what_runs_is_not_undone(self, owner):
        deals(owner, 8)
        job = start(owner)
        jobs.step(owner.tenant, job.pk)
        change_set = changes(job)
        with pytest.raises(UndoConflict):
            undo_start(owner, change_set)
        with pytest.raises(UndoConflict):
            undo.undo(owner, change_set)


class TestUndo:
    def test_the_rows_are_as_before(self, owner, seller):
        deals(owner, 5)
        deals(owner, 3, probability=40, owner=str(seller.member_id))
        before = table()
        won = registry.get("stage").rows.get(kind="won")
        values = {"owner": str(seller.member_id), "stage": str(won.pk), "expected_close": "2027-01-01"}
        job = finish(owner, start(owner, values=values))
        assert job.skipped == 0
        assert table() != before
        back = finish(owner, undo_start(owner, job.change_set_id))
        assert (back.state, back.skipped) == ("done", 0)
        assert table() == before

    def test_what_changed_since_stays_and_is_told_of(self, owner):
        made = deals(owner, 5)
        job = finish(owner, start(owner))
        gate.update(owner, registry.get("deal"), made[2].pk, {"probability": 90})
        back = finish(owner, undo_start(owner, job.change_set_id))
        assert [one["code"] for one in back.problems] == ["changed_since"]
        assert names(probability=90) == {"Deal 2"}
        assert names(probability=40) == set()

    def test_once_only(self, owner):
        deals(owner, 2)
        job = finish(owner, start(owner))
        undo_start(owner, job.change_set_id)
        with pytest.raises(UndoConflict):
            undo_start(owner, job.change_set_id)
        assert ChangeSet.objects.filter(undo_of=job.change_set_id).count() == 1

    def test_and_done_again(self, owner):
        deals(owner, 5)
        job = finish(owner, start(owner))
        after = table()
        back = finish(owner, undo_start(owner, job.change_set_id))
        finish(owner, undo_start(owner, back.change_set_id))
        assert table() == after

    def test_not_by_who_could_not_have_done_it(self, owner, reader):
        deals(owner, 2)
        job = finish(owner, start(owner))
        with pytest.raises(NotFound):
            undo_start(reader, job.change_set_id)

    def test_a_small_one_is_undone_at_once(self, owner, monkeypatch):
        deals(owner, 3)
        before = table()
        job = finish(owner, start(owner))
        assert not bulk.is_many(job.change_set_id)
        latest = undo.last_own(owner)
        assert latest == job.change_set_id
        undo.undo(owner, latest)
        assert table() == before


class TestWorkers:
    def test_a_chunk_that_breaks_off_is_done_once(self, owner, monkeypatch):
        deals(owner, 7)
        job = start(owner)
        assert jobs.step(owner.tenant, job.pk)
        real = bulk.write

        def killed(*arguments: Any) -> Any:
            real(*arguments)
            raise RuntimeError("The worker was killed.")

        monkeypatch.setattr(bulk, "write", killed)
        assert not jobs.step(owner.tenant, job.pk)
        halfway = Job.objects.get(pk=job.pk)
        assert (halfway.done, halfway.failures, halfway.state) == (3, 1, "running")
        monkeypatch.setattr(bulk, "write", real)
        job = finish(owner, job)
        assert (job.state, job.done) == ("done", 7)
        events = Event.objects.filter(change_set=job.change_set, type="deal.updated")
        assert events.count() == events.values("record_id").distinct().count() == 7

    def test_what_always_breaks_is_given_up(self, owner, monkeypatch):
        deals(owner, 2)
        job = start(owner)

        def broken(*_arguments: Any) -> Any:
            raise RuntimeError("Broken.")

        monkeypatch.setattr(bulk, "write", broken)
        for _try in range(jobs.TRIES):
            jobs.step(owner.tenant, job.pk)
        assert Job.objects.get(pk=job.pk).state == "failed"

    def test_jobs_are_handed_out_once_and_again_when_their_worker_is_lost(
        self, owner, monkeypatch, django_capture_on_commit_callbacks
    ):
        deals(owner, 2)
        sent: list[Any] = []
        monkeypatch.setattr(tasks, "send", lambda _tenant, job_id: sent.append(job_id))
        job = start(owner)
        for _round in range(2):
            with django_capture_on_commit_callbacks(execute=True):
                tasks.enqueue_due(owner.tenant)
        assert sent == [job.pk]
        Job.objects.filter(pk=job.pk).update(next_at=timezone.now() - timedelta(seconds=1))
        with django_capture_on_commit_callbacks(execute=True):
            tasks.enqueue_due(owner.tenant)
        assert sent == [job.pk, job.pk]

    def test_a_workspace_has_a_few_at_work_at_once(self, owner, monkeypatch, django_capture_on_commit_callbacks):
        deals(owner, 2)
        sent: list[Any] = []
        monkeypatch.setattr(tasks, "send", lambda _tenant, job_id: sent.append(job_id))
        for _number in range(jobs.MAX_RUNNING + 2):
            start(owner)
        with django_capture_on_commit_callbacks(execute=True):
            tasks.enqueue_due(owner.tenant)
            tasks.enqueue_due(owner.tenant)
        assert len(sent) == jobs.MAX_RUNNING

    def test_statements_do_not_grow_with_the_chunk(self, owner, monkeypatch, django_assert_max_num_queries):
        monkeypatch.setattr(jobs, "CHUNK", 100)
        deals(owner, 60)
        job = start(owner)
        with django_assert_max_num_queries(30):
            jobs.step(owner.tenant, job.pk)
        assert connection.in_atomic_block

    def test_the_actor_is_the_members_own(self, owner, seller):
        deals(owner, 1, owner=str(seller.member_id))
        job = start(replace(seller, request_id="r-1"))
        job = finish(owner, job)
        assert (job.change_set.member_id, job.change_set.request_id) == (seller.member_id, "r-1")
