"""What an actor sees of a workspace, by kind: one answer, of their role and of an API key's scopes, for all who ask.

The feed of events, files, jobs, roles and the reasons why somebody sees a record go by it; each single record is judged
besides, by ``RecordType.visible_to``.
"""

from collections.abc import Iterable

from django.db.models import Q

from crm.records.access.visibility import hidden_slugs, readable_fields, require_scope
from crm.records.errors import Forbidden, MissingScope, NotFound
from crm.records.schema.field import ID_FIELD, MEMBER_TARGET, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.auditing import AUDITED
from tenants.actors import Actor

TEAM, ROLE = "team", "role"
LOOKED_AFTER_BY = ("members", "roles")
"""Who has one of these powers may know what each role allows."""


def sees(actor: Actor, kind: str) -> bool:
    """Whether the actor sees anything of a kind: a record type, members, teams, roles, or a kind of the audit."""
    if kind in registry or kind == MEMBER_TARGET:
        return actor.can(kind, "view")
    if kind == TEAM:
        return actor.can(MEMBER_TARGET, "view")
    if kind == ROLE and actor.can(MEMBER_TARGET, "view"):
        return any(actor.can("workspace", power) for power in (*LOOKED_AFTER_BY, "audit"))
    return kind in AUDITED and actor.can("workspace", "audit")


def require_sight(actor: Actor, kind: str) -> None:
    """Raise MissingScope where only a scope is missing, else NotFound for a kind that the actor does not see."""
    require_scope(actor, MEMBER_TARGET if kind in (TEAM, ROLE) else kind)
    if sees(actor, kind):
        return
    if kind == ROLE:
        needed = [actor.scope_needed("workspace", power) for power in LOOKED_AFTER_BY]
        if any(needed):
            raise MissingScope(next(filter(None, needed)))
        raise Forbidden
    raise NotFound


def kinds_seen(actor: Actor) -> list[str]:
    kinds = [*(record_type.slug for record_type in registry.all()), MEMBER_TARGET, TEAM, ROLE, *AUDITED]
    return [kind for kind in dict.fromkeys(kinds) if sees(actor, kind)]


def kinds_told_by(fields: Iterable[Field]) -> list[str]:
    """The kinds whose records are named where these fields are shown in words."""
    told: dict[str, None] = {}
    for one in fields:
        if one.target and one is not ID_FIELD:
            told[one.target] = None
        elif one.kind in {Kind.REFERENCE, Kind.REFERENCES}:
            told |= dict.fromkeys(one.targets or (record_type.slug for record_type in registry.all()))
    return list(told)


def tells_something(actor: Actor) -> Q:
    """Of events, those of anything that the actor may read: a change of hidden fields alone is none for them."""
    condition = Q()
    for record_type in registry.all():
        if hidden_slugs(actor, record_type):
            condition &= ~Q(record_type=record_type.slug) | _names_readable(actor, record_type)
    return condition


def _names_readable(actor: Actor, record_type: RecordType) -> Q:
    readable = [one.slug for one in readable_fields(actor, record_type)]
    return Q(before__has_any_keys=readable) | Q(after__has_any_keys=readable) | Q(before={}, after={})
