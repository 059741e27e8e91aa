"""Records by the API: the life of each noun, lists, queries, errors."""

from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests import factories
from tests.depth import examples

pytestmark = pytest.mark.django_db


def payload(noun: str, actor) -> dict[str, object]:
    company = factories.company(actor, name="Base")
    bodies: dict[str, dict[str, object]] = {
        "companies": {"name": "Acme"},
        "contacts": {"first_name": "Ada", "last_name": "Byron", "emails": [{"value": "ADA@Example.com"}]},
        "deals": {"name": "Windows", "amount": "1200.50", "currency": "EUR", "company": str(company.id)},
        "tasks": {"name": "Call back", "about": {"type": "company", "id": str(company.id)}},
        "notes": {"body": "They like oak.", "about": {"type": "company", "id": str(company.id)}},
        "pipelines": {"name": "Service"},
        "lost_reasons": {"name": "Too late"},
    }
    return bodies[noun]


NOUNS = ["companies", "contacts", "deals", "tasks", "notes", "pipelines"]


@pytest.mark.parametrize("noun", NOUNS)
def test_a_record_is_made_read_changed_trashed_and_restored(api, owner, noun):
    client = api(owner)
    made = client.post(f"/api/v1/{noun}", payload(noun, owner))
    assert made.status_code == 201, made.content
    address = f"/api/v1/{noun}/{made.json()['id']}"
    assert made.headers["Location"] == address
    title = "body" if noun == "notes" else "last_name" if noun == "contacts" else "name"
    changed = client.patch(address, {title: "Changed"})
    assert changed.status_code == 200, changed.content
    assert client.get(address).json()[title] == "Changed"
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.post(f"{address}/restore").status_code == 200
    assert client.get(address).json()[title] == "Changed"


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("bad_id", ["01890000-0000-7000-8000-000000000000", "1", "not-an-id", "%00"])
def test_a_bad_id_is_not_found_in_the_apis_own_shape(api, owner, noun, bad_id):
    response = api(owner).get(f"/api/v1/{noun}/{bad_id}")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_money_is_a_string_with_its_currency_and_times_are_utc(api, owner):
    deal = factories.deal(owner, amount=Decimal("0.10"), currency="EUR")
    row = api(owner).get(f"/api/v1/deals/{deal.id}").json()
    assert row["amount"] == "0.10"
    assert row["currency"] == "EUR"
    assert row["created_at"].endswith("Z")
    assert datetime.fromisoformat(row["created_at"]).tzinfo == UTC


def test_fields_and_expand_choose_what_comes_back(api, owner):
    company = factories.company(owner, name="Acme")
    deal = factories.deal(owner, company=company.id)
    row = api(owner).get(f"/api/v1/deals/{deal.id}?fields=name,company&expand=company").json()
    assert row["company"]["name"] == "Acme"
    assert "amount" not in row


def test_pages_follow_each_other_without_gap_or_repeat(api, owner):
    made = {str(factories.company(owner, name=f"C{n % 3}").id) for n in range(11)}
    client = api(owner)
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = client.get(f"/api/v1/companies?limit=4&sort=name&cursor={cursor}").json()
        seen += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen))
    assert made <= set(seen)


def test_a_cursor_is_bound_to_its_filter_and_sort(api, owner):
    for _ in range(3):
        factories.company(owner)
    client = api(owner)
    cursor = client.get("/api/v1/companies?limit=1&sort=name").json()["next_cursor"]
    response = client.get(f"/api/v1/companies?limit=1&sort=-name&cursor={cursor}")
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "cursor"


def test_count_only_when_asked_for(api, owner):
    factories.company(owner)
    client = api(owner)
    assert "count" not in client.get("/api/v1/companies").json()
    assert client.get("/api/v1/companies?include=count").json()["count"] >= 1


def test_simple_filters_and_the_full_tree_find_the_same(api, owner):
    factories.deal(owner, name="Small", amount=Decimal(5), currency="EUR")
    large = factories.deal(owner, name="Large", amount=Decimal(500), currency="EUR")
    client = api(owner)
    simple = client.get("/api/v1/deals?amount[gte]=100&currency=EUR").json()["data"]
    tree = {
        "all": [{"field": "amount", "op": "gte", "value": "100"}, {"field": "currency", "op": "eq", "value": "EUR"}]
    }
    full = client.post("/api/v1/deals/query", {"filter": tree}).json()["data"]
    assert [row["id"] for row in simple] == [str(large.id)] == [row["id"] for row in full]


def test_a_client_can_keep_a_copy_with_tombstones(api, owner):
    kept, gone = factories.company(owner), factories.company(owner)
    client = api(owner)
    client.delete(f"/api/v1/companies/{gone.id}")
    rows = client.get("/api/v1/companies?deleted=include&updated_at[gte]=2020-01-01T00:00:00Z&limit=500").json()["data"]
    marks = {row["id"]: row["deleted_at"] for row in rows}
    assert marks[str(kept.id)] is None
    assert marks[str(gone.id)] is not None


@pytest.mark.parametrize(
    ("query", "param", "hint"),
    [
        ("limt=5", "limt", "limit"),
        ("amout[gte]=5", "amout[gte]", None),
        ("amount[gtee]=5", None, "gte"),
        ("limit=0", "limit", "500"),
        ("limit=501", "limit", "500"),
        ("limit=many", "limit", "whole number"),
        ("sort=nonsense", None, None),
        ("expand=nonsense", None, None),
        ("fields=nam", "fields", "name"),
        ("include=everything", "include", "count"),
        ("deleted=maybe", "deleted", "only"),
        ("cursor=forged", "cursor", None),
        ("search=%00", None, None),
        ("amount[gte]=much", None, None),
        ("expected_close[gte]=yesterdayish", None, None),
        ("company=1", None, None),
    ],
)
def test_what_a_list_does_not_take_is_400_and_named(api, owner, query, param, hint):
    response = api(owner).get(f"/api/v1/deals?{query}")
    assert response.status_code == 400, response.content
    error = response.json()["error"]
    assert error["type"] == "invalid_request"
    if param:
        assert error["param"] == param
    if hint:
        assert hint in error["message"]


def test_wrong_values_are_listed_together_and_nothing_is_written(api, owner):
    client = api(owner)
    before = client.get("/api/v1/deals?include=count").json()["count"]
    bad = {"name": "", "amount": "lots", "stage": "nowhere", "expected_close": "soon"}
    response = client.post("/api/v1/deals", bad)
    assert response.status_code == 422
    assert {"name", "amount", "stage", "expected_close"} <= {e["param"] for e in response.json()["error"]["errors"]}
    assert client.get("/api/v1/deals?include=count").json()["count"] == before


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x" * 10_000},
        {"name": "a\x00b"},
        {"name": {"a": 1}},
        {"name": ["a"]},
        {"nam": "Acme"},
        {"name": "Acme", "version": 9},
        {"name": "Acme", "owner": "01890000-0000-7000-8000-000000000000"},
        {"name": "Acme", "kind": "friend"},
        {"name": "Acme", "address": ["Main street"]},
        {"name": "Acme", "phones": [{"value": {}}]},
    ],
)
def test_bad_values_are_422_with_the_field(api, owner, body):
    response = api(owner).post("/api/v1/companies", body)
    assert response.status_code == 422, response.content
    assert response.json()["error"]["errors"][0]["param"]


@pytest.mark.parametrize("name", ["مؤسسة النوافذ", "窓の会社", "🪟🏠", "O'Brien & <b>Söhne</b>", "Ünïcödé"])
def test_names_of_any_script_come_back_as_they_were(api, owner, name):
    client = api(owner)
    made = client.post("/api/v1/companies", {"name": name})
    assert made.json()["name"] == name
    found = client.get(f"/api/v1/companies?{urlencode({'search': name})}").json()["data"]
    assert made.json()["id"] in [row["id"] for row in found]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"name=Acme", "application/x-www-form-urlencoded", 415),
        (b'{"name": "' + b"x" * 10_000_000 + b'"}', "application/json", 413),
        (b"[" * 100_000, "application/json", 400),
    ],
)
def test_a_broken_body_is_refused_clearly(api, owner, body, content_type, status):
    response = api(owner).raw("POST", "/api/v1/companies", body, content_type)
    assert response.status_code == status
    assert response.json()["error"]["message"]


def test_an_unknown_address_and_method_answer_in_the_same_shape(api, owner):
    client = api(owner)
    assert client.get("/api/v1/unicorns").json()["error"]["code"] == "not_found"
    assert client.raw("PUT", "/api/v1/companies", b"{}", "application/json").status_code == 405
    assert client.raw("PUT", "/api/v1/companies", b"{}", "application/json").json()["error"]["code"]


def test_if_match_protects_from_overwriting_what_one_has_not_seen(api, owner):
    company = factories.company(owner, name="Acme")
    client = api(owner)
    address = f"/api/v1/companies/{company.id}"
    etag = client.get(address).headers["ETag"]
    assert client.patch(address, {"name": "First"}, headers={"If-Match": etag}).status_code == 200
    late = client.patch(address, {"name": "Second"}, headers={"If-Match": etag})
    assert late.status_code == 412
    assert client.get(address).json()["name"] == "First"
    assert client.delete(address, headers={"If-Match": etag}).status_code == 412


def test_a_stage_that_demands_a_field_names_it(api, owner):
    pipeline = factories.pipeline(owner)
    stage = factories.stage(owner, pipeline=pipeline.id, position=5, required_fields=["expected_close"])
    first = factories.stage(owner, name="First", pipeline=pipeline.id, position=0)
    deal = factories.deal(owner, pipeline=pipeline.id, stage=first.id)
    response = api(owner).patch(f"/api/v1/deals/{deal.id}", {"stage": str(stage.id)})
    assert response.status_code == 422
    (error,) = response.json()["error"]["errors"]
    assert (error["param"], error["code"]) == ("expected_close", "required_in_stage")


def test_types_describe_what_this_key_can_do(api, owner, reader):
    types = {row["slug"]: row for row in api(owner).get("/api/v1/types").json()["data"]}
    assert types["deal"]["permissions"]["create"] == "all"
    assert "gte" in next(f for f in types["deal"]["fields"] if f["slug"] == "amount")["operators"]
    seen = {row["slug"]: row for row in api(reader).get("/api/v1/types").json()["data"]}
    assert seen["deal"]["permissions"]["create"] == "none"


def test_members_can_be_listed_and_not_written(api, owner):
    client = api(owner)
    rows = client.get("/api/v1/members").json()["data"]
    assert owner.email in {row["email"] for row in rows}
    assert client.get(f"/api/v1/members/{owner.member_id}").json()["id"] == str(owner.member_id)
    assert client.post("/api/v1/members", {"name": "x"}).status_code == 405


def test_events_come_in_order_with_before_after_and_who(api, owner):
    from crm.records.events.dispatch import drain

    client = api(owner)
    made = client.post("/api/v1/companies", {"name": "Acme"})
    client.patch(f"/api/v1/companies/{made.json()['id']}", {"name": "Beta"})
    drain(owner.tenant)
    rows = [
        row for row in client.get("/api/v1/events?limit=500").json()["data"] if row["record_id"] == made.json()["id"]
    ]
    assert [row["type"] for row in rows] == ["company.created", "company.updated"]
    assert rows[1]["before"]["name"] == "Acme"
    assert rows[1]["after"]["name"] == "Beta"
    assert rows[1]["request_id"]


def test_a_change_is_undone_by_the_api_and_a_conflict_is_listed(api, owner):
    from crm.records.events.dispatch import drain

    client = api(owner)
    company = client.post("/api/v1/companies", {"name": "Acme"}).json()
    address = f"/api/v1/companies/{company['id']}"
    client.patch(address, {"name": "Beta"})
    drain(owner.tenant)
    rows = [r for r in client.get("/api/v1/events?limit=500").json()["data"] if r["record_id"] == company["id"]]
    assert client.post(f"/api/v1/change-sets/{rows[1]['change_set']}/undo").status_code == 200
    assert client.get(address).json()["name"] == "Acme"
    client.patch(address, {"name": "Gamma"})
    again = client.post(f"/api/v1/change-sets/{rows[1]['change_set']}/undo")
    assert again.status_code == 409


@pytest.mark.parametrize(("noun", "most"), [("companies", 4), ("contacts", 4), ("deals", 4)])
def test_one_record_costs_few_statements(api, owner, noun, most, django_assert_max_num_queries):
    client = api(owner)
    made = client.post(f"/api/v1/{noun}", payload(noun, owner)).json()
    with django_assert_max_num_queries(most):
        client.get(f"/api/v1/{noun}/{made['id']}")


def test_a_list_costs_the_same_however_long_it_is(api, owner, django_assert_max_num_queries):
    for _ in range(20):
        factories.deal(owner)
    client = api(owner)
    client.get("/api/v1/deals")
    with django_assert_max_num_queries(5):
        client.get("/api/v1/deals?limit=20")


@hypothesis_settings(max_examples=examples(10))
@given(amount=st.decimals(min_value=0, max_value=10**9, places=2))
def test_money_survives_the_round_trip_to_the_cent(api, owner, amount):
    made = api(owner).post("/api/v1/deals", {"name": "m", "amount": str(amount), "currency": "EUR"}).json()
    assert Decimal(made["amount"]) == amount


def test_giving_a_record_away_answers_with_its_id(api, owner, seller, seller_two):
    from crm.workspace.models import Member, Role

    rights = {"company": {"view": "own", "edit": "own"}, "member": {"view": "all"}}
    narrow = Role.objects.create(slug="narrow", name="Narrow", permissions=rights)
    Member.objects.filter(id=seller.member_id).update(role=narrow)
    company = factories.company(owner, owner=seller.member_id)
    client = api(seller, scopes=["company:read", "company:write", "member:read"])
    answer = client.patch(f"/api/v1/companies/{company.id}", {"owner": str(seller_two.member_id)})
    assert answer.status_code == 200, answer.content
    assert answer.json() == {"id": str(company.id)}
    assert client.get(f"/api/v1/companies/{company.id}").status_code == 404


def test_a_failure_before_the_view_has_the_apis_own_shape(api, owner, monkeypatch):
    def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("something broke away")

    client = api(owner)
    monkeypatch.setattr("api.authentication.api_key_authenticate", broken)
    answer = client.get("/api/v1/companies")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert "away" not in answer.content.decode()
