"""What the shared floor asks of the workspaces' apps, each registered by the app that does it.

All run inside the workspace's scope, but for ``sample_request`` and ``record_type_of``.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from tenants.actors import Actor, TenantRef
from tenants.models import User
from tenants.registration import Hook, NotRegistered


@Hook
def audit_note(
    actor: Actor,
    type: str,
    *,
    record_id: UUID | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Note in the workspace's audit, in the transaction that does it, that ``<noun>.<past tense>`` happened.

    ``record_id`` is what it happened to; the acting member or the workspace when nothing is named.
    """
    raise NotRegistered("Nobody keeps an audit.")


@Hook
def session_note(tenant: TenantRef, user_id: UUID, type: str, *, request_id: str = "", **about: str) -> None:
    """Note in the audit what happened to a member's sign-in; nothing for who is no member."""
    raise NotRegistered("Nobody keeps an audit.")


@Hook
def member_user_change(tenant: TenantRef, *, old_user: User, new_user: User) -> None:
    """Put another account behind a member."""
    raise NotRegistered("Nobody knows the members.")


@Hook
def member_email_follow(tenant: TenantRef, *, user: User) -> None:
    """Have the user's member carry the address that the user has now."""
    raise NotRegistered("Nobody knows the members.")


@Hook
def member_secrets_drop(actor: Actor, *, member_id: UUID, moment: datetime) -> None:
    """End what reads in a member's name, beside API keys, if it was made from a moment on: nothing where there is no
    such thing."""


@Hook
def sample_request(tenant: TenantRef, *, user_id: UUID) -> None:
    """Have a worker fill a new workspace with sample data, as its owner."""
    raise NotRegistered("Nobody has sample data.")


@Hook
def record_type_of(plural: str) -> str:
    """The slug of the record type that stands in addresses as ``plural``. Raises LookupError."""
    raise LookupError(plural)
