"""Sample data: loaded with a history, told apart from real records, in whatever money and beside what is real."""

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
from crm.people.models import Company, Contact
from crm.records.models import Event
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.sales.board.columns import board
from crm.sales.models import Deal
from crm.sales.my_day import my_numbers
from crm.sales.sample.loading import sample_clear, sample_load
from crm.sales.selectors import stage_times
from crm.workspace.currencies.services import exchange_rate_set
from crm.workspace.permissions import EVERYTHING
from tenants.actors import Actor
from tenants.db.scopes import tenant_scope
from tests import factories
from tests.depth import DEEP
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


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD", "XPF"] if DEEP else ["JPY", "KWD"])
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


def test_a_workspace_with_deals_of_its_own_goes_on_opening_with_its_own_pipeline(owner: Actor) -> None:
    factories.deal(owner, name="Real")
    sample_load(owner)
    assert board(owner).pipeline.name == "Sales"
    assert {one.name for one in board(owner).pipelines} == {"Sales", "Windows"}


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
