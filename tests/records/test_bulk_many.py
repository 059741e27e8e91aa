"""Thousands of deals changed at once, cancelled in the middle, undone. ``BULK_ROWS=50000`` does it with as many."""

import os
from typing import Any

import pytest

from crm.records.jobs import jobs
from crm.records.jobs.bulk import Selection, bulk_start, undo_start
from crm.records.models import Event, Job
from crm.records.schema.registry import registry
from crm.records.write import gate
from tests.records.test_bulk import table

pytestmark = pytest.mark.django_db

ROWS = int(os.environ.get("BULK_ROWS", "3000"))


@pytest.mark.slow("changes three thousand records and takes them back")
def test_cancelled_in_the_middle_and_undone_all_is_as_before(owner, seller):
    deal = registry.get("deal")
    for start in range(0, ROWS, 1000):
        rows: list[Any] = [
            {"name": f"Deal {place}", "amount": str(place), "currency": "EUR"} for place in range(start, start + 1000)
        ]
        gate.create_many(owner, deal, rows)
    before = table()
    won = registry.get("stage").rows.get(kind="won")
    values = {"owner": str(seller.member_id), "stage": str(won.pk), "expected_close": "2027-01-01"}

    job = bulk_start(owner, deal, "edit", Selection(), values=values)
    assert job.total == ROWS
    while Job.objects.get(pk=job.pk).done < ROWS / 2:
        assert jobs.step(owner.tenant, job.pk)
    jobs.job_cancel(owner, job.pk)
    assert not jobs.step(owner.tenant, job.pk)
    stopped: Any = Job.objects.get(pk=job.pk)
    assert (stopped.state, stopped.skipped) == ("cancelled", 0)
    assert ROWS / 2 <= stopped.done < ROWS
    assert deal.rows.filter(owner=seller.member_id, stage=won.pk).count() == stopped.done
    assert Event.objects.filter(change_set=stopped.change_set_id, type="deal.updated").count() == stopped.done

    back = undo_start(owner, stopped.change_set_id)
    assert back.total == stopped.done
    while jobs.step(owner.tenant, back.pk):
        pass
    undone = Job.objects.get(pk=back.pk)
    assert (undone.state, undone.skipped) == ("done", 0)
    assert table() == before
