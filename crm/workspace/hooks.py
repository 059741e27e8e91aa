"""What a workspace asks of the apps above it, each registered by the app that does it."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Q

from tenants.actors import Actor
from tenants.registration import Hook, NotRegistered

type Target = tuple[str, UUID]
"""A record by its type's slug and its id."""


@Hook
def event_note(
    actor: Actor,
    *,
    type: str,
    record_type: str,
    record_id: UUID,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    change_set: Any = None,
    source: str = "ui",
) -> object:
    """Note an event of what is no record, in the transaction that does it; what happened together shares a
    ``change_set``."""
    raise NotRegistered("Nobody keeps events.")


@Hook
def sample_load(actor: Actor) -> int:
    """Fill the workspace with a sample business; gives how many records that are."""
    raise NotRegistered("Nobody has sample data.")


@Hook
def currencies_used(actor: Actor) -> dict[str, int]:
    """How many amounts are entered in each currency, whoever may see them."""
    return {}


@Hook
def record_titles(actor: Actor, records: Collection[Target], /) -> Mapping[Target, str]:
    """What those of the records are called that the actor may see."""
    return {}


@Hook
def records_in_sight(actor: Actor) -> Q:
    """Of rows with ``record_type`` and ``record_id``: those of no record, and those of one that the actor may see."""
    return Q(record_type="")


@Hook
def record_owner(record_type: str, record_id: UUID, /) -> UUID | None:
    """The member whose own a record is, whoever asks; None for what is no record or nobody's."""
    return None


@Hook
def record_address(record_type: str, record_id: UUID | None, /) -> str:
    """The page of a record; without an id the list of its type. Raises LookupError."""
    raise LookupError(record_type)
