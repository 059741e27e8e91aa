"""JSON schemas of what is no record: events, jobs in a list, types, undo, the workspace and what belongs to it."""

from typing import Any

from api.schema_parts import BOOLEAN, DATE, DECIMAL, MOMENT, NUMBER, TEXT, UUID, closed, nullable, page_of, ref

HOURS = {
    "type": "object",
    "description": "By weekday, 0 is Monday: the spans that are worked.",
    "propertyNames": {"enum": list(map(str, range(7)))},
    "additionalProperties": {
        "type": "array",
        "items": {"type": "array", "items": TEXT, "minItems": 2, "maxItems": 2},
    },
}


def feed_schemas() -> dict[str, dict[str, Any]]:
    """Events and what undoes them."""
    actor = {"kind": TEXT, "id": nullable(UUID), "member": nullable(UUID), "label": nullable(TEXT)}
    event = {
        "id": UUID,
        "position": NUMBER,
        "type": TEXT,
        "at": MOMENT,
        "record_type": TEXT,
        "record_id": UUID,
        "before": {"type": "object"},
        "after": {"type": "object"},
        "actor": closed(actor, *actor),
        "source": TEXT,
        "request_id": TEXT,
        "cause_id": nullable(UUID),
        "change_set": UUID,
    }
    page = {"data": {"type": "array", "items": ref("Event")}, "next_cursor": TEXT, "has_more": BOOLEAN}
    page["since"] = {**nullable(MOMENT), "description": "From when on the plan shows events; older ones are kept."}
    record = {"type": TEXT, "id": UUID}
    undone = {"change_set": UUID, "undo_of": UUID, "records": {"type": "array", "items": closed(record, *record)}}
    return {
        "Event": closed(event, *event),
        "EventPage": closed(page, *page),
        "Undone": closed(undone, *undone),
        "JobPage": page_of("Job"),
    }


def type_schemas() -> dict[str, dict[str, Any]]:
    """What ``/v1/types`` says of record types."""
    choice = {"value": TEXT, "label": TEXT}
    field = {
        "slug": TEXT,
        "label": TEXT,
        "kind": TEXT,
        "required": BOOLEAN,
        "editable": BOOLEAN,
        "sortable": BOOLEAN,
        "operators": {"type": "array", "items": TEXT},
        "choices": {"type": "array", "items": closed(choice, *choice)},
        "target": nullable(TEXT),
        "currency": nullable(TEXT),
        "max_length": nullable(NUMBER),
    }
    scope = {"type": "string", "enum": ["none", "own", "team", "all"]}
    record_type = {
        "slug": TEXT,
        "plural": TEXT,
        "label": TEXT,
        "label_plural": TEXT,
        "title": TEXT,
        "permissions": {"type": "object", "additionalProperties": scope},
        "fields": {"type": "array", "items": closed(field, *field)},
    }
    page = {"data": {"type": "array", "items": ref("Type")}}
    return {"Type": closed(record_type, *record_type), "TypePage": closed(page, *page)}


def plan_schema() -> dict[str, Any]:
    """What was paid for: limits, features and how much is used."""
    counts = {"type": "object", "additionalProperties": NUMBER}
    plan = {
        "name": TEXT,
        "state": TEXT,
        "until": nullable(MOMENT),
        "limits": {**counts, "description": "By name; one that is not there does not exist."},
        "usage": {
            **nullable(counts),
            "description": "By name of the limit; null unless the role behind the key looks after settings.",
        },
        "features": {
            "type": ["array", "null"],
            "items": TEXT,
            "description": "What the plan includes; null is everything.",
        },
    }
    return closed(plan, *plan)


def workspace_schemas() -> dict[str, dict[str, Any]]:
    """The workspace, the member behind the key, holidays and exchange rates."""
    own_formats = {"numbers": nullable(TEXT), "dates": nullable(TEXT), "times": nullable(TEXT)}
    formats = {**own_formats, "week_start": {"type": ["integer", "string", "null"]}}
    holiday = {"on": DATE, "name": TEXT}
    changed = {
        "name": TEXT,
        "locale": TEXT,
        "time_zone": TEXT,
        "formats": closed(formats),
        "working_hours": HOURS,
        "escalation_hours": {**NUMBER, "minimum": 1},
        "currency": TEXT,
        "currencies": {"type": "array", "items": TEXT},
    }
    holidays = {"type": "array", "items": closed(holiday, *holiday)}
    workspace = {"id": UUID, "subdomain": TEXT, **changed, "holidays": holidays, "plan": plan_schema()}
    mine = {
        "name": TEXT,
        "color": TEXT,
        "locale": nullable(TEXT),
        "time_zone": nullable(TEXT),
        "formats": closed(own_formats),
    }
    me = {"id": UUID, "email": TEXT, **mine}
    rate_value = {"currency": TEXT, "on": DATE, "rate": {"anyOf": [DECIMAL, {"type": "number"}]}}
    rates = {"rates": {"type": "array", "maxItems": 10_000, "items": closed(rate_value, *rate_value)}}
    rate = {"id": UUID, "currency": TEXT, "on": DATE, "rate": DECIMAL}
    taken = dict.fromkeys(("added", "changed", "same", "refused"), NUMBER)
    return {
        "Workspace": closed(workspace, *workspace),
        "WorkspaceChange": closed(changed),
        "Me": closed(me, *me),
        "MeChange": closed(mine),
        "Holiday": closed(holiday, *holiday),
        "HolidayNew": closed(holiday, *holiday),
        "Rate": closed(rate, *rate),
        "RatePage": page_of("Rate"),
        "RateNew": {"anyOf": [closed(rate_value, *rate_value), closed(rates, *rates)]},
        "RateSet": {"anyOf": [ref("Rate"), closed(taken, *taken)]},
        "Document": {"type": "object", "required": ["openapi", "info", "paths", "components"]},
    }
