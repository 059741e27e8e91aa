"""Mail addresses and domains as they come from a mail program, a page or an address bar."""

import pytest

from crm.records.display.controls import read_number
from crm.records.errors import Invalid
from crm.records.fields.normalising import mail_address, web_domain
from crm.records.fields.parsing import parse
from crm.records.read import reading
from crm.records.read.reading import Query
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.registry import registry
from tenants.actors import Actor
from tests import factories

JANE = "jane@example.com"
PASTED = [
    "mailto:jane@example.com",
    "MAILTO:jane@example.com?subject=Hello",
    "mailto:jane%40example.com",
    "Jane <jane@example.com>",
    '"Doe, Jane" <jane@example.com>',
    "Jane Doe <mailto:jane@example.com>,",
    "<jane@example.com>",
    "\u200bjane@example.com\ufeff",
    " jane@example.com; ",
]


@pytest.mark.parametrize("typed", PASTED)
def test_an_address_is_kept_and_found_without_what_stands_around_it(typed: str, seller: Actor) -> None:
    assert mail_address(typed) == JANE
    contact = factories.contact(seller, name="Somebody", emails=[typed])
    assert [one["value"] for one in contact.emails] == [JANE]
    record_type = registry.get("contact")
    searched = reading.page(seller, record_type, Query(search=typed)).rows
    filtered = reading.page(seller, record_type, Query(filter={"field": "emails", "op": "eq", "value": typed})).rows
    assert [row["id"] for row in searched] == [row["id"] for row in filtered] == [contact.pk]


def test_several_addresses_in_one_text(seller: Actor) -> None:
    contact = factories.contact(
        seller, emails='"Doe, Jane" <jane@example.com>, mailto:bob@example.com; eve@example.com'
    )
    assert [one["value"] for one in contact.emails] == [JANE, "bob@example.com", "eve@example.com"]


@pytest.mark.parametrize("typed", ["Jane", "Jane <jane>", "<>", "mailto:", "jane@", "a@b.example c@d.example"])
def test_what_is_no_address_is_refused_as_it_was_typed(typed: str, seller: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        factories.contact(seller, emails=[typed])
    assert typed.strip() in str(refused.value.errors[0].message)


DOMAINS = [
    "www.acme.example",
    "https://www.acme.example/about?x=1",
    "http://acme.example:8080/",
    "//acme.example/a",
    "ACME.example.",
    "jane@acme.example",
    "mailto:jane@acme.example",
    "\u200bacme.example",
    "acme.example#top",
]


@pytest.mark.parametrize("typed", DOMAINS)
def test_a_domain_is_kept_and_found_bare(typed: str, seller: Actor) -> None:
    assert web_domain(typed) == "acme.example"
    record_type = registry.get("company")
    company = factories.company(seller, name="Somebody", domain=typed)
    assert company.domain == "acme.example"
    for op in ("eq", "contains", "starts_with"):
        tree = {"field": "domain", "op": op, "value": typed}
        assert [row["id"] for row in reading.page(seller, record_type, Query(filter=tree)).rows] == [company.pk]
    if "@" not in typed:
        assert [row["id"] for row in reading.page(seller, record_type, Query(search=typed)).rows] == [company.pk]
        contact = factories.contact(seller, emails=["bob@acme.example"])
        tree = {"field": "emails", "op": "domain", "value": typed}
        rows = reading.page(seller, registry.get("contact"), Query(filter=tree)).rows
        assert [row["id"] for row in rows] == [contact.pk]


def test_a_domain_that_is_too_long_once_it_is_bare_is_refused(seller: Actor) -> None:
    with pytest.raises(Invalid):
        factories.company(seller, domain=f"https://{'a' * 260}.example/")
    assert factories.company(seller, domain=f"https://acme.example/{'a' * 400}").domain == "acme.example"


INVISIBLE = ["\u200b{}", "\u202a{}\u202c", "{}\ufeff", "\u00ad{}\u200e"]


@pytest.mark.parametrize("around", INVISIBLE)
def test_invisible_signs_around_what_is_pasted_say_nothing(around: str, seller: Actor) -> None:
    values = {"amount": "1200.5", "currency": "EUR", "expected_close": "2026-03-31", "owner": str(seller.member_id)}
    deal = factories.deal(seller, **{slug: around.format(value) for slug, value in values.items()})
    assert (str(deal.amount), deal.currency, str(deal.expected_close)) == ("1200.50", "EUR", "2026-03-31")
    with pytest.raises(Invalid):
        factories.company(seller, name=around.format(""))


@pytest.mark.parametrize("typed", ["62.5 %\u200e", "\u202a62.5%\u202c", "\uff16\uff12.5", "62.5\u00a0%"])
def test_a_percentage_is_read_as_it_is_pasted(typed: str, seller: Actor) -> None:
    percent = Field(slug="share", label="Share", kind=Kind.PERCENT)
    assert read_number(percent, typed) == "62.5"
    assert str(parse(percent, typed, seller)) == "62.5"
