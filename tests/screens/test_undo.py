"""Undo on the screens: it says what and how many, asks beyond what the page shows, and has a place of its own."""

import re
from datetime import timedelta
from typing import Any

import pytest

from crm.people.models import Company
from crm.records.jobs import bulk
from crm.records.jobs.ownership_transfer import member_hand_over
from crm.records.models import ChangeSet
from crm.records.views import undo as undo_views
from crm.records.write import undo
from crm.records.write.undo import last_own
from crm.sales.models import Deal
from crm.sales.sample.loading import sample_clear, sample_load
from crm.workspace.models import Member
from crm.workspace.people.member_services import member_deactivate
from tests import factories
from tests.screens.conftest import HTMX

pytestmark = pytest.mark.django_db


def said(client: Any) -> str:
    """What the page that comes next says."""
    return str(client.get("/inbox/").content.decode())


def renamed(client: Any, company: Company, name: str) -> None:
    company.refresh_from_db()
    client.post(f"/companies/{company.id}/edit/name/", {"name": name, "version": company.version})


def undo_button(page: str) -> str:
    found = re.search(r'action="(/undo/[0-9a-f-]{36}/)"', page)
    assert found
    return found[1]


def redo_button(page: str) -> str:
    found = re.search(r'action="(/undo/[0-9a-f-]{36}/)" data-redo', page)
    assert found
    return found[1]


def test_z_on_a_page_that_does_not_show_it_asks_and_names_it(owner, browser_client):
    client = browser_client(owner)
    client.post("/companies/new/", {"name": "Ahorn"})
    asked = client.post("/undo/last/", {"shown": ""}, headers=HTMX)
    assert asked.status_code == 200
    assert asked.headers["HX-Retarget"] == "#dialog-content"
    text = asked.content.decode()
    assert "Undo this?" in text
    assert "Added company “Ahorn”" in text
    assert Company.objects.get().deleted_at is None

    agreed = client.post(undo_button(text), {"sure": "1"}, headers=HTMX)
    assert agreed.headers["HX-Refresh"] == "true"
    assert Company.objects.get().deleted_at is not None


def test_z_without_a_script_asks_on_a_page(owner, browser_client):
    client = browser_client(owner)
    client.post("/companies/new/", {"name": "Ahorn"})
    text = client.post("/undo/last/").content.decode()
    assert "Added company “Ahorn”" in text
    assert "<html" in text


def test_z_where_it_is_shown_undoes_says_what_and_offers_redo(owner, browser_client):
    company = factories.company(owner, name="Ahorn")
    client = browser_client(owner)
    renamed(client, company, "Buche")
    assert client.post("/undo/last/", {"shown": str(company.id)}, headers=HTMX).headers["HX-Refresh"] == "true"
    company.refresh_from_db()
    assert company.name == "Ahorn"
    words = said(client)
    assert "Undone: Changed company “Buche”." in words
    assert "Redo" in words

    client.post(redo_button(words), {"told": "1"})
    company.refresh_from_db()
    assert company.name == "Buche"
    assert "Done again: Changed company “Buche”." in said(client)


def test_z_after_redo_takes_back_what_was_done_again(owner, browser_client):
    first, second = factories.company(owner, name="One"), factories.company(owner, name="Two")
    client = browser_client(owner)
    renamed(client, first, "Uno")
    renamed(client, second, "Due")
    shown = {"shown": f"{first.id} {second.id}"}
    client.post("/undo/last/", shown)
    client.post(redo_button(said(client)), {"told": "1"})
    client.post("/undo/last/", shown)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.name, second.name) == ("Uno", "Two")


def test_z_on_older_work_asks_though_the_page_shows_it(owner, browser_client, monkeypatch):
    monkeypatch.setattr(undo_views, "FRESH", timedelta(0))
    company = factories.company(owner, name="Ahorn")
    client = browser_client(owner)
    renamed(client, company, "Buche")
    assert "Undo this?" in client.post("/undo/last/", {"shown": str(company.id)}).content.decode()
    company.refresh_from_db()
    assert company.name == "Buche"


def test_z_after_something_without_a_way_back_says_that_it_is_not_the_last(owner, browser_client):
    company = factories.company(owner, name="Ahorn")
    client = browser_client(owner)
    renamed(client, company, "Buche")
    client.post("/settings/hours/holidays/", {"on": "2027-01-01", "name": "New Year"})
    text = client.post("/undo/last/", {"shown": str(company.id)}).content.decode()
    assert "What you did last has no way back here" in text
    assert "Changed company “Buche”" in text


def handed_over(owner: Any, seller: Any, seller_two: Any, count: int) -> Any:
    for _place in range(count):
        factories.deal(seller)
    takers = {"deal": seller_two.member_id}
    return member_hand_over(owner, member_id=seller.member_id, takers=takers).change_set


def test_undo_on_one_deal_of_a_hand_over_says_how_many_and_whom_it_lets_in(owner, seller, seller_two, browser_client):
    change_set = handed_over(owner, seller, seller_two, 4)
    deal = Deal.objects.filter(owner=seller_two.member_id)[0]
    client = browser_client(owner)
    page = client.get(f"/deals/{deal.id}/").content.decode()
    assert f"/undo/{change_set.id}/" in page
    for values in ({}, {"told": "1"}):
        text = client.post(f"/undo/{change_set.id}/", values, headers=HTMX).content.decode()
        assert "Changed 4 deals" in text
        assert "Deactivated member “" in text
        assert "in again" in text
    assert Member.objects.get(id=seller.member_id).state == "deactivated"
    assert Deal.objects.filter(owner=seller_two.member_id).count() == 4

    client.post(f"/undo/{change_set.id}/", {"sure": "1"})
    assert Member.objects.get(id=seller.member_id).state == "active"
    assert Deal.objects.filter(owner=seller.member_id).count() == 4


def test_undo_of_several_asks_where_only_one_is_shown(owner, browser_client):
    companies = [factories.company(owner, name=name) for name in ("Ahorn", "Buche", "Eiche")]
    client = browser_client(owner)
    ids = [str(one.id) for one in companies]
    client.post("/companies/bulk/", {"id": ids, "action": "set", "field": "industry", "industry": "Joinery"})
    change_set = last_own(owner)
    assert "Changed 3 companies" in client.post(f"/undo/{change_set}/").content.decode()
    assert Company.objects.filter(industry="Joinery").count() == 3
    client.post(f"/undo/{change_set}/", {"told": "1"})
    assert Company.objects.filter(industry="Joinery").count() == 0


class TestTheLastThing:
    def test_is_a_hand_over(self, owner, seller, seller_two):
        factories.company(owner)
        change_set = handed_over(owner, seller, seller_two, 2)
        assert last_own(owner) == change_set.id

    def test_is_a_deactivation(self, owner, seller):
        factories.company(owner)
        member_deactivate(owner, member_id=seller.member_id)
        assert last_own(owner) == ChangeSet.objects.order_by("-id")[0].id

    @pytest.mark.slow("loads the sample of half a year")
    def test_is_a_clearing_of_sample_data_and_never_a_part_of_its_loading(self, owner):
        company = factories.company(owner)
        own = last_own(owner)
        sample_load(owner)
        assert last_own(owner) == own
        assert [one.id for one in undo.own_doings(owner)] == [own]
        cleared = sample_clear(owner)
        assert undo.own_doings(owner)[0].id == cleared.change_set_id
        assert last_own(owner) == cleared.change_set_id
        assert company.id not in {one.id for one in cleared.kept}
        title = bulk.undo_start(owner, cleared.change_set_id).title
        assert re.fullmatch(r"Undo: Moved \d+ [a-z]+ to the trash and more", title)

    def test_is_not_passed_over_while_it_is_underway(self, owner, browser_client, monkeypatch):
        monkeypatch.setattr(bulk, "MAX_AT_ONCE", 1)
        client = browser_client(owner)
        company = factories.company(owner, name="Ahorn")
        renamed(client, company, "Buche")
        ids = [str(factories.deal(owner).pk) for _place in range(2)]
        renamed(client, company, "Eiche")
        client.post("/deals/bulk/", {"id": ids, "action": "trash"})
        text = client.post("/undo/last/", {"shown": str(company.id)}).content.decode()
        assert "still underway" in text


class TestYourChanges:
    """Whatever was said to be undoable can be undone later, too."""

    def test_lists_what_and_how_many_with_the_way_back(self, owner, seller, seller_two, browser_client, monkeypatch):
        client = browser_client(owner)
        client.post("/companies/new/", {"name": "Ahorn"})
        handed_over(owner, seller, seller_two, 4)
        monkeypatch.setattr(undo, "UNDO_REACH", timedelta(0))
        assert last_own(owner) is None
        page = client.get("/settings/changes/").content.decode()
        assert "Changed 4 deals" in page
        assert "Added company “Ahorn”" in page
        client.post(undo_button(page), {"sure": "1"})
        assert Member.objects.get(id=seller.member_id).state == "active"
        page = client.get("/settings/changes/").content.decode()
        assert "Undone" in page
        assert "Redo" in page

    def test_are_ones_own(self, owner, admin, browser_client):
        browser_client(admin).post("/companies/new/", {"name": "Ahorn"})
        assert "Ahorn" not in browser_client(owner).get("/settings/changes/").content.decode()

    def test_goes_on_to_the_older_ones(self, owner, browser_client, monkeypatch):
        monkeypatch.setattr(undo_views, "PAGE", 2)
        client = browser_client(owner)
        for name in ("Ahorn", "Buche", "Eiche"):
            client.post("/companies/new/", {"name": name})
        page = client.get("/settings/changes/").content.decode()
        assert "Ahorn" not in page
        more = re.search(r'href="(\?before=[^"]+)"', page)
        assert more
        assert "Ahorn" in client.get(f"/settings/changes/{more[1]}").content.decode()
        assert client.get("/settings/changes/?before=x").status_code == 404


def test_somebody_elses_change_is_told_as_far_as_one_may_see_it(owner, seller, browser_client):
    own, other = factories.company(seller, name="Mine"), factories.company(owner, name="Theirs")
    client = browser_client(owner)
    ids = [str(own.id), str(other.id)]
    client.post("/companies/bulk/", {"id": ids, "action": "set", "field": "industry", "industry": "Joinery"})
    text = browser_client(seller).post(f"/undo/{last_own(owner)}/").content.decode()
    assert "compan" in text
