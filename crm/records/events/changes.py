"""Changes told in words: what a change-set did, of how many records, and whether it can be taken back."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from crm.records.errors import NotFound
from crm.records.events import audit
from crm.records.models import ChangeSet, Event
from crm.records.read.reading import titles
from crm.records.schema.field import MEMBER_TARGET
from crm.records.schema.registry import registry
from crm.records.write import undo
from crm.workspace.models import Team
from crm.workspace.people.leaving import PEOPLE_UNDONE
from crm.workspace.text.formats import number_text
from tenants.actors import Actor

LONGEST = 60
FEW = 3
"""So many records of a change are named; of more, how many they are is said."""
ACTIONS = ("created", "trashed", "restored", "deactivated", "reactivated", "updated")
"""What may be said of one record in one change: the first of these that happened to it."""
COUNT = """
    SELECT change_set_id, record_type, action, min(type), count(*), (array_agg(record_id ORDER BY last))[:%s]
    FROM (
        SELECT change_set_id, record_type, record_id, min(type) AS type, max(id::text) AS last,
            min(array_position(%s::text[], split_part(type, '.', 2))) AS action
        FROM records_event WHERE change_set_id = ANY(%s::uuid[]) AND record_type <> 'session'
        GROUP BY change_set_id, record_type, record_id
    ) AS told
    GROUP BY change_set_id, record_type, action
    ORDER BY change_set_id, action NULLS LAST, record_type
"""


@dataclass(frozen=True, slots=True)
class Line:
    """What was done to the records of one noun. ``names`` are of a few that the reader may see."""

    noun: str
    action: str
    type: str
    count: int
    names: Sequence[str] = ()

    @property
    def text(self) -> str:
        if not self.action:
            label = str(audit.LABELS.get(self.type, self.type))
            return label[:1].upper() + label[1:]
        words = {
            "created": _("Added %(what)s"),
            "trashed": _("Moved %(what)s to the trash"),
            "restored": _("Restored %(what)s"),
            "deactivated": _("Deactivated %(what)s"),
            "reactivated": _("Let %(what)s in again"),
            "updated": _("Changed %(what)s"),
        }
        return words[self.action] % {"what": self.what}

    @property
    def what(self) -> str:
        names = ", ".join(f"“{Truncator(name).chars(LONGEST)}”" for name in self.names)
        if self.noun in registry:
            record_type = registry.get(self.noun)
            label = str(record_type.label if self.count == 1 else record_type.label_plural).lower()
        elif self.noun == "team":
            label = _("team") if self.count == 1 else _("teams")
        else:
            label = _("member") if self.count == 1 else _("members")
        if len(self.names) == self.count == 1:
            return f"{label} {names}"
        counted = f"{number_text(self.count)} {label}"
        return f"{counted} ({names})" if len(self.names) == self.count else counted


@dataclass(frozen=True, slots=True)
class Told:
    """A change in words. ``takes_back`` says that it took another back; ``is_undone`` that it was taken back."""

    change_set: ChangeSet
    lines: Sequence[Line] = field(default_factory=list)
    takes_back: bool = False
    is_undone: bool = False

    @property
    def text(self) -> str:
        return "; ".join(line.text for line in self.lines)

    @property
    def brief(self) -> str:
        """The first of its lines, and whether there are more."""
        first = self.lines[0].text if self.lines else ""
        return _("%(what)s and more") % {"what": first} if len(self.lines) > 1 else first

    @property
    def count(self) -> int:
        """How many records it is of."""
        return sum(line.count for line in self.lines if line.noun in registry)

    @property
    def lets_in(self) -> Sequence[str]:
        """Whom taking it back lets in again."""
        return [line.what for line in self.lines if line.action == "deactivated"]

    @property
    def is_of_people(self) -> bool:
        return any(line.noun in undo.PEOPLE for line in self.lines)

    @property
    def may_go_back(self) -> bool:
        """Whether something in it has a way back, as ``undo.may_go_back`` says of change-sets."""
        loaded = self.change_set.source == "sample" and not any(line.action == "trashed" for line in self.lines)
        known = any(line.noun in registry or f"{line.noun}.{line.action}" in PEOPLE_UNDONE for line in self.lines)
        return known and not loaded and not self.is_undone


def change_told(actor: Actor, change_set_id: UUID) -> Told:
    """One change, as far as the actor may see it. Raises NotFound when that is nothing."""
    change_set = ChangeSet.objects.select_related("undo_of").filter(pk=change_set_id).first()
    found = told(actor, [change_set]) if change_set else []
    if not found or not found[0].lines:
        raise NotFound
    return found[0]


def origin_text(actor: Actor, change_set: ChangeSet) -> str:
    """In words, the change that this one took back, did again, took back again …"""
    while change_set.undo_of is not None:
        change_set = change_set.undo_of
    return told(actor, [change_set])[0].text


def told(actor: Actor, change_sets: Sequence[ChangeSet]) -> list[Told]:
    """The changes in words. Of somebody else's only what the actor may see now is counted."""
    by_id: dict[UUID, ChangeSet] = {one.pk: one for one in change_sets}
    rows = counted(by_id)
    wanted = {(noun, id) for _key, noun, _action, _type, _count, few in rows for id in few}
    names = titles(actor, wanted)
    teams = [id for noun, id in wanted if noun == "team"]
    names |= {("team", pk): name for pk, name in Team.objects.filter(pk__in=teams).values_list("pk", "name")}
    undone = set(ChangeSet.objects.filter(undo_of__in=by_id).values_list("undo_of", flat=True))
    lines: dict[UUID, list[Line]] = {}
    for key, noun, action, type, count, few in rows:
        known = [names[noun, id] for id in few if (noun, id) in names]
        seen = count if by_id[key].member_id == actor.member_id else seen_of(actor, key, noun, type, count)
        if seen:
            said = ACTIONS[action - 1] if action and (noun in registry or noun in undo.PEOPLE) else ""
            line = Line(noun, said, type, seen, known if seen <= FEW else ())
            lines.setdefault(key, []).append(line)
    return [
        Told(one, lines.get(one.pk, []), takes_back=one.takes_back, is_undone=one.pk in undone) for one in change_sets
    ]


def counted(change_sets: Collection[UUID]) -> list[tuple[UUID, str, int | None, str, int, list[UUID]]]:
    """By change-set, noun and action: a type of event, how many records, and the ids of a few."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [FEW, list(ACTIONS), [str(one) for one in change_sets]])
        found: list[Any] = cursor.fetchall()
    return found


def seen_of(actor: Actor, change_set_id: UUID, noun: str, type: str, count: int) -> int:
    """How many of the records of somebody else's change the actor may see."""
    if noun == MEMBER_TARGET or noun == "team":
        return count if actor.can("workspace", "members") else 0
    if noun not in registry or not actor.can(noun, "view"):
        return 0
    ids = Event.objects.filter(change_set=change_set_id, record_type=noun, type=type).values("record_id")
    record_type = registry.get(noun)
    return record_type.visible_to(actor, record_type.rows.filter(pk__in=ids)).count()


def is_within(change_set_id: UUID, shown: Collection[UUID]) -> bool:
    """Whether all that a change is of is among the records ``shown``."""
    beyond = Event.objects.filter(change_set=change_set_id).exclude(record_id__in=shown)
    return not beyond.exists()
