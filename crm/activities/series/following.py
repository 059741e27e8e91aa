"""A change of one time of a series that is meant for others of it too: for those that follow, or for all.

What is an exception stays one: a record that was moved, named, described or answered by itself keeps that, and takes
from the change only what it has in common with its series.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.activities.rules import WHEN, answered, asked_again, zone_of
from crm.activities.series import recurrence
from crm.activities.series.exceptions import differences, pattern
from crm.activities.series.occurrences import put
from crm.activities.series.part import Part
from crm.records.errors import FieldError, Invalid
from crm.records.read import reading
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.gate import Change
from crm.records.write.row_values import snapshot
from tenants.actors import Actor

type Entries = Sequence[Mapping[str, Any]]


def series_follow(
    actor: Actor,
    *,
    noun: str,
    id: UUID | str,
    values: Mapping[str, Any] | None = None,
    whole: bool = False,
    if_version: int | None = None,
    seen_version: int | None = None,
    source: str = "ui",
) -> Change:
    """Change this time of a series with ``values``, and in the same way all that come after it; without values, make
    these like it is. With ``whole`` those before it too. Nothing changes in what is done; the
    last one only keeps what those after it are to be like.

    Raises Invalid for what does not repeat.
    """
    record_type = registry.get(noun)
    with transaction.atomic():
        record = reading.get_record(actor, record_type, id, action="edit")
        if not record.repeat:
            raise Invalid([], _("This does not repeat."))
        series = record_type.rows.filter(series=record.series, deleted_at=None).order_by("pk")
        rows = {row.pk: snapshot(record_type, row) for row in series.select_for_update(of=("self",), no_key=True)}
        before = rows.pop(record.pk)
        given = dict(values or {})
        rule = given.pop("repeat", None)
        change = gate.update(
            actor, record_type, record.pk, given, if_version=if_version, seen_version=seen_version, source=source
        )
        spread = Spread.of(
            actor, record_type, before, snapshot(record_type, change.record), None if values is None else set(given)
        )
        last = max((one["occurrence"] for one in rows.values()), default=0)
        others = {
            pk: one
            for pk, one in rows.items()
            if (whole or one["occurrence"] > before["occurrence"])
            and (not one["done"] or one["occurrence"] == last > before["occurrence"])
        }
        made = put(
            actor,
            record_type,
            spread.changes(record.pk, others, whole=whole),
            change_set=change.change_set,
            source=source,
        )
        events = change.events + made.events
        if rule is not None:
            events += gate.update(
                actor, record_type, record.pk, {"repeat": rule}, change_set=change.change_set, source=source
            ).events
        return Change(change.change_set, change.records, events)


@dataclass(frozen=True, slots=True)
class Spread:
    """What one record was and is, and which of its fields others take from it; ``retimed`` says that its time is one
    of them. ``answers`` says whether the replies of its guests are."""

    actor: Actor
    record_type: RecordType
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    base: Mapping[str, Any]
    slugs: Collection[str]
    retimed: bool
    answers: bool

    @classmethod
    def of(
        cls,
        actor: Actor,
        record_type: RecordType,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        given: set[str] | None,
    ) -> "Spread":
        """With ``given`` the fields just written; without, all in which the record differs from its series."""
        common = pattern(record_type, before)
        times = set(WHEN[record_type.slug])
        if given is None:
            slugs = {slug for slug, value in common.items() if after[slug] != value}
            return cls(actor, record_type, before, after, common, slugs, retimed=True, answers=False)
        changed = {slug for slug in common if after[slug] != before[slug]} - {"guests"}
        slugs = (given | changed) & common.keys()
        retimed = bool(given & times or any(after[slug] != before[slug] for slug in times if slug))
        return cls(actor, record_type, before, after, before, slugs, retimed=retimed, answers=True)

    def changes(
        self, id: UUID, others: Mapping[UUID, Mapping[str, Any]], *, whole: bool
    ) -> dict[UUID, tuple[dict[str, Any], dict[str, Any]]]:
        """Of the record itself and of the others: the values that they get, and what their series keeps in them."""
        numbers: dict[Part, set[int]] = {Part.of(self.before): {self.before["occurrence"]}}
        for values in others.values():
            numbers.setdefault(Part.of(values), set()).add(values["occurrence"])
        becomes = {part: self.moved(part, whole=whole) if self.retimed else part for part in numbers}
        was = {part: part.planned_each(found) for part, found in numbers.items()}
        will = {part: becomes[part].planned_each(found) for part, found in numbers.items()}
        found = {}
        for pk, values in {id: self.before, **others}.items():
            part, number = Part.of(values), values["occurrence"]
            planned, local = was[part].get(number), will[part].get(number)
            asks = self.is_retimed(part, planned, becomes[part], local)
            when: dict[str, Any] = {}
            if pk != id and becomes[part] != part and local is not None and not values["done"]:
                when = (
                    becomes[part].when(self.record_type.slug, local)
                    if part.holds(self.record_type.slug, values, planned)
                    else {}
                )
            new = dict(self.after) if pk == id else self.followed(values, when)
            found[pk] = self.kept(values, new, becomes[part], when, asks=asks)
        return found

    def is_retimed(self, part: Part, planned: datetime | None, becomes: Part, local: datetime | None) -> bool:
        """Whether the series names another time than before for a number, so that its guests are asked again."""
        if planned is None or local is None:
            return becomes != part
        return becomes.when(self.record_type.slug, local) != part.when(self.record_type.slug, planned)

    def followed(self, values: Mapping[str, Any], when: Mapping[str, Any]) -> dict[str, Any]:
        """What another record of the series is then: what is its own stays, and all of what is done."""
        if values["done"]:
            return dict(values)
        new, common = dict(values), pattern(self.record_type, values)
        for slug in self.slugs:
            if self.record_type.by_slug[slug].kind is Kind.REFERENCES:
                new[slug] = self.merged(slug, values[slug])
            elif values[slug] == common[slug] and not (slug == "minutes" and self.retimed and not when):
                new[slug] = self.after[slug]
        moves = any(values[slug] != value for slug, value in when.items())
        if moves and "guests" in new and to_come(self.record_type.slug, {**values, **when}):
            new["guests"] = asked_again(new["guests"], self.actor.member_id)
        return new

    def kept(
        self,
        values: Mapping[str, Any],
        new: Mapping[str, Any],
        becomes: Part,
        when: Mapping[str, Any],
        *,
        asks: bool,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a record gets in values of its own, and what its series keeps in it; ``asks`` the guests again."""
        common = pattern(self.record_type, values)
        for slug in self.slugs:
            references = self.record_type.by_slug[slug].kind is Kind.REFERENCES
            common[slug] = self.merged(slug, common[slug]) if references else self.after[slug]
        if asks and "guests" in common:
            common["guests"] = asked_again(common["guests"], self.actor.member_id)
        changed = {slug: new[slug] for slug in common if new[slug] != values[slug]}
        return {**changed, **when}, {**becomes.values, "plain": differences(common, new)}

    def moved(self, part: Part, *, whole: bool) -> Part:
        """What becomes of a part of the series whose record is put to another time. A day that its rule cannot follow
        to is this record's alone."""
        moment, day = WHEN[self.record_type.slug]
        own, number = Part.of(self.before), self.before["occurrence"]
        when, on = self.after[moment], self.after[day] if day else None
        if when is None:
            raise Invalid([FieldError(moment, "needs_time", _("What repeats needs a time to begin with."))])
        to = Part.beginning("", on, when, zone_of(self.actor, self.after["assignee"]), 1)
        planned = own.planned(number) or own.start
        shift = to.start.date() - planned.date()
        here = part == own and not whole
        begins, first = (planned, number) if here else (part.start, part.first)
        from_day = planned.date() if part == own else part.start.date()
        rule = recurrence.moved(part.rule, from_day, from_day + shift)
        begins = datetime.combine(begins.date() + (shift if rule else timedelta()), to.start.time())
        if rule and not here:
            begins = recurrence.aligned(rule, begins)
        rule = recurrence.shortened(rule or part.rule, first - part.first)
        return Part(rule, begins, to.all_day, to.zone, first)

    def merged(self, slug: str, mine: Entries) -> list[dict[str, Any]]:
        """A list of records with those added and taken away that were so in the record itself; a reply that was
        written down for all is theirs, one of their own stays."""
        field = self.record_type.by_slug[slug]
        base, theirs = ({(one["type"], one["id"]): one for one in values[slug]} for values in (self.base, self.after))
        found: list[dict[str, Any]] = []
        for one in mine:
            key = (one["type"], one["id"])
            if key in theirs:
                told = self.answers and key in base and theirs[key] != base[key] and dict(one) == base[key]
                found.append(dict(theirs[key] if told else one))
            elif key not in base:
                found.append(dict(one))
        known = base.keys() | {(one["type"], one["id"]) for one in mine}
        plain = {} if self.answers or not field.mark else {field.mark: field.choices[0].value}
        found += [{**one, **plain} for key, one in theirs.items() if key not in known]
        return sorted(found, key=itemgetter("type", "id"))


def to_come(noun: str, values: Mapping[str, Any]) -> bool:
    """Whether an activity with these values is still to come; of a whole day, its day is not over."""
    moment, day = WHEN[noun]
    on = values[day] if day else None
    if on is not None:
        return bool(on >= timezone.now().date())
    return bool(values[moment] and values[moment] > timezone.now())


def series_answer(
    actor: Actor, record_type: RecordType, meetings: Iterable[Any], reply: str, *, only: bool, source: str
) -> Change:
    """Write a member's reply into meetings that they are invited to, and unless it is for these ``only`` into what
    their series has in common."""
    changes: dict[UUID, tuple[dict[str, Any], dict[str, Any]]] = {}
    for row in meetings:
        values = snapshot(record_type, row)
        common = pattern(record_type, values)
        guests = answered(values["guests"], actor.member_id, reply) or values["guests"]
        if not only:
            common["guests"] = answered(common["guests"], actor.member_id, reply) or common["guests"]
        kept = {"plain": differences(common, {**values, "guests": guests})} if row.series else {}
        changes[row.pk] = {"guests": guests}, kept
    return put(actor, record_type, changes, change_set=None, source=source)
