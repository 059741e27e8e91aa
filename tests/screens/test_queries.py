"""No page asks the database more often because there is more to show."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.workspace.notifications.notify import notify
from tests import factories

MOST = {
    "/companies/": 12,
    "/contacts/": 12,
    "/deals/": 14,
    "/tasks/": 14,
    "/deals/board/": 14,
    "/": 30,
    "/search/?q=record": 14,
    "/trash/": 12,
    "/inbox/": 14,
}


def grow(actor: Any, times: int) -> Any:
    for number in range(times):
        company = factories.company(actor, name=f"Record {number}")
        contact = factories.contact(actor, name=f"Record contact {number}", company=company.id)
        links = [{"id": str(contact.id), "role": "Buyer"}]
        deal = factories.deal(actor, name=f"Record deal {number}", company=company.id, amount="10", contacts=links)
        factories.task(actor, about={"type": "deal", "id": deal.id}, due_at="2026-01-01T10:00:00Z")
        note = factories.note(actor, about={"type": "deal", "id": deal.id})
        told = [("company", company), ("contact", contact), ("deal", deal), ("note", note)]
        for noun, record in [*told, ("deal", deal)]:
            notify(
                [actor.member_id],
                kind="mentioned",
                key=str(uuid4()),
                title="You are mentioned",
                record_type=noun,
                record_id=record.id,
            )
    return company, contact, deal


def queries(client: Any, path: str) -> int:
    client.get(path)
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert client.get(path).status_code == 200
    return len(found)


@pytest.mark.parametrize("path", MOST)
def test_page_of_many(path: str, owner: Any, browser_client: Any) -> None:
    client = browser_client(owner)
    grow(owner, 10 if path == "/" else 2)
    few = queries(client, path)
    grow(owner, 5)
    many = queries(client, path)
    assert many <= few
    assert many <= MOST[path]


@pytest.mark.parametrize(("place", "most"), [(0, 30), (1, 30), (2, 34)])
def test_record_page(place: int, most: int, owner: Any, browser_client: Any) -> None:
    client = browser_client(owner)
    one = grow(owner, 1)[place]
    noun = ("companies", "contacts", "deals")[place]
    path = f"/{noun}/{one.id}/"
    slug = noun.removesuffix("ies") + "y" if noun == "companies" else noun.removesuffix("s")
    factories.task(owner, about={"type": slug, "id": one.id})
    factories.note(owner, about={"type": slug, "id": one.id})
    client.post(f"/{noun}/{one.id}/edit/name/", {"name": "Another"})
    few = queries(client, path)
    for number in range(4):
        factories.task(owner, name=f"Task {number}", about={"type": slug, "id": one.id})
        factories.note(owner, about={"type": slug, "id": one.id})
        client.post(f"/{noun}/{one.id}/edit/name/", {"name": f"Name {number}"})
    if place == 0:
        for number in range(4):
            contact = factories.contact(owner, name=f"More {number}", company=one.id)
            factories.deal(owner, company=one.id, contacts=[{"id": str(contact.id), "role": ""}])
    many = queries(client, path)
    assert many <= few
    assert many <= most
