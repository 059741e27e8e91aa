"""Tasks: done, overdue and told, and who may see them."""

from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from crm.activities.handlers import assignment_told, clocks_followed
from crm.activities.models import Task
from crm.activities.selectors import my_plan
from crm.activities.services import activity_done
from crm.activities.timers import overdue
from crm.records.errors import Forbidden, Invalid
from crm.records.events.timers import Due, fire_due
from crm.records.models import Event, Record, Timer
from crm.records.read import reading
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.workspace.models import Member, Notification, Role
from crm.workspace.people.member_services import member_profile_update
from tenants.actors import Actor, Permissions, Scope
from tenants.workspaces.settings import workspace_update
from tests import factories

TASK, NOTE = registry.get("task"), registry.get("note")


def ago(**time: float) -> datetime:
    return timezone.now() - timedelta(**time)


def told(actor: Actor) -> list[str]:
    assert actor.member_id is not None
    mine = Notification.objects.filter(member_id=actor.member_id).order_by("created_at")
    return list(mine.values_list("title", flat=True))


def fire(actor: Actor) -> None:
    fire_due(actor.tenant, until=monotonic() + 120)
    assert not Timer.objects.filter(fired_at=None, due_at__lte=timezone.now()).exists()


def test_ticking_a_task_off_notes_when_and_opening_it_forgets(seller: Actor) -> None:
    task = factories.task(seller)
    done = activity_done(seller, noun="task", id=task.pk).record
    assert done.done
    assert timezone.now() - done.done_at < timedelta(minutes=1)
    assert Event.objects.filter(type="task.done", record_id=task.pk).count() == 1
    assert activity_done(seller, noun="task", id=task.pk, done=False).record.done_at is None


def test_an_overdue_task_is_told_to_its_assignee_and_his_manager_once(
    seller: Actor, manager: Actor, owner: Actor
) -> None:
    task = factories.task(seller, name="Call the Larsens", due_at=ago(hours=23))
    fire(seller)
    assert (told(seller), told(manager)) == (["Overdue: Call the Larsens"], [])
    gate.update(seller, TASK, task.pk, {"due_at": ago(hours=25)})
    Notification.objects.all().delete()
    task.refresh_from_db()
    fire(seller)
    assert told(seller) == ["Overdue: Call the Larsens"]
    assert told(manager) == ["Overdue with Seller: Call the Larsens"]
    assert told(owner) == []

    overdue("task", seller.tenant, [Due(task.pk, task.due_at)])
    gate.update(seller, TASK, task.pk, {"name": "Call the Larsens again"})
    fire(seller)
    assert (len(told(seller)), len(told(manager))) == (1, 1)


def test_it_is_told_again_only_when_the_due_time_moves(seller: Actor, manager: Actor) -> None:
    task = factories.task(seller, due_at=ago(hours=27))
    fire(seller)
    gate.update(seller, TASK, task.pk, {"due_at": ago(hours=26)})
    fire(seller)
    assert (len(told(seller)), len(told(manager))) == (2, 2)


@pytest.mark.parametrize("what", ["done", "trashed", "put off"])
def test_a_task_that_is_no_longer_due_is_not_told(seller: Actor, what: str) -> None:
    task = factories.task(seller, due_at=ago(minutes=5))
    match what:
        case "done":
            activity_done(seller, noun="task", id=task.pk)
        case "trashed":
            gate.trash(seller, TASK, task.pk)
        case "put off":
            gate.update(seller, TASK, task.pk, {"due_at": timezone.now() + timedelta(days=1)})
    fire(seller)
    assert told(seller) == []
    assert Timer.objects.filter(record_id=task.pk, fired_at=None).exists() == (what == "put off")


def test_a_task_restored_from_the_trash_is_watched_again(seller: Actor) -> None:
    task = factories.task(seller, due_at=ago(minutes=5))
    gate.trash(seller, TASK, task.pk)
    gate.restore(seller, TASK, task.pk)
    fire(seller)
    assert len(told(seller)) == 1


def test_a_late_timer_does_not_tell_of_a_task_that_was_put_off_meanwhile(seller: Actor) -> None:
    task = factories.task(seller, due_at=timezone.now() + timedelta(days=1))
    overdue("task", seller.tenant, [Due(task.pk, ago(minutes=5))])
    assert told(seller) == []


def test_whom_a_task_is_given_to_is_told(seller: Actor, seller_two: Actor, manager: Actor) -> None:
    task = factories.task(manager, name="Measure the attic", assignee=seller.member_id)
    tell(task)
    assert told(seller) == ["Manager gave you a task: Measure the attic"]
    tell(task)
    assert len(told(seller)) == 1

    mine = factories.task(seller)
    tell(mine)
    assert len(told(seller)) == 1
    deal = factories.deal(manager, name="Attic", owner=seller_two.member_id)
    tell(deal)
    assert told(seller_two) == ["Manager made you the owner: Deal Attic"]


def test_many_records_handed_over_at_once_are_told_once(seller: Actor, manager: Actor) -> None:
    deals = [factories.deal(manager) for _number in range(8)]
    gate.update(manager, registry.get("deal"), [deal.pk for deal in deals], {"owner": seller.member_id})
    for deal in deals:
        tell(deal)
    assert told(seller) == ["Manager made 8 deals yours"]


def tell(record: Record) -> None:
    from tenants.db.scopes import current_tenant

    tenant = current_tenant()
    assert tenant is not None
    for event in Event.objects.filter(record_id=record.pk).select_related("change_set"):
        assignment_told(tenant, event)


def seeing_own(actor: Actor, *nouns: str) -> Actor:
    """The actor with a role that sees only their own of some nouns."""
    from dataclasses import replace

    everything = dict.fromkeys(("view", "create", "edit", "delete"), Scope.ALL)
    matrix = {"*": everything, **{noun: dict.fromkeys(everything, Scope.OWN) for noun in nouns}}
    return replace(actor, permissions=Permissions(matrix))


def test_who_cannot_see_a_deal_does_not_see_its_tasks_and_notes(seller: Actor, seller_two: Actor) -> None:
    deal = factories.deal(seller)
    about = {"type": "deal", "id": deal.pk}
    task = factories.task(seller, about=about)
    note = factories.note(seller, about=about)
    assert reading.visible(seller_two, TASK).filter(pk=task.pk).exists()

    narrow = seeing_own(seller_two, "deal")
    assert not reading.visible(narrow, TASK).filter(pk=task.pk).exists()
    assert not reading.visible(narrow, NOTE).filter(pk=note.pk).exists()
    with pytest.raises(Invalid):
        factories.note(narrow, about=about)

    given = factories.task(seller, about=about, assignee=seller_two.member_id)
    assert reading.visible(narrow, TASK).filter(pk=given.pk).exists()
    free = factories.task(seller)
    assert reading.visible(narrow, TASK).filter(pk=free.pk).exists()


def test_who_sees_only_his_own_tasks_sees_those_given_to_him_and_those_he_made(
    seller: Actor, seller_two: Actor
) -> None:
    made = factories.task(seller_two, assignee=seller.member_id)
    given = factories.task(seller, assignee=seller_two.member_id)
    other = factories.task(seller)
    seen = set(reading.visible(seeing_own(seller_two, "task"), TASK).values_list("pk", flat=True))
    assert seen == {made.pk, given.pk}
    assert other.pk not in seen


def test_a_task_of_somebody_else_is_not_ticked_off(seller: Actor, seller_two: Actor, reader: Actor) -> None:
    task = factories.task(seller)
    for actor in (seller_two, reader):
        with pytest.raises(Forbidden):
            activity_done(actor, noun="task", id=task.pk)
    assert not Task.objects.get(pk=task.pk).done


def test_my_tasks_are_sorted_into_late_today_and_later(seller: Actor, seller_two: Actor) -> None:
    now = timezone.now()
    late = factories.task(seller, name="Late", due_at=now - timedelta(days=1))
    soon = factories.task(seller, name="Soon", due_at=now + timedelta(days=3))
    factories.task(seller, name="Far", due_at=now + timedelta(days=30))
    factories.task(seller_two, name="Theirs", due_at=now - timedelta(days=1))
    factories.task(seller, name="Done", due_at=now - timedelta(days=1), done=True)
    midnight = (now.astimezone(seller.time_zone) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    last_minute = factories.task(seller, name="Tonight", due_at=midnight - timedelta(seconds=1))
    mine = my_plan(seller)
    assert [task.id for task in mine.overdue] == [late.pk]
    assert [task.id for task in mine.today] == [last_minute.pk]
    assert [task.id for task in mine.upcoming] == [soon.pk]


def test_a_note_needs_something_to_be_about(seller: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        gate.create(seller, NOTE, {"body": "Loose"})
    assert {(error.field, error.code) for error in refused.value.errors} == {("about", "required")}


def test_nobody_is_told_of_what_he_may_not_see(seller: Actor, manager: Actor, owner: Actor) -> None:
    from crm.workspace.models import Member, Role

    def sees(actor: Actor, scope: str) -> None:
        assert actor.member_id is not None
        role = Role.objects.create(slug=f"sees-{scope}", name=scope, permissions={"*": {"view": scope}})
        Member.objects.filter(pk=actor.member_id).update(role=role)

    sees(manager, "own")
    factories.task(seller, name="Call the Larsens", due_at=ago(hours=1))
    fire(seller)
    assert (told(seller), told(manager)) == (["Overdue: Call the Larsens"], [])

    sees(seller, "none")
    tell(factories.deal(owner, name="Attic", owner=seller.member_id))
    assert told(seller) == ["Overdue: Call the Larsens"]


@pytest.mark.parametrize("whose", ["member", "workspace"])
def test_a_whole_day_ends_in_the_zone_that_was_changed_to(seller: Actor, owner: Actor, whose: str) -> None:
    """East of where the task was planned its day is over sooner: the timer does not wait for the old midnight."""
    assert seller.member_id is not None
    day = timezone.now().astimezone(ZoneInfo("Pacific/Kiritimati")).date() - timedelta(days=1)
    Member.objects.filter(pk=seller.member_id).update(time_zone="Pacific/Pago_Pago" if whose == "member" else "")
    tenant = replace(seller.tenant, time_zone="Pacific/Pago_Pago")
    here = replace(seller, tenant=tenant, time_zone=ZoneInfo("Pacific/Pago_Pago"))
    task = factories.task(here, name="Send the plan", due_on=day)
    fire_due(tenant, until=monotonic() + 10)
    assert told(seller) == []

    if whose == "member":
        member_profile_update(here, name="Seller", time_zone="Pacific/Kiritimati")
    else:
        workspace_update(replace(owner, tenant=tenant), time_zone="Pacific/Kiritimati")
        tenant = replace(tenant, time_zone="Pacific/Kiritimati")
    for event in Event.objects.filter(type__in=["member.updated", "settings.updated"]):
        clocks_followed(tenant, event)
    fire_due(tenant, until=monotonic() + 10)
    assert told(seller) == ["Overdue: Send the plan"]
    assert Timer.objects.get(kind="task_escalation", record_id=task.pk).fired_at is None


def test_a_reminder_does_not_tell_what_the_role_hides(seller: Actor) -> None:
    assert seller.member_id is not None
    fields = {"task": {"reminder": "hidden", "description": "hidden"}}
    role = Role.objects.create(slug="blind", name="Blind", permissions={"*": {"view": "all"}}, fields=fields)
    Member.objects.filter(pk=seller.member_id).update(role=role)
    factories.task(
        seller, name="Ring", due_at=timezone.now() + timedelta(minutes=10), reminder=15, description="Worth 7777"
    )
    fire(seller)
    assert told(seller) == ["Reminder: Ring"]
    assert Notification.objects.get(member_id=seller.member_id).body == ""


def test_what_follows_in_a_series_is_no_news_to_its_assignee(seller: Actor, manager: Actor) -> None:
    task = factories.task(
        manager, name="Water the plants", assignee=seller.member_id, due_at=ago(hours=1), repeat="FREQ=DAILY"
    )
    tell(task)
    activity_done(manager, noun="task", id=task.pk)
    tell(Task.objects.get(occurrence=2))
    assert told(seller) == ["Manager gave you a task: Water the plants"]
