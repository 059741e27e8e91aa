"""A value that means the opposite of what it says, or nothing at all, is refused: never quietly something else."""

from typing import Any

import pytest

from crm.records.models import SavedView
from crm.records.schema.kinds import Kind
from crm.records.schema.registry import registry
from tests import factories
from tests.isolation.test_canary import Planted

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(api: Any, owner: Any) -> Any:
    return api(owner)


@pytest.fixture
def deals(owner: Any) -> dict[str, str]:
    company = factories.company(owner, name="Acme")
    full = factories.deal(owner, name="Full", company=company.id, amount="100", currency="GBP")
    return {"full": str(full.id), "bare": str(factories.deal(owner, name="Bare").id), "company": str(company.id)}


def found(answer: Any) -> set[str]:
    assert answer.status_code == 200, answer.content
    return {row["name"] for row in answer.json()["data"]}


@pytest.mark.parametrize("operator", ["is_empty", "is_not_empty", "today", "this_week", "before_today"])
@pytest.mark.parametrize("value", [False, "false", 0, [], {}, "today", 1])
def test_an_operator_without_a_value_takes_none(program: Any, operator: str, value: Any) -> None:
    tree = {"field": "created_at", "op": operator, "value": value}
    for body in ({"filter": tree}, {"filter": {"not": tree}}):
        answer = program.post("/api/v1/deals/query", body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_value")


@pytest.mark.parametrize("operator", ["today", "this_week", "last_week", "is_empty", "is_not_empty", "after_today"])
@pytest.mark.parametrize("noun", ["deals", "companies"])
def test_false_in_an_address_is_the_complement(program: Any, deals: Any, operator: str, noun: str) -> None:
    true = found(program.get(f"/api/v1/{noun}?created_at[{operator}]=true"))
    false = found(program.get(f"/api/v1/{noun}?created_at[{operator}]=false"))
    assert true | false == found(program.get(f"/api/v1/{noun}"))
    assert not true & false
    assert program.get(f"/api/v1/{noun}?created_at[{operator}]=no").status_code == 400


@pytest.mark.parametrize(
    ("tree", "names"),
    [
        ({"any": []}, set()),
        ({"all": []}, {"Full", "Bare"}),
        ({"not": {"any": []}}, {"Full", "Bare"}),
        ({"not": {"all": []}}, set()),
        ({"all": [{"any": []}]}, set()),
        ({"any": [{"all": []}]}, {"Full", "Bare"}),
        ({}, {"Full", "Bare"}),
    ],
)
def test_an_empty_tree_means_the_same_in_a_query_a_view_and_on_its_page(
    program: Any, deals: Any, owner: Any, browser_client: Any, tree: Any, names: set[str]
) -> None:
    assert found(program.post("/api/v1/deals/query", {"filter": tree})) == names
    saved = program.post("/api/v1/deals/views", {"name": "Mine", "filter": tree}).json()
    assert saved["filter"] == tree
    assert found(program.get(f"/api/v1/deals?view={saved['id']}")) == names
    page = browser_client(owner).get(f"/deals/?view={saved['id']}")
    assert page.status_code == 200
    assert {name for name in ("Full", "Bare") if f">{name}<" in page.content.decode()} == names
    form = browser_client(owner).get(f"/deals/filter/?view={saved['id']}").content.decode()
    assert ("no record at all" in form) == ("any" in str(tree) and tree != {"any": [{"all": []}]})


WRONG: dict[str, tuple[Any, ...]] = {
    "filter": ([], "", 0, False, "all", [{"field": "name"}]),
    "grouping": (["stage"], {}, [], 0, False, "nonsense"),
    "columns": ("name", {"field": "name"}, [["name"]], [{"field": ["name"]}], [{}], [1], 0, ""),
    "footers": ([], "", {"amount": ["sum"]}, {"amount": {}}, {"amount": None}, 0),
    "card_fields": ("name", {"name": 1}, [{}], 0, False, ""),
    "quick": ("mine", {"mine": True}, [["mine"]], 1, ""),
    "layout": ([], {}, None, "cards", True),
    "sharing": ([], {}, None, "all", 1),
    "name": ([], {"a": 1}, None, 5, True, ""),
}


@pytest.mark.parametrize("values", [{name: one} for name, several in WRONG.items() for one in several], ids=str)
def test_a_view_takes_no_other_shape(program: Any, values: dict[str, Any]) -> None:
    answer = program.post("/api/v1/deals/views", {"name": "Mine", **values})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, next(iter(values)))
    assert not SavedView.objects.exists()


def test_a_view_goes_without_what_is_null(program: Any) -> None:
    nothing = dict.fromkeys(("filter", "sort", "columns", "grouping", "footers", "card_fields", "quick"))
    saved = program.post("/api/v1/deals/views", {"name": "Mine", **nothing})
    assert saved.status_code == 201, saved.content


SHAPES: list[Any] = [{}, [], [{}], [None], [[]], {"id": None}, {"value": None}, False, [False]]


def clears(kind: Kind, value: Any) -> bool:
    """Whether the shape is the field's own, and empty."""
    lists = {Kind.EMAILS, Kind.PHONES, Kind.LINKS, Kind.REFERENCES, Kind.JSON_LIST}
    return (value == [] and kind in lists) or (value == {} and kind in {Kind.ADDRESS, Kind.CONDITION})


@pytest.mark.slow("sends each wrong shape to each field")
def test_nothing_of_another_shape_clears_a_field(program: Any, owner: Any) -> None:
    planted, checked = Planted(owner), set()
    for record_type, thing in ((registry.by_plural(thing.plural), thing) for thing in planted.things):
        path = f"/api/v1/{record_type.plural}/{thing.id}"
        before = program.get(path).json()
        for one in record_type.fields:
            if not one.editable or one.slug not in before:
                continue
            for value in SHAPES:
                if clears(one.kind, value) or (value is False and one.kind is Kind.BOOLEAN):
                    continue
                if isinstance(value, dict) and one.kind is Kind.CONDITION:
                    continue
                answers = [
                    program.patch(path, {one.slug: value}),
                    program.post(
                        f"/api/v1/{record_type.plural}/bulk", {"ids": [str(thing.id)], "values": {one.slug: value}}
                    ),
                ]
                where = (record_type.slug, one.slug, value, answers[0].content[:200], answers[1].content[:200])
                assert [answer.status_code for answer in answers] == [422, 422], where
                checked.add(one.kind)
        assert {key: value for key, value in program.get(path).json().items() if key != "version"} == {
            key: value for key, value in before.items() if key != "version"
        }
    assert len(checked) > 15


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"currency": None}, "currency"),
        ({"currency": ""}, "currency"),
        ({"amount": "5", "currency": None}, "currency"),
        ({"stage": None}, "stage"),
        ({"pipeline": None}, "pipeline"),
        ({"stage": "", "pipeline": ""}, "stage"),
    ],
)
def test_what_a_deal_always_has_is_not_cleared(
    program: Any, deals: Any, owner: Any, browser_client: Any, values: dict[str, Any], param: str
) -> None:
    path = f"/api/v1/deals/{deals['full']}"
    before = program.get(path).json()
    answer = program.patch(path, values)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)
    assert program.get(path).json() == before
    if "amount" not in values and param == "stage":
        page = browser_client(owner).post(f"/deals/{deals['full']}/edit/stage/", {"stage": ""})
        assert page.status_code == 422


def test_an_amount_is_cleared_with_its_currency_and_a_new_deal_has_the_workspaces(program: Any, deals: Any) -> None:
    cleared = program.patch(f"/api/v1/deals/{deals['full']}", {"amount": None, "currency": None}).json()
    assert (cleared["amount"], cleared["currency"]) == (None, "")
    made = program.post("/api/v1/deals", {"name": "New", "amount": "1", "currency": None}).json()
    assert (made["amount"], made["currency"]) == ("1.00", "EUR")


def test_a_currency_is_one_that_the_workspace_uses(program: Any, deals: Any, owner: Any, browser_client: Any) -> None:
    yen = {"name": "Yen", "amount": "100", "currency": "JPY"}
    path = f"/api/v1/deals/{deals['full']}"
    bulk = {"ids": [deals["full"]], "values": {"currency": "JPY"}}
    for answer in (program.post("/api/v1/deals", yen), program.patch(path, {"currency": "jpy"})):
        error = answer.json()["error"]
        assert (answer.status_code, error["errors"][0]["code"]) == (422, "currency_not_used")
        assert "EUR, USD, GBP" in error["errors"][0]["message"]
    client = browser_client(owner)
    assert "JPY is not used here" in client.post("/deals/new/", yen).content.decode()
    assert client.post(f"/deals/{deals['full']}/edit/amount/", {"amount": "5", "currency": "JPY"}).status_code == 422
    assert program.post("/api/v1/deals/bulk", bulk).status_code == 422
    kept = factories.deal(owner, **yen)
    program.patch("/api/v1/workspace", {"currencies": ["USD"]})
    still = program.patch(f"/api/v1/deals/{kept.id}", {"amount": "7", "currency": "JPY"})
    assert (still.status_code, still.json()["amount"]) == (200, "7"), "what is there already stays"


@pytest.mark.parametrize("values", [{"currency": "XXX"}, {"currency": "xts"}, {"currencies": ["XXX"]}])
def test_no_workspace_counts_in_what_is_no_money(program: Any, values: dict[str, Any]) -> None:
    before = program.get("/api/v1/workspace").json()
    assert program.patch("/api/v1/workspace", values).status_code == 422
    assert program.get("/api/v1/workspace").json() == before


@pytest.mark.parametrize(
    "name", ["limit", "sort", "deleted", "search", "fields", "expand", "include", "cursor", "view"]
)
def test_a_parameter_given_twice_is_refused(program: Any, name: str) -> None:
    answer = program.get(f"/api/v1/deals?{name}=1&{name}=2")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, name)


def test_a_name_given_twice_in_a_body_is_refused(program: Any, deals: Any) -> None:
    body = '{"amount": "1", "amount": "2"}'
    answer = program.client.patch(f"/api/v1/deals/{deals['full']}", body, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")
    assert "amount" in answer.json()["error"]["message"]


@pytest.mark.parametrize("values", [{"working_hours": None}, {"escalation_hours": None}, {"escalation_hours": True}])
def test_a_setting_is_not_emptied_by_null(program: Any, values: dict[str, Any]) -> None:
    before = program.get("/api/v1/workspace").json()
    assert program.patch("/api/v1/workspace", values).status_code == 400
    assert program.get("/api/v1/workspace").json() == before


CHANGE: dict[str, Any] = {"filter": {}, "values": {"probability": 5}}
ACTIONS: tuple[Any, ...] = (["x"], {}, None, True, "burn", "trash")
ON_ERRORS: tuple[Any, ...] = ([], {}, None, 0, "cry")


@pytest.mark.parametrize(
    "body",
    [
        *[CHANGE | {"action": one} for one in ACTIONS],
        *[CHANGE | {"on_error": one} for one in ON_ERRORS],
        CHANGE | {"search": ["x"]},
        {"view": ["x"], "values": {"probability": 5}},
    ],
    ids=str,
)
def test_a_bulk_change_of_no_sense_is_refused(program: Any, deals: Any, body: dict[str, Any]) -> None:
    assert program.post("/api/v1/deals/bulk", body).status_code == 400


def test_an_export_of_no_column_is_refused(program: Any) -> None:
    assert program.post("/api/v1/deals/export", {"fields": []}).status_code == 400
