"""Companies and contacts: what must hold of them, told by what breaks it."""

from datetime import timedelta

import pytest
from django.utils import timezone, translation

from crm.people.choices import language_name
from crm.records import reading, writing
from crm.records.errors import Invalid
from crm.records.types import registry
from tenants.actors import Actor
from tests import factories

COMPANY, CONTACT = registry.get("company"), registry.get("contact")


def codes(refused: pytest.ExceptionInfo[Invalid]) -> set[tuple[str, str]]:
    return {(error.field, error.code) for error in refused.value.errors}


def test_a_company_cannot_be_its_own_parent(seller: Actor) -> None:
    acme = factories.company(seller)
    with pytest.raises(Invalid) as refused:
        writing.update(seller, COMPANY, acme.pk, {"parent": acme.pk})
    assert codes(refused) == {("parent", "parent_cycle")}


def test_a_circle_of_parents_is_refused_however_long(seller: Actor) -> None:
    grandmother = factories.company(seller, name="Grandmother")
    mother = factories.company(seller, name="Mother", parent=grandmother.pk)
    daughter = factories.company(seller, name="Daughter", parent=mother.pk)
    with pytest.raises(Invalid) as refused:
        writing.update(seller, COMPANY, grandmother.pk, {"parent": daughter.pk})
    assert codes(refused) == {("parent", "parent_cycle")}
    writing.update(seller, COMPANY, daughter.pk, {"parent": grandmother.pk})


def test_two_companies_of_one_write_cannot_become_each_others_parent(seller: Actor) -> None:
    one, two = factories.company(seller, name="One"), factories.company(seller, name="Two")
    with pytest.raises(Invalid) as refused:
        writing.update_many(seller, COMPANY, {one.pk: {"parent": two.pk}, two.pk: {"parent": one.pk}})
    assert codes(refused) == {("parent", "parent_cycle")}


@pytest.mark.parametrize("typed", ["https://www.Acme.example/about?x=1", "ACME.example", "acme.example/"])
def test_a_domain_is_kept_bare(seller: Actor, typed: str) -> None:
    assert factories.company(seller, domain=typed).domain == "acme.example"


def test_a_contact_is_called_by_first_and_last_name(seller: Actor) -> None:
    ada = factories.contact(seller, name=None, first_name="Ada", last_name="Lovelace")
    assert ada.name == "Ada Lovelace"
    changed = writing.update(seller, CONTACT, ada.pk, {"last_name": "Byron"}).record
    assert changed.name == "Ada Byron"


def test_a_full_name_is_split_at_its_last_word(seller: Actor) -> None:
    ludwig = factories.contact(seller, name="Ludwig van Beethoven")
    assert (ludwig.first_name, ludwig.last_name) == ("Ludwig van", "Beethoven")


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
