"""JSON schemas of record types and of what all routes share."""

from copy import deepcopy
from typing import Any

from api.answer_schemas import feed_schemas, type_schemas, workspace_schemas
from api.schema_parts import DECIMAL, MOMENT, TEXT, UUID, closed, nullable
from crm.records.access.visibility import readable_fields, writable_fields
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from tenants.actors import Actor

LABELLED = {
    "type": "array",
    "items": {"type": "object", "properties": {"value": TEXT, "label": TEXT}, "required": ["value"]},
}
SIMPLE: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: TEXT,
    Kind.LONG_TEXT: TEXT,
    Kind.URL: {"type": "string", "format": "uri"},
    Kind.EMAILS: LABELLED,
    Kind.PHONES: LABELLED,
    Kind.INTEGER: {"type": "integer"},
    Kind.DECIMAL: DECIMAL,
    Kind.MONEY: DECIMAL,
    Kind.PERCENT: DECIMAL,
    Kind.CURRENCY: {"type": "string", "pattern": "^([A-Z]{3})?$", "examples": ["EUR"]},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.DATETIME: MOMENT,
    Kind.RELATION: UUID,
    Kind.MEMBER: UUID,
    Kind.JSON_LIST: {"type": "array", "items": TEXT},
    Kind.CONDITION: {"type": "object", "additionalProperties": True},
    Kind.ADDRESS: {
        "type": "object",
        "properties": dict.fromkeys(("street", "city", "region", "postcode", "country"), TEXT),
    },
    Kind.LINKS: {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"id": UUID, "role": TEXT, "title": TEXT},
            "required": ["id"],
            "additionalProperties": True,
        },
    },
    Kind.REFERENCE: {
        "type": "object",
        "properties": {"type": TEXT, "id": UUID, "title": nullable(TEXT)},
        "required": ["type", "id"],
        "additionalProperties": True,
    },
    Kind.REFERENCES: {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"type": TEXT, "id": UUID, "title": nullable(TEXT)},
            "required": ["type", "id"],
            "additionalProperties": True,
        },
    },
}


def component_name(record_type: RecordType) -> str:
    return record_type.slug.title().replace("_", "")


def field_schema(field: Field, *, nullable: bool) -> dict[str, Any]:
    schema: dict[str, Any] = dict(SIMPLE.get(field.kind, TEXT))
    if field.kind is Kind.CHOICE:
        schema = {"type": "string", "enum": [choice.value for choice in field.choices]}
    if field.kind is Kind.REFERENCES:
        schema = deepcopy(schema)
        properties = schema["items"]["properties"]
        if field.targets:
            properties["type"] = {"type": "string", "enum": list(field.targets)}
        if field.mark:
            properties[field.mark] = {"type": "string", "enum": [choice.value for choice in field.choices]}
    if field.max_length and schema.get("type") == "string":
        schema["maxLength"] = field.max_length
    schema["title"] = str(field.label)
    if field.help_text:
        schema["description"] = str(field.help_text)
    if nullable and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], "", None]
    return schema


def record_schemas(actor: Actor, record_type: RecordType) -> dict[str, dict[str, Any]]:
    """Components of one type: the record, a new one, a change to one, and a page of them."""
    name = component_name(record_type)
    shown = readable_fields(actor, record_type)
    writable = {
        field.slug: field_schema(field, nullable=not field.required) for field in writable_fields(actor, record_type)
    }
    system = {
        "id": UUID,
        "version": {"type": "integer", "minimum": 1},
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "created_by": {"anyOf": [nullable(UUID), {"type": "object"}]},
        "deleted_at": {"type": ["string", "null"], "format": "date-time"},
        "is_sample": {"type": "boolean"},
    }
    expandable = {
        field.slug: {"anyOf": [field_schema(field, nullable=True), {"type": "object"}]}
        for field in shown
        if field.kind in {Kind.RELATION, Kind.MEMBER}
    }
    properties = {field.slug: field_schema(field, nullable=True) for field in shown} | expandable | system
    return {
        name: {"type": "object", "properties": properties, "required": ["id"]},
        f"{name}New": {
            "type": "object",
            "properties": writable,
            "required": [
                field.slug for field in shown if field.slug in writable and field.required and field.default is None
            ],
            "additionalProperties": False,
        },
        f"{name}Change": {"type": "object", "properties": writable, "additionalProperties": False},
        f"{name}Page": {
            "type": "object",
            "properties": {
                "data": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}},
                "next_cursor": {"type": ["string", "null"]},
                "count": {"type": "integer"},
            },
            "required": ["data", "next_cursor"],
        },
    }


def shared_schemas() -> dict[str, dict[str, Any]]:
    one_error = {"param": nullable(TEXT), "code": TEXT, "message": TEXT, "index": nullable({"type": "integer"})}
    conflict = dict.fromkeys(("record_type", "title", "field", "code", "message"), TEXT) | {"record_id": nullable(UUID)}
    error = {
        "type": "object",
        "properties": {
            "type": TEXT,
            "code": TEXT,
            "message": TEXT,
            "param": {"type": ["string", "null"]},
            "request_id": TEXT,
            "doc_url": TEXT,
            "errors": {
                "type": "array",
                "description": "Fields that are wrong; or what stands against an undo.",
                "items": {"anyOf": [closed(one_error, *one_error), closed(conflict, *conflict)]},
            },
        },
        "required": ["type", "code", "message", "request_id"],
    }
    condition = {
        "type": "object",
        "description": "all, any or not over conditions; or a condition: field, op, value.",
        "properties": {
            "all": {"type": "array", "items": {"$ref": "#/components/schemas/Condition"}},
            "any": {"type": "array", "items": {"$ref": "#/components/schemas/Condition"}},
            "not": {"$ref": "#/components/schemas/Condition"},
            "field": TEXT,
            "op": TEXT,
            "value": {},
        },
        "additionalProperties": False,
    }
    query = {
        "type": "object",
        "properties": {
            "filter": {"$ref": "#/components/schemas/Condition"},
            "sort": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
            "limit": {"type": "integer", "minimum": 1, "maximum": 500},
            "cursor": TEXT,
            "search": TEXT,
            "fields": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
            "expand": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
            "include": TEXT,
            "deleted": {"type": "string", "enum": ["exclude", "include", "only"]},
            "view": TEXT,
        },
        "additionalProperties": False,
    }
    return {
        "Error": {"type": "object", "properties": {"error": error}, "required": ["error"]},
        "Condition": condition,
        "Query": query,
        **work_schemas(),
        **pipeline_schemas(),
        **people_schemas(),
        **feed_schemas(),
        **type_schemas(),
        **workspace_schemas(),
    }


def pipeline_schemas() -> dict[str, dict[str, Any]]:
    """What pipelines and stages are asked and answer with beside what every noun does."""
    nullable_id = {"type": ["string", "null"], "format": "uuid"}
    amounts = {"type": "object", "additionalProperties": DECIMAL}
    total = {
        "type": ["object", "null"],
        "properties": {
            "amount": DECIMAL,
            "currency": TEXT,
            "rates_on": {"type": ["string", "null"], "format": "date"},
            "missing": {"type": "array", "items": TEXT},
            "missing_count": {"type": "integer"},
        },
    }
    deal = {
        "id": UUID,
        "name": TEXT,
        "amount": {**DECIMAL, "type": ["string", "null"]},
        "currency": {"type": ["string", "null"]},
        "owner": nullable_id,
        "next_activity_at": {"type": ["string", "null"], "format": "date-time"},
        "next_activity": {"type": "string", "enum": ["none", "undated", "planned", "late"]},
        "days_in_stage": {"type": "integer"},
        "stale": {"type": "boolean"},
    }
    stage = {
        "stage": UUID,
        "count": {"type": "integer"},
        "sums": amounts,
        "weighted": amounts,
        "total": total,
        "weighted_total": total,
        "deals": {"type": "array", "items": {"type": "object", "properties": deal, "required": list(deal)}},
    }
    stages = {"type": "array", "items": {"type": "object", "properties": stage, "required": list(stage)}}
    moves = {"type": "object", "additionalProperties": UUID}
    return {
        "Board": {"type": "object", "properties": {"pipeline": UUID, "stages": stages}, "required": ["stages"]},
        "PipelineCopy": {
            "type": "object",
            "properties": {"name": TEXT},
            "required": ["name"],
            "additionalProperties": False,
        },
        "PipelineArchive": {"type": "object", "properties": {"moves": moves}, "additionalProperties": False},
        "StageRemoval": {"type": "object", "properties": {"move_to": nullable_id}, "additionalProperties": False},
    }


def people_schemas() -> dict[str, dict[str, Any]]:
    """Members, teams, invitations and roles."""
    optional_id = {"type": ["string", "null"], "format": "uuid"}
    scopes = {"type": "object", "additionalProperties": {"type": "string", "enum": ["none", "own", "team", "all"]}}
    rights = {"type": "object", "additionalProperties": {"type": "string", "enum": ["hidden", "read"]}}
    member = {
        "id": UUID,
        "name": TEXT,
        "email": TEXT,
        "role": TEXT,
        "state": {"type": "string", "enum": ["active", "deactivated"]},
        "manager": optional_id,
        "team": optional_id,
        "time_zone": TEXT,
        "locale": TEXT,
        "created_at": MOMENT,
    }
    team = {"id": UUID, "name": TEXT, "parent": optional_id, "head": optional_id, "created_at": MOMENT}
    invitation = {
        "id": UUID,
        "email": TEXT,
        "role": TEXT,
        "team": optional_id,
        "manager": optional_id,
        "invited_by": optional_id,
        "expires_at": MOMENT,
        "expired": {"type": "boolean"},
        "created_at": MOMENT,
    }
    role = {
        "id": UUID,
        "slug": TEXT,
        "name": TEXT,
        "description": TEXT,
        "is_fixed": {"type": "boolean"},
        "permissions": {"type": "object", "additionalProperties": scopes},
        "fields": {"type": "object", "additionalProperties": rights},
    }
    counts = {"type": "object", "additionalProperties": {"type": "integer"}}
    handed_over = {**member, "change_set": UUID, "handed_over": counts, "job": optional_id}
    team_values = {"name": TEXT, "parent": optional_id, "head": optional_id}
    takers = {"type": "object", "additionalProperties": optional_id}
    hand_over = {
        "to": optional_id,
        "takers": takers,
        "closed": {"type": "array", "items": TEXT},
        "manager": optional_id,
        "heads": takers,
    }

    found = {
        "MemberChange": closed({"role": TEXT, "team": optional_id, "manager": optional_id}),
        "TeamNew": closed(team_values, "name"),
        "TeamChange": closed(team_values),
        "InvitationNew": closed({"email": TEXT, "role": TEXT, "team": optional_id, "manager": optional_id}, "email"),
        "HandOver": closed(handed_over, *handed_over),
        "HandOverNew": closed(hand_over),
    }
    for name, properties in (("Member", member), ("Team", team), ("Invitation", invitation), ("Role", role)):
        rows = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
        page = {"data": rows, "next_cursor": {"type": ["string", "null"]}}
        found |= {name: closed(properties, *properties), f"{name}Page": closed(page, *page)}
    return found


def work_schemas() -> dict[str, dict[str, Any]]:
    """Work in the background, saved views, answers to meetings, and why a record is seen."""
    condition = {"$ref": "#/components/schemas/Condition"}
    optional_id = {"type": ["string", "null"], "format": "uuid"}
    number = {"type": "integer", "minimum": 0}
    problem = {"id": optional_id, "noun": TEXT, "field": TEXT, "code": TEXT, "message": TEXT}
    job = {
        "id": UUID,
        "kind": TEXT,
        "title": TEXT,
        "noun": TEXT,
        "state": {"type": "string", "enum": ["queued", "running", "done", "cancelled", "failed"]},
        "total": number,
        "done": number,
        "changed": number,
        "skipped": number,
        "problems": {"type": "array", "items": {"type": "object", "properties": problem}},
        "error": TEXT,
        "file": {"type": ["string", "null"]},
        "change_set": optional_id,
        "undo_of": optional_id,
        "created_at": MOMENT,
        "finished_at": {"type": ["string", "null"], "format": "date-time"},
    }
    bulk = {
        "action": {"type": "string", "enum": ["edit", "trash", "restore"], "default": "edit"},
        "ids": {"type": "array", "items": UUID},
        "filter": condition,
        "view": TEXT,
        "search": TEXT,
        "values": {"type": "object"},
        "on_error": {"type": "string", "enum": ["skip", "stop"], "default": "skip"},
    }
    export = {
        "filter": condition,
        "view": TEXT,
        "search": TEXT,
        "sort": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
        "fields": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
    }
    column = {"type": "object", "properties": {"field": TEXT}, "required": ["field"]}
    change = {
        "name": TEXT,
        "layout": {"type": "string", "enum": ["list", "board"]},
        "sharing": {"type": "string", "enum": ["private", "team", "everyone"]},
        "filter": {"type": "object"},
        "sort": {"type": "array", "items": TEXT},
        "columns": {"type": "array", "items": column},
        "grouping": TEXT,
        "footers": {"type": "object", "additionalProperties": TEXT},
        "card_fields": {"type": "array", "items": TEXT},
        "quick": {"type": "array", "items": TEXT},
    }
    view = {"id": UUID, "noun": TEXT, "owner": UUID, **change, "created_at": MOMENT, "updated_at": MOMENT}
    page = {"data": {"type": "array", "items": {"$ref": "#/components/schemas/View"}}, "next_cursor": {"type": "null"}}
    reply = {
        "reply": {"type": "string", "enum": ["accepted", "tentative", "declined"]},
        "following": {"type": "boolean", "default": False},
    }
    yes = {"type": "boolean"}
    may = {"edit": yes, "delete": yes}
    other = {"why": TEXT, "names": TEXT}
    why = {
        "member": optional_id,
        "name": TEXT,
        "sees": yes,
        "why": TEXT,
        "may": {"type": "object", "properties": may, "required": list(may)},
        "hidden_fields": number,
        "others": {"type": "array", "items": {"type": "object", "properties": other, "required": list(other)}},
    }
    return {
        "Why": {"type": "object", "properties": why, "required": list(why)},
        "MeetingReply": {"type": "object", "properties": reply, "required": ["reply"], "additionalProperties": False},
        "Job": {"type": "object", "properties": job, "required": list(job)},
        "BulkChange": {"type": "object", "properties": bulk, "additionalProperties": False},
        "ExportNew": {"type": "object", "properties": export, "additionalProperties": False},
        "View": {"type": "object", "properties": view, "required": list(view)},
        "ViewChange": {"type": "object", "properties": change, "additionalProperties": False},
        "ViewPage": {"type": "object", "properties": page, "required": list(page)},
    }
