"""Members mentioned in notes and descriptions: told once, if they may see it; shown as they are called now."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from crm.activities.handlers import mentions_told
from crm.records.events.dispatch import drain
from crm.records.models import Event, Record
from crm.records.read import reading
from crm.records.schema.mentions import html, mentioned, people, plain
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.workspace.models import Member, Notification, Role
from tenants.actors import Actor
from tests import factories

BrowserClient = Callable[..., Client]


def me(actor: Actor) -> UUID:
    assert actor.member_id is not None
    return actor.member_id


def at(actor: Actor, name: str = "") -> str:
    return f"@[{name or actor.label}](member:{actor.member_id})"


def told() -> list[tuple[UUID, str, str]]:
    rows = Notification.objects.filter(kind="mentioned").order_by("created_at")
    return list(rows.values_list("member_id", "title", "body"))


def tell(actor: Actor, record: Record) -> None:
    for event in Event.objects.filter(record_id=record.pk).select_related("change_set").order_by("id"):
        mentions_told(actor.tenant, event)


def test_a_mention_is_told_once_to_whom_it_names(seller: Actor, seller_two: Actor, manager: Actor) -> None:
    company = factories.company(seller)
    about = {"type": "company", "id": company.pk}
    text = f"{at(seller_two)} and {at(seller)}: call {at(seller_two)}"
    note = factories.note(seller, body=text, about=about)
    tell(seller, note)
    assert told() == [
        (seller_two.member_id, "Seller mentioned you in a note", "@Seller Two and @Seller: call @Seller Two")
    ]
    tell(seller, note)
    gate.update(seller, registry.get("note"), note.pk, {"body": f"{text} and {at(manager)}"})
    tell(seller, note)
    assert [one for one, _title, _body in told()] == [seller_two.member_id, manager.member_id]
    row = Notification.objects.get(member_id=me(seller_two))
    assert (row.record_type, row.record_id) == ("note", note.pk)


def test_a_description_mentions_too_and_the_drainer_tells(seller: Actor, manager: Actor) -> None:
    drain(seller.tenant)
    factories.task(seller, name="Measure", description=f"With {at(manager)}")
    drain(seller.tenant)
    assert told() == [(manager.member_id, "Seller mentioned you: Measure", "With @Manager")]


def test_who_may_not_see_it_is_marked_in_the_picker_and_not_told(
    seller: Actor, seller_two: Actor, browser_client: BrowserClient
) -> None:
    role = Role.objects.create(slug="own", name="Own", permissions={"*": {"view": "own"}})
    Member.objects.filter(pk=me(seller_two)).update(role=role)
    company = factories.company(seller)
    note = factories.note(seller, body=f"{at(seller_two)} look", about={"type": "company", "id": company.pk})
    tell(seller, note)
    assert told() == []

    client = browser_client(seller)
    options = client.get(f"/mentions/?q=sel&noun=company&id={company.pk}").context["options"]
    assert {one["name"]: one["sees"] for one in options} == {"Seller": True, "Seller Two": False}
    page = client.get(f"/mentions/?q=sel&noun=company&id={company.pk}").content.decode()
    assert page.count("cannot see this") == 1
    assert {one["sees"] for one in client.get("/mentions/?q=sel").context["options"]} == {True}
    assert client.get(f"/mentions/?q=sel&noun=nothing&id={uuid4()}").status_code == 200
    assert "Nobody found" in client.get("/mentions/?q=zzzz").content.decode()


def test_a_deactivated_or_unknown_member_is_not_offered_and_not_told(
    seller: Actor, seller_two: Actor, browser_client: BrowserClient
) -> None:
    Member.objects.filter(pk=me(seller_two)).update(state=Member.State.DEACTIVATED)
    note = factories.note(seller, body=f"{at(seller_two)} and @[Ghost](member:{uuid4()})")
    tell(seller, note)
    assert told() == []
    assert b"Seller Two" not in browser_client(seller).get("/mentions/?q=seller").content


def test_a_chip_follows_the_name_and_nothing_else_gets_through(
    seller: Actor, seller_two: Actor, browser_client: BrowserClient
) -> None:
    company = factories.company(seller)
    about = {"type": "company", "id": company.pk}
    factories.note(seller, body=f'<b>{at(seller_two, "Old <i>Name")}</b> " @[Ghost](member:{uuid4()})', about=about)
    Member.objects.filter(pk=me(seller_two)).update(name="New & Name")
    page = browser_client(seller).get(f"/companies/{company.pk}/").content.decode()
    assert "@New &amp; Name</span>&lt;/b&gt; &quot; @Ghost" in page
    assert "<b>@" not in page
    assert "(member:" not in page.replace("data-mentions", "")


def test_titles_and_searches_know_the_name_only(
    seller: Actor, seller_two: Actor, browser_client: BrowserClient
) -> None:
    note = factories.note(seller, body=f"{at(seller_two)} likes oak")
    assert registry.get("note").title_of(note) == "@Seller Two likes oak"
    assert "member:" not in note.search_text
    record_type = registry.get("note")
    assert reading.page(seller, record_type, reading.Query(search="two likes oak")).rows[0]["id"] == note.pk
    assert reading.titles(seller, {("note", note.pk)}) == {("note", note.pk): "@Seller Two likes oak"}
    page = browser_client(seller).get("/notes/").content.decode()
    assert "@Seller Two likes oak" in page
    assert "(member:" not in page


def test_a_list_asks_once_for_all_who_are_mentioned(
    seller: Actor, seller_two: Actor, manager: Actor, browser_client: BrowserClient
) -> None:
    client = browser_client(seller)

    def queries() -> int:
        client.get("/notes/")
        with CaptureQueriesContext(connection) as found:
            client.get("/notes/")
        return len(found)

    factories.note(seller, body=f"{at(seller_two)}")
    one = queries()
    for actor in (seller_two, manager, seller):
        factories.note(seller, body=f"Hello {at(actor)}")
    assert queries() == one


def test_what_looks_like_a_mention_and_is_none_stays_as_it_is(db: Any) -> None:
    for text in ("@[a](member:1)", "a@[b].c", "@[x\ny](member:01890000-0000-7000-8000-000000000000)", "@Ann", ""):
        assert mentioned(text) == set()
        assert plain(text) == text
        assert people([text]) == {}
        assert html(text, {}).count("<") == 0


def test_notes_by_the_api_mention_in_the_same_form(owner: Actor, seller_two: Actor, api: Any) -> None:
    company = factories.company(owner)
    drain(owner.tenant)
    answer = api(owner).post(
        "/api/v1/notes", {"body": f"{at(seller_two)} hello", "about": {"type": "company", "id": str(company.pk)}}
    )
    assert answer.status_code == 201
    assert answer.json()["body"] == f"{at(seller_two)} hello"
    drain(owner.tenant)
    assert [one for one, _title, _body in told()] == [seller_two.member_id]


def test_who_is_mentioned_reads_the_whole_text_in_the_inbox_and_on_the_notes_page(
    owner: Actor, seller: Actor, browser_client: Any
) -> None:
    contact = factories.contact(owner, name="Ann Lee")
    text = f"@[Seller](member:{seller.member_id}) " + "and so on " * 150 + "LAST WORDS"
    about = {"type": "contact", "id": contact.pk}
    note = gate.create(owner, registry.get("note"), {"body": text, "about": about})
    mentions_told(owner.tenant, note.events[0])
    client = browser_client(seller)
    assert "LAST WORDS" in client.get("/inbox/").content.decode()
    answer = client.get(f"/notes/{note.id}/")
    page, here = answer.content.decode(), answer.wsgi_request.build_absolute_uri()
    assert "LAST WORDS" in page.split("record-text")[1].split("</section>")[0]
    saved = browser_client(owner).post(
        f"/notes/{note.id}/edit/body/",
        {"body": f"{text}!"},
        headers={"HX-Request": "true", "HX-Current-URL": here},
    )
    assert "LAST WORDS!" in saved.content.decode()
