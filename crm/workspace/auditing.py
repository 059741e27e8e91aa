"""What an audit asks for: who came in, who was let in, who may do what, what left the house.

Such things are events like all others, of nouns that are no records. They are read on the page Settings → Audit and in
the events feed by those with the power ``audit``; members are told of by their own noun and seen by who sees members.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from crm.workspace.actors import actor_for_user
from crm.workspace.hooks import event_note
from tenants.actors import Actor, TenantRef

AUDITED = ("api_key", "billing", "export", "invitation", "job", "member", "role", "session", "settings", "team")
"""The nouns whose events are the audit. One more changes the index of records.Event: makemigrations says so."""


def audit_note(
    actor: Actor,
    type: str,
    *,
    record_id: UUID | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    source: str = "ui",
) -> None:
    """Note, in the transaction that does it, that ``<noun>.<past tense>`` happened; the noun is one of AUDITED.

    ``record_id`` is what it happened to: the key, the invitation, the job; the acting member or the workspace itself
    when nothing is named. ``after`` holds what an auditor has to know, never a secret.
    """
    noun = type.partition(".")[0]
    if noun not in AUDITED:
        raise ValueError(f"{type!r} is no kind of event of the audit: {AUDITED}.")
    event_note(
        actor,
        type=type,
        record_type=noun,
        record_id=record_id or actor.member_id or actor.tenant.id,
        before=dict(before or {}),
        after=dict(after or {}),
        source=source,
    )


def session_note(tenant: TenantRef, user_id: UUID, type: str, *, request_id: str = "", **about: str) -> None:
    """Note what happened to a member's sign-in (``session.started``, ``session.ended`` …); nothing for others.

    ``about`` are ``address`` and ``device``, the ``method`` of a sign-in (``password``, ``passkey``,
    ``password+totp`` …) and the ``detail`` of what happened to the account (see tenants.models.AccountEvent.Kind).
    """
    actor = actor_for_user(tenant, user_id, request_id)
    if actor is not None:
        audit_note(actor, type, record_id=actor.member_id, after={key: value for key, value in about.items() if value})
