"""psycopg2 and orjson in a bare WSGI application: the least that a server of these rows can do."""

import json
import os
import threading
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import orjson
import psycopg2
import psycopg2.extras

psycopg2.extras.register_uuid()
SCHEMAS: dict[str, str] = json.loads(os.environ["BENCH_SCHEMAS"])
COLUMNS = [
    "id", "created_at", "updated_at", "created_by_id", "version", "deleted_at", "is_sample", "name",
    "company_id", "amount", "currency", "pipeline_id", "stage_id", "owner_id", "probability", "expected_close",
    "closed_on", "lost_reason_id", "source", "stage_entered_at",
]  # fmt: skip
NAMES = [column.removesuffix("_id") if column != "id" else column for column in COLUMNS]
CONTACTS = """to_jsonb(ARRAY(SELECT jsonb_build_object('id', link.contact_id, 'role', link.role, 'title', contact.name)
    FROM sales_dealcontact AS link JOIN people_contact AS contact ON contact.id = link.contact_id
    WHERE link.deal_id = deal.id AND contact.deleted_at IS NULL ORDER BY link.id))"""
DEALS = f"SELECT {', '.join(COLUMNS)}, {CONTACTS} FROM sales_deal AS deal WHERE deleted_at IS NULL"
local = threading.local()


def connection(size: str) -> Any:
    found = getattr(local, size, None)
    if found is None:
        found = psycopg2.connect(os.environ["BENCH_DATABASE"], options=f"-c search_path={SCHEMAS[size]},ext")
        found.autocommit = True
        setattr(local, size, found)
    return found


def rows(size: str, statement: str, values: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
    with connection(size).cursor() as cursor:
        cursor.execute(statement, values)
        return [dict(zip([*NAMES, "contacts"], row, strict=True)) for row in cursor.fetchall()]


def text(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    _root, size, what, *rest = environ["PATH_INFO"].split("/")
    body: Any = {}
    if what == "deals" and not rest:
        body = {"data": rows(size, f"{DEALS} ORDER BY created_at DESC, id DESC LIMIT 50")}
    elif what == "deals":
        body = rows(size, f"{DEALS} AND id = %s", (rest[0],))[0]
    content = orjson.dumps(body, default=text, option=orjson.OPT_UTC_Z)
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]
