"""Guests answer meetings: who may, what it changes, who is told."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from crm.activities.handlers import invitation_told, reply_told
from crm.activities.models import Meeting
from crm.activities.services import meeting_reply
from crm.records.errors import Forbidden, Invalid, NotFound
from crm.records.events.history import record_history
from crm.records.models import Event
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.undo import undo
from crm.workspace.models import Member, Notification
from tenants.actors import Actor
from tests import factories

MEETING = registry.get("meeting")


def invite(by: Actor, *guests: Actor, **values: Any) -> Any:
    given = {"name": "Offer", "starts_at": timezone.now() + timedelta(days=1), **values}
    people = [{"type": "member", "id": str(one.member_id), "reply": "none"} for one in guests]
    return gate.create(by, MEETING, {**given, "guests": people}).record


def replies(meeting: Any) -> list[str]:
    return [one["reply"] for one in Meeting.objects.get(pk=meeting.pk).guests]


def told(actor: Actor) -> list[str]:
    assert actor.member_id is not None
    return list(Notification.objects.filter(member_id=actor.member_id).values_list("title", flat=True))


def test_a_guest_answers_without_a_right_to_edit_and_the_organiser_is_told_once(owner: Actor, reader: Actor) -> None:
    meeting = invite(owner, reader)
    with pytest.raises(Forbidden):
        gate.update(reader, MEETING, meeting.pk, {"name": "Mine"})
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
    gate.trash(owner, MEETING, meeting.pk)
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
    gate.update(owner, MEETING, meeting.pk, {"guests": guests})
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


def test_a_meeting_at_another_time_asks_its_guests_again_and_tells_them(
    owner: Actor, reader: Actor, manager: Actor
) -> None:
    contact = factories.contact(owner)
    meeting = invite(owner, reader, manager)
    guests = [
        {"type": "member", "id": str(reader.member_id), "reply": "accepted"},
        {"type": "member", "id": str(manager.member_id), "reply": "accepted"},
        {"type": "contact", "id": str(contact.pk), "reply": "accepted"},
    ]
    gate.update(owner, MEETING, meeting.pk, {"guests": guests, "place": "Here"})
    gate.update(owner, MEETING, meeting.pk, {"place": "There", "minutes": 90})
    assert replies(meeting) == ["accepted", "accepted", "accepted"]

    moved = gate.update(manager, MEETING, meeting.pk, {"starts_at": timezone.now() + timedelta(days=2)})
    assert replies(meeting) == ["none", "accepted", "none"]
    for event in Event.objects.filter(change_set=moved.change_set):
        invitation_told(owner.tenant, event)
    assert told(reader) == ["Manager moved a meeting: Offer"]
    assert told(manager) == []
    (change,) = [one for one in record_history(owner, MEETING, meeting.pk)[0].changes if one.slug == "guests"]
    before, after = (sorted(str(said).split(", ")) for said in (change.before_label, change.after_label))
    assert before == ["Ada Byron (Accepted)", "Manager (Accepted)", "Reader (Accepted)"]
    assert after == ["Ada Byron", "Manager (Accepted)", "Reader"]

    undo(manager, moved.change_set.pk)
    assert replies(meeting) == ["accepted", "accepted", "accepted"]


def test_a_meeting_that_is_called_off_is_told_to_its_guests_and_asks_them_again_when_it_comes_back(
    owner: Actor, reader: Actor
) -> None:
    invite(owner, reader, repeat="FREQ=WEEKLY;COUNT=3")
    past = invite(owner, reader, name="Long ago", starts_at=timezone.now() - timedelta(days=2))
    second, third = Meeting.objects.filter(occurrence__gt=1).order_by("occurrence")
    change = gate.trash(owner, MEETING, [second.pk, third.pk, past.pk])
    for event in Event.objects.filter(type="meeting.trashed", change_set=change.change_set).order_by("at", "id"):
        invitation_told(owner.tenant, event)
        invitation_told(owner.tenant, event)
    assert told(reader) == ["Owner called a meeting off: Offer"]
    assert Notification.objects.get(member__name="Reader").record_id is None

    undo(owner, change.change_set.pk)
    Notification.objects.all().delete()
    for event in Event.objects.filter(type="meeting.restored"):
        invitation_told(owner.tenant, event)
    assert told(reader) == ["Owner invites you: Offer"]
    assert told(owner) == []


def test_a_reply_stays_where_the_time_is_only_looked_at_from_another_zone(
    owner: Actor, reader: Actor, manager: Actor
) -> None:
    assert manager.member_id is not None
    day = timezone.localdate() + timedelta(days=5)
    meeting = invite(owner, reader, starts_at=None, starts_on=day)
    meeting_reply(reader, id=meeting.pk, reply="accepted")
    Member.objects.filter(pk=manager.member_id).update(time_zone="Asia/Tokyo")
    change = gate.update(owner, MEETING, meeting.pk, {"assignee": manager.member_id})
    assert replies(meeting) == ["accepted"]
    for event in Event.objects.filter(change_set=change.change_set):
        invitation_told(owner.tenant, event)
    assert told(reader) == []
    gate.update(owner, MEETING, meeting.pk, {"starts_on": day + timedelta(days=1)})
    assert replies(meeting) == ["none"]


def test_an_answered_invitation_is_read_and_one_that_is_over_asks_no_more(
    browser_client: Any, owner: Actor, reader: Actor
) -> None:
    assert reader.member_id is not None
    meeting = invite(owner, reader)
    for event in Event.objects.filter(record_id=meeting.pk):
        invitation_told(owner.tenant, event)
    client = browser_client(reader)
    assert 'value="accepted" id="accept-' in client.get("/inbox/").content.decode()
    client.post(f"/meetings/{meeting.pk}/reply/", {"reply": "accepted", "next": "/inbox/"})
    assert Notification.objects.get(member_id=reader.member_id).read_at is not None
    page = client.get("/inbox/").content.decode()
    assert f'id="accept-{Notification.objects.get(member_id=reader.member_id).pk}" aria-pressed="true"' in page

    moved = gate.update(owner, MEETING, meeting.pk, {"starts_at": timezone.now() + timedelta(days=2)})
    for event in Event.objects.filter(change_set=moved.change_set):
        invitation_told(owner.tenant, event)
    page = client.get("/inbox/").content.decode()
    assert page.count("/reply/") == 1
    assert page.index("/reply/") > page.index("moved a meeting")
    gate.update(owner, MEETING, meeting.pk, {"done": True})
    assert "/reply/" not in client.get("/inbox/").content.decode()


def test_an_organiser_changes_the_guests_and_writes_down_what_a_contact_said(browser_client: Any, owner: Actor) -> None:
    ada = factories.contact(owner)
    meeting = invite(owner, owner)
    guests = [*Meeting.objects.get(pk=meeting.pk).guests, {"type": "contact", "id": str(ada.pk), "reply": "none"}]
    gate.update(owner, MEETING, meeting.pk, {"guests": guests})
    client = browser_client(owner)
    page = client.get(f"/meetings/{meeting.pk}/").content.decode()
    assert "2 have not answered" in page
    assert "Contacts are not told from here" in page

    form = client.get(f"/meetings/{meeting.pk}/edit/guests/").content.decode()
    for value, name in ((f"member:{owner.member_id}", "Owner"), (f"contact:{ada.pk}", "Ada Byron")):
        assert f'name="guests" value="{value}"><span class="truncate">{name}</span>' in form
    sent = {"guests": [f"member:{owner.member_id}", f"contact:{ada.pk}"], "guests.mark": ["none", "accepted"]}
    assert client.post(f"/meetings/{meeting.pk}/edit/guests/", sent).status_code == 302
    assert sorted(replies(meeting)) == ["accepted", "none"]
    assert "1 comes · 1 has not answered" in client.get(f"/meetings/{meeting.pk}/").content.decode()
