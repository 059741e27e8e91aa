"""What tasks and notes are made of."""

from django.utils.translation import gettext_lazy as _

from crm.activities import rules
from crm.activities.visibility import own_or_about_the_visible
from crm.records.types import Choice, Field, Kind, RecordType, register
from tenants.actors import Actor

PRIORITIES = (
    Choice(value="high", label=_("High"), color="red"),
    Choice(value="normal", label=_("Normal"), color="blue"),
    Choice(value="low", label=_("Low"), color="gray"),
)


def acting_member(actor: Actor) -> object:
    return actor.member_id


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
        Field(slug="due_at", label=_("Due"), kind=Kind.DATETIME, sortable=True),
        Field(slug="assignee", label=_("Assignee"), kind=Kind.MEMBER, target="member", default=acting_member),
        Field(slug="done", label=_("Done"), kind=Kind.BOOLEAN, default=False),
        Field(slug="done_at", label=_("Done at"), kind=Kind.DATETIME, sortable=True, editable=False),
        Field(slug="about", label=_("About"), kind=Kind.REFERENCE),
        Field(slug="priority", label=_("Priority"), kind=Kind.CHOICE, choices=PRIORITIES, default="normal"),
        Field(slug="description", label=_("Description"), kind=Kind.LONG_TEXT, max_length=10_000, searchable=True),
    ),
    default_columns=("name", "due_at", "assignee", "about", "priority"),
    default_sort=("due_at",),
    owner_field="assignee",
    rules=(rules.done_has_its_time,),
    after_write=(rules.done_is_told, rules.overdue_is_watched),
    event_types=("task.done",),
    visible=own_or_about_the_visible("assignee", "created_by"),
    shortcut="t",
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
    ),
    default_columns=("body", "about", "created_by", "created_at"),
    visible=own_or_about_the_visible("created_by"),
    in_sidebar=False,
)

register(TASK, NOTE)
