"""Idempotency keys as Stripe keeps them.

The first answer to a key, of whatever status, is kept for 24 hours with the change it tells of, and given again,
marked as a replay. Nothing is kept for parameters that were refused before the work began, and for a request that met
another one with its key still at work, which is told so (409). The same key with other parameters is an error.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from embedded.stripe.clock import DAY
from embedded.stripe.errors import NotValid
from embedded.stripe.store import Store

LONGEST = 255


@dataclass(frozen=True)
class Kept:
    status: int
    body: str


class InFlight:
    """The keys that requests of this process are working on."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._lock = Lock()

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        if len(key) > LONGEST:
            raise NotValid(f"Idempotency keys are at most {LONGEST} characters.", kind="idempotency_error")
        with self._lock:
            if key in self._keys:
                raise NotValid(
                    "There is currently another in-progress request using this Idempotent Key (that probably means you "
                    f"submitted twice, and the other request is still going through): {key}. Please try again later.",
                    status=409,
                    kind="idempotency_error",
                    code="idempotency_key_in_use",
                    headers={"Stripe-Should-Retry": "true"},
                )
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)


def fingerprint(method: str, path: str, body: bytes) -> str:
    return hashlib.sha256(f"{method} {path}\n".encode() + body).hexdigest()


def kept(store: Store, key: str, request: str) -> Kept | None:
    """The answer kept for the key; raises NotValid where it was for another request."""
    store.connection.execute("DELETE FROM answers WHERE at <= ?", (store.now() - DAY,))
    row = store.connection.execute("SELECT request, status, body FROM answers WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    if row[0] != request:
        raise NotValid(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try "
            f"using a key other than '{key}' if you meant to execute a different request.",
            kind="idempotency_error",
        )
    return Kept(row[1], row[2])


def keep(store: Store, key: str, request: str, status: int, body: str) -> None:
    store.connection.execute(
        "INSERT OR REPLACE INTO answers (key, request, status, body, at) VALUES (?, ?, ?, ?, ?)",
        (key, request, status, body, store.now()),
    )
