"""Archiving a pipeline of many deals: in the background, some at a time, as one change."""

from typing import Any

import pytest

from crm.records.errors import Invalid
from crm.records.jobs import jobs
from crm.records.models import Job
from crm.records.schema.registry import registry
from crm.records.write import gate, undo
from crm.sales import services
from crm.sales.models import Deal, Pipeline, Stage
from crm.sales.services import pipeline_archive_start, pipeline_create
from tenants.actors import Actor


def stage(name: str, pipeline: Any) -> Stage:
    return Stage.objects.get(name=name, pipeline=pipeline, deleted_at=None)


@pytest.fixture
def many(admin: Actor, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A second pipeline with seven open deals, where two count as many."""
    monkeypatch.setattr(services, "MAX_AT_ONCE", 2)
    made = pipeline_create(admin, name="Service").record
    rows = [{"name": f"Deal {number}", "stage": stage("New", made).pk} for number in range(7)]
    gate.create_many(admin, registry.get("deal"), rows)
    return made


def test_many_deals_move_in_the_background_and_come_back(admin: Actor, many: Any) -> None:
    first = Pipeline.objects.get(is_default=True)
    moves = {stage("New", many).pk: stage("Qualified", first).pk}
    job = pipeline_archive_start(admin, pipeline_id=many.pk, moves=moves)
    assert isinstance(job, Job)
    assert not Pipeline.objects.get(pk=many.pk).archived
    jobs.run(admin.tenant, job.pk)
    job.refresh_from_db()
    assert (job.state, job.done, job.total) == (Job.State.DONE, 7, 7)
    assert Pipeline.objects.get(pk=many.pk).archived
    assert Deal.objects.filter(stage=stage("Qualified", first)).count() == 7
    assert job.change_set is not None
    undo.undo(admin, job.change_set.pk)
    assert Deal.objects.filter(stage=stage("New", many)).count() == 7


def test_a_job_is_not_begun_while_deals_would_be_refused(admin: Actor, many: Any) -> None:
    first = Pipeline.objects.get(is_default=True)
    target = stage("Qualified", first)
    gate.update(admin, registry.get("stage"), target.pk, {"required_fields": ["company"]})
    with pytest.raises(Invalid) as refused:
        pipeline_archive_start(admin, pipeline_id=many.pk, moves={stage("New", many).pk: target.pk})
    assert [one.code for one in refused.value.errors] == ["deals_refused"]
    assert not Job.objects.exists()
