"""The write gate: the only place that saves a record.

Each write checks permission, parses the values, checks what they refer to, locks, runs the type's rules, saves, and
notes the change with its events and a wake-up, all in one transaction. What a caller may have to show is raised as a
``crm.records.errors.RecordError``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

import structlog
from django.apps import apps
from django.db import connection, transaction
from django.db.models import F, Model
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.records import mentions, wakeups
from crm.records.batch import Action, Batch, Draft
from crm.records.errors import FieldError, Forbidden, Invalid, NotFound, VersionConflict
from crm.records.folding import search_form, sort_key
from crm.records.models import ChangeSet, Event, Record
from crm.records.normalising import region_of
from crm.records.noting import save_events
from crm.records.parsing import BadValue, as_json, blank, identifier, is_blank, keys, parse, same
from crm.records.statements import any_of, find_each, insert_row, lock_row, named, target_rows, update_row
from crm.records.types import MEMBER_TARGET, SYSTEM_FIELDS, Field, Kind, RecordType, nearest, registry
from crm.records.visibility import field_rights, hidden_slugs, readable_fields
from crm.workspace.roles import HIDDEN, READ
from tenants.actors import Actor, Scope

__all__ = ["Batch", "Change", "Draft", "create", "create_many", "restore", "trash", "update", "update_many"]

log = structlog.get_logger(__name__)

INSERT_SIZE = 1000
SEARCH_LIMIT = 20_000
MOST_VALUES = 500
MOST_MERGED = 500
DATED_SOURCES = {"sample", "import"}
PERMISSIONS: Mapping[Action, str] = {"create": "create", "update": "edit", "trash": "delete", "restore": "delete"}
EVENT_ENDINGS: Mapping[Action, str] = {
    "create": "created",
    "update": "updated",
    "trash": "trashed",
    "restore": "restored",
}
SEARCHED = {Kind.TEXT, Kind.LONG_TEXT, Kind.URL, Kind.CHOICE}

type Ids = UUID | str | Record | Iterable[UUID | str | Record]
type Dated = datetime | Sequence[datetime] | None


@dataclass
class Change:
    """What a write did. ``events`` is empty, and ``change_set`` not saved, when nothing was different."""

    change_set: ChangeSet
    records: list[Any]
    events: list[Event] = field(default_factory=list)

    @property
    def record(self) -> Any:
        """The one record of a write of one."""
        return self.records[0]

    @property
    def id(self) -> UUID:
        return self.records[0].pk  # type: ignore[no-any-return]


def create(
    actor: Actor,
    rt: RecordType,
    values: Mapping[str, Any],
    *,
    change_set: ChangeSet | None = None,
    source: str = "ui",
    at: datetime | None = None,
) -> Change:
    """Make one record of ``values`` (field slug → raw or native)."""
    return create_many(actor, rt, [values], change_set=change_set, source=source, at=at)


def create_many(
    actor: Actor,
    rt: RecordType,
    rows: Sequence[Mapping[str, Any]],
    *,
    change_set: ChangeSet | None = None,
    source: str = "ui",
    at: Dated = None,
    details: Mapping[str, Any] | None = None,
) -> Change:
    """Make a record of each row, or none. ``at`` dates them, all or each, when the source is an import or a sample.

    ``details`` are for the type's rules.
    """
    with transaction.atomic():
        scope = require(actor, rt, "create")
        batch = batch_new(actor, rt, "create", source, change_set, at)
        batch.details.update(details or {})
        whens = dates(batch, len(rows), at)
        nothing = {one.slug: blank(one) for one in rt.fields}
        bad: list[set[str]] = []
        for index, row in enumerate(rows):
            draft = Draft(batch=batch, index=index, record=None, before=nothing, after=dict(nothing), at=whens[index])
            bad.append(take(draft, row, whole=True))
            batch.drafts.append(draft)
        if scope is not Scope.ALL:
            keep_within(batch, scope)
        check_references(batch, bad)
        run_rules(batch, bad)
        return commit(batch)


def update(
    actor: Actor,
    rt: RecordType,
    ids: Ids,
    values: Mapping[str, Any],
    *,
    if_version: int | None = None,
    seen_version: int | None = None,
    change_set: ChangeSet | None = None,
    source: str = "ui",
    at: datetime | None = None,
) -> Change:
    """Give all of ``ids`` the same ``values``, or none of them.

    With ``if_version`` nobody may have written since; with ``seen_version``, what the caller looked at, nobody the same
    fields, and what he leaves as he saw it stays as others made it. Raises VersionConflict.
    """
    wanted = id_list(ids)
    return update_many(
        actor,
        rt,
        dict.fromkeys(wanted, values),
        if_versions=None if if_version is None else dict.fromkeys(wanted, if_version),
        seen_versions=None if seen_version is None else dict.fromkeys(wanted, seen_version),
        change_set=change_set,
        source=source,
        at=at,
    )


def update_many(
    actor: Actor,
    rt: RecordType,
    rows: Mapping[UUID, Mapping[str, Any]],
    *,
    if_versions: Mapping[UUID, int] | None = None,
    seen_versions: Mapping[UUID, int] | None = None,
    change_set: ChangeSet | None = None,
    source: str = "ui",
    at: Dated = None,
    restoring: bool = False,
) -> Change:
    """Give each record its own values, all or nothing. ``at`` dates the changes as in ``create_many``.

    ``restoring`` is for undo: fields that nobody may edit are taken too, and the values win over what rules would set.
    """
    with transaction.atomic():
        batch = batch_new(actor, rt, "update", source, change_set, at)
        lock(batch, list(rows), if_versions, dates(batch, len(rows), at))
        bad = [take(draft, rows[draft.record.pk], restoring=restoring) for draft in batch.drafts if draft.record]
        if not restoring:
            keep_unseen(batch)
        for draft in batch.drafts:
            if seen_versions and draft.record:
                merge(draft, seen_versions[draft.record.pk])
        check_references(batch, bad)
        run_rules(batch, bad, restoring=restoring)
        return commit(batch)


def trash(
    actor: Actor,
    rt: RecordType,
    ids: Ids,
    *,
    if_version: int | None = None,
    change_set: ChangeSet | None = None,
    source: str = "ui",
) -> Change:
    """Move records to the trash; what points to them stays. Those that lie there already are left alone."""
    return throw(actor, rt, "trash", ids, if_version, change_set, source)


def restore(
    actor: Actor,
    rt: RecordType,
    ids: Ids,
    *,
    if_version: int | None = None,
    change_set: ChangeSet | None = None,
    source: str = "ui",
) -> Change:
    """Take records out of the trash."""
    return throw(actor, rt, "restore", ids, if_version, change_set, source)


def throw(
    actor: Actor,
    rt: RecordType,
    action: Action,
    ids: Ids,
    if_version: int | None,
    change_set: ChangeSet | None,
    source: str,
) -> Change:
    wanted = id_list(ids)
    with transaction.atomic():
        batch = batch_new(actor, rt, action, source, change_set, None)
        lock(batch, wanted, None if if_version is None else dict.fromkeys(wanted, if_version))
        records = [draft.record for draft in batch.drafts]
        batch.drafts = [
            draft for draft in batch.drafts if draft.record and (draft.record.deleted_at is None) == (action == "trash")
        ]
        run_rules(batch, [set() for _draft in batch.drafts])
        change = commit(batch)
        change.records = records
        return change


def id_list(ids: Ids) -> list[UUID]:
    given = [ids] if isinstance(ids, (UUID, str, Model)) else list(ids)
    try:
        return list(dict.fromkeys(identifier(one) for one in given))
    except BadValue:
        raise NotFound from None


def batch_new(
    actor: Actor, rt: RecordType, action: Action, source: str, change_set: ChangeSet | None, at: Dated
) -> Batch:
    moment = timezone.now()
    if at is not None and source in DATED_SOURCES:
        moment = at if isinstance(at, datetime) else min(at, default=moment)
    return Batch(
        actor=actor,
        rt=rt,
        action=action,
        source=source,
        at=moment,
        drafts=[],
        change_set=change_set or change_set_new(actor, source, moment),
    )


def dates(batch: Batch, count: int, at: Dated) -> Sequence[datetime]:
    if at is None or isinstance(at, datetime) or batch.source not in DATED_SOURCES:
        return [batch.at] * count
    return at


def change_set_new(
    actor: Actor,
    source: str,
    at: datetime | None = None,
    *,
    undo_of: ChangeSet | None = None,
    cause_id: UUID | None = None,
) -> ChangeSet:
    """A ChangeSet that is saved with the first write in it; hand it to several writes to make them one change."""
    change_set = ChangeSet(
        at=at or timezone.now(),
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        member_id=actor.member_id,
        actor_label=(actor.label or actor.email)[:200],
        source=source,
        request_id=actor.request_id[:64],
        cause_id=cause_id,
        undo_of=undo_of,
    )
    change_set.pk = None
    return change_set


def change_set_save(change_set: ChangeSet) -> None:
    if change_set._state.adding:
        change_set.save(force_insert=True)


def require(actor: Actor, rt: RecordType, action: Action) -> Scope:
    """How far the actor reaches with ``action``; Forbidden, or NotFound if he may not even see the noun."""
    scope = actor.scope(rt.slug, PERMISSIONS[action])
    if scope is Scope.NONE:
        raise Forbidden if actor.can(rt.slug, "view") else NotFound
    if actor.tenant.state == "read_only":
        raise Forbidden(_("This workspace is read-only at the moment."))
    return scope


def lock(
    batch: Batch, ids: Sequence[UUID], if_versions: Mapping[UUID, int] | None, whens: Sequence[datetime] = ()
) -> None:
    """Lock the rows, in the order of their ids, and make a draft of each; all are there and may be changed."""
    actor, rt = batch.actor, batch.rt
    scope = require(actor, rt, batch.action)
    found = locked(actor, rt, ids, live=batch.action == "update")
    if any(wanted not in found for wanted in ids):
        raise NotFound
    own = rt.field(rt.own_field).column
    if not all(actor.reaches(scope, getattr(row, own)) for row in found.values()):
        raise Forbidden
    for wanted in ids:
        expected = if_versions.get(wanted) if if_versions else None
        if expected is not None and found[wanted].version != expected:
            raise VersionConflict(wanted, expected, found[wanted].version)
    links = Links(rt, list(found))
    for index, wanted in enumerate(ids):
        record = found[wanted]
        batch.drafts.append(
            Draft(
                batch=batch,
                index=index,
                record=record,
                before=Values(snapshot(rt, record), links, wanted),
                after=Values(snapshot(rt, record), links, wanted),
                at=whens[index] if whens else batch.at,
            )
        )
    batch.links = links


def locked(actor: Actor, rt: RecordType, ids: Sequence[UUID], *, live: bool) -> dict[UUID, Any]:
    if len(ids) == 1 and rt.shows_all_to(actor):
        row = lock_row(rt, ids[0], live=live)
        return {} if row is None else {row.pk: row}
    rows = rt.visible_to(actor, rt.rows.filter(pk__in=ids))
    if live:
        rows = rows.filter(deleted_at=None)
    return {row.pk: row for row in rows.select_for_update(of=("self",), no_key=True).order_by("pk")}


class Links:
    """The LINKS rows of a batch, read once, and only if somebody looks at them."""

    def __init__(self, rt: RecordType, ids: Sequence[UUID]) -> None:
        self.rt = rt
        self.ids = ids
        self.read: dict[str, dict[UUID, dict[UUID, Any]]] = {}

    def rows(self, slug: str) -> dict[UUID, dict[UUID, Any]]:
        """Record id → target id → row of the through model."""
        if slug not in self.read:
            one = self.rt.by_slug[slug]
            found: dict[UUID, dict[UUID, Any]] = {}
            if self.ids:
                mine, theirs = f"{self.rt.slug}_id", f"{one.target}_id"
                for row in apps.get_model(one.through)._default_manager.filter(**{f"{mine}__in": self.ids}):
                    found.setdefault(getattr(row, mine), {})[getattr(row, theirs)] = row
            self.read[slug] = found
        return self.read[slug]

    def native(self, slug: str, record_id: UUID) -> list[dict[str, Any]]:
        rows = self.rows(slug).get(record_id, {})
        return [{"id": target, "role": rows[target].role} for target in sorted(rows)]


class Values(dict[str, Any]):
    """Native values by field slug; LINKS are read from the database when they are first looked at."""

    def __init__(self, values: Mapping[str, Any], links: Links, record_id: UUID) -> None:
        super().__init__(values)
        self.links = links
        self.record_id = record_id

    def __missing__(self, slug: str) -> Any:
        if self.links.rt.by_slug[slug].kind is not Kind.LINKS:
            raise KeyError(slug)
        self[slug] = self.links.native(slug, self.record_id)
        return self[slug]

    def get(self, slug: str, default: Any = None) -> Any:
        return self[slug] if slug in self.links.rt.by_slug else default


def snapshot(rt: RecordType, record: Record) -> dict[str, Any]:
    """The native values of a row, LINKS left out."""
    return {one.slug: native(one, record) for one in rt.fields if one.kind is not Kind.LINKS}


def native(one: Field, record: Record) -> Any:
    if one.kind is Kind.REFERENCE:
        target = getattr(record, f"{one.slug}_id")
        return {"type": getattr(record, f"{one.slug}_type"), "id": target} if target else None
    if one.kind is Kind.REFERENCES:
        return [{**entry, "id": UUID(entry["id"])} for entry in getattr(record, one.column)]
    return getattr(record, one.column)


def put(one: Field, record: Record, value: Any, region: str | None) -> list[str]:
    """Set the columns of a field on a row, and say which they are."""
    if one.kind is Kind.LINKS:
        return []
    if one.kind is Kind.REFERENCE:
        setattr(record, f"{one.slug}_type", value["type"] if value else "")
        setattr(record, f"{one.slug}_id", value["id"] if value else None)
        return [f"{one.slug}_type", f"{one.slug}_id"]
    setattr(record, one.column, as_json(value) if one.kind is Kind.REFERENCES else value)
    if one.keys_column:
        setattr(record, one.keys_column, keys(one, value, region))
        return [one.column, one.keys_column]
    return [one.column]


def take(draft: Draft, row: Mapping[str, Any], *, whole: bool = False, restoring: bool = False) -> set[str]:
    """Parse the given values into ``after``; returns the slugs that could not be taken, their errors noted."""
    actor, rt = draft.batch.actor, draft.batch.rt
    rights = {} if restoring else field_rights(actor, rt)
    if not isinstance(row, Mapping):
        draft.errors.append(FieldError("", "invalid", _("This must be an object of fields."), draft.index))
        return set()
    if len(row) > MOST_VALUES:
        problem = _("At most %(most)d fields can be given.") % {"most": MOST_VALUES}
        draft.errors.append(FieldError("", "too_many", problem, draft.index))
        return set()
    bad: set[str] = set()
    for slug, raw in row.items():
        one = rt.by_slug.get(slug)
        if one is None or (not one.editable and not restoring) or rights.get(slug):
            draft.errors.append(FieldError(str(slug), *unwritable(actor, rt, str(slug)), draft.index))
            bad.add(str(slug))
            continue
        try:
            draft.after[slug] = parse(one, raw, actor)
        except BadValue as problem:
            draft.errors.append(FieldError(slug, problem.code, problem.message, draft.index))
            bad.add(slug)
    if whole:
        for one in rt.fields:
            if one.slug not in row and one.default is not None:
                draft.after[one.slug] = one.default_for(actor)
    draft.given = frozenset(row) - bad
    return bad


def unwritable(actor: Actor, rt: RecordType, slug: str) -> tuple[str, str]:
    """Why a field cannot be set. One that the role hides is answered as one that there is not."""
    right = field_rights(actor, rt).get(slug, "")
    if right == READ and rt.by_slug[slug].editable:
        return "not_allowed", _("Your role lets you look at “%(field)s” but not change it.") % {
            "field": rt.by_slug[slug].label
        }
    if right != HIDDEN and (rt.has_field(slug) or slug == "id"):
        return "read_only", _("This is kept by the system and cannot be set.")
    likely = nearest(slug, [*(one.slug for one in readable_fields(actor, rt)), *SYSTEM_FIELDS])
    if likely:
        return "unknown_field", _("There is no field “%(slug)s”. Did you mean “%(nearest)s”?") % {
            "slug": slug[:100],
            "nearest": likely,
        }
    return "unknown_field", _("There is no field “%(slug)s”.") % {"slug": slug[:100]}


def keep_within(batch: Batch, scope: Scope) -> None:
    """Who may only create his own, or his team's, becomes the owner, and cannot name another than these."""
    slug, actor = batch.rt.own_field, batch.actor
    if actor.member_id is None:
        raise Forbidden
    if slug not in batch.rt.by_slug:
        return
    for draft in batch.drafts:
        if slug not in draft.given:
            draft.after[slug] = actor.member_id
        elif not actor.reaches(scope, draft.after[slug]):
            own = _("Your role lets you add only what is your own.")
            theirs = _("Your role lets you add only what is yours or your team's.")
            draft.error(slug, "not_allowed", own if scope is Scope.OWN else theirs)


def keep_unseen(batch: Batch) -> None:
    """A new list of links leaves those that the actor was not shown, out of sight or in the trash, as they are."""
    for one in batch.rt.links:
        given = [draft for draft in batch.drafts if one.slug in draft.given]
        gone = {
            draft.index: {link["id"] for link in draft.before[one.slug]}
            - {link["id"] for link in draft.after[one.slug]}
            for draft in given
        }
        every = {target for ids in gone.values() for target in ids}
        if not every:
            continue
        seen = found_targets(batch.actor, {one.target: every})
        for draft in given:
            unseen = {target for target in gone[draft.index] if (one.target, target) not in seen}
            kept = [link for link in draft.before[one.slug] if link["id"] in unseen]
            draft.after[one.slug] = sorted([*draft.after[one.slug], *kept], key=itemgetter("id"))


def merge(draft: Draft, seen_version: int) -> None:
    """Take only what the caller changed of what he saw; raise VersionConflict where somebody else changed the same."""
    record, rt = draft.record, draft.batch.rt
    if record is None or record.version == seen_version:
        return
    since, by = changes_since(rt, record, seen_version)
    theirs: list[str] = []
    both: list[str] = []
    for group in written_together(rt, draft.given):
        if since is not None and not since.keys() & set(group):
            continue
        now = {slug: as_json(draft.before[slug]) for slug in group}
        mine = {slug: as_json(draft.after[slug]) for slug in group}
        seen = {**now, **{slug: since[slug] for slug in group if slug in since}} if since is not None else None

        def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
            return all(same(rt.by_slug[slug], one[slug], other[slug]) for slug in one)

        if alike(mine, now) or (seen is not None and alike(seen, now)):
            continue
        (theirs if seen is not None and alike(mine, seen) else both).extend(group)
    if both:
        raise VersionConflict(record.pk, seen_version, record.version, fields=both, kept=theirs, by=by)
    for slug in theirs:
        draft.after[slug] = draft.before[slug]
    draft.given -= frozenset(theirs)


def changes_since(rt: RecordType, record: Record, version: int) -> tuple[dict[str, Any] | None, str]:
    """What each field that was written since was at that version, as JSON, and who wrote last.

    Each write has one of the usual events. None when there are too many, or no such version.
    """
    count = record.version - version
    if version < 1 or not 0 < count <= MOST_MERGED:
        return None, ""
    written = Event.objects.filter(
        record_type=rt.slug, record_id=record.pk, type__in=[f"{rt.slug}.{one}" for one in EVENT_ENDINGS.values()]
    )
    events = list(written.order_by("-id").values_list("before", "change_set__actor_label")[:count])
    if len(events) < count:
        return None, ""
    found: dict[str, Any] = {}
    for before, _by in events:
        found.update(before)
    return found, events[0][1]


def written_together(rt: RecordType, slugs: Iterable[str]) -> list[list[str]]:
    """The fields, those together that are one value to a person: an amount and its currency, a time and its day."""
    left = dict.fromkeys(slugs)
    groups = []
    for one in rt.fields:
        group = [slug for slug in (one.slug, one.companion) if slug in left]
        if one.slug in left and len(group) > 1:
            groups.append(group)
            for slug in group:
                del left[slug]
    return [*groups, *([slug] for slug in left)]


def check_references(batch: Batch, bad: Sequence[set[str]]) -> None:
    """What given values refer to is there, not in the trash, and visible to the actor: one query for all."""
    wanted: dict[str, dict[UUID, list[tuple[Draft, str, set[str]]]]] = {}

    def want(target: str, record_id: UUID, place: tuple[Draft, str, set[str]]) -> None:
        wanted.setdefault(target, {}).setdefault(record_id, []).append(place)

    referring = [one for one in batch.rt.fields if one.target or one.kind in {Kind.REFERENCE, Kind.REFERENCES}]
    for draft, bad_slugs in zip(batch.drafts, bad, strict=True):
        for one in referring:
            if one.slug not in draft.given or draft.after[one.slug] == draft.before[one.slug]:
                continue
            value, place = draft.after[one.slug], (draft, one.slug, bad_slugs)
            if one.kind is Kind.LINKS:
                known = {(one.target, link["id"]) for link in draft.before[one.slug]}
                for link in value:
                    if (one.target, link["id"]) not in known:
                        want(one.target, link["id"], place)
            elif one.kind is Kind.REFERENCES:
                known = {(entry["type"], entry["id"]) for entry in draft.before[one.slug]}
                for entry in value:
                    if (entry["type"], entry["id"]) not in known:
                        want(entry["type"], entry["id"], place)
            elif value and one.kind is Kind.REFERENCE:
                want(value["type"], value["id"], place)
            elif value and (one.kind is not Kind.MEMBER or value != batch.actor.member_id):
                want(one.target, value, place)
    if not wanted:
        return
    found = found_targets(batch.actor, wanted)
    for target, ids in wanted.items():
        for record_id, places in ids.items():
            if (target, record_id) in found:
                continue
            for draft, slug, bad_slugs in places:
                draft.error(slug, "not_found", _("What this refers to does not exist, or you may not see it."))
                draft.after[slug] = draft.before[slug]
                bad_slugs.add(slug)


def found_targets(actor: Actor, wanted: Mapping[str, Iterable[UUID]]) -> set[tuple[str, UUID]]:
    """Which records, by target and id, are there for the actor: one query."""
    types = {target: registry.get(target) for target in wanted if target != MEMBER_TARGET}
    pairs = sorted((target, record_id) for target, ids in wanted.items() for record_id in ids)
    if len(pairs) == len(wanted) and all(rt.shows_all_to(actor) for rt in types.values()):
        return find_each(pairs)
    queries = []
    for target, ids in wanted.items():
        rows = target_rows(target).filter(pk__in=ids)
        if target in types:
            rows = types[target].visible_to(actor, rows)
        queries.append(named(rows.order_by(), target))
    return set(any_of(queries))


def run_rules(batch: Batch, bad: Sequence[set[str]], *, restoring: bool = False) -> None:
    """Run the type's rules, then what holds for every type; raise all that is wrong with all rows at once.

    Rules see a value that could not be taken as the one before, so that all errors can be told together.
    """
    if not batch.drafts:
        return
    restored = [{slug: draft.after[slug] for slug in draft.given} for draft in batch.drafts] if restoring else []
    for rule in batch.rt.rules:
        rule(batch)
    for draft, values in zip(batch.drafts, restored, strict=False):
        draft.after.update(values)
    if batch.action in {"create", "update"}:
        check_required(batch)
        check_unique(batch)
    errors = []
    hidden = hidden_slugs(batch.actor, batch.rt) - set().union(*bad)
    for draft, bad_slugs in zip(batch.drafts, bad, strict=True):
        seen: set[str] = set()
        for error in draft.errors:
            if error.field in bad_slugs and error.field in seen:
                continue
            seen.add(error.field)
            errors.append(error if error.field not in hidden else unseen(error))
    if errors:
        raise Invalid(errors)


def unseen(error: FieldError) -> FieldError:
    """What a rule says of a field that the role hides, without naming it."""
    problem = _("Something that your role does not show does not fit. Ask somebody who sees the whole record.")
    return FieldError("", error.code, problem, error.index)


def check_required(batch: Batch) -> None:
    for one in batch.rt.fields:
        if not one.required:
            continue
        for draft in batch.drafts:
            due = batch.action == "create" or one.slug in draft.given or one.slug in draft.changed
            if due and is_blank(one, draft.after[one.slug]):
                draft.error(one.slug, "required", _("This is needed."))


def check_unique(batch: Batch) -> None:
    """No other record outside the trash has the value, nor another row of the same write."""
    for one in batch.rt.fields:
        if not one.unique:
            continue
        changed = [
            draft for draft in batch.drafts if one.slug in draft.changed and not is_blank(one, draft.after[one.slug])
        ]
        if not changed:
            continue
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || %s, 0))",
                [f":unique:{batch.rt.slug}.{one.slug}"],
            )
        column = one.keys_column or one.column
        region = region_of(batch.actor.tenant)
        values = {
            draft.index: keys(one, draft.after[one.slug], region) if one.keys_column else [draft.after[one.slug]]
            for draft in changed
        }
        sought = list({value for group in values.values() for value in group})
        condition = {f"{column}__overlap": sought} if one.keys_column else {f"{column}__in": sought}
        own = [draft.record.pk for draft in changed if draft.record]
        rows = batch.rt.rows.filter(deleted_at=None, **condition).exclude(pk__in=own)
        taken = set()
        for held in rows.values_list(column, flat=True):
            taken |= set(held) if one.keys_column else {held}
        for draft in changed:
            if taken & set(values[draft.index]):
                draft.error(one.slug, "taken", _("Another record has this already."))
            taken |= set(values[draft.index])


def commit(batch: Batch) -> Change:
    """Save what changed, with its events and a wake-up."""
    change = Change(batch.change_set, [draft.record for draft in batch.drafts])
    moving = batch.action != "update"
    batch.drafts = [draft for draft in batch.drafts if moving or draft.changed]
    if not batch.drafts:
        return change
    new_change = batch.change_set._state.adding
    try:
        if batch.action == "create":
            insert(batch)
            change.records = [draft.record for draft in batch.drafts]
        else:
            save(batch)
        save_links(batch)
        for hook in batch.rt.after_write:
            hook(batch)
        change.events = events_of(batch)
        save_events(batch.change_set, change.events, holders_of(batch))
        wakeups.wake_now(batch.actor.tenant)
    except BaseException:
        if new_change:
            batch.change_set.pk, batch.change_set._state.adding = None, True
        raise
    log.debug("record.written", type=batch.rt.slug, action=batch.action, rows=len(batch.drafts))
    return change


def holders_of(batch: Batch) -> set[UUID]:
    """The members whom the write makes something of: whoever creates, and whom a changed MEMBER field names now."""
    held = {
        draft.after[one.slug]
        for one in batch.rt.members
        for draft in batch.drafts
        if draft.after[one.slug] != draft.before[one.slug]
    }
    if batch.action == "create":
        held.add(batch.actor.member_id)
    return held - {None}


def derive(rt: RecordType, record: Record) -> list[str]:
    """Set what searches and sorting look at."""
    parts: list[str] = []
    for one in rt.fields:
        if not one.searchable:
            continue
        value = getattr(record, one.column)
        if one.kind in SEARCHED:
            parts.append(mentions.plain(str(value or "")))
        elif one.kind is Kind.ADDRESS:
            parts.extend(value.values())
        elif one.keys_column:
            parts.extend(item["value"] for item in value)
            parts.extend(getattr(record, one.keys_column))
    record.search_text = search_form(parts)[:SEARCH_LIMIT]
    record.sort_name = sort_key(mentions.plain(str(getattr(record, rt.title) or ""))[:400])
    return ["search_text", "sort_name"]


def insert(batch: Batch) -> None:
    rt, region = batch.rt, region_of(batch.actor.tenant)
    records = []
    for draft in batch.drafts:
        record = rt.model_class(
            created_at=draft.at,
            updated_at=draft.at,
            created_by_id=batch.actor.member_id,
            is_sample=batch.source == "sample",
        )
        for one in rt.fields:
            put(one, record, draft.after[one.slug], region)
        derive(rt, record)
        draft.record = record
        records.append(record)
    if len(records) == 1:
        insert_row(records[0])
    else:
        rt.rows.bulk_create(records, batch_size=INSERT_SIZE)


def save(batch: Batch) -> None:
    """Write changed columns: one statement for equal values, else a statement a thousand rows."""
    rt, region = batch.rt, region_of(batch.actor.tenant)
    columns: dict[str, None] = {}
    records = []
    for draft in batch.drafts:
        record = draft.record
        if record is None:
            continue
        changed = draft.changed
        for slug in changed:
            columns.update(dict.fromkeys(put(rt.by_slug[slug], record, draft.after[slug], region)))
        if rt.title in changed or any(rt.by_slug[slug].searchable for slug in changed):
            columns.update(dict.fromkeys(derive(rt, record)))
        if batch.action in {"trash", "restore"}:
            record.deleted_at = batch.at if batch.action == "trash" else None
            columns["deleted_at"] = None
        record.updated_at = draft.at
        record.version += 1
        records.append(record)
    first = records[0]
    if len(records) == 1:
        update_row(first, sorted([*columns, "updated_at", "version"]))
        return
    if all(
        getattr(record, name) == getattr(first, name) for record in records[1:] for name in [*columns, "updated_at"]
    ):
        values = {name: getattr(first, name) for name in columns}
        rows = rt.rows.filter(pk__in=[record.pk for record in records])
        rows.update(**values, updated_at=first.updated_at, version=F("version") + 1)
        return
    names = [rt.model_class._meta.get_field(name).name for name in columns]
    rt.rows.bulk_update(records, [*names, "updated_at", "version"], batch_size=INSERT_SIZE)


def save_links(batch: Batch) -> None:
    """Bring the LINKS rows to what the drafts say: at most three statements a field."""
    rt = batch.rt
    for one in rt.links:
        through = apps.get_model(one.through)
        mine, theirs = f"{rt.slug}_id", f"{one.target}_id"
        gone: list[Any] = []
        new: list[Model] = []
        renamed: list[Model] = []
        for draft in batch.drafts:
            if draft.record is None or one.slug not in draft.changed:
                continue
            there = batch.links.rows(one.slug).get(draft.record.pk, {}) if batch.links else {}
            wanted = {link["id"]: link["role"] for link in draft.after[one.slug]}
            gone += [row.pk for target, row in there.items() if target not in wanted]
            for target, role in wanted.items():
                if target not in there:
                    new.append(through(**{mine: draft.record.pk, theirs: target, "role": role}))
                elif there[target].role != role:
                    there[target].role = role
                    renamed.append(there[target])
        if gone:
            through._default_manager.filter(pk__in=gone).delete()
        if renamed:
            through._default_manager.bulk_update(renamed, ["role"], batch_size=INSERT_SIZE)
        if new:
            through._default_manager.bulk_create(new, batch_size=INSERT_SIZE)


def events_of(batch: Batch) -> list[Event]:
    rt = batch.rt
    kind = f"{rt.slug}.{EVENT_ENDINGS[batch.action]}"
    events = []

    def note(draft: Draft, type_: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        if draft.record is not None:
            events.append(
                Event(
                    change_set=batch.change_set,
                    type=type_,
                    record_type=rt.slug,
                    record_id=draft.record.pk,
                    before=as_json(before),
                    after=as_json(after),
                    at=draft.at,
                )
            )

    for draft in batch.drafts:
        changed = sorted(draft.changed)
        whole = {one.slug: draft.after[one.slug] for one in rt.fields if one.slug in draft.after}
        full = {slug: value for slug, value in whole.items() if not is_blank(rt.by_slug[slug], value)}
        before = {slug: draft.before[slug] for slug in changed}
        after = {slug: draft.after[slug] for slug in changed}
        match batch.action:
            case "create":
                note(draft, kind, {}, after)
            case "update":
                note(draft, kind, before, after)
            case "trash":
                note(draft, kind, {**full, **before}, {})
            case "restore":
                note(draft, kind, {}, full)
        for extra in draft.events:
            note(draft, extra.type, extra.before, extra.after)
    return events
