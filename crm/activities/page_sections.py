"""What activities put on the page of every record: the composer over what is planned and one timeline."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from crm.activities.selectors import TIMELINE_KINDS, ActivityRow, TimelineItem, planned, timeline
from crm.activities.series import recurrence
from crm.activities.visibility import NOUNS, PLANNED
from crm.records.access.visibility import writable_fields
from crm.records.display.controls import Control, Option, controls
from crm.records.display.presenting import EMPTY, choice_label, may_edit, value_html
from crm.records.errors import RecordError
from crm.records.events.history import Entry, FieldChange
from crm.records.lists.record_page import Part
from crm.records.schema import mentions
from crm.records.schema.field import MEMBER_TARGET
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.text.formats import money_text
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
    ("call", gettext_lazy("Calls")),
    ("email", gettext_lazy("Emails")),
    ("meeting", gettext_lazy("Meetings")),
    ("event", gettext_lazy("Changes")),
)
COLORS = {"note": "amber", "task": "blue", "call": "teal", "email": "violet", "meeting": "pink"}
DID = {
    "note": gettext_lazy("wrote a note"),
    "task": gettext_lazy("did a task"),
    "call": gettext_lazy("called"),
    "meeting": gettext_lazy("held a meeting"),
    "email": gettext_lazy("sent an email"),
}
TOOK = {"call": gettext_lazy("took a call"), "email": gettext_lazy("got an email")}
COMPOSED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "note": (("body",), ("also",)),
    "task": (
        ("name", "due_at", "assignee"),
        ("priority", "minutes", "reminder", "repeat", "also", "description"),
    ),
    "call": (
        ("name", "minutes"),
        ("direction", "starts_at", "phone", "next_step", "reminder", "also", "description"),
    ),
    "email": (("subject", "direction", "body"), ("sent_at", "people", "also")),
    "meeting": (
        ("name", "starts_at", "minutes", "guests"),
        ("place", "reminder", "repeat", "also", "description"),
    ),
}
"""What the composer asks for at once, and what behind "More"."""
ADDED = {
    "note": gettext_lazy("Note added."),
    "task": gettext_lazy("Task added."),
    "call": gettext_lazy("Call logged."),
    "email": gettext_lazy("Email logged."),
    "meeting": gettext_lazy("Meeting planned."),
}
ADD = {
    "note": gettext_lazy("Add note"),
    "task": gettext_lazy("Add task"),
    "call": gettext_lazy("Log call"),
    "email": gettext_lazy("Log email"),
    "meeting": gettext_lazy("Plan meeting"),
}
KEYS = {"note": "n", "task": "t", "call": "l", "email": "i", "meeting": "p"}
PLANNED_SHOWN = 5
REFERRING = frozenset({Kind.REFERENCE, Kind.REFERENCES})


@dataclass(frozen=True, slots=True)
class Shown:
    """A field before and after a change, as a reader sees them."""

    label: str
    before: SafeString | str
    after: SafeString | str


@dataclass(frozen=True, slots=True)
class Composer:
    """The form that adds one activity of a noun to a record."""

    record_type: RecordType
    main: Sequence[Control]
    more: Sequence[Control]
    action: str
    outcomes: Sequence[Any] = ()
    errors: Sequence[str] = ()

    @property
    def key(self) -> str:
        return KEYS[self.record_type.slug]

    @property
    def add(self) -> str:
        return str(ADD[self.record_type.slug])

    @property
    def opened(self) -> bool:
        """Whether what stands behind "More" has something to say."""
        return any(one.errors for one in self.more)


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the timeline, ready to be shown."""

    item: TimelineItem
    icon: str = ""
    color: str = ""
    verb: str = ""
    facts: Sequence[str] = ()
    changes: Sequence[Shown] = ()
    undoable: bool = False
    editable: bool = False


def activity(actor: Actor, record_type: RecordType, row: Mapping[str, Any]) -> Part | None:
    """The composer, what is planned and the first page of the timeline."""
    if record_type.slug == "note":
        return None
    context = activity_context(actor, record_type, row["id"], row=row)
    context["composers"] = composers(actor, record_type, row)
    return Part("activities/activity.html#panel", context)


def activity_context(
    actor: Actor,
    record_type: RecordType,
    record_id: Any,
    *,
    kind: str = "",
    cursor: str | None = None,
    row: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    chosen = kind if kind in TIMELINE_KINDS else ""
    found = timeline(actor, record_type, record_id, {chosen} if chosen else None, cursor=cursor)
    following = (
        [] if cursor or record_type.slug in NOUNS else planned(actor, record_type.slug, record_id, limit=PLANNED_SHOWN)
    )
    return {
        "record_type": record_type,
        "id": record_id,
        "planned": [planned_item(actor, one) for one in following if chosen in ("", one.noun)],
        "items": [
            shown_item(actor, record_type, one, row or {})
            for one in found.items
            if one.entry is None or not one.entry.is_silent
        ],
        "next_cursor": found.next_cursor,
        "people": mentions.people(one.activity.text for one in found.items if one.activity),
        "kind": chosen,
        "filters": FILTERS,
        "may_edit": actor.can(record_type.slug, "edit"),
    }


# -- composing ---------------------------------------------------------------------------------------------------------


def composers(actor: Actor, record_type: RecordType, row: Mapping[str, Any]) -> list[Composer]:
    """A form for each noun that the actor may add."""
    return [composer(actor, record_type, row, what) for what in COMPOSED if actor.can(what, "create")]


def composer(
    actor: Actor,
    record_type: RecordType,
    row: Mapping[str, Any],
    what: str,
    *,
    data: QueryDict | None = None,
    error: RecordError | None = None,
    errors: Sequence[str] = (),
) -> Composer:
    made = registry.get(what)
    allowed = {one.slug for one in writable_fields(actor, made)}
    main, more = ([slug for slug in slugs if slug in allowed] for slugs in COMPOSED[what])
    initial = {one.slug: one.default_for(actor) for one in made.fields} | beginnings(actor, record_type, row, what)
    found = controls(actor, made, [*main, *more], row=initial, data=data, error=error, prefix=what)
    for one in found:
        if data is None:
            one.autofocus = False
    outcome = made.by_slug.get("outcome")
    return Composer(
        record_type=made,
        main=found[: len(main)],
        more=found[len(main) :],
        action=f"activities:{what}_add",
        outcomes=outcome.choices if outcome is not None and "outcome" in allowed else (),
        errors=errors,
    )


def beginnings(actor: Actor, record_type: RecordType, row: Mapping[str, Any], what: str) -> dict[str, Any]:
    """What a new activity of this record most likely is."""
    if what == "meeting":
        now = timezone.now().astimezone(actor.time_zone)
        start = (now + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
        return {"starts_at": start, "minutes": 60, "reminder": 15}
    if what == "call":
        phones = row.get("phones") or []
        return {"phone": str(phones[0]["value"]) if phones else "", "minutes": None}
    return {}


# -- what is shown -----------------------------------------------------------------------------------------------------


def shown_item(actor: Actor, record_type: RecordType, item: TimelineItem, row: Mapping[str, Any]) -> Item:
    if item.activity is not None:
        return activity_item(actor, item, item.activity)
    assert item.entry is not None
    entry = item.entry
    return Item(
        item,
        icon=ICONS.get(entry.action, "circle-dot"),
        verb=_verb(entry),
        changes=entry_changes(actor, entry, row),
        undoable=not entry.undone and entry.undo_of is None and entry.source not in NOT_UNDOABLE_SOURCES,
    )


def planned_item(actor: Actor, row: ActivityRow) -> Item:
    return activity_item(actor, TimelineItem(row.noun, row.at or row.created_at, row.id, activity=row), row)


def activity_item(actor: Actor, item: TimelineItem, row: ActivityRow) -> Item:
    incoming = row.direction == "in"
    return Item(
        item,
        icon=icon_of(row),
        color=color_of(row),
        verb=str(TOOK[row.noun] if incoming and row.noun in TOOK else DID[row.noun]),
        facts=facts_of(actor, row),
        editable=may_edit(actor, row.record_type, {"assignee": row.assignee_id, "created_by": row.created_by_id}),
    )


def color_of(row: ActivityRow) -> str:
    if row.late and row.noun != "meeting":
        return "red"
    return "green" if row.done and row.noun in PLANNED else COLORS[row.noun]


def icon_of(row: ActivityRow) -> str:
    if row.noun == "call" and row.direction:
        return "phone-incoming" if row.direction == "in" else "phone-outgoing"
    return row.record_type.icon


def facts_of(actor: Actor, row: ActivityRow) -> list[str]:
    """What is worth saying of an activity in a line: its outcome, length, place and how it repeats."""
    outcome = row.record_type.by_slug.get("outcome")
    said = []
    if row.outcome and outcome is not None:
        said.append(choice_label(outcome, row.outcome)[0] if outcome.choices else row.outcome)
    minutes = row.record_type.by_slug.get("minutes")
    if row.minutes and minutes is not None and minutes.words is not None:
        said.append(minutes.words(row.minutes))
    if row.place:
        said.append(row.place)
    if row.repeat:
        said.append(recurrence.words(row.repeat))
    if row.next_step:
        said.append(_("Next: %(step)s") % {"step": row.next_step})
    return said


def _verb(entry: Entry) -> str:
    if entry.undo_of is not None:
        return _("did a change again") if entry.redoes else _("undid a change")
    return str(VERBS.get(entry.action, entry.action.replace("_", " ")))


def entry_changes(actor: Actor, entry: Entry, row: Mapping[str, Any]) -> list[Shown]:
    """The fields of an update that are worth telling; what a new record holds stands beside it anyway."""
    if entry.action != "updated":
        return []
    companions = registry.get(entry.record_type).companions
    before = {one.slug: one.before for one in entry.changes}
    after = {one.slug: one.after for one in entry.changes}
    return [
        Shown(
            str(one.label),
            _value(actor, one, one.before, one.before_label, {**row, **before}),
            _value(actor, one, one.after, one.after_label, {**row, **after}),
        )
        for one in entry.changes
        if one.slug not in companions and one.field.editable
    ]


def _value(actor: Actor, change: FieldChange, value: Any, label: Any, row: Mapping[str, Any]) -> SafeString | str:
    if label is not None:
        return str(label)
    if value in (None, "", [], {}):
        return EMPTY
    if change.field.target or change.field.kind in REFERRING:
        return _("something you cannot see")
    if change.field.currency:
        return money_text(value, row.get(change.field.currency) or actor.tenant.currency)
    return conditional_escape(value_html(change.field, {**row, change.slug: value}, actor))


# -- what is next ------------------------------------------------------------------------------------------------------

NEXT: Mapping[str, tuple[str, ...]] = {
    "task": ("name", "due_at"),
    "call": ("name", "starts_at"),
    "meeting": ("name", "starts_at", "minutes"),
}
"""What is asked of the activity that is planned when another is ticked off."""


@dataclass(frozen=True, slots=True)
class NextForm:
    """What came of an activity and what is planned next; ``kinds`` are the nouns to choose from."""

    kinds: Sequence[RecordType]
    what: str
    controls: Sequence[Control]
    outcome: str
    outcomes: Sequence[Option]
    asks_outcome: bool


def next_form(
    actor: Actor,
    record_type: RecordType,
    row: Mapping[str, Any],
    what: str,
    *,
    data: QueryDict | None = None,
    error: RecordError | None = None,
) -> NextForm:
    kinds = [registry.get(noun) for noun in NEXT if actor.can(noun, "create")]
    field = record_type.by_slug["outcome"]
    outcome = str(row.get("outcome") or "") if data is None else data.get("outcome", "")
    found: list[Control] = []
    if what:
        made = registry.get(what)
        tomorrow = (timezone.now().astimezone(actor.time_zone) + timedelta(days=1)).replace(
            minute=0, second=0, microsecond=0
        )
        initial = {
            "name": row.get("next_step") or "",
            "due_on": tomorrow.date(),
            "starts_at": tomorrow.replace(hour=10),
            "minutes": 60 if what == "meeting" else None,
        }
        found = controls(actor, made, NEXT[what], row=initial, data=data, error=error, prefix="next")
        for one in found:
            one.autofocus = one.name == "name"
    return NextForm(
        kinds=kinds,
        what=what,
        controls=found,
        outcome=outcome,
        outcomes=[Option(one.value, str(one.label), one.value == outcome) for one in field.choices],
        asks_outcome="outcome" in {one.slug for one in writable_fields(actor, record_type)},
    )


# -- series ------------------------------------------------------------------------------------------------------------


def series(actor: Actor, record_type: RecordType, row: Mapping[str, Any]) -> Part | None:
    """How an activity repeats, and what can be done about it."""
    if record_type.slug not in PLANNED or not row.get("repeat") or row.get("deleted_at"):
        return None
    context = {
        "id": row["id"],
        "record_type": record_type,
        "words": recurrence.words(row["repeat"]),
        "may_edit": may_edit(actor, record_type, row),
        "may_skip": may_edit(actor, record_type, row, "delete") and not row.get("done"),
    }
    return Part("activities/series.html", context)


# -- invitations -------------------------------------------------------------------------------------------------------

SAID = {
    "accepted": ngettext_lazy("%(count)d comes", "%(count)d come", "count"),
    "tentative": ngettext_lazy("%(count)d perhaps comes", "%(count)d perhaps come", "count"),
    "declined": ngettext_lazy("%(count)d does not come", "%(count)d do not come", "count"),
    "none": ngettext_lazy("%(count)d has not answered", "%(count)d have not answered", "count"),
}
ANSWERS = {
    "accepted": gettext_lazy("Accept"),
    "tentative": gettext_lazy("Perhaps"),
    "declined": gettext_lazy("Decline"),
}


def guests(actor: Actor, record_type: RecordType, row: Mapping[str, Any]) -> Part | None:
    """How the guests of a meeting that is still to come have answered, for who can write down what contacts said."""
    invited = row.get("guests") or ()
    if record_type.slug != "meeting" or row.get("done") or row.get("deleted_at") or not invited:
        return None
    count = Counter(one["reply"] for one in invited)
    context = {
        "said": [words % {"count": count[reply]} for reply, words in SAID.items() if count[reply]],
        "notes_down": any(one["type"] != MEMBER_TARGET for one in invited) and may_edit(actor, record_type, row),
    }
    return Part("activities/guests.html", context)


def reply(actor: Actor, record_type: RecordType, row: Mapping[str, Any]) -> Part | None:
    """What a guest answers a meeting that is still to come."""
    if record_type.slug != "meeting" or row.get("done") or row.get("deleted_at") or actor.member_id is None:
        return None
    own = [
        one["reply"]
        for one in row.get("guests") or ()
        if one["type"] == MEMBER_TARGET and str(one["id"]) == str(actor.member_id)
    ]
    if not own:
        return None
    context = {"id": row["id"], "reply": own[0], "answers": ANSWERS.items(), "repeats": bool(row.get("repeat"))}
    return Part("activities/reply.html", context)
