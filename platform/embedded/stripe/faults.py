"""Faults on request, so that what billing does in trouble can be seen.

Kinds: ``500`` before anything is done, ``500_after`` when it was done, ``drop`` the connection before, ``cut`` it
after, ``429``, ``delay`` by ``seconds`` before. ``match`` is the beginning of "POST /v1/subscriptions", empty for
every request; ``times`` how often, 0 until it is lifted.
"""

from dataclasses import dataclass
from threading import Lock

KINDS = ("500", "500_after", "drop", "cut", "429", "delay")


@dataclass
class Fault:
    kind: str
    match: str = ""
    times: int = 1
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"Unknown fault {self.kind!r}: take one of {', '.join(KINDS)}.")


class Faults:
    def __init__(self) -> None:
        self._all: list[Fault] = []
        self._lock = Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._all.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._all.clear()

    def take(self, request: str) -> Fault | None:
        """The fault that this request ("POST /v1/customers") meets, counted as used."""
        with self._lock:
            for fault in self._all:
                if request.startswith(fault.match):
                    if fault.times == 1:
                        self._all.remove(fault)
                    elif fault.times > 1:
                        fault.times -= 1
                    return fault
        return None
