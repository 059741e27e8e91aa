"""The write gate's last step: the rows, their links, their events and a wake-up. Only ``writing`` comes here."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import F, Model

from crm.records.fields.normalising import region_of
from crm.records.fields.parsing import as_json, is_blank
from crm.records.models import Event
from crm.records.query.search_text import derive
from crm.records.write.batch import EVENT_ENDINGS, Batch, Draft
from crm.records.write.row_values import put
from crm.records.write.settling import CHANGED, WriterStamp, forget_stamp
from crm.records.write.statements import insert_row, update_row

INSERT_SIZE = 1000


def holders_of(batch: Batch) -> set[UUID]:
    """The members whom the write makes something of: whoever creates, and whom a changed MEMBER field names now."""
    held = {
        draft.after[one.slug]
        for one in batch.record_type.members
        for draft in batch.drafts
        if draft.after[one.slug] != draft.before[one.slug]
    }
    if batch.action == "create":
        held.add(batch.actor.member_id)
    return held - {None}


def insert(batch: Batch) -> None:
    record_type, region = batch.record_type, region_of(batch.actor.tenant)
    records = []
    for draft in batch.drafts:
        record = record_type.model_class(
            created_at=draft.at,
            updated_at=WriterStamp(),
            created_by_id=batch.actor.member_id,
            is_sample=batch.source == "sample" or batch.details.get("is_sample", False),
        )
        for one in record_type.fields:
            put(one, record, draft.after[one.slug], region)
        derive(record_type, record)
        draft.record = record
        records.append(record)
    if len(records) == 1:
        insert_row(records[0])
    else:
        record_type.rows.bulk_create(records, batch_size=INSERT_SIZE)
        for record in records:
            forget_stamp(record)


def save(batch: Batch) -> None:
    """Write changed columns: one statement for equal values, else a statement a thousand rows."""
    record_type, region = batch.record_type, region_of(batch.actor.tenant)
    columns: dict[str, None] = {}
    records = []
    for draft in batch.drafts:
        record = draft.record
        if record is None:
            continue
        changed = draft.changed
        for slug in changed:
            columns.update(dict.fromkeys(put(record_type.by_slug[slug], record, draft.after[slug], region)))
        if record_type.title in changed or any(record_type.by_slug[slug].searchable for slug in changed):
            columns.update(dict.fromkeys(derive(record_type, record)))
        if batch.action in {"trash", "restore"}:
            record.deleted_at = batch.at if batch.action == "trash" else None
            columns["deleted_at"] = None
        record.updated_at = WriterStamp()
        record.version += 1
        records.append(record)
    first = records[0]
    if len(records) == 1:
        update_row(first, sorted([*columns, CHANGED, "version"]))
        return
    if all(getattr(record, name) == getattr(first, name) for record in records[1:] for name in columns):
        values = {name: getattr(first, name) for name in columns}
        rows = record_type.rows.filter(pk__in=[record.pk for record in records])
        rows.update(**values, updated_at=WriterStamp(), version=F("version") + 1)
    else:
        names = [record_type.model_class._meta.get_field(name).name for name in columns]
        record_type.rows.bulk_update(records, [*names, CHANGED, "version"], batch_size=INSERT_SIZE)
    for record in records:
        forget_stamp(record)


def save_links(batch: Batch) -> None:
    """Bring the LINKS rows to what the drafts say: at most three statements a field."""
    record_type = batch.record_type
    for one in record_type.links:
        through = apps.get_model(one.through)
        mine, theirs = f"{record_type.slug}_id", f"{one.target}_id"
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
    record_type = batch.record_type
    kind = f"{record_type.slug}.{EVENT_ENDINGS[batch.action]}"
    events = []

    def note(draft: Draft, type_: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        if draft.record is not None:
            events.append(
                Event(
                    change_set=batch.change_set,
                    type=type_,
                    record_type=record_type.slug,
                    record_id=draft.record.pk,
                    before=as_json(before),
                    after=as_json(after),
                    at=draft.at,
                )
            )

    for draft in batch.drafts:
        changed = sorted(draft.changed)
        whole = {one.slug: draft.after[one.slug] for one in record_type.fields if one.slug in draft.after}
        full = {slug: value for slug, value in whole.items() if not is_blank(record_type.by_slug[slug], value)}
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
