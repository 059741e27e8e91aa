"""Finding records by what one remembers of them."""

import pytest

from crm.records import folding, reading
from crm.records.errors import BadQuery
from crm.records.reading import Query
from crm.records.types import registry
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


def test_fold_is_blind_to_case_accents_and_forms() -> None:
    assert folding.fold("ÉCOLE ﬁn Straße İ") == "ecole fin strasse i"
    assert folding.search_form(["Zoë  王小", "a@B.c"]) == " zoe 王 小 a@b.c"
