"""What activities put on the page of every record: the composer over one timeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import conditional_escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.activities.selectors import TIMELINE_KINDS, TimelineItem, timeline
from crm.records.forms import Control, controls
from crm.records.history import Entry, FieldChange
from crm.records.pages import Part
from crm.records.presenting import EMPTY, UNSHOWN, value_html
from crm.records.types import RecordType, registry
from crm.workspace.formats import money_text
from tenants.actors import Actor

NOT_UNDOABLE_SOURCES = frozenset({"sample", "import"})
VERBS = {
    "created": gettext_lazy("created this"),
    "updated": gettext_lazy("changed"),
    "trashed": gettext_lazy("moved this to the trash"),
    "restored": gettext_lazy("restored this"),
}
ICONS = {"created": "plus", "updated": "pencil", "trashed": "trash-2", "restored": "undo-2"}
FILTERS = (
    ("", gettext_lazy("All")),
    ("note", gettext_lazy("Notes")),
    ("task", gettext_lazy("Tasks")),
    ("event", gettext_lazy("Changes")),
)
TASK_FIELDS = ("name", "due_at", "assignee")


@dataclass(frozen=True, slots=True)
class Shown:
    """A field before and after a change, as a reader sees them."""

    label: str
    before: SafeString | str
    after: SafeString | str


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the timeline, ready to be shown."""

    item: TimelineItem
    icon: str = ""
    verb: str = ""
    changes: Sequence[Shown] = ()
    undoable: bool = False


def activity(actor: Actor, rt: RecordType, row: Mapping[str, Any]) -> Part | None:
    """The composer and the first page of the timeline."""
    if rt.slug == "note":
        return None
    return Part("activities/activity.html#panel", activity_context(actor, rt, row["id"], row=row))


def activity_context(
    actor: Actor,
    rt: RecordType,
    record_id: Any,
    *,
    kind: str = "",
    cursor: str | None = None,
    row: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    chosen = kind if kind in TIMELINE_KINDS else ""
    found = timeline(actor, rt, record_id, {chosen} if chosen else None, cursor=cursor)
    return {
        "rt": rt,
        "id": record_id,
        "items": [shown_item(actor, rt, one, row or {}) for one in found.items],
        "next_cursor": found.next_cursor,
        "kind": chosen,
        "filters": FILTERS,
        "may_note": actor.can("note", "create"),
        "may_task": actor.can("task", "create"),
        "may_edit": actor.can(rt.slug, "edit"),
        "task_controls": task_controls(actor) if actor.can("task", "create") else [],
    }


def task_controls(actor: Actor, **options: Any) -> list[Control]:
    made = controls(actor, registry.get("task"), TASK_FIELDS, prefix="task", **options)
    for one in made:
        one.autofocus = False
    return made


def shown_item(actor: Actor, rt: RecordType, item: TimelineItem, row: Mapping[str, Any]) -> Item:
    if item.entry is None:
        return Item(item)
    entry = item.entry
    return Item(
        item,
        icon=ICONS.get(entry.action, "circle-dot"),
        verb=_verb(entry),
        changes=entry_changes(actor, entry, row),
        undoable=not entry.undone and entry.undo_of is None and entry.source not in NOT_UNDOABLE_SOURCES,
    )


def _verb(entry: Entry) -> str:
    if entry.undo_of is not None:
        return _("undid a change")
    return str(VERBS.get(entry.action, entry.action.replace("_", " ")))


def entry_changes(actor: Actor, entry: Entry, row: Mapping[str, Any]) -> list[Shown]:
    """The fields of an update that are worth telling; what a new record holds stands beside it anyway."""
    if entry.action != "updated":
        return []
    return [
        Shown(
            str(one.label),
            _value(actor, one, one.before, one.before_label, row),
            _value(actor, one, one.after, one.after_label, row),
        )
        for one in entry.changes
        if one.field.kind not in UNSHOWN and one.field.editable
    ]


def _value(actor: Actor, change: FieldChange, value: Any, label: Any, row: Mapping[str, Any]) -> SafeString | str:
    if label is not None:
        return str(label)
    if value in (None, "", [], {}):
        return EMPTY
    if change.field.target:
        return _("something you cannot see")
    if change.field.currency:
        return money_text(value, row.get(change.field.currency) or actor.tenant.currency)
    return conditional_escape(value_html(change.field, {change.slug: value}, actor))
