"""Webhooks out: each event is sent, signed, to every enabled endpoint that asked for its type, until it is taken. Some
are on their way side by side, and so in no order, as Stripe's are.

Only endpoints on this machine are reached. One that does not answer 2xx within ``ANSWER_SECONDS`` is asked again after
``RETRY_SECONDS``, by the machine's time and over restarts, then given up. For tests the way is made bad on request:

- ``hold``: nothing leaves until another mode is chosen;
- ``drop``: what happens meanwhile is never sent;
- ``duplicate``: each event is sent ``copies`` times at once;
- ``reorder``: what happens within ``REORDER_SECONDS`` is sent the latest first;
- ``late``: each event waits for ``seconds``.
"""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from stripe import WebhookSignature

from embedded.stripe.errors import NotValid
from embedded.stripe.resources.events import endpoint_create
from embedded.stripe.store import Body, Store

MODES = ("normal", "hold", "drop", "duplicate", "reorder", "late")
RETRY_SECONDS = (1, 3, 10, 30, 60, 300, 900, 3600, 3600, 3600)
ANSWER_SECONDS = 20.0
REORDER_SECONDS = 0.5
SIDE_BY_SIDE = 4
"""How many are on their way at once, so that none is certain to come before another."""
IDLE_SECONDS = 0.25
MAX_COPIES = 50
OURS = "The installation that started this stand-in"
LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
TABLE = """
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY, event TEXT NOT NULL, endpoint TEXT NOT NULL, copies INTEGER NOT NULL,
    place INTEGER NOT NULL, due_at REAL, attempts INTEGER NOT NULL DEFAULT 0, outcome TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
"""


class Delivery:
    """What brings a store's events to its webhook endpoints, in a thread of its own between ``start`` and ``stop``."""

    def __init__(self, store: Store) -> None:
        self.store = store
        with store.lock:
            store.connection.executescript(TABLE)
        self._ending = threading.Event()
        self._busy = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self.store.wake()
        self._thread.join(ANSWER_SECONDS + 5)

    def choose(self, mode: str, *, copies: int = 2, seconds: float = 0) -> None:
        """Let all that happens from now on take another way. Raises NotValid for a way that there is not."""
        if mode not in MODES:
            raise NotValid(f"mode is {mode!r}; there are {', '.join(MODES)}.", param="mode")
        if not 1 <= copies <= MAX_COPIES or not 0 <= seconds <= 86_400:
            raise NotValid(f"There are 1 to {MAX_COPIES} copies and at most 86400 seconds.", param="copies")
        with self.store.transaction():
            self._queue()
            self.store.note_put("delivery", json.dumps({"mode": mode, "copies": copies, "seconds": seconds}))

    def register(self, url: str, secret: str, *, connect: str = "") -> None:
        """Make ``url`` the one endpoint of this installation, for all events, in place of what it was before."""
        with self.store.transaction():
            for old in self.store.find("webhook_endpoint", description=OURS):
                self.store.remove(old["id"])
            made = endpoint_create(self.store, {"url": url, "enabled_events": ["*"], "description": OURS})
            self.store.put({**self.store.get("webhook_endpoint", made["id"]), "_secret": secret, "_connect": connect})

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Send and take up nothing meanwhile."""
        with self._busy:
            yield

    def resend(self, event: str) -> None:
        """Send an event once more to all that want it, as the button in Stripe's dashboard does. Raises Refused."""
        with self.store.transaction():
            self._enqueue(self.store.get("event", event), place=0, copies=1, due_at=time.time())

    def rows(self) -> list[dict[str, Any]]:
        """Every delivery, the oldest first; ``waits`` while it is to be sent."""
        with self.store.lock:
            found = self.store.connection.execute(
                "SELECT event, endpoint, attempts, outcome, due_at IS NOT NULL FROM deliveries ORDER BY id"
            ).fetchall()
        names = ("event", "endpoint", "attempts", "outcome", "waits")
        return [{**dict(zip(names, row, strict=True)), "waits": bool(row[4])} for row in found]

    def settle(self, seconds: float = 30) -> bool:
        """Wait until nothing is to be sent now, next tries and what is late aside; False where that takes longer."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self._busy, self.store.transaction():
                self._queue()
                (waiting,) = self.store.connection.execute(
                    "SELECT count(*) FROM deliveries WHERE due_at <= ? AND attempts = 0",
                    (time.time() + REORDER_SECONDS,),
                ).fetchone()
            if not waiting or self._way()["mode"] == "hold":
                return True
            time.sleep(0.02)
        return False

    def _run(self) -> None:
        while not self._ending.is_set():
            with self._busy:
                sent = self._send_due()
            if not sent:
                self.store.wait_for_events(IDLE_SECONDS)

    def _send_due(self) -> bool:
        """Send those that are due first, side by side as Stripe does; False where none is."""
        with self.store.transaction():
            self._queue()
            way = self._way()["mode"]
            if way == "hold":
                return False
            order, most = ("DESC", 1) if way == "reorder" else ("ASC", SIDE_BY_SIDE)
            rows = self.store.connection.execute(
                "SELECT id, event, endpoint, copies, attempts FROM deliveries WHERE due_at <= ?"  # noqa: S608
                f" ORDER BY attempts, place {order}, id LIMIT ?",
                (time.time(), most),
            ).fetchall()
            due = [(row[0], self.store.peek(row[1]), self.store.peek(row[2]), *row[3:]) for row in rows]
        if not due:
            return False
        with ThreadPoolExecutor(max_workers=sum(one[3] for one in due)) as pool:
            sent = [
                [pool.submit(post, endpoint, event) for _copy in range(copies)] if is_open(event, endpoint) else []
                for _identity, event, endpoint, copies, _attempts in due
            ]
        for (identity, event, _endpoint, _copies, attempts), copies in zip(due, sent, strict=True):
            outcomes = [one.result() for one in copies]
            if not outcomes:
                self._note(identity, "endpoint gone", attempts, again=False)
                continue
            taken = any(outcome.startswith("2") for outcome in outcomes)
            self._note(identity, outcomes[-1], attempts + 1, again=not taken)
            if taken:
                self._count_down(event["id"])
        return True

    def _note(self, identity: int, outcome: str, attempts: int, *, again: bool) -> None:
        due_at = time.time() + RETRY_SECONDS[attempts - 1] if again and attempts <= len(RETRY_SECONDS) else None
        with self.store.transaction():
            self.store.connection.execute(
                "UPDATE deliveries SET outcome = ?, attempts = ?, due_at = ? WHERE id = ?",
                (outcome, attempts, due_at, identity),
            )

    def _count_down(self, event: str) -> None:
        with self.store.transaction():
            body = self.store.get("event", event)
            if body["pending_webhooks"]:
                self.store.put({**body, "pending_webhooks": body["pending_webhooks"] - 1})

    def _way(self) -> dict[str, Any]:
        note = self.store.note("delivery")
        found: dict[str, Any] = json.loads(note) if note else {"mode": "normal", "copies": 1, "seconds": 0}
        return found

    def _queue(self) -> None:
        """Take up what has happened since the last time, to go the way that is chosen."""
        way = self._way()
        while found := self.store.events_after(int(self.store.note("delivered_to") or 0)):
            for place, event in found:
                wait = {"late": way["seconds"], "reorder": REORDER_SECONDS}.get(way["mode"], 0)
                self._enqueue(
                    event,
                    place=place,
                    copies=way["copies"] if way["mode"] == "duplicate" else 1,
                    due_at=None if way["mode"] == "drop" else time.time() + wait,
                )
            self.store.note_put("delivered_to", str(found[-1][0]))

    def _enqueue(self, event: Body, *, place: int, copies: int, due_at: float | None) -> None:
        for endpoint in self.store.find("webhook_endpoint", status="enabled"):
            if {"*", event["type"]} & set(endpoint["enabled_events"]) and endpoint["created"] <= event["created"]:
                self.store.connection.execute(
                    "INSERT INTO deliveries (event, endpoint, copies, place, due_at, outcome)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (event["id"], endpoint["id"], copies, place, due_at, "dropped" if due_at is None else ""),
                )


def is_open(event: Body | None, endpoint: Body | None) -> bool:
    return event is not None and endpoint is not None and endpoint["status"] == "enabled"


def post(endpoint: Body, event: Body) -> str:
    """Send an event signed, and tell the status of the answer, or in a word why there was none."""
    address = urlsplit(endpoint["url"])
    to = endpoint.get("_connect") or address.netloc
    host, port = urlsplit(f"//{to}").hostname or "", urlsplit(f"//{to}").port or 80
    if not endpoint.get("_connect") and (address.scheme != "http" or host not in LOCAL):
        return "not on this machine"
    payload = json.dumps(event, indent=2)
    signature = WebhookSignature.generate_signature_header(payload, endpoint["_secret"])
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    headers = {
        "Host": address.netloc,
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature,
        "User-Agent": "Stripe/1.0 (stand-in)",
    }
    try:
        connection.request("POST", address.path or "/", payload.encode(), headers)
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()
