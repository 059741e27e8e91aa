"""Room under the plan's limits for the records that a write adds."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import NamedTuple

from crm.records.schema.record_type import RecordType
from crm.records.write.batch import Batch
from tenants.db.locks import advisory_lock
from tenants.workspaces.limits import require_room

RATE = 2000
"""More records than all writers of one workspace together add in a second."""
SPARE = 100
"""A write that finds room for this many like it need not wait for the others: so many are not at work at once."""
MAX_KEPT = 2000


class Key(NamedTuple):
    """What was counted, for a limit as it was then."""

    schema_name: str
    limit: str
    most: int


@dataclass(slots=True)
class Count:
    """How many there were, with what this process added since, and until when (``monotonic``) it is believed."""

    used: int
    until: float


class Counts:
    """What each workspace was last found to use, so that far from a limit nothing is asked of the database.

    A count is believed for a quarter of the time in which the room that it found could be filled at ``RATE``. What
    was trashed, or rolled back, makes it too high, which only has it counted anew.
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[Key, Count] = OrderedDict()
        self._lock = Lock()

    def take(self, key: Key, adding: int) -> bool:
        """Whether there is room beyond doubt; what is added then counts from now on."""
        with self._lock:
            found = self._counts.get(key)
            if found is None or found.until < monotonic() or not is_far(key.most, found.used, adding):
                return False
            found.used += adding
            return True

    def keep(self, key: Key, used: int) -> None:
        with self._lock:
            self._counts[key] = Count(used, monotonic() + (key.most - used) / 4 / RATE)
            self._counts.move_to_end(key)
            while len(self._counts) > MAX_KEPT:
                self._counts.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._counts.clear()


counts = Counts()


def is_far(most: int, used: int, adding: int) -> bool:
    return used + adding * SPARE <= most


def counted(record_type: RecordType) -> int:
    """How many records count against a limit: those that are neither sample data nor in the trash."""
    return record_type.rows.filter(deleted_at=None, is_sample=False).count()


def added(batch: Batch) -> int:
    """How many records a write adds to those that are ``counted``."""
    if batch.action == "create":
        is_sample = batch.source == "sample" or batch.details.get("is_sample", False)
        return 0 if is_sample else len(batch.drafts)
    if batch.action == "restore":
        return sum(draft.record is not None and not draft.record.is_sample for draft in batch.drafts)
    return 0


def hold_room(batch: Batch, limit: str, adding: int, count: Callable[[], int]) -> None:
    """Raise LimitReached unless ``adding`` more fit beside those that ``count`` finds.

    What fits is this write's until it commits. Far from the limit nothing is asked or locked. Near it one writer after
    another counts and adds (ADR 0515). It is the last lock that a write takes, after its rows.
    """
    tenant = batch.actor.tenant
    most = tenant.limits.get(limit)
    if most is None or not adding:
        return
    key = Key(tenant.schema_name, limit, most)
    if counts.take(key, adding):
        return
    used = count()
    require_room(tenant, limit, used=used, adding=adding)
    if not is_far(most, used, adding):
        advisory_lock(f"limit:{limit}")
        used = count()
        require_room(tenant, limit, used=used, adding=adding)
    counts.keep(key, used + adding)
