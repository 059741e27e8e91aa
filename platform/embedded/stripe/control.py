"""``/_standin/…``: what a test or a curious developer may do to the stand-in that no customer of Stripe can.

- ``GET /_standin/clock``, ``POST /_standin/clock {"advance": seconds}``; ``{"behind": seconds}`` once, before anybody
  is its customer, lets it begin in the past
- ``POST /_standin/faults {"kind", "match", "times", "seconds"}``, ``DELETE /_standin/faults``
- ``GET /_standin/requests``: each with method, path, params, key, status, whether it was a replay, when it began and
  ended
- ``POST /_standin/disputes {"charge"}`` or ``{"dispute", "won"}``
- ``POST /_standin/deliver {"mode", "copies", "seconds"}`` (see delivery) or ``{"event"}`` to send one again
- ``GET /_standin/deliveries``: each webhook sent or to be sent
- ``POST /_standin/dunning {"after_retries": "canceled" | "unpaid" | "past_due"}``
"""

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

from embedded.stripe import clock
from embedded.stripe.delivery import Delivery
from embedded.stripe.engine import refunding
from embedded.stripe.errors import Refused
from embedded.stripe.faults import Fault, Faults
from embedded.stripe.shape import shaped
from embedded.stripe.store import Body, Store

KEPT = 50_000


@dataclass(frozen=True)
class Seen:
    """One request to the API as it was; times are the machine's, in seconds since 1970."""

    id: str
    method: str
    path: str
    params: Body
    key: str | None
    status: int
    replayed: bool
    began: float
    ended: float


class Journal:
    """The newest requests."""

    def __init__(self) -> None:
        self._all: deque[Seen] = deque(maxlen=KEPT)
        self._lock = Lock()

    def add(self, seen: Seen) -> None:
        with self._lock:
            self._all.append(seen)

    def all(self) -> list[Seen]:
        with self._lock:
            return list(self._all)

    def forget(self) -> None:
        with self._lock:
            self._all.clear()


@dataclass(frozen=True)
class Control:
    store: Store
    faults: Faults
    journal: Journal
    delivery: Delivery

    def answer(self, method: str, name: str, given: Body) -> Body:
        """Raises Refused for what is not known, ValueError for what makes no sense."""
        found: dict[tuple[str, str], Callable[[Body], Body]] = {
            ("GET", "clock"): lambda _: {"now": self.store.now()},
            ("POST", "clock"): self._clock,
            ("POST", "faults"): self._fault,
            ("DELETE", "faults"): self._lift,
            ("GET", "requests"): lambda _: {"requests": [asdict(one) for one in self.journal.all()]},
            ("DELETE", "requests"): self._forget,
            ("POST", "disputes"): self._dispute,
            ("POST", "dunning"): self._dunning,
            ("POST", "deliver"): self._deliver,
            ("GET", "deliveries"): lambda _: {"deliveries": self.delivery.rows()},
        }
        act = found.get((method, name))
        if act is None:
            raise Refused("Unknown control", status=404)
        return act(given)

    def _clock(self, given: Body) -> Body:
        if "behind" in given:
            return {"now": clock.begin_behind(self.store, int(given["behind"]))}
        return {"now": clock.advance(self.store, int(given["advance"]))}

    def _fault(self, given: dict[str, Any]) -> Body:
        self.faults.add(Fault(**given))
        return {}

    def _lift(self, _given: Body) -> Body:
        self.faults.clear()
        return {}

    def _forget(self, _given: Body) -> Body:
        self.journal.forget()
        return {}

    def _dispute(self, given: Body) -> Body:
        with self.store.transaction():
            if "dispute" in given:
                made = self.store.get("dispute", given["dispute"])
                return _shown(refunding.dispute_close(self.store, made, won=bool(given.get("won"))))
            return _shown(refunding.dispute(self.store, self.store.get("charge", given["charge"])))

    def _deliver(self, given: Body) -> Body:
        if "event" in given:
            self.delivery.resend(given["event"])
        else:
            self.delivery.choose(**given)
        return {}

    def _dunning(self, given: Body) -> Body:
        if given["after_retries"] not in {"canceled", "unpaid", "past_due"}:
            raise ValueError("after_retries is canceled, unpaid or past_due")
        with self.store.transaction():
            self.store.note_put("after_retries", given["after_retries"])
        return {}


def _shown(body: Body) -> Body:
    found: Body = shaped(body)
    return found
