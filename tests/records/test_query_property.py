"""SQL and Python judge every condition alike, whatever the rows and the tree."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from crm.records.query import language
from crm.records.query.operators import OPERATORS
from crm.records.read import reading
from crm.records.schema.field import ID_FIELD, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate
from tenants.actors import Actor
from tests.depth import examples

NOW = datetime(2026, 5, 31, 22, 30, tzinfo=UTC)
TEXTS = [
    "", "Energy", "énergie", "ENERGY & Co", "Straße", "STRASSE", "İstanbul", "ﬁnance", "北京 Trading", "100%", "a_b",
    "back\\slash", "Ωmega", "ΌΛΟΣ", "e\u0301", "🏠 Home", "  two  blanks", "שלום", "ǅ", "ŉ",
    "Müller", "MUELLER", "Łódź", "Đặng Ørsted", "O’Neil", "O'Neil", "Jean\u2011Luc", "so\u00adft\u200b", "Cœur", "þing",
]  # fmt: skip
DATES = [None, date(2026, 5, 31), date(2026, 6, 1), date(2026, 5, 25), date(2026, 4, 30), date(2025, 12, 31)]
MOMENTS = [
    None, NOW, NOW - timedelta(minutes=31), NOW - timedelta(days=1), datetime(2026, 6, 1, 22, tzinfo=UTC),
    datetime(2026, 5, 31, 21, 59, 59, 999999, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
]  # fmt: skip
AMOUNTS = [None, "0", "0.01", "-5", "100", "100.00", "99999.5"]
PHONES = [[], ["+49 30 901820"], ["030 901820", "+1 416 555 0199"], ["112"]]
EMAILS = [[], ["Anna@Example.com"], ["bob@example.com", "bob@other.org"], ["weird+tag@sub.example.com"]]
ADDRESSES = [{}, {"city": "Köln"}, {"street": "Main 1\nBack", "country": "DE"}, {"city": "koln", "postcode": "50667"}]
type Rows = dict[str, dict[UUID, dict[str, Any]]]


def pick(values: list[Any], place: int, step: int = 1) -> Any:
    return values[(place * step + place // len(values)) % len(values)]


@pytest.fixture
def rows(owner: Actor, seller: Actor) -> Rows:
    companies = gate.create_many(
        owner,
        registry.get("company"),
        [
            {
                "name": f"{pick(TEXTS, i, 7).strip() or 'Company'} {i}",
                "kind": pick(["customer", "prospect", ""], i),
                "industry": pick(TEXTS, i),
                "domain": pick(["", "example.com", "Example.org"], i),
                "phones": pick(PHONES, i),
                "address": pick(ADDRESSES, i),
                "owner": pick([None, owner.member_id, seller.member_id], i),
            }
            for i in range(24)
        ],
    ).records
    gate.update(owner, registry.get("company"), companies[3].pk, {"parent": companies[0].pk})
    gate.update(owner, registry.get("company"), companies[4].pk, {"parent": companies[1].pk})
    gate.trash(owner, registry.get("company"), companies[1].pk)
    ids = [None, *(record.pk for record in companies if record.pk != companies[1].pk)]
    gate.create_many(
        owner,
        registry.get("contact"),
        [
            {
                "name": f"Contact {i} {pick(TEXTS, i)}",
                "emails": pick(EMAILS, i),
                "phones": pick(PHONES, i, 3),
                "company": pick(ids, i),
                "companies": [{"id": one, "role": "x"} for one in {pick(ids, i, 2), pick(ids, i, 5)} if one][: i % 3],
                "status": pick(["new", "working", ""], i),
                "birthday": pick(DATES, i),
                "owner": pick([None, owner.member_id, seller.member_id], i, 2),
            }
            for i in range(24)
        ],
    )
    gate.create_many(
        owner,
        registry.get("task"),
        [
            {
                "name": f"Task {i}",
                "due_at": pick(MOMENTS, i),
                "assignee": pick([None, owner.member_id, seller.member_id], i),
                "about": {"type": "company", "id": pick(ids[1:], i)} if i % 3 else None,
                "also": [{"type": "company", "id": one} for one in {pick(ids[1:], i, 2), pick(ids[1:], i, 5)}][: i % 3],
                "description": pick(TEXTS, i),
            }
            for i in range(14)
        ],
    )
    deals = gate.create_many(
        owner,
        registry.get("deal"),
        [
            {
                "name": f"Deal {i}",
                "amount": pick([one for one in AMOUNTS if one != "-5"], i),
                "currency": "EUR",
                "expected_close": pick(DATES, i),
                "company": pick(ids, i),
            }
            for i in range(14)
        ],
    ).records
    assert deals
    return {
        noun: {row["id"]: row for row in everything(owner, registry.get(noun))}
        for noun in ("company", "contact", "task", "deal", "stage", "pipeline")
    }


def everything(actor: Actor, record_type: RecordType) -> list[dict[str, Any]]:
    return reading.page(actor, record_type, reading.Query(limit=500)).rows


def operands(actor: Actor, record_type: RecordType, field: Field, rows: Rows) -> st.SearchStrategy[Any]:
    match field.kind:
        case Kind.EMAILS:
            return st.sampled_from(["anna@example.com", "EXAMPLE", "bob@", "other.org", "example.com", "x"])
        case Kind.PHONES:
            return st.sampled_from(["030 901820", "+4930901820", "90", "0199", "112", "1"])
        case Kind.TEXT | Kind.LONG_TEXT | Kind.URL | Kind.CURRENCY | Kind.ADDRESS:
            known = [*(text for text in TEXTS if text), "KÖLN", "koeln", "main 1", "eur", "de\n"]
            return st.sampled_from(known) | st.text(
                st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Co")), min_size=1, max_size=3
            )
        case Kind.INTEGER:
            return st.integers(-3, 5)
        case Kind.DECIMAL | Kind.MONEY | Kind.PERCENT:
            return st.sampled_from(["0", "100", "100.0", 100, "0.011", "-1", "1e3"])
        case Kind.BOOLEAN:
            return st.booleans()
        case Kind.DATE:
            return st.sampled_from([one.isoformat() for one in DATES if one])
        case Kind.DATETIME:
            moments = [one.isoformat() for one in MOMENTS if one] + ["2026-06-01T00:30"]
            return st.sampled_from(moments + [one.isoformat() for one in DATES if one])
        case Kind.CHOICE:
            return st.sampled_from([choice.value for choice in field.choices])
        case Kind.MEMBER:
            return st.sampled_from(["me", str(actor.member_id), str(uuid4())])
        case Kind.RELATION | Kind.LINKS:
            target = record_type.slug if field is ID_FIELD else field.target
            return st.sampled_from([str(id) for id in rows.get(target, {})] or [str(uuid4())])
        case Kind.REFERENCE | Kind.REFERENCES:
            ids = [str(id) for id in rows["company"]]
            return st.builds(lambda id: {"type": "company", "id": id}, st.sampled_from(ids)) | st.sampled_from(ids)
        case Kind.JSON_LIST:
            return st.sampled_from(["amount", "company"])
        case _:
            raise NotImplementedError(field.kind)


@st.composite
def conditions(draw: st.DrawFn, actor: Actor, record_type: RecordType, rows: Rows) -> dict[str, Any]:
    slug = draw(st.sampled_from([one for one in language.known_fields(actor, record_type) if one != "deleted_at"]))
    field = language.field_named(actor, record_type, slug, slug)
    path, holder = slug, record_type
    if field.kind in {Kind.RELATION, Kind.LINKS} and field is not ID_FIELD and draw(st.booleans()):
        holder = registry.get(field.target)
        inner = draw(st.sampled_from([one for one in language.known_fields(actor, holder) if one != "deleted_at"]))
        path, field = f"{slug}.{inner}", language.field_named(actor, holder, inner, inner)
    operator = draw(st.sampled_from(list(OPERATORS[field.kind].values())))
    value: st.SearchStrategy[Any] = operands(actor, holder, field, rows)
    if operator.slug == "type_is":
        value = st.sampled_from(["company", "deal"])
    condition: dict[str, Any] = {"field": path, "op": operator.slug}
    match operator.value_shape:
        case "one":
            condition["value"] = draw(value)
        case "many":
            condition["value"] = draw(st.lists(value, min_size=1, max_size=3))
        case "range":
            condition["value"] = [draw(value), draw(st.none() | value)]
        case "days":
            condition["value"] = draw(st.integers(0, 400))
    return condition


def trees(actor: Actor, record_type: RecordType, rows: Rows) -> st.SearchStrategy[dict[str, Any]]:
    return st.recursive(
        conditions(actor, record_type, rows),
        lambda inner: st.one_of(
            st.builds(lambda parts: {"all": parts}, st.lists(inner, max_size=3)),
            st.builds(lambda parts: {"any": parts}, st.lists(inner, max_size=3)),
            st.builds(lambda part: {"not": part}, inner),
        ),
        max_leaves=4,
    ).filter(lambda tree: depth(tree) <= language.MAX_DEPTH)


def depth(tree: dict[str, Any]) -> int:
    inner = tree.get("all") or tree.get("any") or ([tree["not"]] if "not" in tree else [])
    return 1 + max((depth(one) for one in inner), default=0)


@pytest.mark.slow("draws trees of conditions and asks the database of each")
@pytest.mark.deep
@pytest.mark.parametrize("noun", ["company", "contact", "task", "deal", "stage"])
def test_sql_and_python_agree(owner: Actor, rows: Rows, noun: str) -> None:
    record_type = registry.get(noun)

    def related(field: Field, id: UUID) -> dict[str, Any] | None:
        return rows.get(field.target, {}).get(id)

    @settings(max_examples=examples(15), suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def holds(data: st.DataObject) -> None:
        tree = data.draw(trees(owner, record_type, rows))
        assume(language.cost(language.parse(owner, record_type, tree, now=NOW)) <= language.MAX_COST)
        found = reading.visible(owner, record_type).filter(language.compile(owner, record_type, tree, now=NOW))
        by_sql = set(found.values_list("pk", flat=True))
        judged = {
            id
            for id, row in rows[noun].items()
            if language.matches(owner, record_type, tree, row, related=related, now=NOW)
        }
        assert by_sql == judged
        refused = reading.visible(owner, record_type).filter(
            language.compile(owner, record_type, {"not": tree}, now=NOW)
        )
        assert by_sql.isdisjoint(refused.values_list("pk", flat=True))
        assert len(by_sql) + len(refused) == len(rows[noun])

    holds()


def test_amounts_are_compared_as_numbers(owner: Actor, rows: Rows) -> None:
    found = reading.page(
        owner, registry.get("deal"), reading.Query(filter={"field": "amount", "op": "eq", "value": 100})
    )
    assert {row["amount"] for row in found.rows} == {Decimal(100)}
