"""What the stand-in knows: objects in Stripe's shape, in one sqlite file, changed by one writer at a time.

All work happens within ``with store.transaction():``, which takes the one lock, lets everything happen that the clock
has made due, and on leaving commits, or undoes all when an exception passes through. ``get`` and ``find`` give
copies; ``put`` keeps an object by its ``id``; ``emit`` notes an event of it. Keys that begin with an underscore are
ours: ``_due`` is when the object wants to be looked at (see clock). Who delivers webhooks waits with
``wait_for_events`` and reads on with ``events_after``.
"""

import json
import secrets
import sqlite3
import string
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate

import stripe

from embedded.stripe.errors import missing
from embedded.stripe.shape import shaped

type Body = dict[str, Any]

ALPHABET = string.ascii_letters + string.digits
TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, object TEXT NOT NULL, created INTEGER NOT NULL,
    customer TEXT, subscription TEXT, due_at INTEGER, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_of_kind ON objects (object, seq);
CREATE INDEX IF NOT EXISTS objects_of_customer ON objects (customer, object) WHERE customer IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_of_subscription ON objects (subscription, object) WHERE subscription IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_due ON objects (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL);
"""
NOUNS = {
    "checkout.session": "checkout session",
    "billing_portal.configuration": "configuration",
    "line_item": "line item",
}


@dataclass(frozen=True)
class Cause:
    """The request that the events of a change name; both empty where the clock or a page made it."""

    request: str | None = None
    key: str | None = None


class Store:
    """``happen(store, id)`` is called for each object whose moment has come; it takes the moment away or sets the
    next.
    """

    def __init__(self, folder: Path, happen: Callable[["Store", str], None], origin: str = "http://127.0.0.1") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.happen = happen
        self.origin = origin
        self.lock = threading.RLock()
        self.connection = sqlite3.connect(folder / "stripe.sqlite", check_same_thread=False, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.executescript(TABLES)
        self.frozen: int | None = None
        self.cause = Cause()
        self._depth = 0
        self._told = threading.Condition()
        self._news = False

    @contextmanager
    def transaction(self, cause: Cause | None = None) -> Iterator[None]:
        """All or nothing of what is done within, also in another one; an exception that ``keeps`` undoes nothing."""
        with self.lock:
            outer = not self._depth
            self.connection.execute("BEGIN IMMEDIATE" if outer else "SAVEPOINT inner_one")
            self._depth += 1
            try:
                if outer:
                    self._begin(cause or Cause())
                yield
            except BaseException as error:
                if not getattr(error, "keeps", False):
                    self.connection.execute("ROLLBACK" if outer else "ROLLBACK TO inner_one")
                raise
            finally:
                self._depth -= 1
                if self.connection.in_transaction:
                    self.connection.execute("COMMIT" if outer else "RELEASE inner_one")
                if outer:
                    self._end()

    def _begin(self, cause: Cause) -> None:
        moment = self.now()
        self.catch_up(moment)
        self.cause, self.frozen = cause, moment

    def _end(self) -> None:
        self.cause, self.frozen = Cause(), None
        if self._news:
            self._news = False
            self.wake()

    def catch_up(self, until: int) -> None:
        """Let happen all that is due by then, in the order of its moments, with the clock stopped at each."""
        while row := self.connection.execute(
            "SELECT id, due_at FROM objects WHERE due_at <= ? ORDER BY due_at, seq LIMIT 1", (until,)
        ).fetchone():
            identity, self.frozen = row
            self.happen(self, identity)

    def now(self) -> int:
        """Its own time in seconds: the machine's and what it was moved by; it stands within a transaction."""
        with self.lock:
            return self.frozen if self.frozen is not None else int(time.time()) + int(self.note("moved") or 0)

    def note(self, name: str) -> str | None:
        found = self.connection.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None

    def note_put(self, name: str, value: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO notes (name, value) VALUES (?, ?)", (name, value))

    def new_id(self, prefix: str, length: int = 24) -> str:
        return f"{prefix}_{''.join(secrets.choice(ALPHABET) for _ in range(length))}"

    def put(self, body: Body) -> Body:
        row = (
            body["object"],
            body.get("created", self.now()),
            body.get("customer"),
            body.get("_subscription"),
            body.get("_due"),
            json.dumps(body),
            body["id"],
        )
        changed = self.connection.execute(
            "UPDATE objects SET object = ?, created = ?, customer = ?, subscription = ?, due_at = ?, body = ?"
            " WHERE id = ?",
            row,
        )
        if not changed.rowcount:
            self.connection.execute(
                "INSERT INTO objects (object, created, customer, subscription, due_at, body, id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        return body

    def remove(self, identity: str) -> None:
        self.connection.execute("DELETE FROM objects WHERE id = ?", (identity,))

    def peek(self, identity: str) -> Body | None:
        found = self.connection.execute("SELECT body FROM objects WHERE id = ?", (identity,)).fetchone()
        return json.loads(found[0]) if found else None

    def get(self, kind: str, identity: str, param: str | None = None) -> Body:
        """The object of that kind; raises Refused: 404, or 400 where ``param`` says which parameter named it."""
        found = self.peek(identity)
        if found is None or found["object"] != kind:
            noun = NOUNS.get(kind, kind)
            raise missing(noun, identity, param, status=400) if param else missing(noun, identity)
        return found

    def find(self, kind: str, **equal: Any) -> list[Body]:
        """All objects of that kind whose fields equal, the oldest first."""
        where, values = self._where(kind, equal)
        rows = self.connection.execute(f"SELECT body FROM objects WHERE {where} ORDER BY seq", values)  # noqa: S608
        return [json.loads(body) for (body,) in rows]

    def page(self, kind: str, params: Body, url: str, **equal: Any) -> Body:
        """Stripe's list object: the newest first, by cursor, ``equal`` and ``created`` narrowing it."""
        where, values = self._where(kind, {name: value for name, value in equal.items() if value is not None})
        created = params.get("created")
        bounds = {"gte": created, "lte": created} if isinstance(created, int) else created or {}
        for name, sign in (("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<=")):
            if name in bounds:
                where += f" AND created {sign} ?"
                values.append(bounds[name])
        backward = "ending_before" in params
        for name, sign in (("starting_after", "<"), ("ending_before", ">")):
            if name in params:
                where += f" AND seq {sign} (SELECT seq FROM objects WHERE id = ?)"  # noqa: S608
                values.append(self.get(kind, params[name] or "", name)["id"])
        most = min(max(params.get("limit", 10), 1), 100)
        order = "ASC" if backward else "DESC"
        rows = self.connection.execute(
            f"SELECT body FROM objects WHERE {where} ORDER BY seq {order} LIMIT ?",  # noqa: S608
            [*values, most + 1],
        ).fetchall()
        data = [json.loads(body) for (body,) in rows[:most]]
        return {"object": "list", "data": data[::-1] if backward else data, "has_more": len(rows) > most, "url": url}

    def _where(self, kind: str, equal: Body) -> tuple[str, list[Any]]:
        where = "object = ?"
        values: list[Any] = [kind]
        for name, value in equal.items():
            if name in {"customer", "subscription"}:
                where += f" AND {name} = ?"
            elif name == "_live":
                where += " AND coalesce(json_extract(body, '$.status') IN ('canceled', 'incomplete_expired'), 0) = ?"
                values.append(int(not value))
                continue
            elif name == "_since":
                where += " AND created >= ?"
            elif name == "_types":
                if not value:
                    continue
                where += f" AND ({' OR '.join('json_extract(body, ?) GLOB ?' for _ in value)})"
                values.extend(part for one in value for part in ("$.type", one))
                continue
            else:
                where += " AND json_extract(body, ?) IS ?"
                values.append(f"$.{name}")
            values.append(int(value) if isinstance(value, bool) else value)
        return where, values

    def emit(self, kind: str, body: Body, previous: Body | None = None) -> None:
        """Note the event ``kind`` with ``body`` as it is now, and for an update what changed fields were before."""
        self._news = True
        data: Body = {"object": shaped(body)}
        if previous is not None:
            data["previous_attributes"] = previous
        event = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": stripe.api_version,
            "created": self.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": len(self.find("webhook_endpoint", status="enabled")),
            "request": {"id": self.cause.request, "idempotency_key": self.cause.key},
            "type": kind,
        }
        self.put(event)

    def update(self, body: Body, event: str | None, **fields: Any) -> Body:
        """Set ``fields`` on ``body``, keep it, and note ``event`` if that changed anything that people can see."""
        before = self.peek(body["id"]) or {}
        body.update(fields)
        self.put(body)
        old, new = shaped(before), shaped(body)
        previous = {name: old.get(name) for name in new if old.get(name) != new[name] and name != "items"}
        if old.get("items") != new.get("items"):
            previous["items"] = old.get("items")
        if event and previous:
            self.emit(event, body, previous)
        return body

    def events_after(self, seq: int, most: int = 100) -> list[tuple[int, Body]]:
        """Committed events in their order, each with its place, from after ``seq`` on."""
        with self.lock:
            rows = self.connection.execute(
                "SELECT seq, body FROM objects WHERE object = 'event' AND seq > ? ORDER BY seq LIMIT ?", (seq, most)
            )
            return [(place, json.loads(body)) for place, body in rows]

    def wait_for_events(self, seconds: float) -> None:
        """Return when events were committed, at the latest after ``seconds``."""
        with self._told:
            self._told.wait(seconds)

    def wake(self) -> None:
        """Let whoever waits for events look again."""
        with self._told:
            self._told.notify_all()

    def close(self) -> None:
        with self.lock:
            self.connection.close()


def whole[**P, R](act: Callable[Concatenate[Store, P], R]) -> Callable[Concatenate[Store, P], R]:
    """``act`` in a transaction of its own: what it began is undone where it raises, whatever its caller then does."""

    @wraps(act)
    def acting(store: Store, /, *args: P.args, **named: P.kwargs) -> R:
        with store.transaction():
            return act(store, *args, **named)

    return acting
