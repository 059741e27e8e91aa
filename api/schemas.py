"""JSON schemas of record types and of what all routes share."""

from typing import Any

from crm.records.types import Field, Kind, RecordType

TEXT = {"type": "string"}
UUID = {"type": "string", "format": "uuid"}
MOMENT = {"type": "string", "format": "date-time"}
DECIMAL = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "examples": ["1200.00"]}
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
    Kind.ADDRESS: {
        "type": "object",
        "properties": dict.fromkeys(("street", "city", "region", "postcode", "country"), TEXT),
    },
    Kind.LINKS: {
        "type": "array",
        "items": {"type": "object", "properties": {"id": UUID, "role": TEXT, "title": TEXT}, "required": ["id"]},
    },
    Kind.REFERENCE: {
        "type": "object",
        "properties": {"type": TEXT, "id": UUID, "title": TEXT},
        "required": ["type", "id"],
    },
}


def component_name(rt: RecordType) -> str:
    return rt.slug.title().replace("_", "")


def field_schema(field: Field, *, nullable: bool) -> dict[str, Any]:
    schema: dict[str, Any] = dict(SIMPLE.get(field.kind, TEXT))
    if field.kind is Kind.CHOICE:
        schema = {"type": "string", "enum": [choice.value for choice in field.choices]}
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


def record_schemas(rt: RecordType) -> dict[str, dict[str, Any]]:
    """Components of one type: the record, a new one, a change to one, and a page of them."""
    name = component_name(rt)
    shown = [field for field in rt.fields if not field.hidden]
    writable = {field.slug: field_schema(field, nullable=not field.required) for field in shown if field.editable}
    system = {
        "id": UUID,
        "version": {"type": "integer", "minimum": 1},
        "created_at": MOMENT,
        "updated_at": MOMENT,
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
            "required": [field.slug for field in shown if field.required and field.editable and field.default is None],
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
    one_error = {
        "type": "object",
        "properties": {
            "param": {"type": ["string", "null"]},
            "code": TEXT,
            "message": TEXT,
            "index": {"type": ["integer", "null"]},
        },
    }
    error = {
        "type": "object",
        "properties": {
            "type": TEXT,
            "code": TEXT,
            "message": TEXT,
            "param": {"type": ["string", "null"]},
            "request_id": TEXT,
            "doc_url": TEXT,
            "errors": {"type": "array", "items": one_error},
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
        },
        "additionalProperties": False,
    }
    return {
        "Error": {"type": "object", "properties": {"error": error}, "required": ["error"]},
        "Condition": condition,
        "Query": query,
    }
