"""Webhooks from the stand-in: signed, tried again, and on a bad way where a test wants one."""

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe

from embedded.stripe import delivery
from tests.billing.standin.receiving import Receiver, receiving
from tests.billing.standin_server import StripeServer


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def endpoint(stripe_server: StripeServer, receiver: Receiver) -> Any:
    return stripe_server.client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RETRY_SECONDS", (0, 0, 0))


def customer_make(stripe_server: StripeServer, email: str = "a@rapport.test") -> Any:
    return stripe_server.client.v1.customers.create({"email": email})


def settled(stripe_server: StripeServer) -> list[dict[str, Any]]:
    assert stripe_server.server.delivery.settle()
    return stripe_server.server.delivery.rows()


def test_an_event_comes_signed_as_the_library_checks_it(
    stripe_server: StripeServer, receiver: Receiver, endpoint: Any
) -> None:
    customer = customer_make(stripe_server)
    came = receiver.wait_for(1, "customer.created")[0]
    checked = stripe.Webhook.construct_event(came.body, came.headers["stripe-signature"], endpoint.secret)
    assert checked.data.object.id == customer.id
    assert came.headers["content-type"] == "application/json; charset=utf-8"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(came.body + b" ", came.headers["stripe-signature"], endpoint.secret)


def test_only_what_an_endpoint_asked_for_is_sent_to_it(stripe_server: StripeServer, receiver: Receiver) -> None:
    stripe_server.client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["product.created"]})
    customer_make(stripe_server)
    stripe_server.client.v1.products.create({"name": "Team"})
    settled(stripe_server)
    assert [one.event["type"] for one in receiver.came] == ["product.created"]


def test_what_happened_before_an_endpoint_was_made_is_not_sent_to_it(
    stripe_server: StripeServer, receiver: Receiver
) -> None:
    with stripe_server.server.delivery.resting():
        customer_make(stripe_server)
        stripe_server.advance(seconds=5)
        stripe_server.client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    settled(stripe_server)
    assert receiver.came == []


@pytest.mark.usefixtures("endpoint", "quick_retries")
def test_what_is_refused_is_sent_again_with_the_same_id(stripe_server: StripeServer, receiver: Receiver) -> None:
    receiver.answers = [500, 302, 200]
    customer_make(stripe_server)
    came = receiver.wait_for(3, "customer.created")
    assert len({one.event["id"] for one in came}) == 1
    stripe_server.server.delivery.settle()
    assert [(row["attempts"], row["outcome"], row["waits"]) for row in settled(stripe_server)] == [(3, "200", False)]


@pytest.mark.usefixtures("endpoint", "quick_retries")
def test_after_the_last_try_it_is_given_up(stripe_server: StripeServer, receiver: Receiver) -> None:
    receiver.answers = [503]
    customer_make(stripe_server)
    receiver.wait_for(4, "customer.created")
    assert [(row["attempts"], row["waits"]) for row in settled(stripe_server)] == [(4, False)]


@pytest.mark.usefixtures("endpoint")
def test_a_retry_waits_its_time_and_outlives_a_restart(stripe_server: StripeServer, receiver: Receiver) -> None:
    receiver.answers = [500, 200]
    customer_make(stripe_server)
    receiver.wait_for(1, "customer.created")
    settled(stripe_server)
    stripe_server.restart()
    receiver.wait_for(2, "customer.created")
    assert [row["outcome"] for row in settled(stripe_server)] == ["200"]


def test_an_endpoint_that_nobody_listens_at_is_tried_again(stripe_server: StripeServer, receiver: Receiver) -> None:
    stripe_server.client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:1/", "enabled_events": ["*"]})
    customer_make(stripe_server)
    row = settled(stripe_server)[0]
    assert (row["outcome"], row["waits"]) == ("ConnectionRefusedError", True)


@pytest.mark.parametrize("url", ["http://example.com/hook/", "https://127.0.0.1/hook/", "http://127.0.0.1.example/"])
def test_nothing_is_sent_off_this_machine(stripe_server: StripeServer, url: str) -> None:
    stripe_server.client.v1.webhook_endpoints.create({"url": url, "enabled_events": ["*"]})
    customer_make(stripe_server)
    assert settled(stripe_server)[0]["outcome"] == "not on this machine"


@pytest.mark.usefixtures("endpoint")
def test_what_is_held_comes_once_it_is_let_go(stripe_server: StripeServer, receiver: Receiver) -> None:
    stripe_server.server.delivery.choose("hold")
    made = [customer_make(stripe_server).id for _ in range(3)]
    settled(stripe_server)
    assert receiver.came == []
    stripe_server.server.delivery.choose("normal")
    came = receiver.wait_for(3, "customer.created")
    assert {one.event["data"]["object"]["id"] for one in came} == set(made)


@pytest.mark.usefixtures("endpoint")
def test_several_events_are_on_their_way_at_once(stripe_server: StripeServer, receiver: Receiver) -> None:
    stripe_server.server.delivery.choose("hold")
    for _ in range(4):
        customer_make(stripe_server)
    receiver.together = threading.Barrier(4)
    stripe_server.server.delivery.choose("normal")
    receiver.wait_for(4, "customer.created")
    assert {row["outcome"] for row in settled(stripe_server)} == {"200"}


@pytest.mark.usefixtures("endpoint")
def test_what_happens_while_events_are_dropped_never_comes(stripe_server: StripeServer, receiver: Receiver) -> None:
    stripe_server.server.delivery.choose("drop")
    lost = customer_make(stripe_server)
    stripe_server.server.delivery.choose("normal")
    kept = customer_make(stripe_server)
    receiver.wait_for(1, "customer.created")
    settled(stripe_server)
    assert [one.event["data"]["object"]["id"] for one in receiver.came] == [kept.id]
    found = stripe_server.client.v1.events.list({"type": "customer.created"}).data
    assert [one.data.object.id for one in found] == [kept.id, lost.id]


@pytest.mark.usefixtures("endpoint")
def test_what_happened_before_the_choice_still_goes_the_old_way(
    stripe_server: StripeServer, receiver: Receiver
) -> None:
    with stripe_server.server.delivery.resting():
        customer_make(stripe_server)
        stripe_server.server.delivery.choose("drop")
    receiver.wait_for(1, "customer.created")


@pytest.mark.usefixtures("endpoint")
def test_copies_of_one_event_come_as_often_as_told(stripe_server: StripeServer, receiver: Receiver) -> None:
    stripe_server.server.delivery.choose("duplicate", copies=20)
    customer_make(stripe_server)
    came = receiver.wait_for(20, "customer.created")
    assert len({one.event["id"] for one in came}) == 1


@pytest.mark.usefixtures("endpoint")
def test_reordered_events_come_the_latest_first(stripe_server: StripeServer, receiver: Receiver) -> None:
    stripe_server.server.delivery.choose("reorder")
    made = [customer_make(stripe_server).id for _ in range(3)]
    came = receiver.wait_for(3, "customer.created")
    assert [one.event["data"]["object"]["id"] for one in came] == made[::-1]


@pytest.mark.usefixtures("endpoint")
def test_late_events_come_late(stripe_server: StripeServer, receiver: Receiver) -> None:
    stripe_server.server.delivery.choose("late", seconds=3600)
    customer_make(stripe_server)
    stripe_server.server.delivery.choose("normal")
    customer_make(stripe_server, "b@rapport.test")
    came = receiver.wait_for(1, "customer.created")
    assert [one.event["data"]["object"]["email"] for one in came] == ["b@rapport.test"]
    assert [row["waits"] for row in settled(stripe_server)] == [True, False]


@pytest.mark.usefixtures("endpoint")
def test_an_event_is_sent_once_more_on_request(stripe_server: StripeServer, receiver: Receiver) -> None:
    customer_make(stripe_server)
    first = receiver.wait_for(1, "customer.created")[0]
    stripe_server.server.delivery.resend(first.event["id"])
    assert receiver.wait_for(2, "customer.created")[1].event["id"] == first.event["id"]


def test_a_taken_event_waits_for_no_endpoint_any_more(
    stripe_server: StripeServer, receiver: Receiver, endpoint: Any
) -> None:
    customer_make(stripe_server)
    sent = receiver.wait_for(1, "customer.created")[0].event
    assert sent["pending_webhooks"] == 1
    settled(stripe_server)
    assert stripe_server.client.v1.events.retrieve(sent["id"]).pending_webhooks == 0


def test_the_endpoint_of_an_installation_is_one_and_reached_where_it_listens(
    stripe_server: StripeServer, receiver: Receiver
) -> None:
    for _start in range(2):
        stripe_server.server.delivery.register(
            "http://crm.example/hook/", "whsec_of_the_installation", connect=f"127.0.0.1:{receiver.port}"
        )
    assert len(stripe_server.client.v1.webhook_endpoints.list().data) == 1
    customer_make(stripe_server)
    came = receiver.wait_for(1, "customer.created")[0]
    assert came.headers["host"] == "crm.example"
    stripe.Webhook.construct_event(came.body, came.headers["stripe-signature"], "whsec_of_the_installation")


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"mode": "hold"}, 200),
        ({"mode": "duplicate", "copies": 20}, 200),
        ({"mode": "sideways"}, 400),
        ({"mode": "duplicate", "copies": 0}, 400),
        ({"mode": "late", "seconds": -1}, 400),
        ({"colour": "red"}, 400),
        ({"event": "evt_none"}, 404),
    ],
    ids=["hold", "duplicate", "no mode", "no copies", "before", "unknown", "no event"],
)
def test_the_way_is_chosen_over_the_wire(stripe_server: StripeServer, given: dict[str, Any], status: int) -> None:
    assert control(stripe_server.url, "POST", "deliver", given)[0] == status


@pytest.mark.usefixtures("endpoint")
def test_what_was_sent_can_be_read_over_the_wire(stripe_server: StripeServer, receiver: Receiver) -> None:
    customer_make(stripe_server)
    event = receiver.wait_for(1, "customer.created")[0].event["id"]
    settled(stripe_server)
    rows = control(stripe_server.url, "GET", "deliveries")[1]["deliveries"]
    assert [(row["event"], row["outcome"]) for row in rows] == [(event, "200")]


def control(url: str, method: str, name: str, given: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request(method, f"/_standin/{name}", json.dumps(given or {}))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
