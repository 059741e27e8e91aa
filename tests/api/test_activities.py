"""Series and invitations by the API."""

from datetime import timedelta
from typing import Any

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
