"""What the records of a series have in common, and what is otherwise in one of them."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from crm.activities.rules import undoes
from crm.records.fields.parsing import as_json
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.write.batch import Batch

CARRIED = (
    "name", "minutes", "reminder", "description", "about", "also", "assignee", "priority", "direction", "phone",
    "place", "guests",
)  # fmt: skip
"""What the times of a series have in common, but for exceptions."""
HANDED_OVER = "hand_over"


def pattern(record_type: RecordType, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the series of a record has in common, in native values."""
    own = json.loads(values["plain"]) if values["plain"] else {}
    return {
        slug: native(record_type.by_slug[slug].kind, own[slug]) if slug in own else values[slug]
        for slug in CARRIED
        if slug in record_type.by_slug
    }


def native(kind: Kind, raw: Any) -> Any:
    match kind:
        case Kind.MEMBER:
            return UUID(raw) if raw else None
        case Kind.REFERENCE:
            return {**raw, "id": UUID(raw["id"])} if raw else None
        case Kind.REFERENCES:
            return [{**one, "id": UUID(one["id"])} for one in raw]
    return raw


def differences(common: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """What ``plain`` holds of a record with these values."""
    own = {slug: as_json(value) for slug, value in common.items() if values[slug] != value}
    return json.dumps(own, sort_keys=True) if own else ""


def exceptions_are_noted(batch: Batch) -> None:
    """What is changed in one record of a series is its own; who takes over somebody's work takes over the series."""
    if batch.action != "update" or undoes(batch) or "series" in batch.details:
        return
    for draft in batch.drafts:
        if not draft.before["series"] or draft.before["series"] != draft.after["series"]:
            continue
        if not draft.changed & set(CARRIED):
            continue
        common = pattern(batch.record_type, draft.before)
        if batch.source == HANDED_OVER:
            common["assignee"] = draft.after["assignee"]
        draft.set("plain", differences(common, draft.after))
