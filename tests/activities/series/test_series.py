"""Series, days without a time, reminders and escalation, over clocks that change and whatever people do meanwhile."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from crm.activities.models import Meeting, Place, Task
from crm.activities.selectors import agenda, planned
from crm.activities.series import occurrences, recurrence
from crm.activities.series.following import series_follow
from crm.activities.services import activity_done, activity_followed, occurrence_skip, series_end
from crm.activities.timers import escalation, manager_of, meeting_series, overdue
from crm.records.errors import Invalid, NotFound
from crm.records.events.timers import Due, fire_due
from crm.records.models import Event, Timer
from crm.records.read import reading
from crm.records.schema.registry import registry
from crm.records.write import gate, row_values, undo
from crm.workspace.models import Member, Notification
from tenants.actors import Actor, Permissions, Scope
from tests import factories

TASK, CALL, MEETING, NOTE = (registry.get(noun) for noun in ("task", "call", "meeting", "note"))
BERLIN = ZoneInfo("Europe/Berlin")


def member_of(actor: Actor) -> UUID:
    assert actor.member_id is not None
    return actor.member_id


def living_in(actor: Actor, zone: str) -> Actor:
    Member.objects.filter(pk=member_of(actor)).update(time_zone=zone)
    return replace(actor, time_zone=ZoneInfo(zone))


def make(actor: Actor, noun: str, **values: Any) -> Any:
    return gate.create(actor, registry.get(noun), {"name": "Round"} | values).record


def open_tasks() -> list[Task]:
    return list(Task.objects.filter(done=False, deleted_at=None))


def told(actor: Actor, kind: str) -> int:
    return Notification.objects.filter(member_id=member_of(actor), kind=kind).count()


def minutes_past(meetings: QuerySet[Meeting]) -> list[int]:
    return [row.starts_at.minute for row in meetings if row.starts_at]


def fire(actor: Actor) -> None:
    fire_due(actor.tenant, until=monotonic() + 120)


# -- series ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noun", ["task", "call"])
def test_the_next_one_is_there_once_when_one_is_done_however_often(seller: Actor, noun: str) -> None:
    when = {"task": "due_at", "call": "starts_at"}[noun]
    start = timezone.now().replace(second=0, microsecond=0) + timedelta(hours=2)
    first = make(seller, noun, repeat="FREQ=DAILY", **{when: start})
    for done in (True, False, True, True):
        activity_done(seller, noun=noun, id=first.pk, done=done)
    rows = registry.get(noun).rows.order_by("occurrence")
    assert [(row.occurrence, row.done) for row in rows] == [(1, True), (2, False)]
    assert getattr(rows[1], when).astimezone(seller.time_zone).time() == start.astimezone(seller.time_zone).time()


def test_nine_stays_nine_over_the_change_of_the_clocks(seller: Actor) -> None:
    berlin = living_in(seller, "Europe/Berlin")
    meeting = make(berlin, "meeting", starts_at="2027-03-22T09:00", repeat="FREQ=WEEKLY;BYDAY=MO;COUNT=3")
    rule, start = meeting.repeat, datetime.fromisoformat(meeting.series_start)
    moments = [recurrence.instant(local, BERLIN) for _number, local in recurrence.times(rule, start)]
    assert [one.hour for one in moments] == [8, 7, 7]
    occurrences.meetings_ahead(berlin, MEETING, row_values.snapshot(MEETING, meeting), datetime(2027, 3, 1, tzinfo=UTC))
    assert list(Meeting.objects.order_by("occurrence").values_list("starts_at", flat=True)) == moments


def test_meetings_of_a_series_stand_ahead_and_the_timer_makes_more(seller: Actor) -> None:
    start = timezone.now().replace(microsecond=0) + timedelta(days=1)
    make(seller, "meeting", starts_at=start, repeat="FREQ=WEEKLY", guests=[])
    rows = Meeting.objects.order_by("occurrence")
    assert rows.count() == 13
    last = rows.last()
    timer = Timer.objects.get(kind="meeting_series", fired_at=None)
    assert last is not None
    assert timer.record_id == last.pk
    assert timer.due_at > timezone.now()
    in_four_weeks = timezone.now() + timedelta(days=28)
    assert occurrences.meetings_ahead(seller, MEETING, row_values.snapshot(MEETING, last), in_four_weeks) == 4
    for _again in range(2):
        meeting_series(seller.tenant, [Due(last.pk, timer.due_at)])
    assert [row.occurrence for row in rows] == list(range(1, 18))
    assert len({row.starts_at for row in rows}) == 17


def test_a_series_ends_here_and_comes_back_by_undo(seller: Actor) -> None:
    start = timezone.now() + timedelta(days=1)
    make(seller, "meeting", starts_at=start, repeat="FREQ=WEEKLY;COUNT=4")
    second = Meeting.objects.get(occurrence=2)
    change = series_end(seller, noun="meeting", id=second.pk)
    assert Meeting.objects.filter(deleted_at=None).count() == 2
    undo.undo(seller, change.change_set.pk)
    live = Meeting.objects.filter(deleted_at=None).order_by("occurrence")
    assert [row.occurrence for row in live] == [1, 2, 3, 4]


def test_this_and_the_following_or_this_one_only(seller: Actor) -> None:
    start = (timezone.now() + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    make(seller, "meeting", starts_at=start, repeat="FREQ=WEEKLY;COUNT=4")
    second = Meeting.objects.get(occurrence=2)
    assert second.starts_at is not None
    later = second.starts_at + timedelta(minutes=30)
    gate.update(seller, MEETING, second.pk, {"starts_at": later})
    assert minutes_past(Meeting.objects.filter(occurrence=3, deleted_at=None)) == [0]
    change = series_follow(seller, noun="meeting", id=second.pk)
    live = Meeting.objects.filter(deleted_at=None).order_by("starts_at")
    assert minutes_past(live) == [0, 30, 30, 30]
    undo.undo(seller, change.change_set.pk)
    live = Meeting.objects.filter(deleted_at=None).order_by("starts_at")
    assert minutes_past(live) == [0, 30, 0, 0]


def test_a_time_that_is_left_out_has_the_next_one_in_its_place(seller: Actor) -> None:
    start = timezone.now() + timedelta(hours=3)
    first = make(seller, "task", due_at=start, repeat="FREQ=DAILY;COUNT=2")
    change = occurrence_skip(seller, noun="task", id=first.pk)
    assert [task.occurrence for task in open_tasks()] == [2]
    undo.undo(seller, change.change_set.pk)
    assert [task.occurrence for task in open_tasks()] == [1]
    activity_done(seller, noun="task", id=first.pk)
    (second,) = open_tasks()
    activity_done(seller, noun="task", id=second.pk)
    assert open_tasks() == []


def test_what_was_undone_and_done_again_has_one_next(seller: Actor) -> None:
    first = make(seller, "task", due_at=timezone.now() + timedelta(hours=1), repeat="FREQ=DAILY")
    change = activity_done(seller, noun="task", id=first.pk)
    undo.undo(seller, change.change_set.pk)
    assert [task.pk for task in open_tasks()] == [first.pk]
    activity_done(seller, noun="task", id=first.pk)
    assert [task.occurrence for task in open_tasks()] == [2]


@pytest.mark.parametrize("rule", ["nonsense", "FREQ=SECONDLY", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;UNTIL=99999999"])
def test_a_bad_rule_is_refused_by_the_gate(seller: Actor, rule: str) -> None:
    with pytest.raises(Invalid) as refused:
        make(seller, "task", due_at=timezone.now(), repeat=rule)
    assert [one.field for one in refused.value.errors] == ["repeat"]
    with pytest.raises(Invalid):
        make(seller, "task", repeat="FREQ=DAILY")


# -- days and clocks ---------------------------------------------------------------------------------------------------


def test_what_lasts_all_day_is_the_same_day_in_every_zone(seller: Actor) -> None:
    task = make(seller, "task", due_on="2027-05-03")
    meeting = make(seller, "meeting", starts_on="2027-05-03", minutes=2 * 24 * 60)
    for zone in ("Pacific/Auckland", "America/Los_Angeles", "UTC"):
        there = living_in(seller, zone)
        assert reading.get_row(there, TASK, task.pk)["due_on"] == date(2027, 5, 3)
        for day, there_are in ((2, 0), (3, 2), (4, 1), (5, 0)):
            start = datetime(2027, 5, day, tzinfo=there.time_zone)
            rows = agenda(there, start, start + timedelta(days=1), [there.member_id] if there.member_id else [])
            assert len(rows) == there_are, (zone, day)
    assert meeting.starts_on == date(2027, 5, 3)


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles", "Europe/Berlin"])
def test_a_whole_day_is_overdue_at_its_end_for_who_has_it(seller: Actor, owner: Actor, zone: str) -> None:
    living_in(seller, zone)
    task = make(owner, "task", due_on="2027-03-28", assignee=seller.member_id)
    ends = datetime(2027, 3, 29, tzinfo=ZoneInfo(zone))
    assert Timer.objects.get(kind="task_overdue").due_at == ends
    assert task.due_at == ends - timedelta(seconds=1)


def test_a_timer_that_fires_before_the_day_ends_where_somebody_moved_waits(seller: Actor) -> None:
    day = timezone.now().date()
    living_in(seller, "Pacific/Kiritimati")
    task = make(seller, "task", due_on=day + timedelta(days=1))
    living_in(seller, "Pacific/Pago_Pago")
    due = timezone.now() - timedelta(minutes=1)
    Timer.objects.filter(kind="task_overdue").update(due_at=due)
    fire(seller)
    timer = Timer.objects.get(kind="task_overdue", record_id=task.pk)
    assert timer.fired_at is None
    assert timer.due_at > timezone.now()
    assert told(seller, "task_overdue") == 0


def test_a_time_takes_the_place_of_a_day_and_a_day_that_of_a_time(seller: Actor) -> None:
    task = make(seller, "task", due_on="2027-05-03")
    moved = gate.update(seller, TASK, task.pk, {"due_at": "2027-05-04T10:00"}).record
    assert (moved.due_on, moved.due_at.astimezone(seller.time_zone).hour) == (None, 10)
    assert gate.update(seller, TASK, task.pk, {"due_on": "2027-05-05"}).record.due_on == date(2027, 5, 5)
    cleared = gate.update(seller, TASK, task.pk, {"due_on": None}).record
    assert (cleared.due_on, cleared.due_at) == (None, None)


@pytest.mark.parametrize(
    ("zone", "typed"),
    [
        ("Europe/Berlin", "2027-03-28T02:30"),
        ("America/New_York", "2027-03-14T02:00"),
        ("Australia/Lord_Howe", "2026-10-04T02:10"),
    ],
)
def test_the_hour_that_does_not_exist_is_refused(seller: Actor, zone: str, typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        make(living_in(seller, zone), "meeting", starts_at=typed)
    assert refused.value.errors[0].code == "no_such_time"


def test_of_the_hour_that_is_there_twice_the_first_is_taken(seller: Actor) -> None:
    meeting = make(living_in(seller, "Europe/Berlin"), "meeting", starts_at="2027-10-31T02:30")
    assert meeting.starts_at == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


def test_a_meeting_of_whole_days_is_no_half_day_long(seller: Actor) -> None:
    with pytest.raises(Invalid):
        make(seller, "meeting", starts_on="2027-05-03", minutes=90)
    with pytest.raises(Invalid):
        make(seller, "meeting")


# -- timers ------------------------------------------------------------------------------------------------------------


def test_a_reminder_comes_before_and_moves_with_the_time(seller: Actor) -> None:
    start = timezone.now().replace(microsecond=0) + timedelta(hours=5)
    call = make(seller, "call", starts_at=start, reminder=30, done=False)
    timer = Timer.objects.get(kind="call_reminder")
    assert timer.due_at == start - timedelta(minutes=30)
    gate.update(seller, CALL, call.pk, {"starts_at": start + timedelta(hours=1)})
    timer.refresh_from_db()
    assert timer.due_at == start + timedelta(minutes=30)
    for act in (gate.trash, gate.restore):
        act(seller, CALL, call.pk)
        assert Timer.objects.filter(kind="call_reminder").exists() == (act is gate.restore)
    activity_done(seller, noun="call", id=call.pk)
    assert not Timer.objects.filter(record_id=call.pk).exists()


def test_a_reminder_is_told_once_to_whoever_comes(seller: Actor, seller_two: Actor, manager: Actor) -> None:
    guests = [
        {"type": "member", "id": seller_two.member_id},
        {"type": "member", "id": manager.member_id, "reply": "declined"},
    ]
    start = timezone.now() + timedelta(minutes=10)
    make(seller, "meeting", starts_at=start, reminder=15, guests=guests)
    for _again in range(2):
        fire(seller)
        Timer.objects.filter(kind="meeting_reminder").update(fired_at=None)
    assert [told(one, "reminder") for one in (seller, seller_two, manager)] == [1, 1, 0]


def test_a_manager_is_told_once_after_a_day_and_the_next_above_if_he_is_gone(
    seller: Actor, manager: Actor, owner: Actor
) -> None:
    Member.objects.filter(pk=member_of(manager)).update(manager_id=owner.member_id)
    task = make(seller, "task", due_at=timezone.now() - timedelta(hours=23))
    fire(seller)
    assert (told(seller, "task_overdue"), told(manager, "escalation")) == (1, 0)
    gate.update(seller, TASK, task.pk, {"due_at": timezone.now() - timedelta(hours=25)})
    for _again in range(2):
        fire(seller)
        escalation("task", seller.tenant, [Due(task.pk, timezone.now())])
    assert (told(manager, "escalation"), told(owner, "escalation")) == (1, 0)
    Member.objects.filter(pk=member_of(manager)).update(state=Member.State.DEACTIVATED)
    member = Member.objects.get(pk=member_of(seller))
    above = manager_of(member)
    assert above is not None
    assert above.pk == owner.member_id
    Member.objects.filter(pk=member_of(seller)).update(manager_id=seller.member_id)
    assert manager_of(Member.objects.get(pk=member_of(seller))) is None


def test_nothing_is_told_of_what_was_put_off(seller: Actor) -> None:
    task = make(seller, "task", due_at=timezone.now() + timedelta(hours=1))
    overdue("task", seller.tenant, [Due(task.pk, timezone.now())])
    assert told(seller, "task_overdue") == 0


# -- several records ---------------------------------------------------------------------------------------------------


def seeing(actor: Actor, **scopes: Scope) -> Actor:
    matrix = {noun: {"view": scope} for noun, scope in scopes.items()}
    return replace(actor, permissions=Permissions({"*": {"view": Scope.ALL}, **matrix}))


def test_who_may_see_one_of_the_records_may_see_the_activity_but_not_the_others_titles(
    owner: Actor, seller_two: Actor
) -> None:
    hidden = factories.deal(owner, name="Secret")
    contact = factories.contact(owner, name="Open")
    call = make(
        owner,
        "call",
        about={"type": "deal", "id": hidden.pk},
        also=[{"type": "contact", "id": contact.pk}, {"type": "deal", "id": hidden.pk}],
    )
    assert [one["type"] for one in call.also] == ["contact"]
    narrow = seeing(seller_two, deal=Scope.OWN)
    row = reading.get_row(narrow, CALL, call.pk)
    assert (row["about"]["title"], [one["title"] for one in row["also"]]) == (None, ["Open"])
    assert "Secret" not in str(reading.page(narrow, CALL, reading.Query(expand=("about", "also"))).rows)
    blind = seeing(seller_two, deal=Scope.OWN, contact=Scope.OWN)
    with pytest.raises(NotFound):
        reading.get_row(blind, CALL, call.pk)
    for actor, count in ((narrow, 1), (blind, 0), (owner, 1)):
        wanted = reading.Query(filter={"field": "also", "op": "has", "value": str(contact.pk)})
        assert reading.count(actor, CALL, wanted) == len(reading.page(actor, CALL, wanted).rows) == count


def test_an_activity_stands_on_each_of_its_records_and_leaves_those_it_is_taken_off(seller: Actor) -> None:
    deal, contact = factories.deal(seller), factories.contact(seller)
    task = make(seller, "task", about={"type": "deal", "id": deal.pk}, also=[{"type": "contact", "id": contact.pk}])
    assert [one.id for one in planned(seller, "contact", contact.pk)] == [task.pk]
    change = gate.update(seller, TASK, task.pk, {"also": []})
    assert planned(seller, "contact", contact.pk) == []
    undo.undo(seller, change.change_set.pk)
    assert [one.id for one in planned(seller, "contact", contact.pk)] == [task.pk]
    gate.trash(seller, TASK, task.pk)
    assert planned(seller, "deal", deal.pk) == []
    assert Place.objects.filter(activity_id=task.pk, at=None, planned_at=None).count() == 2


@pytest.mark.parametrize(
    "also",
    ["nonsense", [{"type": "deal"}], [{"type": "planet", "id": "1"}], [7], [{"type": "deal", "id": "x"}]],
)
def test_what_is_no_record_is_refused(seller: Actor, also: Any) -> None:
    with pytest.raises(Invalid):
        make(seller, "task", also=also)


def test_only_who_is_there_can_be_a_guest(seller: Actor, outsider: Actor) -> None:
    for guest in ({"type": "company", "id": factories.company(seller).pk}, {"type": "member", "id": outsider.id}):
        with pytest.raises(Invalid):
            make(seller, "meeting", starts_at=timezone.now(), guests=[guest])


# -- what is next ------------------------------------------------------------------------------------------------------


def test_ticked_off_and_the_next_planned_is_one_change(seller: Actor) -> None:
    deal = factories.deal(seller)
    task = make(seller, "task", about={"type": "deal", "id": deal.pk})
    ticked = activity_done(seller, noun="task", id=task.pk)
    change = activity_followed(
        seller,
        noun="task",
        id=task.pk,
        change_id=ticked.change_set.pk,
        outcome="They want oak.",
        next_noun="call",
        next_values={"name": "Offer oak", "starts_at": timezone.now() + timedelta(days=1)},
    )
    assert change.change_set.pk == ticked.change_set.pk
    assert [one.title for one in planned(seller, "deal", deal.pk)] == ["Offer oak"]
    undo.undo(seller, ticked.change_set.pk)
    task.refresh_from_db()
    assert (task.done, task.outcome) == (False, "")
    assert [one.id for one in planned(seller, "deal", deal.pk)] == [task.pk]


def test_another_ones_change_is_not_gone_on_with(seller: Actor, owner: Actor) -> None:
    task = make(seller, "task")
    theirs = activity_done(owner, noun="task", id=task.pk)
    activity_done(owner, noun="task", id=task.pk, done=False)
    change = activity_followed(seller, noun="task", id=task.pk, change_id=theirs.change_set.pk)
    assert change.change_set.pk != theirs.change_set.pk
    assert Event.objects.filter(change_set=theirs.change_set).count() == 2


def test_a_rule_that_names_no_further_day_is_refused_in_a_moment(seller: Actor) -> None:
    monday = datetime(2026, 12, 7, 9, tzinfo=UTC)
    for rule in ("FREQ=DAILY;BYSETPOS=2", "FREQ=DAILY;INTERVAL=7;BYDAY=TU", "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31"):
        began = monotonic()
        with pytest.raises(Invalid) as refused:
            make(seller, "meeting", starts_at=monday, repeat=rule)
        assert [(one.field, one.code) for one in refused.value.errors] == [("repeat", "names_no_day")]
        assert monotonic() - began < 2  # half a minute before
