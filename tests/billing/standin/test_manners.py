"""The stand-in keeps Stripe's manners: keys, versions, refusals, idempotency, lists, expansion, faults."""

import json
import threading
import urllib.request
from typing import Any

import pytest
import stripe

from embedded.stripe.server import LARGEST
from tests.billing.standin.shop import checkout, plan, subscribed
from tests.billing.standin_server import DECLINED, KEY, StripeServer


def client_of(
    server: StripeServer, key: str = KEY, version: str | None = None, retries: int = 0
) -> stripe.StripeClient:
    return stripe.StripeClient(
        key, base_addresses={"api": server.url}, max_network_retries=retries, stripe_version=version
    )


def refusal(call: Any) -> stripe.StripeError:
    with pytest.raises(stripe.StripeError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("key", ["sk_live_0000000000000000", "rk_test_0000000000000000", "nonsense-of-some-length"])
def test_only_a_test_key_is_taken(stripe_server: StripeServer, key: str) -> None:
    client = client_of(stripe_server, key)
    error = refusal(lambda: client.v1.customers.list())
    assert (type(error), error.http_status) == (stripe.AuthenticationError, 401)
    assert key not in str(error)


def test_another_version_of_the_api_is_refused(stripe_server: StripeServer) -> None:
    error = refusal(lambda: client_of(stripe_server, version="2024-06-20").v1.customers.list())
    assert (error.http_status, "2026-10-28.endive" in str(error)) == (400, True)


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"address": {"planet": "Mars"}}, "parameter_unknown", "address[planet]"),
        ({"balance": "much"}, "parameter_invalid_integer", "balance"),
        ({"source": "tok_visa"}, "parameter_unknown", "source"),
    ],
    ids=["unknown", "unknown inside", "no number", "known to Stripe only"],
)
def test_a_parameter_that_it_does_not_imitate_is_refused(
    stripe_server: StripeServer, params: Any, code: str, param: str
) -> None:
    error = refusal(lambda: stripe_server.client.v1.customers.create(params))
    assert isinstance(error, stripe.InvalidRequestError)
    assert (error.http_status, error.code, error.param) == (400, code, param)
    assert stripe_server.client.v1.customers.list().data == []


def test_a_missing_parameter_is_named(stripe_server: StripeServer) -> None:
    params: Any = {}
    error = refusal(lambda: stripe_server.client.v1.products.create(params))
    assert isinstance(error, stripe.InvalidRequestError)
    assert (error.code, error.param) == ("parameter_missing", "name")


def test_what_does_not_exist_is_not_found(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    by_address = refusal(lambda: client.v1.subscriptions.retrieve("sub_nothing"))
    by_parameter = refusal(lambda: client.v1.subscriptions.create({"customer": "cus_no", "items": [{"price": "p"}]}))
    assert (by_address.http_status, by_address.code) == (404, "resource_missing")
    assert (by_parameter.http_status, by_parameter.code) == (400, "resource_missing")
    assert by_address.request_id


def test_an_address_that_is_none_is_refused(stripe_server: StripeServer) -> None:
    assert refusal(lambda: stripe_server.client.v1.balance.retrieve()).http_status == 404


def test_a_key_gives_its_first_answer_again(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    first = client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "one"})
    again = client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "one"})
    assert again.id == first.id
    assert [one.replayed for one in stripe_server.requests] == [False, True]
    assert len(client.v1.customers.list().data) == 1


def test_a_key_outlives_a_restart_but_not_a_day(stripe_server: StripeServer) -> None:
    first = stripe_server.client.v1.customers.create({}, {"idempotency_key": "one"})
    stripe_server.restart()
    assert stripe_server.client.v1.customers.create({}, {"idempotency_key": "one"}).id == first.id
    stripe_server.advance(days=1, seconds=1)
    assert stripe_server.client.v1.customers.create({}, {"idempotency_key": "one"}).id != first.id


def test_a_key_with_other_parameters_is_an_error(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "one"})
    error = refusal(lambda: client.v1.customers.create({"name": "Bob"}, {"idempotency_key": "one"}))
    assert (type(error), error.http_status) == (stripe.IdempotencyError, 400)


def test_a_key_is_free_again_after_parameters_that_were_refused(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    wrong: Any = {"colour": "red"}
    refusal(lambda: client.v1.customers.create(wrong, {"idempotency_key": "one"}))
    assert client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "one"}).name == "Ada"


def test_a_key_keeps_a_bank_s_refusal(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    method = client.v1.payment_methods.create(
        {"type": "card", "card": {"exp_month": 12, "exp_year": 2034, "number": DECLINED}}
    )
    for _ in range(2):
        error = refusal(
            lambda: client.v1.payment_methods.attach(method.id, {"customer": customer.id}, {"idempotency_key": "one"})
        )
        assert (type(error), error.http_status, error.code) == (stripe.CardError, 402, "card_declined")
    assert stripe_server.requests[-1].replayed


def test_a_request_that_meets_its_own_key_at_work_is_told_to_wait(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    with stripe_server.server.in_flight.hold("one"):
        error = refusal(lambda: client.v1.customers.create({}, {"idempotency_key": "one"}))
    assert error.http_status == 409
    assert client.v1.customers.list().data == []


def test_a_delay_is_waited_out(stripe_server: StripeServer) -> None:
    stripe_server.fault("delay", "POST /v1/customers", seconds=0.2)
    stripe_server.client.v1.customers.create({})
    (seen,) = stripe_server.requests
    assert seen.ended - seen.began >= 0.2


def test_twenty_at_once_with_one_key_make_one(stripe_server: StripeServer) -> None:
    def create() -> None:
        client_of(stripe_server, retries=5).v1.customers.create({}, {"idempotency_key": "one"})

    crowd = [threading.Thread(target=create) for _ in range(20)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len(stripe_server.client.v1.customers.list().data) == 1


def test_a_500_before_it_began_is_healed_by_the_library_s_retry(stripe_server: StripeServer) -> None:
    stripe_server.fault("500", "POST /v1/customers")
    client_of(stripe_server, retries=1).v1.customers.create({})
    assert [one.status for one in stripe_server.requests] == [500, 200]


def test_a_500_after_it_was_done_is_kept_for_the_key(stripe_server: StripeServer) -> None:
    stripe_server.fault("500_after", "POST /v1/customers")
    error = refusal(lambda: client_of(stripe_server, retries=1).v1.customers.create({"name": "Ada"}))
    assert (type(error), error.http_status) == (stripe.APIError, 500)
    assert [one.status for one in stripe_server.requests] == [500, 500]
    assert [one.name for one in stripe_server.client.v1.customers.list().data] == ["Ada"]


def test_a_connection_cut_after_it_was_done_is_healed_by_the_key(stripe_server: StripeServer) -> None:
    stripe_server.fault("cut", "POST /v1/customers")
    made = client_of(stripe_server, retries=1).v1.customers.create({"name": "Ada"})
    assert [one.id for one in stripe_server.client.v1.customers.list().data] == [made.id]
    assert stripe_server.requests[1].replayed


def test_a_connection_dropped_before_leaves_nothing_done(stripe_server: StripeServer) -> None:
    stripe_server.fault("drop", "POST /v1/customers")
    error = refusal(lambda: stripe_server.client.v1.customers.create({}))
    assert isinstance(error, stripe.APIConnectionError)
    assert stripe_server.client.v1.customers.list().data == []


def test_down_means_every_request_until_it_is_healed(stripe_server: StripeServer) -> None:
    stripe_server.fault("drop", times=0)
    for _ in range(3):
        refusal(lambda: stripe_server.client.v1.customers.list())
    stripe_server.heal()
    assert stripe_server.client.v1.customers.list().data == []


def test_too_many_requests_are_told_so(stripe_server: StripeServer) -> None:
    stripe_server.fault("429")
    error = refusal(lambda: stripe_server.client.v1.customers.list())
    assert (type(error), error.http_status) == (stripe.RateLimitError, 429)


def test_a_list_is_turned_page_by_page_the_newest_first(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    made = [client.v1.customers.create({}).id for _ in range(5)]
    first = client.v1.customers.list({"limit": 2})
    assert ([one.id for one in first.data], first.has_more) == (made[:2:-1], True)
    rest = client.v1.customers.list({"limit": 10, "starting_after": made[3]})
    assert ([one.id for one in rest.data], rest.has_more) == (made[2::-1], False)
    back = client.v1.customers.list({"limit": 2, "ending_before": made[0]})
    assert [one.id for one in back.data] == [made[2], made[1]]
    assert [one.id for one in client.v1.customers.list({"limit": 2}).auto_paging_iter()] == made[::-1]


def test_events_are_found_by_type_family_and_time(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    client.v1.customers.create({})
    before = stripe_server.now
    stripe_server.advance(seconds=100)
    subscribed(stripe_server)
    kinds = {one.type for one in client.v1.events.list({"type": "customer.subscription.*"}).data}
    assert kinds == {"customer.subscription.created", "customer.subscription.updated"}
    later = client.v1.events.list({"type": "customer.created", "created": {"gt": before + 50}}).data
    assert len(later) == 1
    either = client.v1.events.list({"types": ["invoice.paid", "customer.created"]}).data
    assert [one.type for one in either] == ["invoice.paid", "customer.created", "customer.created"]


def test_an_event_names_the_request_that_made_it_and_what_was_before(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({"name": "Ada"})
    client.v1.customers.update(customer.id, {"name": "Grace"}, {"idempotency_key": "rename"})
    event = client.v1.events.list({"type": "customer.updated"}).data[0]
    assert event.request is not None
    assert event.request.idempotency_key == "rename"
    assert event.data.previous_attributes is not None
    assert event.data.previous_attributes.to_dict() == {"name": "Ada"}
    assert event.api_version == stripe.api_version


def test_what_changes_nothing_makes_no_event(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({"name": "Ada"})
    client.v1.customers.update(customer.id, {"name": "Ada"})
    assert client.v1.events.list({"type": "customer.updated"}).data == []


def test_ids_are_opened_by_expand_and_what_has_nothing_inside_is_refused(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    client = stripe_server.client
    found = client.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice.payments", "customer"]})
    assert isinstance(found.customer, stripe.Customer)
    assert isinstance(found.latest_invoice, stripe.Invoice)
    assert found.latest_invoice.payments is not None
    assert found.latest_invoice.payments.data[0].status == "paid"
    listed = client.v1.subscriptions.list({"expand": ["data.latest_invoice"]}).data[0]
    assert isinstance(listed.latest_invoice, stripe.Invoice)
    too_deep = "latest_invoice.payments.data.payment.payment_intent"
    for wish in ("status", "nothing", "customer.email", too_deep):
        error = refusal(lambda wish=wish: client.v1.subscriptions.retrieve(subscription.id, {"expand": [wish]}))
        assert error.http_status == 400


def test_an_expansion_that_is_refused_leaves_nothing_done(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    refusal(lambda: client.v1.customers.create({"expand": ["nothing"]}, {"idempotency_key": "one"}))
    assert client.v1.customers.list().data == []
    client.v1.customers.create({}, {"idempotency_key": "one"})


def test_another_name_in_the_host_header_is_answered_with_nothing(stripe_server: StripeServer) -> None:
    asked = urllib.request.Request(f"{stripe_server.url}/_standin/requests", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(asked, timeout=30)
    assert caught.value.code == 404


def test_a_body_too_large_is_refused(stripe_server: StripeServer) -> None:
    asked = urllib.request.Request(f"{stripe_server.url}/v1/customers", data=b"x" * (LARGEST + 1))
    with pytest.raises((urllib.error.HTTPError, urllib.error.URLError)) as caught:
        urllib.request.urlopen(asked, timeout=30)
    assert getattr(caught.value, "code", 413) == 413


def test_control_moves_the_clock_and_says_what_was_asked(stripe_server: StripeServer) -> None:
    stripe_server.client.v1.customers.create({"name": "Ada"})
    before = stripe_server.now

    def ask(path: str, given: Any = None) -> Any:
        data = None if given is None else json.dumps(given).encode()
        with urllib.request.urlopen(f"{stripe_server.url}/_standin/{path}", data=data, timeout=30) as answer:
            return json.loads(answer.read())

    assert ask("clock", {"advance": 3600})["now"] >= before + 3600
    (seen,) = ask("requests")["requests"]
    assert (seen["method"], seen["path"], seen["params"], seen["status"]) == (
        "POST",
        "/v1/customers",
        {"name": "Ada"},
        200,
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask("clock", {"advance": -1})
    assert caught.value.code == 400


def test_a_second_checkout_of_one_customer_in_another_currency_is_refused(stripe_server: StripeServer) -> None:
    subscription = subscribed(stripe_server)
    client = stripe_server.client
    dollars = plan(client, currency="usd")
    error = refusal(lambda: checkout(client, dollars, str(subscription.customer)))
    assert "combine currencies" in str(error)


def test_a_fault_of_its_own_is_an_answer_and_nothing_half_done(
    stripe_server: StripeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A connection that is cut looks like a fault that was asked for; what went wrong stands in its log."""
    live = subscribed(stripe_server)
    store = stripe_server.server.store
    with store.transaction():
        whole = store.get("subscription", live.id)
        store.put({name: value for name, value in whole.items() if name != "items"})
    change = lambda: stripe_server.client.v1.subscriptions.update(  # noqa: E731
        live.id,
        {"metadata": {"a": "b"}, "items": [{"id": live["items"]["data"][0]["id"], "quantity": 9}]},
        {"idempotency_key": "one"},
    )
    error = refusal(change)
    assert (type(error), error.http_status) == (stripe.APIError, 500)
    assert "Traceback" in capsys.readouterr().err
    with store.transaction():
        store.put(whole)
    assert change()["items"]["data"][0]["quantity"] == 9
