"""What is an exception in a series stays one, whatever is done with the series afterwards."""

import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crm.activities.models import Meeting, Task
from crm.activities.series import occurrences
from crm.activities.series.following import series_follow
from crm.activities.services import activity_done, meeting_reply, occurrence_skip, series_end
from crm.records.models import Timer
from crm.records.schema.registry import registry
from crm.records.write import gate, row_values, undo
from tenants.actors import Actor
from tests.depth import examples
from tests.records.conftest import PATIENCE, elsewhere, until_waited_for

TASK, MEETING = registry.get("task"), registry.get("meeting")
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
RELAXED = settings(phases=PHASES)
TIMES = 5


def start_at(actor: Actor) -> datetime:
    """Ten in the morning, in a few days, where no clock changes in the weeks after."""
    day = timezone.now().astimezone(actor.time_zone) + timedelta(days=3)
    return day.replace(hour=10, minute=0, second=0, microsecond=0)


def weekly(actor: Actor, *guests: Actor, **values: Any) -> list[Meeting]:
    people = [{"type": "member", "id": str(one.member_id), "reply": "none"} for one in guests]
    given = {"name": "Round", "starts_at": start_at(actor), "repeat": f"FREQ=WEEKLY;COUNT={TIMES}", "guests": people}
    gate.create(actor, MEETING, given | values)
    return live()


def live() -> list[Meeting]:
    return list(Meeting.objects.filter(deleted_at=None).order_by("occurrence"))


def minute(actor: Actor, meeting: Meeting) -> int:
    assert meeting.starts_at is not None
    local = meeting.starts_at.astimezone(actor.time_zone)
    return local.hour * 60 + local.minute


def reply_of(meeting: Meeting) -> str:
    return str(meeting.guests[0]["reply"])


# -- what a person expects, in the fewest words ------------------------------------------------------------------------


@dataclass
class Slot:
    """One time of a series: what it shows, and what it would show had nobody touched it by itself."""

    shown: dict[str, Any]
    common: dict[str, Any]
    done: bool = False
    gone: bool = False

    def take(self, slug: str, value: Any, *, by_hand: bool, spread: bool) -> None:
        own = self.shown[slug] != self.common[slug]
        if spread:
            if slug == "minute" and self.common[slug] != value:
                self.common["reply"] = "none"
            self.common[slug] = value
        if by_hand or (not own and not self.done):
            moved = slug == "minute" and self.shown[slug] != value
            self.shown[slug] = value
            if moved and not self.done:
                self.shown["reply"] = "none"


@dataclass
class Expected:
    slots: list[Slot] = field(default_factory=list)

    def write(self, at: int, slug: str, value: Any, how: str) -> None:
        for number, slot in enumerate(self.slots):
            if number == at:
                slot.take(slug, value, by_hand=True, spread=how != "one")
            elif not slot.gone and ((how != "one" and number > at) or (how == "all" and number < at and not slot.done)):
                slot.take(slug, value, by_hand=False, spread=True)

    def answer(self, at: int, reply: str, how: str) -> None:
        for number, slot in enumerate(self.slots):
            if number == at or (how == "following" and number > at and not slot.gone and not slot.done):
                slot.shown["reply"] = reply
                if how == "following":
                    slot.common["reply"] = reply


FIELDS = {
    "name": st.sampled_from(["Round", "Review", "Planning"]),
    "description": st.sampled_from(["", "Bring the offer", "Only today"]),
    "place": st.sampled_from(["", "Kiel", "Room 2"]),
    "minutes": st.sampled_from([30, 45, 60]),
    "minute": st.sampled_from([600, 630, 660]),
}


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, int, Any, Any]:
    at = draw(st.integers(0, TIMES - 1))
    kind = draw(st.sampled_from(["write", "write", "write", "reply", "skip", "done", "undo"]))
    if kind == "write":
        slug = draw(st.sampled_from(sorted(FIELDS)))
        return kind, at, (slug, draw(FIELDS[slug])), draw(st.sampled_from(["one", "following", "all"]))
    if kind == "reply":
        return kind, at, draw(st.sampled_from(["accepted", "declined"])), draw(st.sampled_from(["one", "following"]))
    return kind, at, None, None


def follow(actor: Actor, expected: Expected, guest: Actor, ids: list[Any], edit: tuple[str, int, Any, Any]) -> Any:
    """Do one edit to the product and to what is expected of it; gives the change."""
    kind, at, what, how = edit
    meeting, slot = ids[at], expected.slots[at]
    if slot.gone or (kind == "reply" and slot.done):
        return None
    if kind == "skip":
        slot.gone = True
        return occurrence_skip(actor, noun="meeting", id=meeting)
    if kind == "done":
        slot.done = True
        return activity_done(actor, noun="meeting", id=meeting)
    if kind == "reply":
        expected.answer(at, what, how)
        return meeting_reply(guest, id=meeting, reply=what, following=how == "following")
    slug, value = what
    expected.write(at, slug, value, how)
    if slug == "minute":
        row = Meeting.objects.get(pk=meeting)
        assert row.starts_at is not None
        local = row.starts_at.astimezone(actor.time_zone).replace(hour=value // 60, minute=value % 60)
        slug, value = "starts_at", local
    if how == "one":
        return gate.update(actor, MEETING, meeting, {slug: value})
    return series_follow(actor, noun="meeting", id=meeting, values={slug: value}, whole=how == "all")


@given(steps=st.lists(edits(), min_size=2, max_size=6))
@settings(RELAXED, max_examples=examples(8))
def test_exceptions_survive_every_kind_of_edit(steps: list[Any], seller: Actor, seller_two: Actor) -> None:
    """Some seconds: the law is over sequences, and each step writes a whole series."""
    with transaction.atomic():
        rows = weekly(seller, seller_two)
        ids = [one.pk for one in rows]
        first = {"name": "Round", "description": "", "place": "", "minutes": 60, "minute": 600, "reply": "none"}
        expected = Expected([Slot(dict(first), dict(first)) for _one in ids])
        before, change = deepcopy(expected), None
        for edit in steps:
            if edit[0] == "undo":
                if change is not None and change.events:
                    undo.undo(seller, change.change_set.pk)
                    expected = before
                change = None
                continue
            before = deepcopy(expected)
            change = follow(seller, expected, seller_two, ids, edit)
        found = {
            one.pk: {
                "name": one.name,
                "description": one.description,
                "place": one.place,
                "minutes": one.minutes,
                "minute": minute(seller, one),
                "reply": reply_of(one),
                "done": one.done,
            }
            for one in live()
        }
        wanted = {
            pk: {**slot.shown, "done": slot.done} for pk, slot in zip(ids, expected.slots, strict=True) if not slot.gone
        }
        assert found == wanted, steps
        transaction.set_rollback(True)


def test_a_time_that_is_sent_back_as_it_was_asks_nobody_again(seller: Actor, seller_two: Actor) -> None:
    """As a form does that is meant for this and the following, whatever was changed in it."""
    second = weekly(seller, seller_two)[1]
    meeting_reply(seller_two, id=second.pk, reply="accepted", following=True)
    sent = {"starts_at": second.starts_at, "description": "Bring the offer"}
    series_follow(seller, noun="meeting", id=second.pk, values=sent)
    found = [(reply_of(one), one.description) for one in live()]
    assert found == [("none", "")] + [("accepted", "Bring the offer")] * (TIMES - 1)


# -- what a task or call is followed by --------------------------------------------------------------------------------


@pytest.mark.parametrize("noun", ["task", "call"])
def test_a_text_for_this_one_does_not_go_to_the_next(seller: Actor, seller_two: Actor, noun: str) -> None:
    record_type, when = registry.get(noun), {"task": "due_at", "call": "starts_at"}[noun]
    first = gate.create(
        seller,
        record_type,
        {"name": "Report", "description": "As ever", when: start_at(seller), "repeat": "FREQ=DAILY"},
    ).record
    mine = {"description": "Only today", "name": "Special", "minutes": 5, "assignee": seller_two.member_id}
    gate.update(seller, record_type, first.pk, mine)
    activity_done(seller_two, noun=noun, id=first.pk)
    (second,) = record_type.rows.filter(done=False)
    assert (second.name, second.description, second.minutes) == ("Report", "As ever", None)
    assert second.assignee_id == seller.member_id
    series_follow(seller, noun=noun, id=second.pk, values={"description": "Shorter"})
    activity_done(seller, noun=noun, id=second.pk)
    assert [one.description for one in record_type.rows.filter(done=False)] == ["Shorter"]


def test_a_reply_to_one_time_is_not_changed_with_the_text_of_the_rest(seller: Actor, seller_two: Actor) -> None:
    rows = weekly(seller, seller_two)
    meeting_reply(seller_two, id=rows[0].pk, reply="accepted", following=True)
    meeting_reply(seller_two, id=rows[2].pk, reply="declined")
    series_follow(seller, noun="meeting", id=rows[1].pk, values={"description": "Bring the offer"})
    assert [reply_of(one) for one in live()] == ["accepted", "accepted", "declined", "accepted", "accepted"]
    assert [one.pk for one in live()] == [one.pk for one in rows]


def test_who_is_asked_to_all_is_asked_to_those_that_were_changed_too(
    seller: Actor, seller_two: Actor, manager: Actor, owner: Actor
) -> None:
    rows = weekly(seller, seller_two, manager)
    two, boss, new = ({"type": "member", "id": str(one.member_id)} for one in (seller_two, manager, owner))
    gate.update(seller, MEETING, rows[2].pk, {"guests": [boss]})
    series_follow(seller, noun="meeting", id=rows[0].pk, values={"guests": [two, new]})
    asked = [{one["id"] for one in row.guests} for row in live()]
    both = {two["id"], new["id"]}
    assert asked == [both, both, {new["id"]}, both, both]
    assert [bool(one.plain) for one in live()] == [False, False, True, False, False]


# -- what is made later ------------------------------------------------------------------------------------------------


def test_the_meetings_that_the_timer_makes_are_like_the_series_not_like_its_last_one(
    seller: Actor, seller_two: Actor
) -> None:
    rows = weekly(seller, seller_two, repeat="FREQ=WEEKLY")
    last = rows[-1]
    assert last.starts_at is not None
    gate.update(seller, MEETING, last.pk, {"name": "Farewell", "starts_at": last.starts_at + timedelta(hours=3)})
    meeting_reply(seller_two, id=last.pk, reply="declined")
    later = timezone.now() + timedelta(days=15)
    made = occurrences.meetings_ahead(
        seller, MEETING, row_values.snapshot(MEETING, Meeting.objects.get(pk=last.pk)), later
    )
    assert made == 2
    new = live()[-1]
    assert (new.name, minute(seller, new), reply_of(new)) == ("Round", 600, "none")


def test_leaving_out_the_last_one_by_the_trash_does_not_end_the_series(seller: Actor) -> None:
    rows = weekly(seller, repeat="FREQ=WEEKLY")
    gate.trash(seller, MEETING, rows[-1].pk)
    timer = Timer.objects.get(kind="meeting_series", fired_at=None)
    assert timer.record_id == rows[-2].pk
    Meeting.objects.filter(pk=rows[-2].pk).update(description="")
    Timer.objects.filter(pk=timer.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    again = row_values.snapshot(MEETING, Meeting.objects.get(pk=rows[-2].pk))
    assert occurrences.meetings_ahead(seller, MEETING, again, timezone.now() + timedelta(days=10)) == 1
    assert [one.occurrence for one in live()][-2:] == [len(rows) - 1, len(rows) + 1]


def test_who_takes_over_a_series_has_its_next_ones_too(owner: Actor, seller: Actor, seller_two: Actor) -> None:
    task = gate.create(seller, TASK, {"name": "Report", "due_at": start_at(seller), "repeat": "FREQ=DAILY"}).record
    gate.update(owner, TASK, task.pk, {"assignee": seller_two.member_id}, source="hand_over")
    activity_done(seller_two, noun="task", id=task.pk)
    (second,) = Task.objects.filter(done=False)
    assert second.assignee_id == seller_two.member_id


# -- another rule ------------------------------------------------------------------------------------------------------


def weeks(actor: Actor) -> list[tuple[int, str]]:
    begin = start_at(actor).date()
    return [
        ((one.starts_at.astimezone(actor.time_zone).date() - begin).days, one.name) for one in live() if one.starts_at
    ]


def test_another_rule_keeps_what_was_changed_and_left_out(seller: Actor, seller_two: Actor) -> None:
    rows = weekly(seller, seller_two)
    gate.update(seller, MEETING, rows[2].pk, {"name": "Review"})
    meeting_reply(seller_two, id=rows[2].pk, reply="declined")
    occurrence_skip(seller, noun="meeting", id=rows[4].pk)
    change = gate.update(seller, MEETING, rows[0].pk, {"repeat": "FREQ=WEEKLY;INTERVAL=2;COUNT=4"})
    assert weeks(seller) == [(0, "Round"), (14, "Review"), (42, "Round")]
    kept = Meeting.objects.get(pk=rows[2].pk)
    assert (kept.deleted_at, reply_of(kept)) == (None, "declined")
    undo.undo(seller, change.change_set.pk)
    assert weeks(seller) == [(0, "Round"), (7, "Round"), (14, "Review"), (21, "Round")]
    gate.update(seller, MEETING, rows[0].pk, {"repeat": "FREQ=WEEKLY;INTERVAL=2;COUNT=3"})
    gate.update(seller, MEETING, rows[0].pk, {"repeat": "FREQ=WEEKLY;COUNT=4"})
    assert weeks(seller) == [(0, "Round"), (7, "Round"), (14, "Review"), (21, "Round")]


def test_the_rule_changed_on_a_moved_one_does_not_move_the_series(seller: Actor) -> None:
    rows = weekly(seller)
    assert rows[1].starts_at is not None
    gate.update(seller, MEETING, rows[1].pk, {"starts_at": rows[1].starts_at + timedelta(hours=5)})
    gate.update(seller, MEETING, rows[1].pk, {"repeat": "FREQ=WEEKLY;COUNT=3"})
    assert [minute(seller, one) for one in live()] == [600, 900, 600, 600]


def test_a_series_that_was_ended_does_not_begin_again(seller: Actor) -> None:
    first = gate.create(seller, TASK, {"name": "Report", "due_at": start_at(seller), "repeat": "FREQ=DAILY"}).record
    activity_done(seller, noun="task", id=first.pk)
    (second,) = Task.objects.filter(done=False)
    series_end(seller, noun="task", id=second.pk)
    for done in (False, True):
        activity_done(seller, noun="task", id=first.pk, done=done)
    assert [one.pk for one in Task.objects.filter(deleted_at=None, done=False)] == [second.pk]
    activity_done(seller, noun="task", id=second.pk)
    assert not Task.objects.filter(deleted_at=None, done=False).exists()


def test_two_changes_from_two_times_on_make_no_time_twice(seller: Actor) -> None:
    rows = weekly(seller, repeat="FREQ=WEEKLY")
    series_follow(seller, noun="meeting", id=rows[4].pk, values={"place": "Kiel"})
    series_follow(seller, noun="meeting", id=rows[2].pk, values={"minutes": 30})
    assert [one.pk for one in live()] == [one.pk for one in rows]
    assert {one.place for one in live()[4:]} == {"Kiel"}
    assert [one.minutes for one in live()] == [60, 60] + [30] * (len(rows) - 2)


def test_a_day_that_the_rule_cannot_follow_to_is_this_ones_alone(seller: Actor) -> None:
    start = start_at(seller)
    monday = start + timedelta(days=-start.weekday() % 7)
    rows = weekly(seller, starts_at=monday, repeat="FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4")
    moved = (monday + timedelta(days=1)).replace(hour=11)
    series_follow(seller, noun="meeting", id=rows[0].pk, values={"starts_at": moved})
    assert [one.starts_at for one in live()] == [
        moved, *((monday + timedelta(days=days)).replace(hour=11) for days in (2, 7, 9))
    ]  # fmt: skip


def test_what_the_series_keeps_is_told_to_nobody(seller: Actor, api: Any) -> None:
    rows = weekly(seller)
    gate.update(seller, MEETING, rows[0].pk, {"description": "Only today"})
    client = api(seller)
    for address in (f"/api/v1/meetings/{rows[0].pk}", "/api/v1/events", f"/api/v1/meetings/{rows[0].pk}?fields=plain"):
        assert '"plain"' not in client.get(address).content.decode().replace("“plain”", "")


def test_all_that_are_open_are_changed_by_the_api_too(seller: Actor, api: Any) -> None:
    rows = weekly(seller)
    activity_done(seller, noun="meeting", id=rows[0].pk)
    gate.update(seller, MEETING, rows[1].pk, {"name": "Review"})
    answer = api(seller).patch(f"/api/v1/meetings/{rows[3].pk}/series", {"name": "Weekly"})
    assert answer.status_code == 200, answer.content
    assert [one.name for one in live()] == ["Round", "Review", "Weekly", "Weekly", "Weekly"]


def test_what_was_left_out_is_not_made_again_when_the_one_before_goes(seller: Actor) -> None:
    rows = weekly(seller)
    for row in (rows[4], rows[3]):
        occurrence_skip(seller, noun="meeting", id=row.pk)
    assert [one.pk for one in live()] == [one.pk for one in rows[:3]]
    values = {"name": "Report", "due_at": start_at(seller), "repeat": "FREQ=DAILY;COUNT=2"}
    first = gate.create(seller, TASK, values).id
    activity_done(seller, noun="task", id=first)
    occurrence_skip(seller, noun="task", id=TASK.rows.get(occurrence=2).pk)
    for done in (False, True):
        activity_done(seller, noun="task", id=first, done=done)
    assert TASK.rows.filter(deleted_at=None).count() == 1


# -- what was reported of other calendars ------------------------------------------------------------------------------


def test_ending_a_series_takes_those_that_were_changed_too(seller: Actor) -> None:
    rows = weekly(seller)
    gate.update(seller, MEETING, rows[3].pk, {"name": "Review"})
    change = series_end(seller, noun="meeting", id=rows[1].pk)
    assert [one.pk for one in live()] == [rows[0].pk, rows[1].pk]
    undo.undo(seller, change.change_set.pk)
    assert [one.name for one in live()] == ["Round", "Round", "Round", "Review", "Round"]


def test_the_second_is_moved_with_the_following_after_the_first_was_left_out(seller: Actor) -> None:
    rows = weekly(seller, repeat="FREQ=WEEKLY;UNTIL=" + f"{start_at(seller) + timedelta(weeks=4):%Y%m%d}")
    occurrence_skip(seller, noun="meeting", id=rows[0].pk)
    moved = start_at(seller) + timedelta(weeks=1, days=1)
    series_follow(seller, noun="meeting", id=rows[1].pk, values={"starts_at": moved})
    assert [one.starts_at for one in live()] == [moved + timedelta(weeks=one) for one in range(4)]


def test_a_whole_day_of_each_month_goes_to_the_next_with_the_following(seller: Actor) -> None:
    first = timezone.now().date().replace(day=11) + timedelta(days=31)
    first = first.replace(day=11)
    gate.create(seller, MEETING, {"name": "Rent", "starts_on": first, "repeat": "FREQ=MONTHLY;BYMONTHDAY=11"})
    rows = live()
    series_follow(seller, noun="meeting", id=rows[0].pk, values={"starts_on": first.replace(day=12)})
    assert [one.starts_on.day for one in live() if one.starts_on] == [12] * len(rows)
    assert {one.repeat for one in live()} == {"FREQ=MONTHLY;BYMONTHDAY=12"}


def test_a_time_left_out_while_the_rule_changes_is_waited_for(
    robot: Actor, really: Callable[[Callable[[], Any]], Any]
) -> None:
    """Of really committed rows, so that what one does is seen by the other only then."""
    times = really(lambda: weekly(robot))
    begun, go_on = threading.Event(), threading.Event()

    def leave_out() -> None:
        with transaction.atomic():
            occurrence_skip(robot, noun="meeting", id=times[2].pk)
            begun.set()
            assert go_on.wait(PATIENCE)

    skipped = elsewhere(leave_out, robot.tenant)
    assert begun.wait(PATIENCE)
    rule = f"FREQ=WEEKLY;COUNT={TIMES - 1}"
    changed = elsewhere(lambda: gate.update(robot, MEETING, times[0].pk, {"repeat": rule}), robot.tenant)
    until_waited_for()
    go_on.set()
    skipped()
    changed()
    assert really(lambda: [one.pk for one in live()]) == [times[0].pk, times[1].pk, times[3].pk]
