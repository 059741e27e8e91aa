"""A reminder says how long it is until then at the moment when it is told, and when that is."""

from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from crm.activities.timers import reminder
from crm.records.events.timers import Due, fire_due
from crm.records.models import Timer
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.workspace.models import Member, Notification
from crm.workspace.text.formats import moment_text
from tenants.actors import Actor


def me(actor: Actor) -> UUID:
    assert actor.member_id is not None
    return actor.member_id


def told(actor: Actor) -> str:
    return Notification.objects.get(member_id=me(actor), kind="reminder").title


def plan(actor: Actor, noun: str, **values: Any) -> Any:
    return gate.create(actor, registry.get(noun), {"name": "Round", "done": False, **values}).record


def exact(actor: Actor, when: datetime) -> str:
    with timezone.override(actor.time_zone):
        return moment_text(when)


@pytest.mark.parametrize(("noun", "when"), [("call", "starts_at"), ("meeting", "starts_at"), ("task", "due_at")])
def test_one_that_is_put_nearer_than_its_reminder_says_the_time_that_is_left(
    seller: Actor, noun: str, when: str
) -> None:
    far = plan(seller, noun, **{when: timezone.now() + timedelta(days=1)}, reminder=120)
    near = (timezone.now() + timedelta(minutes=50)).replace(microsecond=0)
    gate.update(seller, registry.get(noun), far.pk, {when: near})
    fire_due(seller.tenant, until=monotonic() + 60)
    assert told(seller) == f"In 50 min, {exact(seller, near)}: Round"


def test_one_that_is_told_late_says_so(seller: Actor) -> None:
    due = (timezone.now() - timedelta(minutes=20)).replace(microsecond=0)
    task = plan(seller, "task", due_at=due, reminder=15)
    reminder("task", seller.tenant, [Due(task.pk, due - timedelta(minutes=15))])
    assert told(seller) == f"20 min ago, {exact(seller, due)}: Round"


def test_each_reads_it_in_his_own_zone(seller: Actor, seller_two: Actor) -> None:
    Member.objects.filter(pk=me(seller_two)).update(time_zone="Asia/Tokyo")
    start = (timezone.now() + timedelta(minutes=10)).replace(microsecond=0)
    plan(seller, "meeting", starts_at=start, reminder=15, guests=[{"type": "member", "id": seller_two.member_id}])
    fire_due(seller.tenant, until=monotonic() + 60)
    tokyo = replace(seller_two, time_zone=ZoneInfo("Asia/Tokyo"))
    assert told(seller_two) == f"In 10 min, {exact(tokyo, start)}: Round"
    assert told(seller) != told(seller_two)


@pytest.mark.parametrize(("days", "said"), [(0, "Today"), (1, "Tomorrow")])
def test_of_a_whole_day_it_says_the_day(seller: Actor, days: int, said: str) -> None:
    day = timezone.now().astimezone(seller.time_zone).date() + timedelta(days=days)
    task = plan(seller, "task", due_on=day, reminder=24 * 60)
    timer = Timer.objects.get(kind="task_reminder")
    Timer.objects.filter(pk=timer.pk).update(due_at=timezone.now() - timedelta(minutes=1))
    gate.update(seller, registry.get("task"), task.pk, {"reminder": 31 * 24 * 60})
    fire_due(seller.tenant, until=monotonic() + 60)
    assert told(seller) == f"{said}: Round"
