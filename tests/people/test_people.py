"""Companies and contacts: what must hold of them, told by what breaks it."""

from datetime import timedelta

import pytest
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from crm.people import names
from crm.people.choices import language_name
from crm.records.errors import Invalid
from crm.records.read import reading
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.undo import undo
from tenants.actors import Actor
from tests import factories

COMPANY, CONTACT = registry.get("company"), registry.get("contact")


def codes(refused: pytest.ExceptionInfo[Invalid]) -> set[tuple[str, str]]:
    return {(error.field, error.code) for error in refused.value.errors}


def test_a_company_cannot_be_its_own_parent(seller: Actor) -> None:
    acme = factories.company(seller)
    with pytest.raises(Invalid) as refused:
        gate.update(seller, COMPANY, acme.pk, {"parent": acme.pk})
    assert codes(refused) == {("parent", "parent_cycle")}


def test_a_circle_of_parents_is_refused_however_long(seller: Actor) -> None:
    grandmother = factories.company(seller, name="Grandmother")
    mother = factories.company(seller, name="Mother", parent=grandmother.pk)
    daughter = factories.company(seller, name="Daughter", parent=mother.pk)
    with pytest.raises(Invalid) as refused:
        gate.update(seller, COMPANY, grandmother.pk, {"parent": daughter.pk})
    assert codes(refused) == {("parent", "parent_cycle")}
    gate.update(seller, COMPANY, daughter.pk, {"parent": grandmother.pk})


def test_two_companies_of_one_write_cannot_become_each_others_parent(seller: Actor) -> None:
    one, two = factories.company(seller, name="One"), factories.company(seller, name="Two")
    with pytest.raises(Invalid) as refused:
        gate.update_many(seller, COMPANY, {one.pk: {"parent": two.pk}, two.pk: {"parent": one.pk}})
    assert codes(refused) == {("parent", "parent_cycle")}


@pytest.mark.parametrize("typed", ["https://www.Acme.example/about?x=1", "ACME.example", "acme.example/"])
def test_a_domain_is_kept_bare(seller: Actor, typed: str) -> None:
    assert factories.company(seller, domain=typed).domain == "acme.example"


def test_a_contact_is_called_by_first_and_last_name(seller: Actor) -> None:
    ada = factories.contact(seller, name=None, first_name="Ada", last_name="Lovelace")
    assert ada.name == "Ada Lovelace"
    changed = gate.update(seller, CONTACT, ada.pk, {"last_name": "Byron"}).record
    assert changed.name == "Ada Byron"


def test_a_full_name_is_split_at_its_last_word(seller: Actor) -> None:
    ludwig = factories.contact(seller, name="Ludwig van Beethoven")
    assert (ludwig.first_name, ludwig.last_name) == ("Ludwig van", "Beethoven")


@pytest.mark.parametrize(
    ("first", "last", "corrected", "parts"),
    [
        ("Ludwig", "van Bethoven", "Ludwig van Beethoven", ("Ludwig", "van Beethoven")),
        ("Ludwig", "van Bethoven", "Ludwig  van  Beethoven", ("Ludwig", "van Beethoven")),
        ("Ludvig", "van Beethoven", "Ludwig van Beethoven", ("Ludwig", "van Beethoven")),
        ("Ludwig", "van Beethoven", "L. van Beethoven", ("L.", "van Beethoven")),
        ("Ludwig", "van Beethoven", "Ludwig", ("Ludwig", "")),
        ("Ludwig", "van Beethoven", "van Beethoven", ("", "van Beethoven")),
        ("Jan", "Kowalski", "Kowalski Jan", ("Kowalski", "Jan")),
        ("Ludwig", "van Beethoven", "van Beethoven Ludwig", ("van Beethoven", "Ludwig")),
        ("Maria", "Garcia Lopes", "Maria Garcia Lopez", ("Maria", "Garcia Lopez")),
        ("Maria Jose", "Garcia", "María José García", ("María José", "García")),
        ("Ada", "Lovelace", "Ada King Lovelace", ("Ada King", "Lovelace")),
        ("Ada", "Lovelace", "Ada Lovelace King", ("Ada", "Lovelace King")),
        ("Ada", "Lovelace", "ADA LOVELACE", ("ADA", "LOVELACE")),
        ("Ada", "Lovelace", "Charles Babbage", ("Charles", "Babbage")),
        ("", "van Bethoven", "van Beethoven", ("", "van Beethoven")),
        ("", "Cher", "Cher Bono", ("Cher", "Bono")),
        ("Ludwig van", "", "Ludwig von", ("Ludwig von", "")),
    ],
)
def test_a_corrected_name_keeps_its_parts(
    first: str, last: str, corrected: str, parts: tuple[str, str], seller: Actor
) -> None:
    contact = factories.contact(seller, name=None, first_name=first, last_name=last)
    changed = gate.update(seller, CONTACT, contact.pk, {"name": corrected}).record
    assert (changed.first_name, changed.last_name) == parts
    assert changed.name == corrected


@given(st.text("abc é", min_size=1, max_size=12), st.text("abc é", max_size=12), st.text("abc é", min_size=1))
def test_no_letter_of_a_corrected_name_is_lost(first: str, last: str, name: str) -> None:
    old = (names.squashed(first), names.squashed(last))
    assert names.joined(*names.corrected(*old, name)) == names.squashed(name)
    assert names.corrected(*old, names.joined(*old)) == old or not all(old)


@pytest.mark.parametrize(
    "values",
    [
        {"name": "Ada Byron", "first_name": "Augusta"},
        {"name": "Ada Byron", "last_name": "Lovelace"},
        {"name": "Ada Byron", "first_name": "Augusta", "last_name": "Byron"},
        {"name": "Adam Byron", "first_name": "Ada"},
        {"name": "Ada Lovelace", "last_name": "Byron"},
        {"name": "Ada Byron", "first_name": "Ada", "last_name": ""},
    ],
)
def test_a_name_beside_other_parts_is_refused(values: dict[str, str], seller: Actor) -> None:
    ada = factories.contact(seller, name="Ada Lovelace")
    with pytest.raises(Invalid) as refused:
        gate.update(seller, CONTACT, ada.pk, values)
    assert codes(refused) == {("name", "contradicts_parts")}
    assert values["name"] in str(refused.value.errors[0].message)
    if all(values.values()):
        with pytest.raises(Invalid):
            factories.contact(seller, **values)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"name": "Ada Byron", "first_name": "Ada"}, ("Ada", "Byron")),
        ({"name": "Ada King Byron", "last_name": "King Byron"}, ("Ada", "King Byron")),
        ({"name": "Ada King Byron", "first_name": "Ada", "last_name": "King Byron"}, ("Ada", "King Byron")),
        ({"name": "Cher", "first_name": ""}, ("", "Cher")),
        ({"name": "Ada Byron", "first_name": "", "last_name": ""}, ("Ada", "Byron")),
    ],
)
def test_a_name_beside_its_own_parts_is_taken(values: dict[str, str], parts: tuple[str, str], seller: Actor) -> None:
    ada = gate.update(seller, CONTACT, factories.contact(seller, name="Ada Lovelace").pk, values).record
    assert (ada.name, ada.first_name, ada.last_name) == (values["name"], *parts)
    new = factories.contact(seller, **values)
    assert (new.name, new.first_name, new.last_name) == (values["name"], *parts)


def test_a_correction_is_undone_with_its_parts_and_one_from_before_the_rule_too(seller: Actor) -> None:
    ludwig = factories.contact(seller, name=None, first_name="Ludwig", last_name="van Bethoven")
    done = gate.update(seller, CONTACT, ludwig.pk, {"name": "Joseph Haydn"})
    undo(seller, done.change_set.id)
    ludwig.refresh_from_db()
    assert (ludwig.name, ludwig.first_name, ludwig.last_name) == ("Ludwig van Bethoven", "Ludwig", "van Bethoven")
    CONTACT.rows.filter(pk=ludwig.pk).update(first_name="Other", last_name="Parts")
    done = gate.update(seller, CONTACT, ludwig.pk, {"name": "Joseph Haydn"})
    undo(seller, done.change_set.id)
    ludwig.refresh_from_db()
    assert (ludwig.name, ludwig.first_name, ludwig.last_name) == ("Ludwig van Bethoven", "Other", "Parts")


def test_a_part_that_is_too_long_is_refused(seller: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        factories.contact(seller, name="x" * 200)
    assert codes(refused) == {("name", "too_long")}


def test_a_contact_without_any_name_is_refused(seller: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        factories.contact(seller, name="")
    assert codes(refused) == {("name", "required")}


def test_a_birthday_lies_in_the_past(seller: Actor) -> None:
    tomorrow = timezone.now().astimezone(seller.time_zone).date() + timedelta(days=1)
    with pytest.raises(Invalid) as refused:
        factories.contact(seller, birthday=tomorrow)
    assert codes(refused) == {("birthday", "in_the_future")}


def test_a_contact_is_found_by_any_of_its_addresses_and_numbers(seller: Actor) -> None:
    ada = factories.contact(
        seller,
        emails=["Ada@Example.com", {"value": "ada@home.example", "label": "home"}],
        phones=[{"value": "+49 30 901820", "label": "work"}],
    )
    for sought in ("ada@example.com", "home.example", "030 901820", "+4930901820"):
        found = reading.page(seller, CONTACT, reading.Query(search=sought))
        assert [row["id"] for row in found.rows] == [ada.pk], sought


def test_a_contact_works_for_several_companies_in_roles(seller: Actor) -> None:
    acme, other = factories.company(seller), factories.company(seller, name="Other")
    ada = factories.contact(seller, company=acme.pk, companies=[{"id": other.pk, "role": "Adviser"}])
    row = reading.get_row(seller, CONTACT, ada.pk)
    assert row["company"] == acme.pk
    assert row["companies"] == [{"id": other.pk, "role": "Adviser", "title": "Other"}]


def test_another_workspaces_company_is_not_a_company(seller: Actor, outsider: Actor) -> None:
    theirs = factories.company(outsider)
    with pytest.raises(Invalid) as refused:
        factories.contact(seller, company=theirs.pk)
    assert codes(refused) == {("company", "not_found")}


def test_languages_are_named_in_the_readers_language() -> None:
    with translation.override("de"):
        assert language_name("fr") == "Französisch"
    with translation.override("en"):
        assert language_name("fr") == "French"
