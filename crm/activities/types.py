"""What tasks, calls, meetings, logged emails and notes are made of."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from crm.activities import rules
from crm.activities.series import exceptions, occurrences, recurrence, repeat_control
from crm.activities.series.following import series_follow
from crm.activities.visibility import OwnOrAboutTheVisible
from crm.records.schema.field import Choice, CompositeWidget, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import register
from crm.records.write.edit_scope import EditScope, EditScopeOption, edit_scope_register
from crm.records.write.gate import Change
from crm.records.write.rules import rules_register
from crm.workspace.text.formats import minutes_text
from tenants.actors import Actor

PRIORITIES = (
    Choice(value="high", label=_("High"), color="red"),
    Choice(value="normal", label=_("Normal"), color="blue"),
    Choice(value="low", label=_("Low"), color="gray"),
)
DIRECTIONS = (
    Choice(value="out", label=_("Outgoing"), color="blue"),
    Choice(value="in", label=_("Incoming"), color="green"),
)
CALL_OUTCOMES = (
    Choice(value="reached", label=_("Reached"), color="green"),
    Choice(value="message", label=_("Left a message"), color="amber"),
    Choice(value="no_answer", label=_("No answer"), color="gray"),
    Choice(value="busy", label=_("Busy"), color="orange"),
    Choice(value="wrong_number", label=_("Wrong number"), color="red"),
)
REPLIES = (
    Choice(value="none", label=_("No reply yet"), color="gray"),
    Choice(value="accepted", label=_("Accepted"), color="green"),
    Choice(value="tentative", label=_("Perhaps"), color="amber"),
    Choice(value="declined", label=_("Declined"), color="red"),
)
PARTS = (
    Choice(value="to", label=_("To"), color="blue"),
    Choice(value="from", label=_("From"), color="green"),
    Choice(value="cc", label=_("Copy"), color="gray"),
)
MAX_MINUTES = 31 * rules.DAY


def acting_member(actor: Actor) -> object:
    return actor.member_id


ABOUT = Field(slug="about", label=_("About"), kind=Kind.REFERENCE)
ALSO = Field(slug="also", label=_("Also on"), kind=Kind.REFERENCES)
DONE = Field(slug="done", label=_("Done"), kind=Kind.BOOLEAN, default=False)
DONE_AT = Field(slug="done_at", label=_("Done at"), kind=Kind.DATETIME, sortable=True, editable=False)
ASSIGNEE = Field(slug="assignee", label=_("Assignee"), kind=Kind.MEMBER, target="member", default=acting_member)
MINUTES = Field(
    slug="minutes",
    label=_("Length"),
    kind=Kind.INTEGER,
    minimum=1,
    maximum=MAX_MINUTES,
    help_text=_("In minutes."),
    words=minutes_text,
)
REMINDER = Field(
    slug="reminder",
    label=_("Reminder"),
    kind=Kind.INTEGER,
    minimum=0,
    maximum=MAX_MINUTES,
    help_text=_("Minutes before; of what lasts all day, before 09:00 of its day."),
    words=minutes_text,
)
NEXT_STEP = Field(slug="next_step", label=_("Next step"), kind=Kind.TEXT, max_length=200)
DESCRIPTION = Field(slug="description", label=_("Description"), kind=Kind.LONG_TEXT, max_length=10_000, searchable=True)
RESULT = Field(slug="outcome", label=_("Outcome"), kind=Kind.LONG_TEXT, max_length=5000)
REPEAT = Field(
    slug="repeat",
    label=_("Repeat"),
    kind=Kind.TEXT,
    max_length=200,
    help_text=_("A rule of RFC 5545, such as FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10."),
    words=recurrence.words,
    pieces=CompositeWidget(template="activities/repeat.html", read=repeat_control.read, shown=repeat_control.shown),
)
SERIES = (
    Field(slug="series", label=_("Series"), kind=Kind.TEXT, editable=False, hidden=True),
    Field(slug="series_start", label=_("Begin of the series"), kind=Kind.TEXT, editable=False, hidden=True),
    Field(slug="series_zone", label=_("Time zone of the series"), kind=Kind.TEXT, editable=False, hidden=True),
    Field(slug="series_from", label=_("Since which number"), kind=Kind.INTEGER, editable=False, hidden=True),
    Field(
        slug="plain", label=_("What the series has"), kind=Kind.TEXT, max_length=100_000, editable=False, hidden=True
    ),
    Field(slug="occurrence", label=_("Number in the series"), kind=Kind.INTEGER, editable=False, hidden=True),
)


def following(
    actor: Actor,
    record_type: RecordType,
    id: UUID,
    values: Mapping[str, Any],
    *,
    seen_version: int | None,
    whole: bool = False,
) -> Change:
    return series_follow(actor, noun=record_type.slug, id=id, values=values, whole=whole, seen_version=seen_version)


FOLLOWING = EditScope(
    fields=frozenset({*exceptions.CARRIED, "due_at", "starts_at"}),
    holds=lambda record: bool(getattr(record, "repeat", "")),
    only=_("Save for this one"),
    options=(
        EditScopeOption(name="1", label=_("This and the following"), save=following),
        EditScopeOption(name="all", label=_("All that are open"), save=partial(following, whole=True)),
    ),
)

PLANNED_HOOKS = (rules.done_is_told, rules.sync_links, occurrences.series_goes_on, rules.timers_are_set)

TASK = RecordType(
    slug="task",
    plural="tasks",
    label=_("Task"),
    label_plural=_("Tasks"),
    icon="circle-check-big",
    model="activities.Task",
    fields=(
        Field(
            slug="name", label=_("Task"), kind=Kind.TEXT, required=True, sortable=True, searchable=True, max_length=200
        ),
        Field(slug="due_at", label=_("Due"), kind=Kind.DATETIME, sortable=True, day="due_on"),
        Field(slug="due_on", label=_("Due all day"), kind=Kind.DATE),
        ASSIGNEE,
        DONE,
        DONE_AT,
        ABOUT,
        Field(slug="priority", label=_("Priority"), kind=Kind.CHOICE, choices=PRIORITIES, default="normal"),
        DESCRIPTION,
        ALSO,
        MINUTES,
        REMINDER,
        RESULT,
        NEXT_STEP,
        REPEAT,
        *SERIES,
    ),
    default_columns=("name", "due_at", "assignee", "about", "priority"),
    more_columns=("minutes", "reminder", "repeat", "also", "description"),
    default_sort=("due_at",),
    owner_field="assignee",
    event_types=("task.done",),
    visible=OwnOrAboutTheVisible("assignee", "created_by"),
    shortcut="t",
)

CALL = RecordType(
    slug="call",
    plural="calls",
    label=_("Call"),
    label_plural=_("Calls"),
    icon="phone",
    model="activities.Call",
    fields=(
        Field(slug="name", label=_("Subject"), kind=Kind.TEXT, sortable=True, searchable=True, max_length=200),
        Field(slug="starts_at", label=_("Time"), kind=Kind.DATETIME, sortable=True),
        Field(slug="direction", label=_("Direction"), kind=Kind.CHOICE, choices=DIRECTIONS, default="out"),
        Field(slug="outcome", label=_("Outcome"), kind=Kind.CHOICE, choices=CALL_OUTCOMES),
        MINUTES,
        Field(slug="phone", label=_("Phone"), kind=Kind.TEXT, max_length=50),
        ASSIGNEE,
        DONE,
        DONE_AT,
        ABOUT,
        DESCRIPTION,
        ALSO,
        REMINDER,
        NEXT_STEP,
        REPEAT,
        *SERIES,
    ),
    default_columns=("name", "starts_at", "direction", "outcome", "minutes", "about", "assignee"),
    more_columns=("phone", "next_step", "reminder", "repeat", "also", "description"),
    default_sort=("-starts_at",),
    owner_field="assignee",
    event_types=("call.done",),
    in_related=False,
    open_first=False,
    visible=OwnOrAboutTheVisible("assignee", "created_by"),
)

MEETING = RecordType(
    slug="meeting",
    plural="meetings",
    label=_("Meeting"),
    label_plural=_("Meetings"),
    icon="calendar",
    model="activities.Meeting",
    fields=(
        Field(slug="name", label=_("Subject"), kind=Kind.TEXT, sortable=True, searchable=True, max_length=200),
        Field(slug="starts_at", label=_("Start"), kind=Kind.DATETIME, sortable=True, day="starts_on", required=True),
        Field(slug="starts_on", label=_("All day on"), kind=Kind.DATE),
        MINUTES,
        Field(slug="place", label=_("Place"), kind=Kind.TEXT, max_length=200, searchable=True),
        Field(
            slug="guests",
            label=_("Guests"),
            kind=Kind.REFERENCES,
            targets=("member", "contact"),
            mark="reply",
            choices=REPLIES,
            help_text=_("Members are told and answer here. Contacts are not told: write down what they answer."),
        ),
        ASSIGNEE,
        DONE,
        DONE_AT,
        ABOUT,
        DESCRIPTION,
        ALSO,
        REMINDER,
        RESULT,
        NEXT_STEP,
        REPEAT,
        *SERIES,
    ),
    default_columns=("name", "starts_at", "minutes", "place", "about", "assignee"),
    more_columns=("guests", "reminder", "repeat", "also", "description"),
    default_sort=("-starts_at",),
    owner_field="assignee",
    event_types=("meeting.done", "meeting.replied"),
    in_related=False,
    open_first=False,
    visible=OwnOrAboutTheVisible("assignee", "created_by", guests="guests"),
)

EMAIL = RecordType(
    slug="email",
    plural="emails",
    label=_("Email"),
    label_plural=_("Emails"),
    icon="mail",
    model="activities.Email",
    title="subject",
    fields=(
        Field(
            slug="subject",
            label=_("Subject"),
            kind=Kind.TEXT,
            required=True,
            sortable=True,
            searchable=True,
            max_length=200,
        ),
        Field(slug="direction", label=_("Direction"), kind=Kind.CHOICE, choices=DIRECTIONS, default="out"),
        Field(slug="sent_at", label=_("Sent"), kind=Kind.DATETIME, sortable=True),
        Field(
            slug="people",
            label=_("To and from"),
            kind=Kind.REFERENCES,
            targets=("contact", "member"),
            mark="role",
            choices=PARTS,
        ),
        Field(slug="body", label=_("Text"), kind=Kind.LONG_TEXT, max_length=50_000, searchable=True),
        ABOUT,
        ALSO,
        ASSIGNEE,
    ),
    default_columns=("subject", "direction", "sent_at", "people", "about", "assignee"),
    default_sort=("-sent_at",),
    owner_field="assignee",
    is_history=True,
    in_related=False,
    visible=OwnOrAboutTheVisible("assignee", "created_by"),
)

NOTE = RecordType(
    slug="note",
    plural="notes",
    label=_("Note"),
    label_plural=_("Notes"),
    icon="notebook-pen",
    model="activities.Note",
    title="body",
    fields=(
        Field(slug="body", label=_("Note"), kind=Kind.LONG_TEXT, required=True, searchable=True, max_length=50_000),
        Field(slug="about", label=_("About"), kind=Kind.REFERENCE, required=True),
        ALSO,
    ),
    default_columns=("body", "about", "created_by", "created_at"),
    visible=OwnOrAboutTheVisible("created_by"),
    in_sidebar=False,
    in_search=True,
)

register(TASK, CALL, MEETING, EMAIL, NOTE)
rules_register(
    TASK,
    rules.main_record_is_not_also,
    rules.whole_days_stay,
    rules.reminders_have_a_time,
    rules.done_has_its_time,
    occurrences.repeat_is_a_rule,
    exceptions.exceptions_are_noted,
    occurrences.one_of_each_time,
    after=PLANNED_HOOKS,
)
edit_scope_register(TASK, FOLLOWING)
rules_register(
    CALL,
    rules.main_record_is_not_also,
    rules.name_is_given,
    rules.reminders_have_a_time,
    rules.times_are_known,
    rules.calls_to_come_have_no_outcome,
    rules.done_has_its_time,
    occurrences.repeat_is_a_rule,
    exceptions.exceptions_are_noted,
    occurrences.one_of_each_time,
    after=PLANNED_HOOKS,
)
edit_scope_register(CALL, FOLLOWING)
rules_register(
    MEETING,
    rules.main_record_is_not_also,
    rules.name_is_given,
    rules.whole_days_stay,
    rules.reminders_have_a_time,
    rules.times_are_known,
    rules.lengths_fit,
    rules.moved_asks_again,
    rules.done_has_its_time,
    occurrences.repeat_is_a_rule,
    exceptions.exceptions_are_noted,
    occurrences.one_of_each_time,
    after=(rules.replies_are_told, *PLANNED_HOOKS, occurrences.series_is_watched),
)
edit_scope_register(MEETING, FOLLOWING)
rules_register(EMAIL, rules.main_record_is_not_also, rules.emails_have_a_time, after=(rules.sync_links,))
rules_register(NOTE, rules.main_record_is_not_also, after=(rules.sync_links,))
