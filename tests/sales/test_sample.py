"""Sample data: loaded with a history, told apart from real records, and cleared without tearing anything."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.utils import timezone

from crm.activities.models import Meeting, Note, Task
from crm.activities.services import activity_done
from crm.people.models import Company, Contact
from crm.records.errors import Forbidden
from crm.records.models import Event
from crm.records.schema.record_type import registry
from crm.records.write import gate, undo
from crm.sales.boards import board
from crm.sales.models import Deal, Pipeline, Stage
from crm.sales.my_day import my_numbers
from crm.sales.sample import sample_clear, sample_load, sample_present
from crm.sales.selectors import stage_times
from crm.workspace.actors import actor_for_member
from crm.workspace.currencies.services import exchange_rate_set
from crm.workspace.models import Member
from crm.workspace.people.selectors import seats
from crm.workspace.permissions import EVERYTHING
from tenants.actors import Actor
from tenants.scopes import tenant_scope
from tests import factories
from tests.records.conftest import PATIENCE, elsewhere, until_waited_for

pytestmark = pytest.mark.slow("loads the sample of half a year")


def test_the_sample_is_half_a_year_of_a_business(owner: Actor, seller: Actor) -> None:
    now = timezone.now()
    owner = replace(owner, time_zone=ZoneInfo("Pacific/Auckland"))
    assert sample_load(owner, team=[seller]) > 1000
    assert (Company.objects.count(), Contact.objects.count(), Deal.objects.count()) == (60, 200, 150)
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

    meetings = Meeting.objects.filter(done=False, starts_on=None).values_list("starts_at", flat=True)
    tasks = Task.objects.filter(done=False, due_on=None).values_list("due_at", flat=True)
    planned = {at.astimezone(owner.time_zone).hour for at in (*meetings, *tasks) if at}
    assert planned
    assert planned <= set(range(8, 17)), "in the hours of work where the workspace is"


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
    assert left == {pk for kind, pk in named if kind not in {"pipeline", "stage"}}
    assert {kind for kind, _pk in named} >= {"pipeline", "stage"}


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
    company = gate.create(owner, registry.get("company"), {"name": "Acme"}, source="api", at=long_ago).record
    assert timezone.now() - company.created_at < timedelta(minutes=1)


# --- a workspace that looks alive -------------------------------------------------------------------------------------


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD", "XPF"])
def test_the_sample_is_whole_in_whatever_currency_a_workspace_counts(owner: Actor, currency: str) -> None:
    """No rates come along, so all that has no rate is in the workspace's own money: no sum lacks anything."""
    mine = replace(owner, tenant=replace(owner.tenant, currency=currency))
    with tenant_scope(mine.tenant):
        sample_load(mine)
        assert set(Deal.objects.exclude(amount=None).values_list("currency", flat=True)) == {currency}
        figures = my_numbers(mine)
        assert {one.name for one in figures} == {"open", "weighted", "won"}
        worths = {one.name: one.worth for one in figures}
        if not worths["won"].rows:
            del worths["won"]  # on the first of a month, nothing may have been won in it
        for worth in [*worths.values(), *(column.worth for column in board(mine).columns)]:
            assert worth.total is not None
            assert (worth.total.amount > 0, worth.total.missing, worth.total.rates_on) == (True, (), None)
    decimals = {"JPY": 0, "KWD": 3, "XPF": 0}.get(currency, 2)
    assert all(amount == round(amount, decimals) for amount in Deal.objects.values_list("amount", flat=True) if amount)


def test_customers_pay_in_their_own_money_where_there_are_rates(owner: Actor) -> None:
    day = timezone.now().astimezone(owner.time_zone).date() - timedelta(days=7)
    for code in ("CHF", "GBP", "PLN", "SEK"):
        exchange_rate_set(owner, currency=code, on=day, rate=Decimal("0.5"))
    sample_load(owner)
    assert Deal.objects.values("currency").distinct().count() == 5
    assert not any(column.total and column.total.missing for column in board(owner).columns)


def test_the_sample_brings_the_pipeline_of_its_business(owner: Actor) -> None:
    sample_load(owner)
    found = board(owner)
    assert found.pipeline.name == "Windows"
    names = [column.stage.name for column in found.columns]
    assert names == ["First call", "Measuring", "Agreement", "Payment", "Installation", "Won", "Lost"]
    assert all(column.count for column in found.columns)
    sample_clear(owner)
    assert board(owner).pipeline.name == "Sales"
    assert Pipeline.objects.filter(deleted_at=None).count() == 1
    assert not Stage.objects.filter(deleted_at=None, pipeline__name="Windows").exists()


def test_a_workspace_with_deals_of_its_own_goes_on_opening_with_its_own_pipeline(owner: Actor) -> None:
    factories.deal(owner, name="Real")
    sample_load(owner)
    assert board(owner).pipeline.name == "Sales"
    assert {one.name for one in board(owner).pipelines} == {"Sales", "Windows"}


def test_a_pipeline_in_which_a_real_deal_stands_stays_whole(owner: Actor) -> None:
    sample_load(owner)
    pipeline = Pipeline.objects.get(name="Windows")
    factories.deal(owner, name="Real", pipeline=pipeline.pk)
    kept = {(one.type, one.title) for one in sample_clear(owner).kept}
    assert ("pipeline", "Windows") in kept
    assert len([one for one, _title in kept if one == "stage"]) == 7
    assert board(owner).pipeline.name == "Windows"


def test_the_samples_people_sell_and_are_no_members(owner: Actor, browser_client: Any, api: Any) -> None:
    """They are named on their deals; they take no seat, are in no list, and cannot be chosen, written to or changed."""
    seats_before = seats(owner.tenant).used
    sample_load(owner)
    names = set(Deal.objects.values_list("owner__name", flat=True))
    assert {"Jonas Keller", "Amelie Roux", "Marek Nowak", "Sofia Lind", owner.label} == names
    assert "Amelie Roux" in browser_client(owner).get("/deals/board/").content.decode()
    assert seats(owner.tenant).used == seats_before
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
    sample_load(owner)
    series = Meeting.objects.filter(name="Pipeline round").order_by("starts_at")
    first, before = series[0], series.count()
    gate.update(owner, registry.get("meeting"), first.pk, {"repeat": "FREQ=WEEKLY;BYDAY=MO,TH"})
    assert series.count() > before
    assert not series.filter(is_sample=False, deleted_at=None).exists()
    task = Task.objects.get(name="Look at the month's numbers")
    activity_done(owner, noun="task", id=task.pk, done=True)
    assert not Task.objects.filter(is_sample=False).exists()


def test_clearing_takes_what_a_series_of_the_sample_made_before_it_was_marked(owner: Actor) -> None:
    sample_load(owner)
    first = Meeting.objects.get(name="Pipeline round")
    gate.update(owner, registry.get("meeting"), first.pk, {"repeat": "FREQ=WEEKLY;BYDAY=MO,TH"})
    assert Meeting.objects.filter(name="Pipeline round").exclude(pk=first.pk).update(is_sample=False) > 10
    assert sample_clear(owner).kept == []
    assert not Meeting.objects.filter(deleted_at=None).exists()


def test_clearing_leaves_nothing_and_an_undo_brings_all_back(owner: Actor) -> None:
    sample_load(owner)
    cleared = sample_clear(owner)
    for record_type in registry.all():
        assert not record_type.rows.filter(is_sample=True, deleted_at=None).exists(), record_type.slug
    assert cleared.change_set_id is not None
    undo.undo(owner, cleared.change_set_id)
    assert board(owner).pipeline.name == "Windows"
    assert Deal.objects.filter(deleted_at=None).count() == 150


def test_of_two_who_clear_at_once_one_does(robot: Actor, really: Callable[[Callable[[], Any]], Any]) -> None:
    """Of really committed rows, so that what one does is seen by the other only then."""
    robot = replace(robot, permissions=EVERYTHING)
    company = registry.get("company")
    really(lambda: gate.create_many(robot, company, [{"name": f"Acme {one}"} for one in range(3)], source="sample"))
    begun, go_on = threading.Event(), threading.Event()

    def first() -> Any:
        with transaction.atomic():
            cleared = sample_clear(robot)
            begun.set()
            assert go_on.wait(PATIENCE)
        return cleared

    one = elsewhere(first, robot.tenant)
    assert begun.wait(PATIENCE)
    other = elsewhere(lambda: sample_clear(robot), robot.tenant)
    until_waited_for()
    go_on.set()
    assert [cleared.cleared for cleared in (one(), other())] == [3, 0]
    assert other().change_set_id is None
