"""A call that is still to come has no outcome, however it is written."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from crm.activities.models import Call
from crm.activities.services import activity_done, activity_followed
from crm.records.errors import Invalid
from crm.records.schema.registry import registry
from crm.records.write import gate, undo
from tenants.actors import Actor
from tests import factories

CALL = registry.get("call")
HTMX = {"HX-Request": "true"}


def tomorrow() -> Any:
    return (timezone.now() + timedelta(days=1)).replace(microsecond=0)


def planned(actor: Actor, **values: Any) -> Call:
    call: Call = gate.create(actor, CALL, {"name": "Ahorn", "starts_at": tomorrow(), **values}).record
    return call


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"outcome": "reached"}, "outcome"),
        ({"outcome": "no_answer", "done": False}, "outcome"),
        ({"outcome": "reached", "done": True}, "starts_at"),
    ],
)
def test_a_call_to_come_is_not_logged_as_held(seller: Actor, api: Any, values: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        planned(seller, **values)
    assert [(one.field, one.code) for one in refused.value.errors] == [(field, "still_to_come")]
    body = {"name": "Ahorn", "starts_at": tomorrow().isoformat(), **values}
    assert api(seller).post("/api/v1/calls", body).status_code == 422
    assert not Call.objects.exists()


def test_an_outcome_before_its_time_needs_the_call_to_be_ticked_off(seller: Actor) -> None:
    call = planned(seller)
    with pytest.raises(Invalid):
        gate.update(seller, CALL, call.pk, {"outcome": "reached"})
    change = activity_followed(seller, noun="call", id=call.pk, outcome="reached")
    held = Call.objects.get(pk=call.pk)
    assert (held.outcome, held.done) == ("reached", True)
    assert held.starts_at is not None
    assert abs(held.starts_at - timezone.now()) < timedelta(minutes=1)
    undo.undo(seller, change.change_set.pk)
    assert Call.objects.get(pk=call.pk).starts_at == call.starts_at


def test_a_call_that_is_put_off_has_no_outcome_any_more(seller: Actor) -> None:
    call = planned(seller, starts_at=timezone.now() - timedelta(hours=1), outcome="no_answer", done=False)
    gate.update(seller, CALL, call.pk, {"starts_at": tomorrow()})
    assert Call.objects.get(pk=call.pk).outcome == ""
    activity_done(seller, noun="call", id=call.pk)
    gate.update(seller, CALL, call.pk, {"outcome": "reached"})
    with pytest.raises(Invalid):
        gate.update(seller, CALL, call.pk, {"starts_at": tomorrow() + timedelta(days=1)})


def test_on_a_record_a_call_to_come_is_planned_whatever_button_saves_it(seller: Actor, browser_client: Any) -> None:
    contact = factories.contact(seller, name="Ann Lee")
    local = tomorrow().astimezone(seller.time_zone)
    sent = {"name": "Offer", "outcome": "reached", "starts_at": f"{local:%Y-%m-%dT%H:%M}"}
    answer = browser_client(seller).post(f"/contacts/{contact.pk}/calls/", sent, headers=HTMX)
    assert answer.status_code == 200, answer.content
    assert "Call planned." in answer["HX-Trigger"]
    call = Call.objects.get()
    assert (call.outcome, call.done) == ("", False)
    browser_client(seller).post(f"/contacts/{contact.pk}/calls/", {"name": "Now", "outcome": "reached"}, headers=HTMX)
    assert Call.objects.get(name="Now").outcome == "reached"
