"""Sample data: loaded with a history, told apart from real records, and cleared without tearing anything."""

from datetime import timedelta

import pytest
from django.utils import timezone

from crm.activities.models import Note, Task
from crm.people.models import Company, Contact
from crm.records import undo, writing
from crm.records.errors import Forbidden
from crm.records.models import Event
from crm.records.types import registry
from crm.sales.boards import board
from crm.sales.models import Deal
from crm.sales.sample import sample_clear, sample_load, sample_present
from crm.sales.selectors import stage_times
from tenants.actors import Actor
from tests import factories


def test_the_sample_is_half_a_year_of_a_business(owner: Actor, seller: Actor) -> None:
    now = timezone.now()
    assert sample_load(owner, team=[seller]) > 1000
    assert (Company.objects.count(), Contact.objects.count(), Deal.objects.count()) == (60, 200, 150)
    assert Deal.objects.values("currency").distinct().count() >= 4
    assert Contact.objects.values("language").distinct().count() >= 4
    assert not any(model.objects.filter(is_sample=False).exists() for model in (Company, Contact, Deal, Task, Note))

    times = list(Event.objects.order_by("at").values_list("at", flat=True))
    assert timedelta(days=170) < now - times[0] < timedelta(days=190)
    assert times[-1] <= timezone.now()
    won = Deal.objects.filter(stage__kind="won").first()
    assert won is not None
    stays = stage_times(owner, won.pk)
    assert len(stays) > 3
    assert won.closed_on == stays[-1].entered_at.astimezone(owner.time_zone).date()
    assert [stay.entered_at for stay in stays] == sorted(stay.entered_at for stay in stays)
    assert any(column.cards for column in board(owner).columns)


def test_the_sample_is_loaded_once(owner: Actor) -> None:
    sample_load(owner)
    assert sample_load(owner) == 0
    assert Company.objects.count() == 60


def test_clearing_takes_the_sample_and_leaves_what_is_real(owner: Actor) -> None:
    real = factories.company(owner, name="Real")
    sample_load(owner)
    cleared = sample_clear(owner)
    assert cleared.kept == []
    assert cleared.cleared > 1000
    assert list(Company.objects.filter(deleted_at=None)) == [real]
    assert not sample_present(owner)


def test_what_a_real_record_rests_on_stays_and_is_named(owner: Actor) -> None:
    sample_load(owner)
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
    assert left == {pk for _type, pk in named}


def test_clearing_can_be_undone(owner: Actor) -> None:
    sample_load(owner)
    cleared = sample_clear(owner)
    assert cleared.change_set_id is not None
    undo.undo(owner, cleared.change_set_id)
    assert Deal.objects.filter(deleted_at=None).count() == 150


def test_only_who_may_handle_sample_data_does(seller: Actor, owner: Actor) -> None:
    with pytest.raises(Forbidden):
        sample_load(seller)
    sample_load(owner)
    with pytest.raises(Forbidden):
        sample_clear(seller)
    assert sample_present(owner)


def test_dating_back_is_not_for_everybody(owner: Actor) -> None:
    long_ago = timezone.now() - timedelta(days=400)
    company = writing.create(owner, registry.get("company"), {"name": "Acme"}, source="api", at=long_ago).record
    assert timezone.now() - company.created_at < timedelta(minutes=1)
