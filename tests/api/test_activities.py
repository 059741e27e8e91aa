"""Series and invitations by the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from crm.activities.models import Meeting, Task
from tenants.actors import Actor


def weekly(client: Any, **more: Any) -> list[Meeting]:
    start = (timezone.now() + timedelta(days=1)).isoformat()
    body = {"name": "Round", "starts_at": start, "repeat": "FREQ=WEEKLY;COUNT=4", **more}
    assert client.post("/api/v1/meetings", body).status_code == 201
    return meetings()


def meetings() -> list[Meeting]:
    return list(Meeting.objects.filter(deleted_at=None).order_by("starts_at"))


def test_a_time_is_skipped_and_a_series_ends(api: Any, owner: Actor) -> None:
    client = api(owner)
    first, second, _third, _fourth = weekly(client)
    assert client.post(f"/api/v1/meetings/{second.pk}/skip").status_code == 204
    assert [one.occurrence for one in meetings()] == [1, 3, 4]
    ended = client.post(f"/api/v1/meetings/{first.pk}/end-series")
    assert (ended.status_code, ended.json()["repeat"]) == (200, "")
    assert [one.pk for one in meetings()] == [first.pk]
    due = (timezone.now() + timedelta(days=1)).isoformat()
    made = client.post("/api/v1/tasks", {"name": "Daily", "due_at": due, "repeat": "FREQ=DAILY"}).json()
    assert client.post(f"/api/v1/tasks/{made['id']}/skip").status_code == 204
    assert [one.occurrence for one in Task.objects.filter(deleted_at=None)] == [2]


def test_this_one_and_the_following_are_changed_together(api: Any, owner: Actor) -> None:
    client = api(owner)
    second = weekly(client)[1]
    stale = client.patch(f"/api/v1/meetings/{second.pk}/following", {"name": "New"}, headers={"If-Match": '"99"'})
    assert stale.status_code == 412
    changed = client.patch(f"/api/v1/meetings/{second.pk}/following", {"name": "New"})
    assert (changed.status_code, changed.json()["name"]) == (200, "New")
    assert [one.name for one in meetings()] == ["Round", "New", "New", "New"]
    once = client.post("/api/v1/tasks", {"name": "Once"}).json()
    refused = client.patch(f"/api/v1/tasks/{once['id']}/following", {"name": "Twice"})
    assert refused.status_code == 422
    assert client.patch(f"/api/v1/notes/{second.pk}/following", {}).status_code == 404


def test_a_guest_answers_with_a_key_of_his_own(api: Any, owner: Actor, reader: Actor, manager: Actor) -> None:
    guests = [{"type": "member", "id": str(reader.member_id)}]
    first = weekly(api(owner), guests=guests)[0]
    address = f"/api/v1/meetings/{first.pk}/reply"
    answer = api(reader).post(address, {"reply": "accepted", "following": True})
    assert answer.status_code == 200, answer.content
    assert {one.guests[0]["reply"] for one in meetings()} == {"accepted"}
    assert api(manager).post(address, {"reply": "accepted"}).status_code == 403
    assert api(reader, scopes=["meeting:read"]).post(address, {"reply": "declined"}).status_code == 403
    assert api(reader).post(address, {"reply": "none"}).status_code == 422
    assert api(reader).post(address, {"answer": "accepted"}).status_code == 400
    assert {one.guests[0]["reply"] for one in meetings()} == {"accepted"}


def test_the_verbs_are_documented(api: Any, owner: Actor) -> None:
    paths = api(owner).get("/api/v1/openapi.json").json()["paths"]
    for noun in ("tasks", "calls", "meetings"):
        assert "204" in paths[f"/api/v1/{noun}/{{record_id}}/skip"]["post"]["responses"]
        assert "requestBody" not in paths[f"/api/v1/{noun}/{{record_id}}/end-series"]["post"]
        assert "requestBody" in paths[f"/api/v1/{noun}/{{record_id}}/following"]["patch"]
    body = paths["/api/v1/meetings/{record_id}/reply"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/MeetingReply"}
    assert "/api/v1/notes/{record_id}/skip" not in paths


DAY_AND_TIME = [
    ("tasks", {"name": "Ring", "due_on": "2027-03-01", "due_at": "2027-03-05T09:00:00Z"}, "due_at"),
    ("meetings", {"name": "Visit", "starts_on": "2027-03-01", "starts_at": "2027-03-05T09:00:00Z"}, "starts_at"),
    ("tasks", {"name": "Ring", "reminder": 10}, "reminder"),
    ("calls", {"name": "Ring", "reminder": 10}, "reminder"),
    ("tasks", {"name": "Ring", "due_on": "2027-03-01", "repeat": "FREQ=WEEKLY;UNTIL=20270101"}, "repeat"),
    ("calls", {"starts_at": "2027-03-01T09:00:00Z", "repeat": "FREQ=DAILY;UNTIL=20270228"}, "repeat"),
    ("meetings", {"starts_at": "2027-03-01T09:00:00Z", "repeat": "FREQ=DAILY;UNTIL=20270228T230000Z"}, "repeat"),
    ("emails", {"subject": "Offer", "sent_at": "2999-01-01T00:00:00Z"}, "sent_at"),
]


@pytest.mark.parametrize(("nouns", "values", "param"), DAY_AND_TIME)
def test_times_that_contradict_each_other_are_refused(api, owner, nouns, values, param):
    refused = api(owner).post(f"/api/v1/{nouns}", values)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, param)
    assert api(owner).get(f"/api/v1/{nouns}").json()["data"] == []


@pytest.mark.parametrize(
    ("nouns", "day", "moment"), [("tasks", "due_on", "due_at"), ("meetings", "starts_on", "starts_at")]
)
def test_a_day_and_a_time_are_one_or_the_other(api, owner, nouns, day, moment):
    client = api(owner)
    made = client.post(f"/api/v1/{nouns}", {"name": "Visit", day: "2027-03-01"}).json()
    address = f"/api/v1/{nouns}/{made['id']}"
    both = {day: made[day], moment: made[moment]}
    assert client.patch(address, {**both, "name": "As it was read"}).status_code == 200
    assert client.patch(address, {**both, moment: "2027-03-02T09:00:00Z"}).json()["error"]["param"] == moment
    moved = client.patch(address, {day: "2027-03-03", moment: made[moment]}).json()
    assert moved[day] == "2027-03-03"
    timed = client.patch(address, {day: None, moment: "2027-03-02T09:00:00Z"}).json()
    assert (timed[day], timed[moment]) == (None, "2027-03-02T09:00:00Z")
    again = client.patch(address, {day: "2027-03-01", moment: None})
    assert again.json()[day] == "2027-03-01"


def test_a_reminder_counts_back_from_a_day_too(api, owner):
    made = api(owner).post("/api/v1/tasks", {"name": "Ring", "due_on": "2027-03-01", "reminder": 10})
    assert made.status_code == 201
    assert api(owner).patch(f"/api/v1/tasks/{made.json()['id']}", {"reminder": None}).status_code == 200


def test_a_series_may_end_on_the_day_it_begins(api, owner):
    values = {"starts_at": "2027-03-01T09:00:00Z", "repeat": "FREQ=DAILY;UNTIL=20270301"}
    assert api(owner).post("/api/v1/meetings", values).status_code == 201
