"""Record pages: creating, what is related, the timeline, trash and undo."""

import re
from typing import Any

import pytest

from tests import factories
from tests.screens.conftest import HTMX


def test_created_with_what_was_typed(owner: Any, browser_client: Any) -> None:
    from crm.people.models import Contact

    company = factories.company(owner, name="Ahorn")
    client = browser_client(owner)
    form = client.get(f"/contacts/new/?company={company.id}").content.decode()
    assert f'value="{company.id}"' in form
    assert 'value="Ahorn"' in form
    sent = {
        "name": "Ada Byron",
        "company": str(company.id),
        "emails": ["ada@ahorn.example", ""],
        "emails.label": ["work", ""],
        "phones": ["", "+49 30 1234567"],
        "phones.label": ["", "mobile"],
    }
    answer = client.post("/contacts/new/", sent)
    made = Contact.objects.get()
    assert answer["Location"] == f"/contacts/{made.pk}/"
    assert made.emails == [{"value": "ada@ahorn.example", "label": "work"}]
    assert [phone["label"] for phone in made.phones] == ["mobile"]
    assert made.company_id == company.id


def test_refused_form_keeps_everything(owner: Any, browser_client: Any) -> None:
    sent = {"name": "", "domain": "not a domain", "industry": "Joinery", "size": "11-50", "again": "1"}
    for headers in ({}, HTMX):
        answer = browser_client(owner).post("/companies/new/?domain=x", sent, headers=headers)
        text = answer.content.decode()
        assert answer.status_code == 422
        assert 'value="not a domain"' in text
        assert 'value="Joinery"' in text
        assert 'value="11-50" selected' in text
        assert 'aria-invalid="true"' in text


def test_task_about_a_record_by_its_address(owner: Any, browser_client: Any) -> None:
    from crm.activities.models import Task

    deal = factories.deal(owner, name="Twelve windows")
    client = browser_client(owner)
    form = client.get(f"/tasks/new/?about=deal:{deal.id}").content.decode()
    assert 'value="Twelve windows"' in form
    client.post("/tasks/new/", {"name": "Call", "about": f"deal:{deal.id}", "due_at": "2026-05-31T10:30"})
    task = Task.objects.get()
    assert (task.about_type, task.about_id) == ("deal", deal.id)
    assert task.due_at is not None
    assert task.due_at.astimezone(owner.time_zone).strftime("%H:%M") == "10:30"


def test_related_records_stand_beside(owner: Any, filled: Any, browser_client: Any) -> None:
    client = browser_client(owner)

    def beside(noun: str) -> str:
        return str(client.get(f"/{noun}/{filled[noun].id}/").content.decode().split("record-related")[1])

    assert "Ada Byron" in beside("companies")
    assert "Twelve windows" in beside("companies")
    assert "Ada Byron" in beside("deals")
    assert "Call back" in beside("deals")
    assert "Twelve windows" in beside("contacts")


def test_note_and_task_are_composed_on_the_page(owner: Any, browser_client: Any) -> None:
    company = factories.company(owner)
    client = browser_client(owner)
    base = f"/companies/{company.id}"
    answer = client.post(f"{base}/notes/", {"body": "They like <b>oak</b> 🌳"}, headers=HTMX)
    assert "They like &lt;b&gt;oak&lt;/b&gt; 🌳" in answer.content.decode()
    answer = client.post(f"{base}/tasks/", {"name": "Send samples", "due_at": "2026-05-31T10:30"}, headers=HTMX)
    assert "Send samples" in answer.content.decode()
    assert client.post(f"{base}/notes/", {"body": "   "}, headers=HTMX).status_code == 422
    refused = client.post(f"{base}/tasks/", {"name": "Kept", "due_at": "never"}, headers=HTMX)
    assert refused.status_code == 422
    assert 'value="Kept"' in refused.content.decode()
    assert client.post(f"{base}/notes/", {"body": "Without scripts"}).status_code == 302
    assert client.post(f"{base}/tasks/", {"name": ""}).status_code == 422


def test_timeline_tells_who_changed_what_and_filters(owner: Any, filled: Any, browser_client: Any) -> None:
    client = browser_client(owner)
    deal = filled["deals"]
    client.post(f"/deals/{deal.id}/edit/amount/", {"amount": "13000", "currency": "EUR", "version": "1"})
    page = client.get(f"/deals/{deal.id}/activity/").content.decode()
    assert owner.label in page
    assert "€12,500.50" in page
    assert "€13,000" in page
    assert "They like oak" in client.get(f"/deals/{deal.id}/activity/?kind=note", headers=HTMX).content.decode()
    only_tasks = client.get(f"/deals/{deal.id}/activity/?kind=task", headers=HTMX).content.decode()
    assert "Call back" in only_tasks
    assert "They like oak" not in only_tasks


def test_task_is_ticked_off_and_opened_again(owner: Any, filled: Any, browser_client: Any) -> None:
    client = browser_client(owner)
    task = filled["tasks"]
    answer = client.post(f"/tasks/{task.id}/done/", {"done": "1"}, headers=HTMX)
    assert 'aria-pressed="true"' in answer.content.decode()
    task.refresh_from_db()
    assert task.done
    client.post(f"/tasks/{task.id}/done/", {"done": "0"})
    task.refresh_from_db()
    assert not task.done


def test_trashed_is_gone_until_it_is_restored(owner: Any, browser_client: Any) -> None:
    company = factories.company(owner, name="Ahorn")
    client = browser_client(owner)
    answer = client.post(f"/companies/{company.id}/trash/", headers=HTMX)
    assert answer["HX-Redirect"] == "/companies/"
    assert "data-undo" in client.get("/companies/").content.decode()
    assert client.get(f"/companies/{company.id}/").status_code == 404
    assert client.post(f"/companies/{company.id}/restore/").status_code == 302
    assert client.get(f"/companies/{company.id}/").status_code == 200


def test_the_trash_opens_with_what_lies_in_it_and_stays_open_after_a_restore(owner: Any, browser_client: Any) -> None:
    client = browser_client(owner)
    assert "tabs" not in client.get("/trash/").content.decode().split("<main")[1]
    for deal in (factories.deal(owner, name="Dachfenster"), factories.deal(owner, name="Glastür")):
        client.post(f"/deals/{deal.id}/trash/", headers=HTMX)
    page = client.get("/trash/").content.decode()
    assert "Dachfenster" in page
    assert re.findall(r'href="\?noun=(\w+)"', page) == ["deals"]
    kept = {"next": re.findall(r'name="next" value="([^"]+)"', page)[0]}
    answer = client.post(f"/deals/{deal.id}/restore/", kept)
    assert answer.headers["Location"] == "/trash/?noun=deals"
    assert "Glastür" not in client.get(answer.headers["Location"]).content.decode().split("<main")[1]


def test_undo_that_cannot_be_done_lists_why(owner: Any, browser_client: Any) -> None:
    company = factories.company(owner, name="Ahorn")
    client = browser_client(owner)
    url = f"/companies/{company.id}/edit/industry/"
    saved = client.post(url, {"industry": "Joinery", "version": "1"}, headers=HTMX)
    undo = re.search(r'"undo_url": "([^"]+)"', saved["HX-Trigger"])
    assert undo
    client.post(url, {"industry": "Glass", "version": "2"}, headers=HTMX)
    for headers in ({}, HTMX):
        refused = client.post(undo[1], headers=headers)
        assert refused.status_code == 409
        assert "Ahorn" in refused.content.decode()
    company.refresh_from_db()
    assert company.industry == "Glass"


def test_undo_goes_back_step_by_step_and_only_over_own_changes(owner: Any, admin: Any, browser_client: Any) -> None:
    company = factories.company(owner, name="Ahorn")
    client = browser_client(owner)
    for version, name in ((1, "Buche"), (2, "Eiche")):
        client.post(f"/companies/{company.id}/edit/name/", {"name": name, "version": version})
    assert browser_client(admin).post("/undo/last/", headers=HTMX).status_code == 204
    for expected in ("Buche", "Ahorn"):
        client.post("/undo/last/", {"shown": company.id})
        company.refresh_from_db()
        assert company.name == expected


def test_search_page_groups_what_it_finds(owner: Any, filled: Any, browser_client: Any) -> None:
    page = browser_client(owner).get("/search/?q=Birke").content.decode()
    assert "Birke &amp; Söhne 🪟" in page
    assert "Nothing found" in browser_client(owner).get("/search/?q=zzzz").content.decode()


def test_fresh_workspace_offers_first_steps(owner: Any, browser_client: Any) -> None:
    client = browser_client(owner)
    assert "Add your first company" in client.get("/").content.decode()
    factories.company(owner)
    assert "Add your first company" not in client.get("/").content.decode()


def test_my_day_shows_what_is_mine(owner: Any, seller: Any, filled: Any, browser_client: Any) -> None:
    mine = browser_client(owner).get("/").content.decode()
    assert "Overdue" in mine
    assert "Call back" in mine
    assert "Overdue" not in browser_client(seller).get("/").content.decode()


@pytest.mark.parametrize(
    "name", ["שלום עולם", "مرحبا بالعالم", "👩‍👩‍👧‍👦 GmbH", "<script>alert(1)</script>", "a" * 200, "'\";--"]
)
def test_names_of_all_kinds_are_kept_and_escaped(name: str, owner: Any, browser_client: Any) -> None:
    from django.utils.html import escape

    from crm.people.models import Company

    client = browser_client(owner)
    client.post("/companies/new/", {"name": name})
    made = Company.objects.get()
    assert made.name == name
    for path in ("/companies/", f"/companies/{made.pk}/", "/"):
        page = client.get(path).content.decode()
        assert str(escape(name))[:100] in page
        assert "<script>alert" not in page


def test_deals_of_one_name_are_told_apart_by_their_company(owner: Any, browser_client: Any) -> None:
    for name in ("Hotel Birke", "Haus Linde"):
        company = factories.company(owner, name=name)
        factories.deal(owner, name="Balcony doors", company=company.id)
    client = browser_client(owner)
    for path in ("/search/?q=balcony", "/deals/options/?q=balcony", "/references/?q=balcony"):
        page = client.get(path).content.decode()
        assert "Hotel Birke" in page, path
        assert "Haus Linde" in page, path


def test_contact_is_called_and_written_to_from_the_top(owner: Any, browser_client: Any) -> None:
    contact = factories.contact(owner, phones=["+49 30 1234567"], emails=["ada@birke.example"])
    head = browser_client(owner).get(f"/contacts/{contact.id}/").content.decode().split("record-body")[0]
    assert 'href="tel:+49301234567"' in head
    assert 'href="mailto:ada@birke.example"' in head


def test_a_deal_says_how_long_it_stood_in_each_stage(owner, browser_client):
    from datetime import timedelta

    from django.utils import timezone

    from crm.records.schema.registry import registry
    from crm.records.write import gate
    from crm.sales.selectors import stages

    found = stages(owner, factories.deal(owner).pipeline_id)
    ago = timezone.now() - timedelta(days=9)
    deal = gate.create(
        owner, registry.get("deal"), {"name": "Slow", "stage": found[0].id}, source="sample", at=ago
    ).record
    moved = ago + timedelta(days=4, hours=1)
    gate.update(owner, registry.get("deal"), deal.id, {"stage": found[1].id}, source="sample", at=moved)
    page = browser_client(owner).get(f"/deals/{deal.id}/").content.decode()
    assert "4 days there" in page
    assert page.count("days there") == 2


def test_an_address_is_only_an_address(owner: Any, browser_client: Any) -> None:
    ada = factories.contact(owner, emails=["ada?bcc=all@birke.example"], phones=["+49 30 901820"])
    page = browser_client(owner).get(f"/contacts/{ada.id}/").content.decode()
    assert 'href="mailto:ada%3Fbcc%3Dall@birke.example"' in page
    assert 'href="tel:+4930901820"' in page


@pytest.mark.parametrize("noun", ["contacts", "deals", "tasks"])
def test_a_pen_that_was_opened_in_a_tab_of_its_own_saves(owner, browser_client, filled, noun):
    client = browser_client(owner)
    address = f"/{noun}/{filled[noun].id}/edit/name/"
    page = client.get(address).content.decode()
    form = page.split("data-editor")[0].rpartition("<form")[2]
    assert f'action="{address}"' in form
    assert "hx-" not in form
    sent = {"name": "Renamed", "version": page.split('name="version" value="')[1].split('"')[0]}
    saved = client.post(address, sent, follow=True)
    assert saved.redirect_chain == [(f"/{noun}/{filled[noun].id}/", 302)]
    assert "Renamed" in saved.content.decode()
    refused = client.post(address, {"name": ""})
    assert refused.status_code == 422
    assert "hx-post=" not in refused.content.decode().split("data-editor")[0].rpartition("<form")[2]
