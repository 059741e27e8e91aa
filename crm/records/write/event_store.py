"""Notes a change and its events in one statement, so that knowing what happened costs one round trip."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from crm.records.errors import HolderGone
from crm.records.models import ChangeSet, Event
from crm.records.write.statements import mark_saved
from tenants.db.stamped import check_stamps

BATCH_SIZE = 1000
MAX_MS = (1 << 48) - 1
SAVE = """
    WITH held AS (
        SELECT id FROM workspace_member WHERE id = ANY(%s::uuid[]) AND state = 'active' ORDER BY id FOR KEY SHARE
    ), made AS (
        INSERT INTO records_changeset
            (at, actor_kind, actor_id, member_id, actor_label, source, request_id, cause_id, undo_of_id)
        SELECT %s, %s, %s::uuid, %s::uuid, %s, %s, %s, %s::uuid, %s::uuid
        WHERE %s::uuid IS NULL
        RETURNING id
    ), change AS (
        SELECT id FROM made UNION ALL SELECT %s::uuid WHERE %s::uuid IS NOT NULL
    )
    INSERT INTO records_event (change_set_id, type, record_type, record_id, before, after, at)
    SELECT change.id, told.type, told.record_type, told.record_id, told.before, told.after, told.at
    FROM change, unnest(%s::text[], %s::text[], %s::uuid[], %s::jsonb[], %s::jsonb[], %s::timestamptz[])
        WITH ORDINALITY AS told (type, record_type, record_id, before, after, at, number)
    WHERE (SELECT count(*) FROM held) = %s
    ORDER BY told.number
    RETURNING id, change_set_id
"""


def save_events(change_set: ChangeSet, events: Sequence[Event], holders: Collection[UUID] = ()) -> None:
    """Insert events in their order, and before them their change if it is not saved yet.

    ``holders`` are the members whom the change makes something of: they are active, and whoever deactivates one waits
    until this is committed, so that what becomes theirs now is not overlooked there. Raises HolderGone.
    """
    check_stamps([change_set])
    holding = sorted(str(one) for one in set(holders))
    for start in range(0, len(events), BATCH_SIZE):
        part = events[start : start + BATCH_SIZE]
        new = change_set._state.adding
        key = None if new else change_set.pk
        with connection.cursor() as cursor:
            cursor.execute(
                SAVE,
                [
                    holding,
                    *columns(change_set),
                    key,
                    key,
                    key,
                    [event.type for event in part],
                    [event.record_type for event in part],
                    [str(event.record_id) for event in part],
                    [as_text(event.before) for event in part],
                    [as_text(event.after) for event in part],
                    [event.at for event in part],
                    len(holding),
                ],
            )
            ids: list[tuple[UUID, UUID]] = cursor.fetchall()
        if not ids:
            raise HolderGone
        if new:
            change_set.pk = ids[0][1]
            mark_saved(change_set)
        for event, (event_id, change_set_id) in zip(part, ids, strict=True):
            event.pk = event_id
            event.change_set_id = change_set_id
            mark_saved(event)


def id_from(moment: datetime) -> UUID:
    """The lowest id that Postgres can have given at a moment: ids begin with the milliseconds since 1970."""
    ms = min(max(int(moment.timestamp() * 1000), 0), MAX_MS)
    return UUID(int=ms << 80)


def as_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def columns(change_set: ChangeSet) -> tuple[Any, ...]:
    return (
        change_set.at,
        change_set.actor_kind,
        change_set.actor_id,
        change_set.member_id,
        change_set.actor_label,
        change_set.source,
        change_set.request_id,
        change_set.cause_id,
        change_set.undo_of_id,
    )
