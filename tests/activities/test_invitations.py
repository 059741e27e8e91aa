"""Guests answer meetings: who may, what it changes, who is told."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from crm.activities.handlers import reply_told
from crm.activities.models import Meeting
from crm.activities.services import meeting_reply
from crm.records import writing
from crm.records.errors import Forbidden, Invalid, NotFound
from crm.records.models import Event
from crm.records.types import registry
from crm.workspace.models import Notification
from tenants.actors import Actor

MEETING = registry.get("meeting")


def invite(by: Actor, *guests: Actor, **values: Any) -> Any:
    given = {"name": "Offer", "starts_at": timezone.now() + timedelta(days=1), **values}
    people = [{"type": "member", "id": str(one.member_id), "reply": "none"} for one in guests]
    return writing.create(by, MEETING, {**given, "guests": people}).record


def replies(meeting: Any) -> list[str]:
    return [one["reply"] for one in Meeting.objects.get(pk=meeting.pk).guests]


def told(actor: Actor) -> list[str]:
    assert actor.member_id is not None
    return list(Notification.objects.filter(member_id=actor.member_id).values_list("title", flat=True))


def test_a_guest_answers_without_a_right_to_edit_and_the_organiser_is_told_once(owner: Actor, reader: Actor) -> None:
    meeting = invite(owner, reader)
    with pytest.raises(Forbidden):
        writing.update(reader, MEETING, meeting.pk, {"name": "Mine"})
    change = meeting_reply(reader, id=meeting.pk, reply="accepted")
    assert replies(meeting) == ["accepted"]
    event = Event.objects.get(type="meeting.replied", change_set=change.change_set)
    assert event.after["guests"] == [{"type": "member", "id": str(reader.member_id), "reply": "accepted"}]
    assert change.change_set.member_id == reader.member_id
    for _again in range(2):
        reply_told(owner.tenant, event)
    assert told(owner) == ["Reader comes: Offer"]
    assert told(reader) == []
    meeting_reply(reader, id=meeting.pk, reply="accepted")
    assert Event.objects.filter(type="meeting.replied").count() == 1


def test_only_who_is_invited_answers_and_only_for_himself(owner: Actor, reader: Actor, manager: Actor) -> None:
    meeting = invite(owner, reader)
    with pytest.raises(Forbidden):
        meeting_reply(manager, id=meeting.pk, reply="declined")
    with pytest.raises(Invalid):
        meeting_reply(reader, id=meeting.pk, reply="none")
    writing.trash(owner, MEETING, meeting.pk)
    with pytest.raises((NotFound, Forbidden)):
        meeting_reply(reader, id=meeting.pk, reply="declined")
    assert replies(meeting) == ["none"]


def test_one_answer_is_for_this_one_or_for_the_following_of_a_series_too(owner: Actor, reader: Actor) -> None:
    invite(owner, reader, repeat="FREQ=WEEKLY;COUNT=3")
    first, second, third = Meeting.objects.order_by("occurrence")
    meeting_reply(reader, id=second.pk, reply="declined")
    assert [replies(one) for one in (first, second, third)] == [["none"], ["declined"], ["none"]]
    change = meeting_reply(reader, id=second.pk, reply="tentative", following=True)
    assert [replies(one) for one in (first, second, third)] == [["none"], ["tentative"], ["tentative"]]
    for event in Event.objects.filter(type="meeting.replied", change_set=change.change_set):
        reply_told(owner.tenant, event)
    assert told(owner) == ["Reader perhaps comes: Offer"]


def test_an_organiser_who_writes_down_a_reply_is_not_told_of_it(owner: Actor, reader: Actor) -> None:
    meeting = invite(owner, reader)
    guests = [{"type": "member", "id": str(reader.member_id), "reply": "accepted"}]
    writing.update(owner, MEETING, meeting.pk, {"guests": guests})
    assert not Event.objects.filter(type="meeting.replied").exists()


def test_the_page_and_the_inbox_offer_the_answers(
    browser_client: Any, owner: Actor, reader: Actor, seller: Actor
) -> None:
    meeting = invite(owner, reader)
    client = browser_client(reader)
    page = client.get(f"/meetings/{meeting.pk}/").content.decode()
    assert f'action="/meetings/{meeting.pk}/reply/"' in page
    answer = client.post(f"/meetings/{meeting.pk}/reply/", {"reply": "declined"})
    assert answer.status_code == 302
    assert replies(meeting) == ["declined"]
    assert client.post(f"/meetings/{meeting.pk}/reply/", {"reply": "maybe"}).status_code == 422
    assert "/reply/" not in browser_client(seller).get(f"/meetings/{meeting.pk}/").content.decode()
    assert browser_client(seller).post(f"/meetings/{meeting.pk}/reply/", {"reply": "accepted"}).status_code == 403
    assert reader.member_id is not None
    Notification.objects.create(
        member_id=reader.member_id,
        kind="meeting_invited",
        key="k",
        title="Come",
        record_type="meeting",
        record_id=meeting.pk,
    )
    assert f'action="/meetings/{meeting.pk}/reply/"' in client.get("/inbox/").content.decode()
