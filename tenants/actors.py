"""Who does a thing: the Actor that every service and selector takes first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

READING = frozenset({"view", "export"})


class ActorKind(StrEnum):
    MEMBER = "member"
    API_KEY = "api_key"
    SYSTEM = "system"


class Scope(IntEnum):
    """How far a permission reaches; a wider scope compares greater."""

    NONE = 0
    OWN = 1
    TEAM = 2
    ALL = 3


@dataclass(frozen=True, slots=True)
class TenantRef:
    """What code needs to know of a tenant without reading the shared schema.

    ``is_behind``: its schema is of a release before this one, and nobody enters until it has been upgraded.
    A limit not named in ``limits`` does not exist; ``features`` None is all of them. ``access_state`` is billing's word
    for what was paid, ``access_until`` when that changes by itself, ``access_note`` an operator's reason.
    ``support_by`` is the operator who is in it now, until ``support_until``.
    """

    id: UUID
    schema_name: str
    name: str
    subdomain: str
    state: str
    locale: str
    currency: str
    time_zone: str
    limits: Mapping[str, int] = field(default_factory=dict)
    features: frozenset[str] | None = None
    plan_name: str = ""
    access_state: str = ""
    access_until: datetime | None = None
    access_note: str = ""
    metadata_version: int = 0
    has_sample: bool = False
    support_by: str = ""
    support_until: datetime | None = None
    has_announcements: bool = False
    is_behind: bool = False

    def has_feature(self, feature: str) -> bool:
        return self.features is None or feature in self.features


@dataclass(frozen=True, slots=True)
class Permissions:
    """A matrix of record type × action → scope; ``*`` stands for every record type not named.

    The pseudo-noun ``workspace`` holds powers over the workspace itself, such as ``settings`` or ``members``.
    ``fields`` narrows it: record type → field → ``hidden`` or ``read``; a field not named there is as its noun.
    """

    matrix: Mapping[str, Mapping[str, Scope]]
    fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def scope(self, noun: str, action: str) -> Scope:
        row = self.matrix.get(noun)
        if row is None and noun != "workspace":
            row = self.matrix.get("*")
        return Scope.NONE if row is None else row.get(action, Scope.NONE)

    @property
    def by_team(self) -> bool:
        """Whether anything in it reaches as far as a team, so that one must know who that is."""
        return any(scope is Scope.TEAM for row in self.matrix.values() for scope in row.values())

    @classmethod
    def from_json(
        cls, matrix: Mapping[str, Mapping[str, str]], fields: Mapping[str, Mapping[str, str]] | None = None
    ) -> "Permissions":
        """Build from ``{"deal": {"view": "all"}}`` and ``{"deal": {"amount": "hidden"}}``."""
        return cls(
            {noun: {action: Scope[name.upper()] for action, name in row.items()} for noun, row in matrix.items()},
            fields or {},
        )

    def to_json(self) -> dict[str, dict[str, str]]:
        return {
            noun: {action: scope.name.lower() for action, scope in row.items()} for noun, row in self.matrix.items()
        }


POWER_SCOPES = {"members": "member:write", "audit": "audit:read", "settings": "settings:write"}
"""The scope by which a key has a power over the workspace. The others are no key's: a key never makes keys."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that acts in one workspace.

    ``id`` names the actor of its kind (a member's or a key's id, None for the system); ``member_id`` the member on
    whose behalf it acts, if any. ``scopes`` are an API key's (``deal:read``); None means not limited by scopes.
    ``team_members`` are those whose records count as the team's, themselves among them: members of their own team, of
    the teams they head and of all below; filled only where the permissions reach as far as a team.
    """

    kind: ActorKind
    tenant: TenantRef
    permissions: Permissions
    id: UUID | None = None
    member_id: UUID | None = None
    label: str = ""
    email: str = ""
    role: str = ""
    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    locale: str = "en"
    request_id: str = ""
    scopes: frozenset[str] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    team_members: frozenset[UUID] = frozenset()

    @property
    def visitor(self) -> str:
        """The address of the operator who acts as this member for support; empty for the member."""
        return str(self.details.get("operator", ""))

    def scope(self, noun: str, action: str) -> Scope:
        """The reach of ``action`` (view, create, edit, delete, export, bulk, or a workspace power) on ``noun``."""
        allowed = self.permissions.scope(noun, action)
        if self.scopes is None:
            return allowed
        if noun == "workspace":
            return allowed if POWER_SCOPES.get(action) in self.scopes else Scope.NONE
        needed = f"{noun}:{'read' if action in READING else 'write'}"
        return allowed if needed in self.scopes else Scope.NONE

    def scope_needed(self, noun: str, action: str) -> str:
        """The scope without which an API key may not do what the role behind it allows; else an empty text."""
        if self.scopes is None or self.permissions.scope(noun, action) is Scope.NONE:
            return ""
        if noun == "workspace":
            needed = POWER_SCOPES.get(action, "")
        else:
            needed = f"{noun}:{'read' if action in READING else 'write'}"
        return "" if needed in self.scopes else needed

    def can(self, noun: str, action: str) -> bool:
        return self.scope(noun, action) is not Scope.NONE

    def reaches(self, scope: Scope, holder: UUID | None) -> bool:
        """Whether a record that is ``holder``'s lies within a scope."""
        if scope is Scope.ALL:
            return True
        if scope is Scope.NONE or holder is None or self.member_id is None:
            return False
        return holder == self.member_id or (scope is Scope.TEAM and holder in self.team_members)
