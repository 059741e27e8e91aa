"""A plan's limit on contacts, in the write gate, in jobs, undo and the trash."""

from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from crm.people.models import Contact
from crm.records.jobs import bulk, jobs
from crm.records.jobs.bulk import Selection
from crm.records.models import ChangeSet, Event, Job
from crm.records.write import gate
from crm.records.write.limits import Key, counts
from crm.records.write.undo import undo
from tenants.actors import Actor
from tenants.workspaces.limits import LimitReached, usage_of
from tests import factories
from tests.billing.plans.under_plan import CONTACT, contacts, under

pytestmark = pytest.mark.django_db


def test_one_more_fits_and_then_none(owner: Actor) -> None:
    limited = under(owner, contacts=3)
    contacts(limited, 2)
    factories.contact(limited)
    with pytest.raises(LimitReached):
        factories.contact(limited)
    assert Contact.objects.filter(deleted_at=None).count() == 3


def test_of_many_at_once_all_fit_or_none_is_added(owner: Actor) -> None:
    limited = under(owner, contacts=3)
    contacts(limited, 1)
    with pytest.raises(LimitReached):
        contacts(limited, 3)
    assert usage_of(limited.tenant, "contacts").used == 1
    contacts(limited, 2)


def test_what_is_refused_leaves_no_trace(owner: Actor) -> None:
    before = ChangeSet.objects.count(), Event.objects.count()
    with pytest.raises(LimitReached):
        factories.contact(under(owner, contacts=0))
    assert (ChangeSet.objects.count(), Event.objects.count()) == before


def test_what_comes_back_from_the_trash_needs_room(owner: Actor) -> None:
    limited = under(owner, contacts=2)
    gone, _kept = contacts(limited, 2)
    gate.trash(limited, CONTACT, gone.pk)
    factories.contact(limited)
    with pytest.raises(LimitReached):
        gate.restore(limited, CONTACT, gone.pk)
    gate.trash(limited, CONTACT, _kept.pk)
    assert gate.restore(limited, CONTACT, gone.pk).record.deleted_at is None


def test_to_restore_what_is_there_takes_no_room(owner: Actor) -> None:
    limited = under(owner, contacts=1)
    there = factories.contact(limited)
    assert gate.restore(limited, CONTACT, there.pk).events == []


def test_undo_of_a_trash_needs_room(owner: Actor) -> None:
    limited = under(owner, contacts=1)
    gone = factories.contact(limited)
    change = gate.trash(limited, CONTACT, gone.pk)
    factories.contact(limited)
    with pytest.raises(LimitReached):
        undo(limited, change.change_set.pk)
    assert Contact.objects.get(pk=gone.pk).deleted_at is not None


def test_a_job_that_restores_ends_with_what_is_wrong(owner: Actor) -> None:
    made = contacts(owner, 3)
    gate.trash(owner, CONTACT, [one.pk for one in made])
    limited = under(owner, contacts=2)
    job = bulk.bulk_start(limited, CONTACT, "restore", Selection(ids=[one.pk for one in made]))
    jobs.run(limited.tenant, job.pk)
    ended = Job.objects.get(pk=job.pk)
    assert (ended.state, "Your plan holds 2 contacts" in ended.error) == (Job.State.FAILED, True)
    assert usage_of(limited.tenant, "contacts").used == 0


def test_sample_data_is_left_out(owner: Actor) -> None:
    limited = under(owner, contacts=1)
    gate.create_many(limited, CONTACT, [{"name": "Sample"}] * 3, source="sample")
    assert usage_of(limited.tenant, "contacts").used == 0
    factories.contact(limited)
    sample = Contact.objects.filter(is_sample=True).values_list("pk", flat=True)
    gate.trash(limited, CONTACT, sample)
    gate.restore(limited, CONTACT, sample)


def test_other_records_are_not_counted(owner: Actor) -> None:
    limited = under(owner, contacts=0, pipelines=0)
    company = factories.company(limited)
    factories.task(limited)
    factories.note(limited, about={"type": "company", "id": company.pk})


def test_over_a_limit_everything_but_adding_goes_on(owner: Actor) -> None:
    one, two, three = contacts(owner, 3)
    limited = under(owner, contacts=1)
    with pytest.raises(LimitReached):
        factories.contact(limited)
    gate.update(limited, CONTACT, one.pk, {"job": "Carpenter"})
    gate.trash(limited, CONTACT, [two.pk, three.pk])
    gate.trash(limited, CONTACT, one.pk)
    factories.contact(limited)


def test_a_count_that_is_far_from_the_limit_is_believed_and_a_new_limit_is_not(owner: Actor) -> None:
    far = under(owner, contacts=10_000)
    factories.contact(far)
    key = Key(owner.tenant.schema_name, "contacts", 10_000)
    assert counts.take(key, 1)
    assert not counts.take(key, 100), "a hundred like it have no room"
    with pytest.raises(LimitReached):
        factories.contact(under(owner, contacts=1))


def test_far_from_the_limit_the_check_asks_nothing(owner: Actor) -> None:
    far = under(owner, contacts=10_000)
    factories.contact(far)
    with CaptureQueriesContext(connection) as limited:
        factories.contact(far)
    with CaptureQueriesContext(connection) as unlimited:
        factories.contact(owner)
    assert len(limited) == len(unlimited)


def test_contacts_are_counted_by_an_index_of_their_own(owner: Actor) -> None:
    contacts(owner, 2)
    with connection.cursor() as cursor:
        # The planner may know of no row yet, and then reads what it takes for none.
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = Contact.objects.filter(deleted_at=None, is_sample=False).explain()
    assert "contact_counted" in plan


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 4)),
        st.tuples(st.just("trash"), st.integers(0, 20)),
        st.tuples(st.just("restore"), st.integers(0, 20)),
        st.tuples(st.just("limit"), st.integers(0, 8)),
        st.tuples(st.just("sample"), st.integers(1, 3)),
    ),
    max_size=15,
)


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_sequence_of_steps_adds_beyond_the_limit(owner: Actor, steps: list[tuple[str, int]]) -> None:
    counts.clear()
    with transaction.atomic():
        limit = 4
        live: list[UUID] = []
        trashed: list[UUID] = []
        for step, number in steps:
            actor = under(owner, contacts=limit)
            if step == "limit":
                limit = number
            elif step == "sample":
                gate.create_many(actor, CONTACT, [{"name": "Sample"}] * number, source="sample")
            elif step == "add":
                try:
                    made = contacts(actor, number)
                except LimitReached:
                    assert len(live) + number > limit
                else:
                    live += [one.pk for one in made]
                    assert len(live) <= limit
            elif step == "trash" and live:
                gone = live.pop(number % len(live))
                gate.trash(actor, CONTACT, gone)
                trashed.append(gone)
            elif step == "restore" and trashed:
                back = trashed[number % len(trashed)]
                try:
                    gate.restore(actor, CONTACT, back)
                except LimitReached:
                    assert len(live) + 1 > limit
                else:
                    trashed.remove(back)
                    live.append(back)
                    assert len(live) <= limit
            assert usage_of(actor.tenant, "contacts").used == len(live)
        transaction.set_rollback(True)
