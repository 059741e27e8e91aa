"""Two people who edit one record: each keeps what only they changed; what both changed is a conflict."""

from collections.abc import Iterable, Mapping
from typing import Any

from crm.records.errors import VersionConflict
from crm.records.fields.parsing import as_json, same
from crm.records.models import Event, Record
from crm.records.schema.record_type import RecordType
from crm.records.write.batch import EVENT_ENDINGS, Draft

MAX_MERGED = 500


def merge(draft: Draft, seen_version: int) -> None:
    """Take what the caller changed of what they saw; raise VersionConflict where somebody else changed the same."""
    record, record_type = draft.record, draft.batch.record_type
    if record is None or record.version == seen_version:
        return
    since, by = changes_since(record_type, record, seen_version)
    theirs: list[str] = []
    both: list[str] = []
    for group in written_together(record_type, draft.given):
        if since is not None and not since.keys() & set(group):
            continue
        now = {slug: as_json(draft.before[slug]) for slug in group}
        mine = {slug: as_json(draft.after[slug]) for slug in group}
        seen = {**now, **{slug: since[slug] for slug in group if slug in since}} if since is not None else None

        def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
            return all(same(record_type.by_slug[slug], one[slug], other[slug]) for slug in one)

        if alike(mine, now) or (seen is not None and alike(seen, now)):
            continue
        (theirs if seen is not None and alike(mine, seen) else both).extend(group)
    if both:
        raise VersionConflict(record.pk, seen_version, record.version, fields=both, kept=theirs, by=by)
    for slug in theirs:
        draft.after[slug] = draft.before[slug]
    draft.given -= frozenset(theirs)


def changes_since(record_type: RecordType, record: Record, version: int) -> tuple[dict[str, Any] | None, str]:
    """What each field that was written since was at that version, as JSON, and who wrote last.

    Each write has one of the usual events. None when there are too many, or no such version.
    """
    count = record.version - version
    if version < 1 or not 0 < count <= MAX_MERGED:
        return None, ""
    written = Event.objects.filter(
        record_type=record_type.slug,
        record_id=record.pk,
        type__in=[f"{record_type.slug}.{one}" for one in EVENT_ENDINGS.values()],
    )
    events = list(written.order_by("-id").values_list("before", "change_set__actor_label")[:count])
    if len(events) < count:
        return None, ""
    found: dict[str, Any] = {}
    for before, _by in events:
        found.update(before)
    return found, events[0][1]


def written_together(record_type: RecordType, slugs: Iterable[str]) -> list[list[str]]:
    """The fields, those together that are one value to a person: an amount and its currency, a time and its day."""
    left = dict.fromkeys(slugs)
    groups = []
    for one in record_type.fields:
        group = [slug for slug in (one.slug, one.companion) if slug in left]
        if one.slug in left and len(group) > 1:
            groups.append(group)
            for slug in group:
                del left[slug]
    return [*groups, *([slug] for slug in left)]
