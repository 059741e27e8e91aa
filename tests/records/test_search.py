"""Finding records by what one remembers of them."""

import html
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.db import connection

from crm.records.errors import BadQuery
from crm.records.query import folding, refolding
from crm.records.query.search_text import search_q
from crm.records.read import reading
from crm.records.read.reading import Query
from crm.records.schema.registry import registry
from crm.workspace.models import Member, Role
from crm.workspace.people.selectors import active_members, members_matching
from crm.workspace.text.folding import fold
from tenants.actors import Actor
from tests import factories


def found(actor: Actor, noun: str, text: str) -> set[str]:
    return {row["name"] for row in reading.page(actor, registry.get(noun), Query(search=text)).rows}


@pytest.fixture
def people(owner: Actor) -> None:
    factories.contact(owner, name="Zoë Müller", emails=["zoe.m@example.com"], phones=["+49 30 901820"])
    factories.contact(owner, name="Ödön Straßner", phones=["+1 416 555 0199"])
    factories.contact(owner, name="北京 王小明")
    factories.contact(owner, name="محمد علي")
    factories.contact(owner, name="100%_sure\\Bob")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("muller", "Zoë Müller"),
        ("MÜLLER zoe", "Zoë Müller"),
        ("zoe.m@EXAMPLE", "Zoë Müller"),
        ("z mü", "Zoë Müller"),
        ("m", "Zoë Müller"),
        ("strassner", "Ödön Straßner"),
        ("od", "Ödön Straßner"),
        ("+1 (416) 555-0199", "Ödön Straßner"),
        ("416 555", "Ödön Straßner"),
        ("030 9018", "Zoë Müller"),
        ("0049 30 9018", "Zoë Müller"),
        ("小明", "北京 王小明"),
        ("王", "北京 王小明"),
        ("محمد", "محمد علي"),
        ("0%_s", "100%_sure\\Bob"),
        ("e\\b", "100%_sure\\Bob"),
    ],
)
def test_is_found(owner: Actor, people: None, text: str, name: str) -> None:
    assert found(owner, "contact", text) == {name}


@pytest.mark.parametrize("text", ["zoe strassner", "%%%", "___", "ller x", "明小", "9999999"])
def test_is_not_found(owner: Actor, people: None, text: str) -> None:
    assert found(owner, "contact", text) == set()


def test_blank_searches_for_nothing_in_particular(owner: Actor, people: None) -> None:
    assert len(found(owner, "contact", "  ")) == 5


@pytest.mark.parametrize("text", ["a\0b", "x" * 5000])
def test_unsearchable_text_is_refused(owner: Actor, text: str) -> None:
    with pytest.raises(BadQuery):
        found(owner, "contact", text)
    assert reading.search_all(owner, text) == []


def test_the_palette_shows_names_that_begin_so_first(owner: Actor) -> None:
    factories.company(owner, name="Old Oak Ltd")
    factories.company(owner, name="Oak & Sons", domain="oak.example")
    factories.contact(owner, name="Oakley Ann", job="Buyer")
    factories.deal(owner, name="Table of oak")
    hits = reading.search_all(owner, "OAK")
    assert {(hit.title, hit.subtitle) for hit in hits[:2]} == {("Oak & Sons", "oak.example"), ("Oakley Ann", "Buyer")}
    assert {hit.title for hit in hits} == {"Oak & Sons", "Oakley Ann", "Old Oak Ltd", "Table of oak"}
    assert len(reading.search_all(owner, "oak", limit=2)) == 2
    assert {hit.title for hit in reading.search_all(owner, "oa")} == {"Oak & Sons", "Oakley Ann"}


@pytest.mark.parametrize("text", ["小明", "明", "王"])
def test_the_palette_finds_chinese_names_by_any_of_their_characters(owner: Actor, people: None, text: str) -> None:
    assert [hit.title for hit in reading.search_all(owner, text)] == ["北京 王小明"]


def test_fold_is_blind_to_case_accents_and_forms() -> None:
    assert fold("ÉCOLE ﬁn Straße İ") == "ecole fin strasse i"
    assert folding.search_form(["Zoë  王小", "a@B.c"]) == " zoe 王 小 a@b.c"


OLD = (
    "UPDATE people_contact SET search_text = lower(name), sort_name = 'old', phones_keys = '{+16502530000}'",
    "UPDATE people_company SET search_text = 'old', sort_name = 'old'",
    "UPDATE sales_deal SET search_text = 'old', sort_name = 'old'",
    "UPDATE activities_note SET search_text = 'old', sort_name = 'old'",
)


def test_rows_from_before_are_found_after_the_migration_as_new_ones_are(
    owner: Actor, seller: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = {"city": "Łódź", "street": "Kościelna 1\nHof"}
    company = factories.company(owner, name="Łódź O’Neil", domain="lodz.example", address=address)
    people = [
        factories.contact(owner, name="Jörg Müller", emails=["j@example.com"], phones=["+1 650 253 0000 ext. 101"]),
        factories.contact(owner, name="Plain Name", phones=["1-800-FLOWERS"]),
    ]
    deal = factories.deal(owner, name="Đặng  Ørsted 北京")
    about = {"type": "company", "id": str(company.pk)}
    body = f"Für @[Ann Müller](member:{seller.member_id}) " + "x" * 30_000 + " Schluß"
    note = factories.make(owner, "note", {"body": body, "about": about})
    rows = [*people, company, deal, note]
    columns = ("search_text", "sort_name", *(["phones_keys"] if hasattr(rows[0], "phones_keys") else []))
    made = [[getattr(row, name, None) for name in columns] for row in rows]
    monkeypatch.setattr(refolding, "BATCH_SIZE", 1)
    with connection.cursor() as cursor:
        for statement in OLD:
            cursor.execute(statement)
    for app, name in (("people", "0002"), ("sales", "0005"), ("activities", "0007")):
        module = import_module(f"crm.{app}.migrations.{name}_found_as_typed")
        module.found_as_typed(None, SimpleNamespace(connection=connection))
    for row in rows:
        row.refresh_from_db()
    again = [[getattr(row, name, None) for name in columns] for row in rows]
    assert [[words(text) for text in row] for row in again] == [[words(text) for text in row] for row in made]
    assert found(owner, "contact", "joerg mueller") == {"Jörg Müller"}
    assert found(owner, "company", "o'neil lodz") == {"Łódź O’Neil"}


def words(value: object) -> object:
    return sorted(value.split()) if isinstance(value, str) else value


def test_notes_are_found_by_what_they_say_where_their_record_is_in_sight(
    owner: Actor, seller: Actor, browser_client: Any
) -> None:
    company = factories.company(seller, name="Oak & Sons")
    about = {"type": "company", "id": str(company.pk)}
    body = f"{'They said much. ' * 40}In the end they want the Łódź window by May."
    note = factories.note(seller, body=body, about=about)
    theirs = factories.company(owner, name="Hidden Ltd", owner=owner.member_id)
    factories.note(owner, body="The Łódź window is late.", about={"type": "company", "id": str(theirs.pk)})
    (hit,) = (one for one in reading.search_all(seller, "lodz window", texts=True) if one.id == note.pk)
    assert hit.subtitle == "Oak & Sons"
    assert hit.title.startswith("…")
    assert hit.title.endswith("they want the Łódź window by May.")
    assert len(reading.search_all(owner, "lodz window", texts=True)) == 2
    narrow = Role.objects.create(
        slug="narrow", name="Narrow", permissions={"company": {"view": "own"}, "note": {"view": "all"}}
    )
    assert seller.member_id
    Member.objects.filter(pk=seller.member_id).update(role=narrow)
    page = browser_client(seller).get("/search/?q=lodz+window").content.decode()
    assert f"/notes/{note.pk}/" in page
    assert "is late" not in page
    lines = browser_client(seller).get("/palette/?q=lodz+window", headers={"HX-Request": "true"}).content.decode()
    assert f"/notes/{note.pk}/" in lines


def test_the_picker_of_records_offers_no_notes(owner: Actor, browser_client: Any) -> None:
    company = factories.company(owner, name="Walnut Ltd")
    factories.note(owner, body="Walnut", about={"type": "company", "id": str(company.pk)})
    page = browser_client(owner).get("/references/?q=walnut").content.decode()
    assert "Walnut Ltd" in page
    assert "note:" not in page


PEOPLE = ["Łukasz Kowalski", "Jörg Müller", "Zoe O’Neil", "Bjørn Ås"]


@pytest.mark.parametrize(
    ("typed", "name"),
    [("lukasz", "Łukasz Kowalski"), ("joerg mueller", "Jörg Müller"), ("o'neil", "Zoe O’Neil"), ("bjorn", "Bjørn Ås")],
)
def test_members_are_found_however_their_names_are_typed(
    typed: str, name: str, owner: Actor, browser_client: Any
) -> None:
    role = Role.objects.get(slug="owner")
    for place, one in enumerate(PEOPLE):
        Member.objects.create(name=one, email=f"p{place}@a.example", user_id=uuid4(), role=role)
    client = browser_client(owner)
    assert [one.name for one in members_matching(q=typed)] == [name]
    for address in (f"/mentions/?q={quote(typed)}", f"/references/?types=member&q={quote(typed)}"):
        page = html.unescape(client.get(address).content.decode())
        assert [one for one in PEOPLE if one in page] == [name], address


def test_people_and_records_are_listed_by_their_letters(owner: Actor) -> None:
    role = Role.objects.get(slug="owner")
    for place, one in enumerate(["Łukasz", "zoe", "Mara", "Åse"]):
        Member.objects.create(name=one, email=f"p{place}@a.example", user_id=uuid4(), role=role)
        factories.company(owner, name=one, industry=one)
    wanted = ["Åse", "Łukasz", "Mara", "zoe"]
    assert [one for one in active_members().values_list("name", flat=True) if one in wanted] == wanted
    for sort in ("name", "industry"):
        rows = reading.page(owner, registry.get("company"), Query(sort=(sort,))).rows
        assert [row["name"] for row in rows] == wanted


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("name", "contains", "mueller"),
        ("name", "eq", "joerg mueller"),
        ("name", "starts_with", "Joerg"),
        ("name", "ends_with", "MÜLLER"),
        ("name", "in", ["x", "jorg muller"]),
        ("company.name", "eq", "lodz o'neil"),
        ("company.address", "contains", "koscielna"),
        ("company.industry", "contains", "jean-luc"),
    ],
)
def test_filters_find_what_is_stored_however_it_is_typed(field: str, op: str, value: object, owner: Actor) -> None:
    company = factories.company(
        owner, name="Łódź O’Neil", address={"street": "Kościelna 1"}, industry="Jean\u2011Luc \u00adCo"
    )
    contact = factories.contact(owner, name="Jörg Müller", company=company.pk)
    factories.contact(owner, name="Jo Muleller")
    tree = {"field": field, "op": op, "value": value}
    assert [row["id"] for row in reading.page(owner, registry.get("contact"), Query(filter=tree)).rows] == [contact.pk]


@pytest.mark.usefixtures("in_tenant")
def test_a_search_reads_its_index(owner: Actor) -> None:
    factories.contact(owner, name="Jörg Müller", phones=["+49 30 901820"])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    for text in ("Müller", "mueller", "O’Neil", "jane@example.com", "+49 (0)30 901820", "https://www.acme.example/x"):
        rows = registry.get("contact").rows.filter(search_q(owner, registry.get("contact"), text))
        assert "contact_search" in rows.explain(), text
