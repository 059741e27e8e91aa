"""After how many hours a manager is told: set by who may, noted, found by the search."""

from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from django.conf import settings
from django.urls import set_urlconf
from django.utils import timezone

from crm.activities.handlers import clocks_followed
from crm.activities.rules import escalated_after
from crm.records.events.timers import fire_due
from crm.records.models import Event, Timer
from crm.workspace.configuration import kept
from crm.workspace.models import Notification, WorkspaceSettings
from crm.workspace.settings.pages import search
from tenants.actors import Actor
from tests import factories

pytestmark = pytest.mark.django_db


def test_hours_are_set_and_noted(owner: Actor, browser_client: Any) -> None:
    client = browser_client(owner)
    assert 'name="escalation_hours" value="24"' in client.get("/settings/hours/").content.decode()
    assert client.post("/settings/hours/escalation/", {"escalation_hours": "48"}).status_code == 302
    kept.clear()
    assert escalated_after(owner.tenant) == timedelta(hours=48)
    event = Event.objects.get(type="settings.updated")
    assert (event.before, event.after) == ({"escalation_hours": 24}, {"escalation_hours": 48})


@pytest.mark.parametrize(("hours", "is_told"), [(2, True), (6, False)])
def test_hours_hold_for_what_is_overdue_already(
    owner: Actor, seller: Actor, manager: Actor, browser_client: Any, hours: int, is_told: bool
) -> None:
    assert manager.member_id is not None
    factories.task(seller, due_at=timezone.now() - timedelta(hours=4))
    fire_due(owner.tenant, monotonic() + 10)
    assert not Notification.objects.filter(member_id=manager.member_id).exists()
    browser_client(owner).post("/settings/hours/escalation/", {"escalation_hours": str(hours)})
    kept.clear()
    for event in Event.objects.filter(type="settings.updated"):
        clocks_followed(owner.tenant, event)
    fire_due(owner.tenant, monotonic() + 10)
    assert Notification.objects.filter(member_id=manager.member_id).exists() == is_told
    waiting = list(Timer.objects.filter(kind="task_escalation", fired_at=None).values_list("due_at", flat=True))
    assert [round((at - timezone.now()) / timedelta(hours=1)) for at in waiting] == ([] if is_told else [2])


@pytest.mark.parametrize("wrong", ["0", "-3", "721", "soon", ""])
def test_no_time_is_refused(owner: Actor, browser_client: Any, wrong: str) -> None:
    answer = browser_client(owner).post("/settings/hours/escalation/", {"escalation_hours": wrong})
    assert answer.status_code == 422
    assert not WorkspaceSettings.objects.exclude(escalation_hours=24).exists()


def test_who_may_not_change_settings_does_not(seller: Actor, browser_client: Any) -> None:
    assert browser_client(seller).post("/settings/hours/escalation/", {"escalation_hours": "48"}).status_code == 403


def test_the_search_finds_it(owner: Actor) -> None:
    set_urlconf(settings.TENANT_URLCONF)
    assert "Overdue work" in [hit.label for hit in search(owner, "escalation")]
    set_urlconf(None)
