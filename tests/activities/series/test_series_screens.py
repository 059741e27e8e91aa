"""Series on screens: the control of how something repeats, and saving for this one or for all that follow."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from crm.activities.models import Meeting, Task
from crm.records.schema.registry import registry
from crm.records.write import gate
from tenants.actors import Actor

HTMX = {"HX-Request": "true"}
MEETING, TASK = registry.get("meeting"), registry.get("task")


def meetings() -> list[Meeting]:
    return list(Meeting.objects.filter(deleted_at=None).order_by("starts_at"))


def test_a_new_meeting_repeats_as_it_was_chosen(seller: Actor, browser_client: Any) -> None:
    client = browser_client(seller)
    page = client.get("/meetings/new/").content.decode()
    assert '<option value="MONTHLY_NTH">' in page
    day = (timezone.now() + timedelta(days=3)).date().isoformat()
    sent = {
        "name": "Round",
        "starts_at.day": day,
        "starts_at.time": "09:00",
        "repeat.how": "DAILY",
        "repeat.interval": "2",
        "repeat.ends": "count",
        "repeat.count": "3",
        "repeat.day": "",
        "repeat.place": "1",
    }
    wrong = client.post("/meetings/new/", {**sent, "repeat.count": "many"})
    assert wrong.status_code == 422
    assert 'name="repeat.count" value="many"' in wrong.content.decode()
    assert client.post("/meetings/new/", sent).status_code == 302
    assert {one.repeat for one in meetings()} == {"FREQ=DAILY;INTERVAL=2;COUNT=3"}
    assert len(meetings()) == 3


def test_a_rule_that_the_control_cannot_say_is_kept_when_the_form_is_saved(seller: Actor, browser_client: Any) -> None:
    rule = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"
    task = gate.create(seller, TASK, {"name": "Close", "due_at": timezone.now(), "repeat": rule}).record
    client = browser_client(seller)
    page = client.get(f"/tasks/{task.pk}/edit/repeat/").content.decode()
    assert f'name="repeat.kept" value="{rule}"' in page
    assert "every month on the last working day" in page
    client.post(f"/tasks/{task.pk}/edit/repeat/", {"repeat.how": "keep", "repeat.kept": rule})
    task.refresh_from_db()
    assert task.repeat == rule
    client.post(f"/tasks/{task.pk}/edit/repeat/", {"repeat.how": "", "repeat.kept": rule})
    task.refresh_from_db()
    assert (task.repeat, task.series) == ("", "")


def test_a_change_is_for_this_one_or_for_all_that_follow(seller: Actor, browser_client: Any) -> None:
    start = (timezone.now() + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    gate.create(seller, MEETING, {"name": "Round", "starts_at": start, "repeat": "FREQ=WEEKLY;COUNT=4"})
    second, third = meetings()[1:3]
    client = browser_client(seller)
    form = client.get(f"/meetings/{second.pk}/edit/name/", headers=HTMX).content.decode()
    assert 'name="further" value="1"' in form
    assert 'name="further" value="all"' in form
    client.post(f"/meetings/{second.pk}/edit/name/", {"name": "This one"}, headers=HTMX)
    assert [one.name for one in meetings()] == ["Round", "This one", "Round", "Round"]
    client.post(f"/meetings/{third.pk}/edit/place/", {"place": "Kiel", "further": "all"}, headers=HTMX)
    assert {one.place for one in meetings()} == {"Kiel"}
    for one in meetings():
        shown = client.get(f"/meetings/{one.pk}/").content.decode()
        assert shown.count("<span>changed</span>") == 1 + (one.pk == second.pk), "no news of the series itself"
    assert third.starts_at is not None
    local = (third.starts_at + timedelta(days=1, minutes=30)).astimezone(seller.time_zone)
    sent = {"starts_at.day": local.date().isoformat(), "starts_at.time": f"{local:%H:%M}", "further": "1"}
    answer = client.post(f"/meetings/{third.pk}/edit/starts_at/", sent, headers=HTMX)
    assert answer.status_code == 200
    assert [one.starts_at - start for one in meetings() if one.starts_at] == [
        timedelta(0),
        timedelta(days=7),
        timedelta(days=15, minutes=30),
        timedelta(days=22, minutes=30),
    ]
    once = Task.objects.get(pk=gate.create(seller, TASK, {"name": "Once"}).id)
    assert 'name="further"' not in client.get(f"/tasks/{once.pk}/edit/name/", headers=HTMX).content.decode()


def test_a_stale_version_changes_nothing_of_the_series(seller: Actor, browser_client: Any) -> None:
    start = timezone.now() + timedelta(days=1)
    gate.create(seller, MEETING, {"name": "Round", "starts_at": start, "repeat": "FREQ=WEEKLY;COUNT=3"})
    first = meetings()[0]
    gate.update(seller, MEETING, first.pk, {"name": "Early"})
    sent = {"name": "Late", "further": "1", "version": "1"}
    answer = browser_client(seller).post(f"/meetings/{first.pk}/edit/name/", sent, headers=HTMX)
    assert answer.status_code == 422
    assert [one.name for one in meetings()] == ["Early", "Round", "Round"]


def test_the_tick_replaces_itself_and_asks_in_the_dialog(seller: Actor, browser_client: Any) -> None:
    company = gate.create(seller, registry.get("company"), {"name": "Ahorn"}).record
    about = {"type": "company", "id": company.pk}
    task = gate.create(seller, TASK, {"name": "Call", "about": about}).record
    client = browser_client(seller)
    page = client.get("/tasks/").content.decode()
    assert 'hx-target="this" hx-swap="outerHTML"' in page
    ticked = client.post(f"/tasks/{task.pk}/done/", {"done": "1"}, headers=HTMX)
    text = ticked.content.decode()
    assert text.startswith("<form")
    assert 'class="tick"' in text
    assert 'hx-target="this"' in text
    assert f"/tasks/{task.pk}/next/?change=" in ticked.headers["HX-Trigger-After-Settle"]
