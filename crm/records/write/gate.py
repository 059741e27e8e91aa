"""The write gate: the only way to save a record.

Each write checks permission, parses the values, checks what they refer to, locks, runs the type's rules, saves, and
notes the change with its events and a wake-up, all in one transaction. What a caller may have to show is raised as a
``crm.records.errors.RecordError``. The steps stand beside it: ``row_values`` reads a row, ``given_values`` takes what
was given, ``concurrent_edits`` judges what others wrote meanwhile, ``validation`` checks, ``saving`` writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from crm.records import wakeups
from crm.records.access.visibility import require_scope
from crm.records.errors import Forbidden, NotFound, VersionConflict
from crm.records.fields.parsing import BadValue, blank, identifier
from crm.records.models import ChangeSet, Record
from crm.records.schema.record_type import RecordType
from crm.records.write.batch import Action, Batch, Draft
from crm.records.write.change import Change
from crm.records.write.concurrent_edits import merge
from crm.records.write.event_store import save_events
from crm.records.write.given_values import apply_input, enforce_owner_scope, preserve_hidden
from crm.records.write.row_values import Links, Values, snapshot
from crm.records.write.rules import rules_of
from crm.records.write.saving import events_of, holders_of, insert, save, save_links
from crm.records.write.statements import lock_row
from crm.records.write.validation import check_references, run_rules
from tenants.actors import Actor, ActorKind, Scope
from tenants.db.locks import advisory_lock
from tenants.workspaces.entitlements import require_writable

__all__ = ["Batch", "Change", "Draft", "create", "create_many", "restore", "trash", "update", "update_many"]

log = structlog.get_logger(__name__)

DATED_SOURCES = {"sample", "import"}
UNNAMED_SOURCES = {ActorKind.API_KEY: "api", ActorKind.SYSTEM: "system"}
PERMISSIONS: Mapping[Action, str] = {"create": "create", "update": "edit", "trash": "delete", "restore": "delete"}

type Ids = UUID | str | Record | Iterable[UUID | str | Record]
type Dated = datetime | Sequence[datetime] | None


def create(
    actor: Actor,
    record_type: RecordType,
    values: Mapping[str, Any],
    *,
    change_set: ChangeSet | None = None,
    source: str = "ui",
    at: datetime | None = None,
) -> Change:
    """Make one record of ``values`` (field slug → raw or native)."""
    return create_many(actor, record_type, [values], change_set=change_set, source=source, at=at)


def create_many(
    actor: Actor,
    record_type: RecordType,
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
        scope = require(actor, record_type, "create")
        acquire_writer_lock(record_type)
        batch = batch_new(actor, record_type, "create", source, change_set, at)
        batch.details.update(details or {})
        whens = dates(batch, len(rows), at)
        nothing = {one.slug: blank(one) for one in record_type.fields}
        bad: list[set[str]] = []
        for index, row in enumerate(rows):
            draft = Draft(batch=batch, index=index, record=None, before=nothing, after=dict(nothing), at=whens[index])
            bad.append(apply_input(draft, row, whole=True))
            batch.drafts.append(draft)
        if scope is not Scope.ALL:
            enforce_owner_scope(batch, scope)
        check_references(batch, bad)
        run_rules(batch, bad)
        return commit(batch)


def update(
    actor: Actor,
    record_type: RecordType,
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
    fields, and what they leave as they saw it stays as others made it. Raises VersionConflict.
    """
    wanted = id_list(ids)
    return update_many(
        actor,
        record_type,
        dict.fromkeys(wanted, values),
        if_versions=None if if_version is None else dict.fromkeys(wanted, if_version),
        seen_versions=None if seen_version is None else dict.fromkeys(wanted, seen_version),
        change_set=change_set,
        source=source,
        at=at,
    )


def update_many(
    actor: Actor,
    record_type: RecordType,
    rows: Mapping[UUID, Mapping[str, Any]],
    *,
    if_versions: Mapping[UUID, int] | None = None,
    seen_versions: Mapping[UUID, int] | None = None,
    change_set: ChangeSet | None = None,
    source: str = "ui",
    at: Dated = None,
    restoring: bool = False,
    details: Mapping[str, Any] | None = None,
) -> Change:
    """Give each record its own values, all or nothing. ``at`` and ``details`` are as in ``create_many``.

    ``restoring`` is for undo: fields that nobody may edit are taken too, and the values win over what rules would set.
    """
    with transaction.atomic():
        batch = batch_new(actor, record_type, "update", source, change_set, at)
        batch.details.update(details or {})
        batch.restoring = restoring
        lock(batch, list(rows), if_versions, dates(batch, len(rows), at))
        bad = [apply_input(draft, rows[draft.record.pk], restoring=restoring) for draft in batch.drafts if draft.record]
        if not restoring:
            preserve_hidden(batch)
        for draft in batch.drafts:
            if seen_versions and draft.record:
                merge(draft, seen_versions[draft.record.pk])
        check_references(batch, bad)
        run_rules(batch, bad, restoring=restoring)
        return commit(batch)


def trash(
    actor: Actor,
    record_type: RecordType,
    ids: Ids,
    *,
    if_version: int | None = None,
    change_set: ChangeSet | None = None,
    source: str = "ui",
) -> Change:
    """Move records to the trash; what points to them stays. Those that lie there already are left alone."""
    return set_trashed(actor, record_type, "trash", ids, if_version, change_set, source)


def restore(
    actor: Actor,
    record_type: RecordType,
    ids: Ids,
    *,
    if_version: int | None = None,
    change_set: ChangeSet | None = None,
    source: str = "ui",
) -> Change:
    """Take records out of the trash."""
    return set_trashed(actor, record_type, "restore", ids, if_version, change_set, source)


def set_trashed(
    actor: Actor,
    record_type: RecordType,
    action: Action,
    ids: Ids,
    if_version: int | None,
    change_set: ChangeSet | None,
    source: str,
) -> Change:
    wanted = id_list(ids)
    with transaction.atomic():
        batch = batch_new(actor, record_type, action, source, change_set, None)
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
    actor: Actor, record_type: RecordType, action: Action, source: str, change_set: ChangeSet | None, at: Dated
) -> Batch:
    moment = timezone.now()
    if at is not None and source in DATED_SOURCES:
        moment = at if isinstance(at, datetime) else min(at, default=moment)
    return Batch(
        actor=actor,
        record_type=record_type,
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
    """A ChangeSet that is saved with the first write in it; hand it to several writes to make them one change.

    Where a service names no other ``source`` than the default, "ui", whoever has no screen is not said to have used it.
    """
    change_set = ChangeSet(
        at=at or timezone.now(),
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        member_id=actor.member_id,
        actor_label=(actor.label or actor.email)[:200],
        source=source if source != "ui" else UNNAMED_SOURCES.get(actor.kind, source),
        request_id=actor.request_id[:64],
        cause_id=cause_id,
        undo_of=undo_of,
    )
    change_set.pk = None
    return change_set


def change_set_save(change_set: ChangeSet) -> None:
    if change_set._state.adding:
        change_set.save(force_insert=True)


def require(actor: Actor, record_type: RecordType, action: Action) -> Scope:
    """How far the actor reaches with ``action``. Raises Forbidden, NotFound if they may not even see the noun, and
    MissingScope."""
    scope = actor.scope(record_type.slug, PERMISSIONS[action])
    if scope is Scope.NONE:
        require_scope(actor, record_type.slug, PERMISSIONS[action])
        raise Forbidden if actor.can(record_type.slug, "view") else NotFound
    require_writable(actor.tenant)
    return scope


def lock(
    batch: Batch, ids: Sequence[UUID], if_versions: Mapping[UUID, int] | None, whens: Sequence[datetime] = ()
) -> None:
    """Lock the rows, in the order of their ids, and make a draft of each; all are there and may be changed."""
    actor, record_type = batch.actor, batch.record_type
    scope = require(actor, record_type, batch.action)
    require_scope(actor, record_type.slug)
    acquire_writer_lock(record_type)
    found = locked(actor, record_type, ids, live=batch.action == "update")
    if any(wanted not in found for wanted in ids):
        raise NotFound
    own = record_type.field(record_type.own_field).column
    if not all(actor.reaches(scope, getattr(row, own)) for row in found.values()):
        raise Forbidden
    for wanted in ids:
        expected = if_versions.get(wanted) if if_versions else None
        if expected is not None and found[wanted].version != expected:
            raise VersionConflict(wanted, expected, found[wanted].version)
    links = Links(record_type, list(found))
    for index, wanted in enumerate(ids):
        record = found[wanted]
        batch.drafts.append(
            Draft(
                batch=batch,
                index=index,
                record=record,
                before=Values(snapshot(record_type, record), links, wanted),
                after=Values(snapshot(record_type, record), links, wanted),
                at=whens[index] if whens else batch.at,
            )
        )
    batch.links = links


def acquire_writer_lock(record_type: RecordType) -> None:
    """Of a noun with one writer, wait until no other transaction writes it. Comes before any lock of its rows."""
    if record_type.serialize_writes:
        advisory_lock(f"writer:{record_type.slug}")


def locked(actor: Actor, record_type: RecordType, ids: Sequence[UUID], *, live: bool) -> dict[UUID, Any]:
    if len(ids) == 1 and record_type.shows_all_to(actor):
        row = lock_row(record_type, ids[0], live=live)
        return {} if row is None else {row.pk: row}
    rows = record_type.visible_to(actor, record_type.rows.filter(pk__in=ids))
    if live:
        rows = rows.filter(deleted_at=None)
    return {row.pk: row for row in rows.select_for_update(of=("self",), no_key=True).order_by("pk")}


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
        for hook in rules_of(batch.record_type).after:
            hook(batch)
        change.events = events_of(batch)
        save_events(batch.change_set, change.events, holders_of(batch))
        wakeups.wake_now(batch.actor.tenant)
    except BaseException:
        if new_change:
            batch.change_set.pk, batch.change_set._state.adding = None, True
        raise
    log.debug("record.written", type=batch.record_type.slug, action=batch.action, rows=len(batch.drafts))
    return change
