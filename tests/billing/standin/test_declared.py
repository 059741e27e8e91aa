"""The reader of the stripe package's declarations sees what differs from them, and nothing else."""

from typing import Any

import pytest

from tests.billing.standin.declared import (
    answer_problems,
    nested,
    object_problems,
    operation_of,
    operations,
    parameter_problems,
)

COUPON: dict[str, Any] = {
    "id": "tenth",
    "object": "coupon",
    "created": 1_790_000_000,
    "duration": "once",
    "livemode": False,
    "percent_off": 10.5,
    "times_redeemed": 0,
    "valid": True,
}
ENDPOINT: dict[str, Any] = {
    "id": "we_1",
    "object": "webhook_endpoint",
    "api_version": None,
    "application": None,
    "created": 1,
    "description": None,
    "enabled_events": ["*"],
    "livemode": False,
    "metadata": {"a": "b"},
    "status": "enabled",
    "url": "http://example.test/",
}


def coupon_problems(**changes: Any) -> list[str]:
    return answer_problems("GET", "/v1/coupons/tenth", COUPON | changes)


def test_an_answer_as_declared_has_no_problem() -> None:
    assert coupon_problems() == []
    assert answer_problems("GET", "/v1/webhook_endpoints/we_1", ENDPOINT) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"colour": "red"}, "answer.colour is not declared for Coupon"),
        ({"created": "1790000000"}, "answer.created: '1790000000' is no int"),
        ({"valid": 1}, "answer.valid: 1 is no bool"),
        ({"livemode": None}, "answer.livemode: None is no bool"),
        ({"duration": "twice"}, "answer.duration: 'twice' is none of 'forever', 'once', 'repeating'"),
        ({"metadata": {"a": 1}}, "answer.metadata.a: 1 is no str"),
        ({"applies_to": {"products": "prod_1"}}, "answer.applies_to.products: 'prod_1' is no list"),
        ({"applies_to": {}}, "answer.applies_to.products is missing"),
    ],
    ids=["surplus", "number as text", "bool as number", "null", "word", "in a map", "in an object", "missing inside"],
)
def test_what_differs_is_named_with_its_place(changes: dict[str, Any], problem: str) -> None:
    assert coupon_problems(**changes) == [problem]


def test_a_declared_field_that_may_not_be_null_must_be_there() -> None:
    coupon = {name: value for name, value in COUPON.items() if name != "times_redeemed"}
    assert answer_problems("GET", "/v1/coupons/tenth", coupon) == ["answer.times_redeemed is missing"]


def test_what_was_deleted_need_only_say_so() -> None:
    assert answer_problems("DELETE", "/v1/coupons/tenth", {"id": "tenth", "object": "coupon", "deleted": True}) == []


def test_a_list_is_judged_with_what_it_holds() -> None:
    page = {"object": "list", "url": "/v1/coupons", "has_more": False, "data": [COUPON, COUPON | {"valid": "yes"}]}
    assert answer_problems("GET", "/v1/coupons", page) == ["answer.data[1].valid: 'yes' is no bool"]
    assert answer_problems("GET", "/v1/coupons", {"object": "list", "data": []}) == [
        "answer: has_more or url is missing"
    ]


def test_an_expandable_field_is_an_id_or_the_object_whole() -> None:
    code = {
        "id": "promo_1",
        "object": "promotion_code",
        "active": True,
        "code": "TENTH",
        "created": 1,
        "customer": {"id": "cus_1", "object": "coupon"},
        "livemode": False,
        "promotion": {"coupon": COUPON | {"valid": 0}, "type": "coupon"},
        "restrictions": {"first_time_transaction": False},
        "times_redeemed": 0,
    }
    problems = answer_problems("GET", "/v1/promotion_codes/promo_1", code)
    assert "answer.promotion.coupon.valid: 0 is no bool" in problems
    assert any(problem.startswith("answer.customer") for problem in problems)


def test_the_object_inside_an_event_is_judged_too() -> None:
    event = {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1,
        "data": {"object": COUPON | {"valid": "yes"}},
        "livemode": False,
        "pending_webhooks": 0,
        "request": None,
        "type": "coupon.created",
    }
    assert object_problems(event) == ["event.data.object.valid: 'yes' is no bool"]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("items[0][price]=price_1&items[0][quantity]=3&cancel_at_period_end=true&expand[0]=latest_invoice", None),
        ("cancel_at=min_period_end", None),
        ("cancel_at=1790000000", None),
        ("metadata[a]=b&default_payment_method=", None),
        ("colour=red", "subscriptions.update.colour is not declared for SubscriptionUpdateParams"),
        ("items[0][quantity]=three", "subscriptions.update.items[0].quantity: 'three' is no int"),
        ("cancel_at_period_end=1", "subscriptions.update.cancel_at_period_end: '1' is no bool"),
        (
            "proration_behavior=sometimes",
            "subscriptions.update.proration_behavior: 'sometimes' is none of "
            "'always_invoice', 'create_prorations', 'none'",
        ),
    ],
)
def test_parameters_are_judged_by_what_the_call_takes(form: str, problem: str | None) -> None:
    assert parameter_problems("POST", "/v1/subscriptions/sub_1", form) == ([problem] if problem else [])


def test_a_parameter_that_a_call_must_have_is_missed() -> None:
    assert parameter_problems("POST", "/v1/billing_portal/configurations", "name=a") == [
        "billing_portal.configurations.create.features is missing"
    ]


def test_a_query_with_no_value_not_understood() -> None:
    assert nested("created[gte]=5&types[0]=a&types[1]=b&limit=") == {
        "created": {"gte": "5"},
        "types": ["a", "b"],
        "limit": "",
    }


def test_a_call_is_found_by_its_path() -> None:
    assert operation_of("post", "/v1/invoices/create_preview").name == "invoices.create_preview"
    assert operation_of("GET", "/v1/checkout/sessions/cs_1").name == "checkout.sessions.retrieve"
    with pytest.raises(LookupError, match="no call"):
        operation_of("GET", "/v1/unheard/of")


def test_every_declaration_of_the_package_can_be_read() -> None:
    assert len(operations()) > 400
    for one in operations():
        assert one.answer is not None, one.name
        assert one.parameters is not None or one.parameters_hint == "None", one.name
