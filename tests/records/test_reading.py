"""Rows: what is in them, and how few statements they take."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.records.errors import BadQuery, Forbidden, MissingScope, NotFound
from crm.records.read import reading
from crm.records.read.reading import Query
from crm.records.schema.registry import registry
from crm.records.write import gate
from tenants.actors import Actor, Permissions, Scope
from tests import factories

OWN_ONLY = Permissions({"*": {"view": Scope.OWN, "edit": Scope.OWN}})
NO_COMPANIES = Permissions({"*": {"view": Scope.ALL}, "company": {}})


@pytest.fixture
def deal(owner: Actor, seller: Actor) -> UUID:
    parent = factories.company(owner, name="Holding")
    company = factories.company(owner, name="Miller", parent=parent.pk, owner=seller.member_id)
    anna = factories.contact(owner, name="Anna", company=company.pk)
    found: UUID = factories.deal(
        owner,
        name="Windows",
        company=company.pk,
        amount="100",
        owner=owner.member_id,
        contacts=[{"id": anna.pk, "role": "buyer"}],
    ).pk
    return found


def one(actor: Actor, id: UUID, **options: Any) -> dict[str, Any]:
    return reading.get_row(actor, registry.get("deal"), id, **options)


def test_a_row_has_ids_and_links(owner: Actor, deal: UUID) -> None:
    row = one(owner, deal)
    assert row["name"] == "Windows"
    assert row["owner"] == owner.member_id
    assert isinstance(row["company"], UUID)
    assert [(link["title"], link["role"]) for link in row["contacts"]] == [("Anna", "buyer")]
    assert {"id", "version", "created_at", "updated_at", "deleted_at", "is_sample"} <= row.keys()
    assert not {"search_text", "sort_name"} & row.keys()


def test_relations_are_expanded_up_to_two_hops(owner: Actor, deal: UUID) -> None:
    row = one(owner, deal, expand=("company.parent", "company.owner", "owner", "contacts", "stage"))
    assert row["company"]["title"] == "Miller"
    assert row["company"]["parent"]["title"] == "Holding"
    assert row["company"]["owner"]["name"]
    assert row["owner"] | {"type": "member", "email": owner.email} == row["owner"]
    assert row["contacts"][0]["name"] == "Anna"
    assert row["contacts"][0]["role"] == "buyer"
    for path, near in (("company.owner.manager", ""), ("compani", "company"), ("name", ""), ("company.name", "")):
        with pytest.raises(BadQuery) as caught:
            one(owner, deal, expand=(path,))
        assert caught.value.nearest == near or not near


def test_what_is_out_of_sight_is_not_in_rows(owner: Actor, deal: UUID) -> None:
    blind = replace(owner, permissions=NO_COMPANIES)
    row = one(blind, deal, expand=("company",))
    assert row["company"] is None
    gate.trash(owner, registry.get("contact"), row["contacts"][0]["id"])
    assert one(owner, deal)["contacts"] == []
    task = factories.task(owner, about={"type": "company", "id": factories.company(owner, name="Secret").pk})
    seen = reading.get_row(owner, registry.get("task"), task.pk)
    assert seen["about"]["title"] == "Secret"
    assert reading.get_row(blind, registry.get("task"), task.pk)["about"]["title"] is None


def test_only_own_rows_are_seen_counted_and_summed(owner: Actor, seller: Actor, deal: UUID) -> None:
    record_type = registry.get("deal")
    narrow = replace(seller, permissions=OWN_ONLY)
    their = factories.deal(owner, name="Their windows", owner=seller.member_id, amount="7").pk
    page = reading.page(narrow, record_type, Query(count=True))
    assert [row["id"] for row in page.rows] == [their]
    assert page.count == 1
    assert reading.sums(narrow, record_type, Query(), "amount") == {"EUR": 7}
    assert reading.page(narrow, record_type, Query(search="windows")).rows == page.rows
    assert {hit.id for hit in reading.search_all(narrow, "windows")} == {their}
    with pytest.raises(NotFound):
        one(narrow, deal)
    with pytest.raises(NotFound):
        reading.get_record(narrow, record_type, deal)
    tree = {"field": "owner", "op": "eq", "value": str(owner.member_id)}
    assert reading.page(narrow, record_type, Query(filter=tree)).rows == []


def test_who_may_view_nothing_sees_nothing(owner: Actor, deal: UUID) -> None:
    nobody = replace(owner, permissions=Permissions({}))
    assert reading.page(nobody, registry.get("deal"), Query()).rows == []
    assert reading.search_all(nobody, "windows") == []
    with pytest.raises(NotFound):
        one(nobody, deal)
    key = replace(owner, scopes=frozenset({"contact:read", "deal:write"}))
    assert reading.count(key, registry.get("contact"), Query()) == 1
    by_company = {"field": "company.name", "op": "eq", "value": "Miller"}
    for noun, wanted in (("deal", Query()), ("contact", Query(filter=by_company))):
        with pytest.raises(MissingScope):
            reading.count(key, registry.get(noun), wanted)


def test_seeing_is_not_changing(owner: Actor, seller: Actor, reader: Actor, deal: UUID) -> None:
    record_type = registry.get("deal")
    assert reading.get_record(reader, record_type, deal).name == "Windows"
    for actor in (reader, seller):
        with pytest.raises(Forbidden):
            reading.get_record(actor, record_type, deal, action="edit")
        assert not reading.rows_allowing(actor, record_type, "edit").filter(pk=deal).exists()
    assert reading.rows_allowing(owner, record_type, "edit").filter(pk=deal).exists()


def test_another_workspace_sees_nothing(owner: Actor, outsider: Actor, deal: UUID, as_tenant: Any) -> None:
    with as_tenant(outsider.tenant):
        assert reading.page(outsider, registry.get("deal"), Query()).rows == []
        with pytest.raises(NotFound):
            one(outsider, deal)


def test_the_trash_is_apart(owner: Actor, deal: UUID) -> None:
    record_type = registry.get("deal")
    gate.trash(owner, record_type, deal)
    assert reading.page(owner, record_type, Query()).rows == []
    assert [row["id"] for row in reading.page(owner, record_type, Query(deleted="only")).rows] == [deal]
    assert one(owner, deal, deleted="include")["deleted_at"]
    with pytest.raises(NotFound):
        one(owner, deal)


def test_fields_choose_columns(owner: Actor, deal: UUID) -> None:
    assert one(owner, deal, fields=("name", "stage")).keys() == {"id", "version", "name", "stage"}
    for wrong in ("nmae", "search_text", "id; drop table"):
        with pytest.raises(BadQuery) as caught:
            one(owner, deal, fields=(wrong,))
        assert caught.value.param == "fields"


def test_a_bad_id_is_not_found(owner: Actor) -> None:
    for bad in ("x", "1", str(uuid4()), "\0"):
        with pytest.raises(NotFound):
            reading.get_record(owner, registry.get("deal"), bad)


@pytest.mark.parametrize(
    ("expand", "statements"),
    [((), 1), (("company", "owner", "stage", "pipeline"), 5), (("company.owner", "company.parent", "contacts"), 5)],
)
def test_statements_do_not_grow_with_rows(owner: Actor, deal: UUID, expand: tuple[str, ...], statements: int) -> None:
    record_type = registry.get("deal")
    source = one(owner, deal)
    for amount in range(12):
        company = factories.company(owner, name=f"Other {amount}", parent=source["company"], owner=owner.member_id)
        links = [{"id": source["contacts"][0]["id"], "role": ""}]
        factories.deal(owner, company=company.pk, contacts=links, amount=amount)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        page = reading.page(owner, record_type, Query(expand=expand))
    assert len(page.rows) == 13
    assert len(seen) == statements


def test_sums_are_by_currency(owner: Actor) -> None:
    record_type = registry.get("deal")
    for amount, currency in (("10.50", "EUR"), ("1", "EUR"), ("7", "CAD"), (None, "CAD")):
        factories.deal(owner, amount=amount, currency=currency)
    assert reading.sums(owner, record_type, Query(), "amount") == {"EUR": 11.5, "CAD": 7}
    with pytest.raises(BadQuery):
        reading.sums(owner, record_type, Query(), "name")
