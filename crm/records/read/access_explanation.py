"""Why somebody may see a record, and who else may: the rule of visibility told in words.

The wall itself is ``RecordType.visible_to``; this goes by the same facts, and a test holds the two together.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.records.access.visibility import allows, field_rights, may_read, visible
from crm.records.read.reading import titles
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.actors import member_actor
from crm.workspace.models import Member, Team
from crm.workspace.permissions import HIDDEN
from crm.workspace.text.folding import BY_NAME
from tenants.actors import Actor, Permissions, Scope

ALL, OWN, TEAM, HEAD, GUEST, ABOUT, FREE = "all", "own", "team", "head", "guest", "about", "free"
UNTOLD = "untold"
ORDER = (OWN, GUEST, HEAD, TEAM, ABOUT, UNTOLD, FREE, ALL)
NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Reason:
    """``kind`` with whose the record is, over which team, or on which record, as far as there is one."""

    kind: str
    holder: UUID | None = None
    team: Team | None = None
    subject: tuple[str, UUID] | None = None


@dataclass
class People:
    """Everybody who works here, read once."""

    members: list[Member] = field(
        default_factory=lambda: list(Member.objects.select_related("role").order_by(BY_NAME, "id"))
    )
    teams: dict[UUID, Team] = field(default_factory=lambda: {team.id: team for team in Team.objects.all()})

    @cached_property
    def by_id(self) -> dict[UUID, Member]:
        return {member.id: member for member in self.members}

    def above(self, holder: UUID) -> list[Team]:
        """The holder's team and those above it, from the nearest."""
        found: list[Team] = []
        here = self.by_id[holder].team_id if holder in self.by_id else None
        while here is not None and len(found) < len(self.teams):
            found.append(self.teams[here])
            here = self.teams[here].parent_id
        return found


@dataclass(frozen=True, slots=True)
class Facts:
    """What visibility goes by in one record: whose it is, who is a guest, and what else it is on."""

    record_type: RecordType
    holders: tuple[UUID, ...]
    guests: frozenset[UUID]
    subjects: tuple["Facts", ...] | None
    key: tuple[str, UUID]


def facts_of(record_type: RecordType, record: Any) -> Facts:
    """Those of a record, with those of what an activity is on (None for what is no activity)."""
    policy = record_type.visible
    holders = tuple(dict.fromkeys(holder for one in policy.holders if (holder := getattr(record, f"{one}_id"))))
    invited = getattr(record, policy.guests) if policy.guests else ()
    subjects: tuple[Facts, ...] | None = None
    if policy.goes_by_subjects:
        places = [(record.about_type, record.about_id)] if record.about_id else []
        places += [(one["type"], UUID(str(one["id"]))) for one in record.also or ()]
        subjects = tuple(found for place in places if (found := subject_of(*place)))
    return Facts(
        record_type,
        holders,
        frozenset(UUID(str(one["id"])) for one in invited if one["type"] == "member"),
        subjects,
        (record_type.slug, record.pk),
    )


def subject_of(noun: str, id: UUID) -> Facts | None:
    if noun not in registry or registry.get(noun).visible.goes_by_subjects:
        return None
    record = registry.get(noun).rows.filter(pk=id).first()
    return None if record is None else facts_of(registry.get(noun), record)


def reason_for(member_id: UUID, permissions: Permissions, facts: Facts, people: People) -> Reason | None:
    """Why this member sees the record; None when they do not."""
    scope = permissions.scope(facts.record_type.slug, "view")
    if scope is Scope.NONE:
        return None
    if facts.record_type.visible.is_everyones:
        return Reason(ALL)
    if member_id in facts.holders:
        return Reason(OWN, member_id)
    if member_id in facts.guests:
        return Reason(GUEST)
    if scope is Scope.TEAM:
        return by_team(member_id, facts.holders, people)
    if scope is Scope.OWN:
        return None
    if facts.subjects is None:
        return Reason(ALL)
    if not facts.subjects:
        return Reason(FREE)
    for one in facts.subjects:
        if reason_for(member_id, permissions, one, people):
            return Reason(ABOUT, subject=one.key)
    return None


def by_team(member_id: UUID, holders: Iterable[UUID], people: People) -> Reason | None:
    own = people.by_id[member_id].team_id if member_id in people.by_id else None
    for holder in holders:
        for team in people.above(holder):
            if team.head_id == member_id:
                return Reason(HEAD, holder, team)
            if team.id == own:
                return Reason(TEAM, holder, team)
    return None


# -- in words ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Others:
    text: str
    names: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one member: whether and why they see the record, what they may do with it, and what their role hides of it."""

    name: str
    is_self: bool
    sees: bool
    why: str
    may: list[tuple[str, bool, str]]
    hidden: int


@dataclass(frozen=True, slots=True)
class Why:
    answer: Answer
    others: list[Others]


def why(actor: Actor, record_type: RecordType, id: UUID, *, of: UUID | None = None) -> Why | None:
    """Why the actor sees a record, or whether ``of`` does, and who else; None when there is no such member."""
    record = visible(actor, record_type, trashed="include").get(pk=id)
    people, facts = People(), facts_of(record_type, record)
    member = people.by_id.get(of or actor.member_id or NOBODY)
    if member is None:
        return None
    asked = actor if of is None else member_actor(actor.tenant, member)
    reasons = {
        one.id: found if one.id == actor.member_id else as_told(actor, record_type, record, found)
        for one in people.members
        if one.is_active and (found := reason_for(one.id, one.role.matrix(), facts, people))
    }
    others = {key: found for key, found in reasons.items() if key != member.id}
    names = titles(actor, {found.subject for found in reasons.values() if found.subject})
    told = answer(asked, record_type, record, reasons.get(member.id), member, people, names, of is None)
    return Why(told, groups(record_type, others, people))


def as_told(actor: Actor, record_type: RecordType, record: Any, reason: Reason) -> Reason:
    """A reason without what the actor's role hides of the record: whom it is with, and what it is on besides."""
    if reason.kind == GUEST and not may_read(actor, record_type, record_type.visible.guests):
        return Reason(UNTOLD)
    if reason.kind == ABOUT and reason.subject != (record.about_type, record.about_id):
        return reason if may_read(actor, record_type, "also") else Reason(UNTOLD)
    return reason


def answer(
    asked: Actor,
    record_type: RecordType,
    record: Any,
    reason: Reason | None,
    member: Member,
    people: People,
    names: dict[tuple[str, UUID], str],
    is_self: bool,
) -> Answer:
    facts = {
        "role": member.role.label,
        "nouns": str(record_type.label_plural).lower(),
        "noun": str(record_type.label).lower(),
    }
    may = [
        (
            label,
            reason is not None and allows(asked, record_type, record, action),
            reach_text(asked.scope(record_type.slug, action)),
        )
        for action, label in (("edit", _("Change it")), ("delete", _("Move it to the trash")))
    ]
    rights = field_rights(asked, record_type).items() if reason else ()
    hidden = sum(1 for slug, right in rights if right == HIDDEN and slug not in record_type.companions)
    if reason is None:
        text = (
            _("The role “%(role)s” does not show %(nouns)s.") % facts
            if not asked.can(record_type.slug, "view")
            else _("The role “%(role)s” shows some %(nouns)s, but this one is neither theirs nor within reach.") % facts
        )
        if not member.is_active:
            text = _("Deactivated members see nothing.")
        return Answer(member.name, is_self, False, text, may, 0)
    return Answer(member.name, is_self, True, sentence(reason, facts, people, names), may, hidden)


def sentence(reason: Reason, facts: dict[str, str], people: People, names: dict[tuple[str, UUID], str]) -> str:
    holder = people.by_id.get(reason.holder or NOBODY)
    known = {**facts, "holder": holder.name if holder else "", "team": reason.team.name if reason.team else ""}
    match reason.kind:
        case "own":
            return _("It is theirs: they own it, do it or made it.")
        case "guest":
            return _("They are invited to it.")
        case "head":
            return _("It is %(holder)s's, and they head the team “%(team)s”.") % known
        case "team":
            return _("It is %(holder)s's, who is in their team “%(team)s” or in one below it.") % known
        case "about":
            title = names.get(reason.subject, "") if reason.subject else ""
            if not title:
                return _("It is on a record that they may see, and you may not.")
            return _("It is on “%(title)s”, which they may see.") % {**known, "title": title}
        case "untold":
            return _("They may see it for something that your role does not show.")
        case "free":
            return _("It is on no record, and the role “%(role)s” shows all %(nouns)s.") % known
    return _("The role “%(role)s” shows all %(nouns)s.") % known


def reach_text(scope: Scope) -> str:
    return {
        Scope.NONE: _("not with this role"),
        Scope.OWN: _("the role allows it for the own"),
        Scope.TEAM: _("the role allows it for the own team's"),
        Scope.ALL: _("the role allows it for all"),
    }[scope]


def groups(record_type: RecordType, reasons: dict[UUID, Reason], people: People) -> list[Others]:
    """Everybody else, counted by reason."""
    counted = Counter(found.kind for found in reasons.values())
    made = []
    for kind in ORDER:
        number = counted[kind]
        if not number:
            continue
        names = [people.by_id[key].name for key, found in reasons.items() if found.kind == kind]
        shown = ", ".join(names[:6]) + (" …" if len(names) > 6 else "")
        made.append(Others(group_text(kind, number, str(record_type.label_plural).lower()), shown))
    return made


def group_text(kind: str, number: int, nouns: str) -> str:
    text = {
        OWN: ngettext("%(number)d whose it is", "%(number)d whose it is", number),
        GUEST: ngettext("%(number)d who is invited", "%(number)d who are invited", number),
        HEAD: ngettext("%(number)d as head of a team", "%(number)d as heads of teams", number),
        TEAM: ngettext("%(number)d by the team", "%(number)d by the team", number),
        ABOUT: ngettext("%(number)d who sees what it is on", "%(number)d who see what it is on", number),
        UNTOLD: ngettext(
            "%(number)d for something that your role does not show",
            "%(number)d for something that your role does not show",
            number,
        ),
    }.get(
        kind, ngettext("%(number)d whose role shows all %(nouns)s", "%(number)d whose roles show all %(nouns)s", number)
    )
    return text % {"number": number, "nouns": nouns}
