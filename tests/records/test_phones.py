"""Phone numbers as people type and paste them: what is kept, what finds them, what calls them."""

from dataclasses import replace

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.records.errors import Invalid
from crm.records.fields.parsing import keys
from crm.records.fields.phones import phone_part, phone_read
from crm.records.query import language
from crm.records.read import reading
from crm.records.read.reading import Query
from crm.records.schema.registry import registry
from crm.records.write import gate
from tenants.actors import Actor
from tests import factories

CONTACT = registry.get("contact")
REGIONS = ["DE", "US", "GB", "FR", "IT", "AT", "CH", "JP", "IN", "BR", "AU", "RU", "MX", "AR", "SE", "PL"]


@pytest.mark.parametrize(
    ("typed", "region", "shown", "link"),
    [
        ("+49 (0)30 901820", "DE", "+49 30 901820", "tel:+4930901820"),
        ("0049 30 901820", "DE", "+49 30 901820", "tel:+4930901820"),
        ("030/90 18-20", "DE", "+49 30 901820", "tel:+4930901820"),
        ("Tel. 030 901820", "DE", "+49 30 901820", "tel:+4930901820"),
        ("Tel.: 030 901820", "DE", "+49 30 901820", "tel:+4930901820"),
        ("Phone: (650) 253-0000", "US", "+1 650-253-0000", "tel:+16502530000"),
        ("tel:+49-30-901820", "US", "+49 30 901820", "tel:+4930901820"),
        ("tel:+1-650-253-0000;ext=101", "DE", "+1 650-253-0000 ext. 101", "tel:+16502530000;ext=101"),
        ("(650) 253-0000 x101", "US", "+1 650-253-0000 ext. 101", "tel:+16502530000;ext=101"),
        ("+1 650 253 0000 extension 0101", "DE", "+1 650-253-0000 ext. 0101", "tel:+16502530000;ext=0101"),
        ("030 901820 Durchwahl 12", "DE", "+49 30 901820 ext. 12", "tel:+4930901820;ext=12"),
        ("\uff10\uff13\uff10 \uff19\uff10\uff11\uff18\uff12\uff10", "DE", "+49 30 901820", "tel:+4930901820"),
        ("\u0660\u0663\u0660 \u0669\u0660\u0661\u0668\u0662\u0660", "DE", "+49 30 901820", "tel:+4930901820"),
        ("030\u2011901820", "DE", "+49 30 901820", "tel:+4930901820"),
        ("\u202a+49\u00a030\u00a0901820\u202c", "DE", "+49 30 901820", "tel:+4930901820"),
        ("\ufeff030\u200b901820", "DE", "+49 30 901820", "tel:+4930901820"),
        ("030 901820 Tom", "DE", "030 901820 Tom", "tel:+4930901820"),
        ("+43 1 234567 Max", "DE", "+43 1 234567 Max", "tel:+431234567"),
        ("Mobil 0171 1234567", "DE", "Mobil 0171 1234567", "tel:+491711234567"),
        ("030 901820 or 0171 1234567", "DE", "030 901820 or 0171 1234567", ""),
        ("1-800-FLOWERS", "DE", "1-800-FLOWERS", ""),
        ("1-800-FLOWERS", "US", "1-800-FLOWERS", ""),
        ("030 901820 Jürgen", "DE", "030 901820 Jürgen", "tel:+4930901820"),
        ("+49 171 1234567 / 030 901820", "DE", "+49 171 1234567 / 030 901820", ""),
        ("Tél. : 01 42 68 53 00", "FR", "+33 1 42 68 53 00", "tel:+33142685300"),
        ("Тел. +7 495 123-45-67", "DE", "+7 495 123-45-67", "tel:+74951234567"),
        ("12345", "DE", "12345", "tel:12345"),
        ("*100#", "DE", "*100#", "tel:*100%23"),
    ],
)
def test_a_number_is_kept_as_it_is_dialled_or_as_it_was_typed(typed: str, region: str, shown: str, link: str) -> None:
    phone = phone_read(typed, region)
    assert (phone.shown, phone.link) == (shown, link)
    assert phone_read(phone.shown, region) == phone


@given(
    st.sampled_from(REGIONS),
    st.integers(0, 3),
    st.sampled_from(["", "1", "101", "0042"]),
    st.sampled_from(["", "Tel. ", "\u202a", "tel:"]),
)
def test_a_number_is_the_same_in_every_form_that_it_is_written_in(region, form, extension, before) -> None:
    number = phonenumbers.example_number(region)
    assert number is not None
    plain = phone_read(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), region)
    text = phonenumbers.format_number(number, form).removeprefix("tel:")
    phone = phone_read(f"{before}{text}{extension and f' x{extension}'}", region)
    assert phone.key == plain.key + (extension and f";ext={extension}")
    assert phone_part(text, region) in plain.key


@given(st.text("0123456789 +()-/ABCTelx.,;#", min_size=3, max_size=20))
def test_letters_are_never_digits(typed: str) -> None:
    phone = phone_read(typed, "DE")
    assert phone_read(phone.shown, "DE").key == phone.key
    dialled = [sign for sign in typed if sign.isdigit()]
    assert len([sign for sign in phone.link.replace("%23", "").partition(";")[0] if sign.isdigit()]) <= len(dialled) + 2


@pytest.fixture
def seller(seller: Actor) -> Actor:
    """One who works in Germany."""
    return replace(seller, tenant=replace(seller.tenant, time_zone="Europe/Berlin"))


def kept(actor: Actor, *typed: str) -> list[str]:
    return [one["value"] for one in factories.contact(actor, phones=list(typed)).phones]


def test_two_extensions_of_one_switchboard_are_two_numbers(seller: Actor) -> None:
    typed = ["+1 650 253 0000 ext. 101", "+1 650 253 0000 ext. 102", "+1 650 253 0000", "+1 (650) 253-0000 x101"]
    numbers = kept(seller, *typed)
    assert numbers == ["+1 650-253-0000 ext. 101", "+1 650-253-0000 ext. 102", "+1 650-253-0000"]
    assert kept(seller, "1-800-FLOWERS", "1-800-PENSKES") == ["1-800-FLOWERS", "1-800-PENSKES"]


def test_a_list_in_one_text_keeps_extensions_together(seller: Actor) -> None:
    contact = factories.contact(seller, phones="+1 650 253 0000;ext=101; +49 30 901820")
    assert [one["value"] for one in contact.phones] == ["+1 650-253-0000 ext. 101", "+49 30 901820"]


@pytest.mark.parametrize("typed", ["Tom", "12", "jane@example.com 12345", "<12345>"])
def test_what_is_no_number_is_refused_with_what_was_typed(typed: str, seller: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        factories.contact(seller, phones=[typed])
    assert typed in str(refused.value.errors[0].message)


@pytest.mark.parametrize(
    ("stored", "sought"),
    [
        *(
            ("+49 30 901820", typed)
            for typed in (
                "+49 (0)30 901820",
                "+49 (0)30 9018",
                "Tel. 030 901820",
                "tel:+4930901820",
                "030\u2011901820",
                "\u202a030 901820\u202c",
                "\uff10\uff13\uff10 901820",
                "0049 (0) 30 901820",
                "30901820",
            )
        ),
        *(
            ("+1 650-253-0000 ext. 101", typed)
            for typed in ("(650) 253-0000 x101", "650 253 0000", "+1 650 253 0000 ext. 101", "6502530000;ext=101")
        ),
        *(("030 901820 Tom", typed) for typed in ("030 901820", "+49 30 901820", "Tom", "030 901820 tom", "901820")),
        *(("1-800-FLOWERS", typed) for typed in ("1-800-flowers", "1800flowers", "flowers", "800")),
    ],
)
def test_a_number_is_found_as_it_is_typed_or_pasted(stored: str, sought: str, seller: Actor) -> None:
    contact = factories.contact(seller, name="One", phones=[stored])
    factories.contact(seller, name="Other", phones=["+1 650-253-0001 ext. 102", "+49 30 777777"])
    assert [row["id"] for row in reading.page(seller, CONTACT, Query(search=sought)).rows] == [contact.pk]
    for op in ("contains", "starts_with") if sought in {"+49 (0)30 901820", "(650) 253-0000 x101"} else ():
        tree = {"field": "phones", "op": op, "value": sought}
        row = reading.get_row(seller, CONTACT, contact.pk)
        assert language.matches(seller, CONTACT, tree, row) == (op == "contains" or sought.startswith("+49"))
        page = reading.page(seller, CONTACT, Query(filter=tree))
        assert ([row["id"] for row in page.rows] == [contact.pk]) == (op == "contains" or sought.startswith("+49"))


def test_each_of_two_numbers_in_one_text_is_found(seller: Actor) -> None:
    phone = phone_read("+49 171 1234567 / 030 901820", "DE")
    assert phone.keys[1:] == ("+491711234567", "+4930901820")


def test_a_filter_by_a_number_knows_extensions(seller: Actor) -> None:
    with_extension = factories.contact(seller, phones=["+1 650-253-0000 ext. 101"])
    factories.contact(seller, phones=["+1 650-253-0000"])

    def ids(op: str, value: str) -> list[object]:
        tree = {"field": "phones", "op": op, "value": value}
        return [row["id"] for row in reading.page(seller, CONTACT, Query(filter=tree)).rows]

    assert ids("eq", "+1 650 253 0000 x101") == [with_extension.pk]
    assert len(ids("contains", "650 253 0000")) == 2
    assert ids("contains", "650 253 0000 x101") == [with_extension.pk]


def test_keys_are_made_alike_from_what_was_typed_and_from_what_is_shown(seller: Actor) -> None:
    contact = factories.contact(seller, phones=["(030) 901820 Tom", "+1 650 253 0000 x101"])
    assert contact.phones_keys == keys(CONTACT.field("phones"), contact.phones, "DE")
    changed = gate.update(seller, CONTACT, contact.pk, {"phones": contact.phones}).record
    assert changed.version == contact.version
