"""Every page of every noun, as its reader finds it."""

from typing import Any

import pytest

from tests import factories

NOUNS = ("companies", "contacts", "deals", "tasks", "notes", "pipelines", "stages", "lost-reasons")


@pytest.fixture
def filled(owner: Any) -> dict[str, Any]:
    company = factories.company(owner, name="Birke & Söhne 🪟", phones=["+49 30 1234567"], address={"city": "Berlin"})
    contact = factories.contact(owner, name="Ada Byron", company=company.id, emails=["ada@birke.example"])
    deal = factories.deal(
        owner, company=company.id, amount="12500.50", currency="EUR", contacts=[{"id": str(contact.id), "role": "Buyer"}]
    )
    task = factories.task(owner, about={"type": "deal", "id": deal.id}, due_at="2026-01-01T10:00:00Z")
    note = factories.note(owner, about={"type": "deal", "id": deal.id})
    return {"companies": company, "contacts": contact, "deals": deal, "tasks": task, "notes": note}


@pytest.mark.parametrize("noun", NOUNS)
def test_list_of_every_noun(noun: str, owner: Any, filled: dict[str, Any], browser_client: Any) -> None:
    answer = browser_client(owner).get(f"/{noun}/")
    assert answer.status_code == 200
    if noun in filled:
        assert f"/{noun}/{filled[noun].id}/" in answer.content.decode()


@pytest.mark.parametrize("noun", ["companies", "contacts", "deals", "tasks", "notes"])
def test_record_page_of_every_noun(noun: str, owner: Any, filled: dict[str, Any], browser_client: Any) -> None:
    answer = browser_client(owner).get(f"/{noun}/{filled[noun].id}/")
    assert answer.status_code == 200
    assert "Properties" in answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/deals/board/", "/trash/", "/search/", "/search/?q=Birke", "/companies/new/", "/deals/totals/"])
def test_other_pages(path: str, owner: Any, filled: dict[str, Any], browser_client: Any) -> None:
    assert browser_client(owner).get(path).status_code == 200
