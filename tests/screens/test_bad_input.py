"""What no form sends, and what somebody sends nevertheless."""

from typing import Any
from uuid import uuid4

import pytest

from tests import factories
from tests.screens.conftest import HTMX

LONG = "x" * 100_001


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/companies/new/", {"name": "A\x00B"}),
        ("/companies/new/", {"name": LONG}),
        ("/companies/new/", {"name": "A", "size": "huge"}),
        ("/companies/new/", {"name": "A", "owner": "not-an-id"}),
        ("/companies/new/", {"name": "A", "owner": str(uuid4())}),
        ("/companies/new/", {"name": "A", "parent": str(uuid4())}),
        ("/contacts/new/", {"name": "A", "emails": "no email"}),
        ("/contacts/new/", {"name": "A", "companies": "x"}),
        ("/deals/new/", {"name": "A", "amount": "1e999"}),
        ("/deals/new/", {"name": "A", "amount": "NaN"}),
        ("/deals/new/", {"name": "A", "currency": "???", "amount": "1"}),
        ("/deals/new/", {"name": "A", "expected_close": "2026-02-31"}),
        ("/deals/new/", {"name": "A", "stage": "x"}),
        ("/tasks/new/", {"name": "A", "due_at": "99999-99-99T99:99"}),
        ("/tasks/new/", {"name": "A", "about": "deal:x"}),
        ("/tasks/new/", {"name": "A", "about": "nonsense:x"}),
        ("/tasks/new/", {"name": "A", "about": ":::"}),
        ("/tasks/new/", {"name": "A", "reminder": "15"}),
        ("/calls/new/", {"name": "A", "reminder": "15", "starts_at": ""}),
        ("/emails/new/", {"subject": "A", "sent_at": "2999-01-01T09:00"}),
    ],
)
def test_form_refuses_and_comes_back(path: str, values: dict[str, str], owner: Any, browser_client: Any) -> None:
    from crm.records.models import Event

    before = Event.objects.count()
    for headers in ({}, HTMX):
        answer = browser_client(owner).post(path, values, headers=headers)
        assert answer.status_code == 422
        assert "field-errors" in answer.content.decode() or "callout-danger" in answer.content.decode()
    assert Event.objects.count() == before


@pytest.mark.parametrize(
    "query",
    [
        "q=%00",
        "q=" + "%F0%9F%AA%9F" * 100,
        "q=" + LONG[:5000],
        "mine=x",
        "cursor=" + LONG[:3000],
        "sort=" + "name," * 500,
    ],
)
@pytest.mark.parametrize("path", ["/companies/", "/deals/board/", "/search/", "/companies/options/", "/references/"])
def test_odd_addresses_get_an_answer(path: str, query: str, owner: Any, browser_client: Any) -> None:
    factories.company(owner)
    assert browser_client(owner).get(f"{path}?{query}").status_code in {200, 400}


@pytest.mark.parametrize("query", ["company=x", "company=%00", "about=x", "name=" + LONG[:3000], "stage=1&pipeline=2"])
@pytest.mark.parametrize("noun", ["deals", "tasks", "contacts"])
def test_odd_prefill_opens_the_form(noun: str, query: str, owner: Any, browser_client: Any) -> None:
    assert browser_client(owner).get(f"/{noun}/new/?{query}").status_code == 200


@pytest.mark.parametrize("noun", ["tasks", "calls", "meetings"])
@pytest.mark.parametrize("rule", ["x", "FREQ=", "FREQ=DAILY;COUNT=0", "=;=", "1e-300", "FREQ=HOURLY", "\x00"])
def test_a_rule_that_is_none_comes_back_as_it_was_sent(noun: str, rule: str, owner: Any, browser_client: Any) -> None:
    company = factories.company(owner)
    client = browser_client(owner)
    sent = {"name": "A", "repeat": rule, "about": f"company:{company.id}"}
    assert client.get(f"/{noun}/new/", {"repeat": rule}).status_code == 200
    for headers in ({}, HTMX):
        assert client.post(f"/{noun}/new/", sent, headers=headers).status_code == 422
        assert client.post(f"/companies/{company.id}/{noun}/", sent, headers=headers).status_code < 500


@pytest.mark.parametrize("address", ["http://[", "http://]", "//[x", "http://a]b/"])
def test_a_page_that_cannot_say_where_it_is_gets_its_answer(address: str, owner: Any, browser_client: Any) -> None:
    company = factories.company(owner)
    headers = {**HTMX, "HX-Current-URL": address, "Referer": address}
    client = browser_client(owner)
    assert client.post(f"/companies/{company.id}/edit/name/", {"name": "New"}, headers=headers).status_code == 200
    assert client.post("/companies/new/", {"name": "A", "next": address}, headers=headers).status_code == 200


def test_ids_of_another_workspace_are_not_found(owner: Any, outsider: Any, as_tenant: Any, browser_client: Any) -> None:
    own = factories.company(owner)
    foreign = factories.company(outsider, name="Theirs")
    client = browser_client(owner)
    assert client.get(f"/companies/{foreign.id}/").status_code == 404
    assert client.post(f"/companies/{own.id}/edit/parent/", {"parent": str(foreign.id)}).status_code == 422
    assert client.post("/contacts/new/", {"name": "A", "company": str(foreign.id)}).status_code == 422
    assert client.post("/tasks/new/", {"name": "A", "about": f"company:{foreign.id}"}).status_code == 422
    assert client.post("/companies/bulk/", {"id": str(foreign.id), "action": "trash"}).status_code == 404
    page = client.get("/contacts/new/?company=" + str(foreign.id)).content.decode()
    assert "Theirs" not in page
    with as_tenant(outsider.tenant):
        foreign.refresh_from_db()
        assert foreign.version == 1


def test_huge_body_is_refused_without_a_crash(owner: Any, browser_client: Any) -> None:
    from crm.people.models import Company

    answer = browser_client(owner).post("/companies/new/", {"name": "x" * 10_000_000})
    assert answer.status_code in {400, 413, 422}
    assert not Company.objects.exists()


def test_forms_need_their_token(owner: Any, browser_client: Any) -> None:
    from django.test import Client

    company = factories.company(owner)
    signed_in = browser_client(owner)
    strict = Client(enforce_csrf_checks=True, headers=signed_in.defaults and {"host": signed_in.defaults["HTTP_HOST"]})
    strict.cookies = signed_in.cookies
    assert strict.post(f"/companies/{company.id}/trash/").status_code == 403
    company.refresh_from_db()
    assert company.deleted_at is None


@pytest.mark.parametrize("next_url", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_nobody_is_led_to_another_host(next_url: str, owner: Any, browser_client: Any) -> None:
    answer = browser_client(owner).post("/companies/new/", {"name": "A", "next": next_url})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/companies/")


@pytest.mark.parametrize("path", ["/companies/bulk/", "/undo/last/", "/companies/columns/"])
def test_writing_needs_a_post(path: str, owner: Any, browser_client: Any) -> None:
    answer = browser_client(owner).get(path)
    assert answer.status_code == 405
    assert "This is not a page to open" in answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/contacts/", "/calendar/", "/settings/", "/trash/", "/search/?q=x"])
def test_a_page_answers_who_asks_for_its_head_alone(owner: Any, browser_client: Any, path: str) -> None:
    client = browser_client(owner)
    asked, read = client.head(path), client.get(path)
    assert (asked.status_code, asked.content) == (read.status_code, b"")
    assert client.head("/contacts/bulk/").status_code == 405
