"""Takes back everything that one change did, as a new change; or says, field by field, what stands in the way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Any, Literal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.records.access.visibility import field_rights, hidden_slugs, require_scope
from crm.records.errors import Invalid, NotFound, RecordError, UndoConflict, UndoProblem
from crm.records.fields.parsing import as_json, blank, same
from crm.records.models import ChangeSet, Event, Job, Record
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.gate import Change
from crm.records.write.row_values import Links, snapshot
from crm.workspace.errors import WorkspaceError
from crm.workspace.notifications.services import notifications_follow
from crm.workspace.people.leaving import PEOPLE_UNDONE, people_undo
from crm.workspace.permissions import HIDDEN
from tenants.actors import Actor
from tenants.ids import id_of
from tenants.registration import Table
from tenants.workspaces.entitlements import require_writable

UNDO_REACH = timedelta(days=1)
LOOKED_AT = 50
OWN_SOURCES = ("ui", "bulk", "hand_over", "sample")
PEOPLE = ("member", "team")
OPEN = (Job.State.QUEUED, Job.State.RUNNING)

type State = Literal["absent", "there", "trash"]
STATES: Mapping[str, tuple[State, State]] = {
    "created": ("absent", "there"),
    "updated": ("there", "there"),
    "trashed": ("there", "trash"),
    "restored": ("trash", "there"),
}
taken_back_too = Table[Callable[[ChangeSet, ChangeSet], object]]("part of undo")
"""Who takes back what a change did beside its records; called with the change and the one that undoes it."""


@dataclass(slots=True)
class Effect:
    """What a change did to one record on the whole. ``before`` and ``after`` are JSON values of changed fields."""

    record_type: RecordType
    record_id: UUID
    was: State
    became: State
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


def undo(actor: Actor, change_set_id: UUID | str, *, source: str = "ui") -> Change:
    """Take a change back, whole or not at all; taking that back again does it anew.

    Raises NotFound for a change the actor sees nothing of, and UndoConflict with all that stands in the way: done
    already, something changed or gone since, or no permission; MissingScope.
    """
    with transaction.atomic():
        wanted = id_of(change_set_id)
        change_set = ChangeSet.objects.filter(pk=wanted).first() if wanted else None
        if change_set is None:
            raise NotFound
        if Job.objects.filter(change_set=change_set, state__in=OPEN).exists():
            raise UndoConflict(message=_("This is still underway. Cancel it first, then undo what it did."))
        require_scopes(actor, change_set)
        effects, strange = effects_of(change_set.events.all())
        records = locked(actor, effects)
        if not records and not (people_of(change_set).exists() and actor.can("workspace", "members")):
            raise NotFound
        require_writable(actor.tenant)
        if ChangeSet.objects.filter(undo_of=change_set).exists():
            raise UndoConflict(message=_("This has been undone already."))
        own = actor.member_id is not None and change_set.member_id == actor.member_id
        links = {slug: Links(registry.get(slug), ids) for slug, ids in ids_by_type(effects).items()}
        conflicts = [
            *strange,
            *(
                one
                for effect in effects
                for one in problems(actor, effect, records, links[effect.record_type.slug], own=own)
            ),
        ]
        if conflicts:
            raise UndoConflict(conflicts)
        undoing = gate.change_set_new(actor, source, undo_of=change_set)
        try:
            with transaction.atomic():
                gate.change_set_save(undoing)
        except IntegrityError:
            raise UndoConflict(message=_("This has been undone already.")) from None
        notices_follow(change_set)
        people_back(actor, change_set, undoing)
        return reverse(actor, effects, records, undoing, source)


def require_scopes(actor: Actor, change_set: ChangeSet) -> None:
    """Raise MissingScope for a key that may not read or change all that a change is of."""
    if people_of(change_set).exists():
        require_scope(actor, "workspace", "members")
    for noun in nouns_of(change_set):
        require_scope(actor, noun)
        require_scope(actor, noun, "edit")


def nouns_of(change_set: ChangeSet) -> list[str]:
    """The record types that a change is of."""
    kinds = change_set.events.order_by("record_type").values_list("record_type", flat=True).distinct()
    return [kind for kind in kinds if kind in registry]


def notices_follow(change_set: ChangeSet) -> None:
    """After a change was undone: what was told of it is withdrawn, and if it took back another, what was told of that
    one holds again, and so on."""
    one: ChangeSet | None = change_set
    undone = True
    while one is not None:
        notifications_follow(one.pk, undone=undone)
        one, undone = one.undo_of, not undone


def is_undone(change_set: ChangeSet) -> bool:
    """Whether a change has been undone, and that has not been undone in its turn."""
    by = ChangeSet.objects.filter(undo_of=change_set).first()
    return by is not None and not is_undone(by)


def people_of(change_set: ChangeSet) -> QuerySet[Event]:
    """What a change did to members and teams, the last first."""
    return change_set.events.filter(record_type__in=PEOPLE).order_by("-id")


def people_back(actor: Actor, change_set: ChangeSet, undoing: ChangeSet) -> None:
    """Take back what a change did to members, teams and the owners of views: first, since records go back to active
    members only."""
    for event in people_of(change_set):
        try:
            people_undo(actor, event.type, event.record_id, event.before, event.after, undoing)
        except WorkspaceError as error:
            raise UndoConflict([problem_of(event, error.code, str(error.message))]) from error
    for take_back in taken_back_too.values():
        take_back(change_set, undoing)


def effects_of(events: QuerySet[Event]) -> tuple[list[Effect], list[UndoProblem]]:
    """The effects of a change's events, the last first, and what among them has no way back."""
    found: dict[tuple[str, UUID], Effect] = {}
    strange: list[UndoProblem] = []
    for event in events.order_by("id"):
        record_type = registry.get(event.record_type) if event.record_type in registry else None
        states = STATES.get(event.type.removeprefix(f"{event.record_type}."))
        if event.record_type in PEOPLE:
            continue
        if record_type is None:
            strange.append(problem_of(event, "not_undoable", _("This kind of change cannot be undone here.")))
        elif states is not None:
            key = (record_type.slug, event.record_id)
            effect = found.pop(key, None) or Effect(record_type, event.record_id, *states)
            found[key] = effect
            effect.became = states[1]
            if states == ("there", "there") or states[0] == "absent":
                for slug, value in event.before.items():
                    effect.before.setdefault(slug, value)
                effect.after.update(event.after)
    return [effect for effect in reversed(found.values()) if not ends_as_it_began(effect)], strange


def ends_as_it_began(effect: Effect) -> bool:
    return effect.became == "trash" and effect.was != "there"


def ids_by_type(effects: Sequence[Effect]) -> dict[str, list[UUID]]:
    found: dict[str, list[UUID]] = {}
    for effect in effects:
        found.setdefault(effect.record_type.slug, []).append(effect.record_id)
    return found


def locked(actor: Actor, effects: Sequence[Effect]) -> dict[tuple[str, UUID], Record]:
    """The records as they are now, locked, by type and id; those the actor may not see are missing."""
    found: dict[tuple[str, UUID], Record] = {}
    by_type = [(registry.get(slug), ids) for slug, ids in ids_by_type(effects).items()]
    for record_type, ids in sorted(by_type, key=lambda one: (one[0].lock_order, one[0].slug)):
        gate.acquire_writer_lock(record_type)
        rows = record_type.visible_to(actor, record_type.rows.filter(pk__in=ids))
        for row in rows.select_for_update(of=("self",), no_key=True).order_by("pk"):
            found[record_type.slug, row.pk] = row
    return found


def problem_of(event: Event, code: str, message: str) -> UndoProblem:
    return UndoProblem(event.record_type, event.record_id, "", "", code, message)


def problems(
    actor: Actor, effect: Effect, records: Mapping[tuple[str, UUID], Record], links: Links, *, own: bool
) -> Iterator[UndoProblem]:
    """Why this record cannot go back: it is gone, went to the trash or came back, or a field changed since; or, of a
    change that is not the actor's ``own``, it is of a field that they may not write."""
    record_type = effect.record_type
    record = records.get((record_type.slug, effect.record_id))

    def problem(code: str, message: str, slug: str = "", **values: Any) -> UndoProblem:
        title = record_type.title_of(record) if record else ""
        return UndoProblem(record_type.slug, effect.record_id, title, slug, code, message, **values)

    if record is None:
        yield problem("gone", _("This is not there any more, or you may not see it."))
        return
    if effect.became == "trash" and record.deleted_at is None:
        yield problem("restored_since", _("This has been taken out of the trash since."))
        return
    if effect.became == "there" and record.deleted_at is not None:
        yield problem("trashed_since", _("This has been moved to the trash since."))
        return
    rights = {} if own or effect.was == "absent" else field_rights(actor, record_type)
    for slug in effect.before:
        if rights.get(slug):
            yield problem("not_allowed", *not_to_write(record_type, slug, rights[slug]))
    now = snapshot(record_type, record)
    hidden, said = hidden_slugs(actor, record_type), False
    slugs = [one.slug for one in record_type.fields] if effect.was == "absent" else list(effect.after)
    for slug in slugs:
        one = record_type.by_slug.get(slug)
        if one is None:
            yield problem("field_gone", _("This field does not exist any more."), slug)
            continue
        expected = effect.after.get(slug, as_json(blank(one)))
        found = as_json(links.native(slug, record.pk) if one.kind is Kind.LINKS else now[slug])
        if not same(one, expected, found):
            if slug in hidden:
                if not said:
                    yield problem("changed_since", _("Something that your role does not show has been changed since."))
                said = True
                continue
            yield problem(
                "changed_since",
                _("“%(field)s” has been changed since.") % {"field": one.label},
                slug,
                expected=expected,
                found=found,
            )


def not_to_write(record_type: RecordType, slug: str, right: str) -> tuple[str, str]:
    """What to say of a field that somebody else's change wrote, and the field if it may be named."""
    if right == HIDDEN:
        return _("This change is also of something that your role does not show."), ""
    label = record_type.by_slug[slug].label
    return _("Your role lets you look at “%(field)s” but not change it.") % {"field": label}, slug


def reverse(
    actor: Actor,
    effects: Sequence[Effect],
    records: Mapping[tuple[str, UUID], Record],
    change_set: ChangeSet,
    source: str,
) -> Change:
    """Write the way back through the gate, neighbours of one kind together."""
    written: dict[UUID, Any] = {}
    events: list[Event] = []
    options: dict[str, Any] = {"change_set": change_set, "source": source}

    def kind(effect: Effect) -> tuple[str, State, State]:
        return effect.record_type.slug, effect.was, effect.became

    for (_slug, was, became), same_kind in groupby(effects, key=kind):
        group = list(same_kind)
        record_type, ids = group[0].record_type, [effect.record_id for effect in group]
        values = {effect.record_id: effect.before for effect in group if effect.before}
        steps: list[tuple[list[UUID], Callable[[], Change]]] = []
        if became == "trash":
            steps.append((ids, partial(gate.restore, actor, record_type, ids, **options)))
        if was != "absent" and values:
            steps.append(
                (list(values), partial(gate.update_many, actor, record_type, values, restoring=True, **options))
            )
        if was != "there":
            steps.append((ids, partial(gate.trash, actor, record_type, ids, **options)))
        for subjects, step in steps:
            try:
                change = step()
            except RecordError as error:
                raise UndoConflict(conflicts_of(error, record_type, subjects, records)) from error
            written.update({record.pk: record for record in change.records})
            events += change.events
    return Change(change_set, list(written.values()), events)


def conflicts_of(
    error: RecordError, record_type: RecordType, subjects: Sequence[UUID], records: Mapping[tuple[str, UUID], Record]
) -> list[UndoProblem]:
    def told(record_id: UUID, slug: str, code: str, message: Any) -> UndoProblem:
        return UndoProblem(
            record_type.slug, record_id, record_type.title_of(records[record_type.slug, record_id]), slug, code, message
        )

    if isinstance(error, Invalid):
        return [told(subjects[one.index], one.field, one.code, one.message) for one in error.errors]
    return [told(record_id, "", error.code, error.message) for record_id in subjects]


def last_own(actor: Actor) -> UUID | None:
    """The latest change that the actor made by hand within a day, that can be taken back and has not been."""
    if actor.member_id is None:
        return None
    found = own_changes(actor).filter(
        may_go_back(), source__in=OWN_SOURCES, undone_by=None, at__gte=timezone.now() - UNDO_REACH
    )
    return next((one.pk for one in found[:LOOKED_AT] if not one.takes_back), None)


def own_changes(actor: Actor) -> QuerySet[ChangeSet]:
    """What the actor did on the screens, the latest first; not what came of signing in and out."""
    strange = Event.objects.filter(change_set=OuterRef("pk")).exclude(record_type="session")
    rows = ChangeSet.objects.filter(Exists(strange), member=actor.member_id, actor_kind=actor.kind)
    return rows.select_related("undo_of").order_by("-id")


def own_doings(actor: Actor) -> QuerySet[ChangeSet]:
    """Those of ``own_changes`` that somebody really made: what sample data tells of never happened."""
    thrown = Event.objects.filter(change_set=OuterRef("pk"), type__endswith=".trashed")
    return own_changes(actor).filter(~Q(source="sample") | Exists(thrown))


def may_go_back() -> Exists:
    """Of change-sets: that something in it has a way back. Sample data goes by its clearing, which can be undone."""
    known = Event.objects.filter(change_set=OuterRef("pk")).filter(
        Q(record_type__in=[record_type.slug for record_type in registry.all()]) | Q(type__in=PEOPLE_UNDONE)
    )
    return Exists(known.filter(~Q(change_set__source="sample") | Q(type__endswith=".trashed")))


def is_last(actor: Actor, change_set_id: UUID) -> bool:
    """Whether the actor did nothing after this change that still stands and begun nothing that is underway."""
    later = own_changes(actor).filter(id__gt=change_set_id, undone_by=None)[:LOOKED_AT]
    if any(not one.takes_back for one in later):
        return False
    return not Job.objects.filter(member=actor.member_id, state__in=OPEN).exclude(change_set=change_set_id).exists()
