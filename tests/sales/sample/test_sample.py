"""Sample data: what it is to others in the workspace, and how it is cleared without tearing anything."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from crm.activities.models import Meeting, Task
from crm.activities.services import activity_done
from crm.people.models import Company, Contact
from crm.records.errors import Forbidden
from crm.records.schema.registry import registry
from crm.records.write import gate, undo
from crm.sales.board.columns import board
from crm.sales.models import Deal, Pipeline, Stage
from crm.sales.sample.loading import sample_clear, sample_load, sample_present
from crm.workspace.actors import actor_for_member, actor_for_user
from crm.workspace.models import Member
from crm.workspace.people.selectors import seats
from tenants.actors import Actor, TenantRef
from tenants.db.scopes import tenant_scope
from tests import factories
from tests.cast import PEOPLE_OF_A, Cast

pytestmark = [pytest.mark.slow("stands on the sample of half a year"), pytest.mark.usefixtures("sample")]


@pytest.fixture(scope="module")
def sample(django_db_setup: None, django_db_blocker: Any, tenant_a: TenantRef, the_cast: Cast) -> Iterator[None]:
    """The sample in workspace A, loaded once for all tests here; each takes back only what it did to it."""
    with django_db_blocker.unblock(), transaction.atomic():
        with tenant_scope(tenant_a):
            owner = actor_for_user(tenant_a, the_cast.users["owner"], "test-request")
            assert owner is not None
            sample_load(owner)
        yield
        transaction.set_rollback(True)


def test_the_sample_is_loaded_once(owner: Actor) -> None:
    assert sample_load(owner) == 0
    assert Company.objects.count() == 60


def test_clearing_takes_the_sample_and_leaves_what_is_real(owner: Actor) -> None:
    real = factories.company(owner, name="Real")
    cleared = sample_clear(owner)
    assert cleared.kept == []
    assert cleared.cleared > 1000
    assert list(Company.objects.filter(deleted_at=None)) == [real]
    assert not sample_present(owner)


def test_what_a_real_record_rests_on_stays_and_is_named(owner: Actor) -> None:
    deal = Deal.objects.exclude(company=None).filter(contact_links__isnull=False).order_by("pk").first()
    assert deal is not None
    factories.note(owner, about={"type": "deal", "id": deal.pk})
    cleared = sample_clear(owner)
    named = {(kept.type, kept.id) for kept in cleared.kept}
    people = set(deal.contact_links.values_list("contact_id", flat=True))
    assert {("deal", deal.pk), ("company", deal.company_id)} <= named
    assert {("contact", person) for person in people} <= named
    left = {
        pk
        for model in (Company, Contact, Deal, Task)
        for pk in model.objects.filter(deleted_at=None).values_list("pk", flat=True)
    }
    assert left == {pk for kind, pk in named if kind not in {"pipeline", "stage"}}
    assert {kind for kind, _pk in named} >= {"pipeline", "stage"}


def test_only_who_may_handle_sample_data_does(seller: Actor, owner: Actor) -> None:
    with pytest.raises(Forbidden):
        sample_load(seller)
    with pytest.raises(Forbidden):
        sample_clear(seller)
    assert sample_present(owner)


def test_dating_back_is_not_for_everybody(owner: Actor) -> None:
    long_ago = timezone.now() - timedelta(days=400)
    company = gate.create(owner, registry.get("company"), {"name": "Acme"}, source="api", at=long_ago).record
    assert timezone.now() - company.created_at < timedelta(minutes=1)


def test_the_sample_brings_the_pipeline_of_its_business(owner: Actor) -> None:
    found = board(owner)
    assert found.pipeline.name == "Windows"
    names = [column.stage.name for column in found.columns]
    assert names == ["First call", "Measuring", "Agreement", "Payment", "Installation", "Won", "Lost"]
    assert all(column.count for column in found.columns)
    sample_clear(owner)
    assert board(owner).pipeline.name == "Sales"
    assert Pipeline.objects.filter(deleted_at=None).count() == 1
    assert not Stage.objects.filter(deleted_at=None, pipeline__name="Windows").exists()


def test_a_pipeline_in_which_a_real_deal_stands_stays_whole(owner: Actor) -> None:
    pipeline = Pipeline.objects.get(name="Windows")
    factories.deal(owner, name="Real", pipeline=pipeline.pk)
    kept = {(one.type, one.title) for one in sample_clear(owner).kept}
    assert ("pipeline", "Windows") in kept
    assert len([one for one, _title in kept if one == "stage"]) == 7
    assert board(owner).pipeline.name == "Windows"


def test_the_samples_people_sell_and_are_no_members(owner: Actor, browser_client: Any, api: Any) -> None:
    """They are named on their deals; they take no seat, are in no list, and cannot be chosen, written to or changed."""
    names = set(Deal.objects.values_list("owner__name", flat=True))
    assert {"Jonas Keller", "Amelie Roux", "Marek Nowak", "Sofia Lind", owner.label} == names
    assert "Amelie Roux" in browser_client(owner).get("/deals/board/").content.decode()
    assert seats(owner.tenant).used == len(PEOPLE_OF_A)
    amelie = Member.objects.get(name="Amelie Roux")
    assert actor_for_member(owner.tenant, amelie.pk) is None
    for path in ("/settings/members/", "/settings/members/?state=sample", "/deals/new/"):
        assert "Amelie Roux" not in browser_client(owner).get(path).content.decode(), path
    program = api(owner)
    assert "Amelie Roux" not in program.get("/api/v1/members").content.decode()
    assert program.get(f"/api/v1/members/{amelie.pk}").status_code == 404
    assert program.post(f"/api/v1/members/{amelie.pk}/reactivate").status_code == 404
    sample_clear(owner)
    sample_load(owner)
    assert Member.objects.filter(name="Amelie Roux").count() == 1


def test_what_a_sample_series_makes_later_is_sample_too(owner: Actor, seller: Actor) -> None:
    series = Meeting.objects.filter(name="Pipeline round").order_by("starts_at")
    first, before = series[0], series.count()
    gate.update(owner, registry.get("meeting"), first.pk, {"repeat": "FREQ=WEEKLY;BYDAY=MO,TH"})
    assert series.count() > before
    assert not series.filter(is_sample=False, deleted_at=None).exists()
    task = Task.objects.get(name="Look at the month's numbers")
    activity_done(owner, noun="task", id=task.pk, done=True)
    assert not Task.objects.filter(is_sample=False).exists()


def test_clearing_takes_what_a_series_of_the_sample_made_before_it_was_marked(owner: Actor) -> None:
    first = Meeting.objects.filter(name="Pipeline round").order_by("starts_at")[0]
    gate.update(owner, registry.get("meeting"), first.pk, {"repeat": "FREQ=WEEKLY;BYDAY=MO,TH"})
    assert Meeting.objects.filter(name="Pipeline round").exclude(pk=first.pk).update(is_sample=False) > 10
    assert sample_clear(owner).kept == []
    assert not Meeting.objects.filter(deleted_at=None).exists()


def test_clearing_leaves_nothing_and_an_undo_brings_all_back(owner: Actor) -> None:
    cleared = sample_clear(owner)
    for record_type in registry.all():
        assert not record_type.rows.filter(is_sample=True, deleted_at=None).exists(), record_type.slug
    assert cleared.change_set_id is not None
    undo.undo(owner, cleared.change_set_id)
    assert board(owner).pipeline.name == "Windows"
    assert Deal.objects.filter(deleted_at=None).count() == 150
