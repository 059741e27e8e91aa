"""What a write gives back."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from crm.records.models import ChangeSet, Event


@dataclass
class Change:
    """What a write did. ``events`` is empty, and ``change_set`` not saved, when nothing was different."""

    change_set: ChangeSet
    records: list[Any]
    events: list[Event] = field(default_factory=list)

    @property
    def record(self) -> Any:
        """The one record of a write of one."""
        return self.records[0]

    @property
    def id(self) -> UUID:
        return self.records[0].pk  # type: ignore[no-any-return]
