"""The fixed roles, and what one role may grant of another."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.actors import Permissions, Scope

OWNER = "owner"
ADMIN = "admin"
MANAGER = "manager"
MEMBER = "member"
READ_ONLY = "read_only"

ACTIONS = ("view", "create", "edit", "delete")
POWERS = ("settings", "members", "api_keys", "sample_data", "billing", "owners")
NOUNS = ("company", "contact", "deal", "task", "note", "pipeline", "stage", "lost_reason", "member")
WORK_NOUNS = ("company", "contact", "deal", "task", "note")


@dataclass(frozen=True, slots=True)
class FixedRole:
    """A role every workspace has. ``matrix`` is noun × action → scope, ``*`` any noun not named."""

    slug: str
    name: Promise
    description: Promise
    matrix: Mapping[str, Mapping[str, str]]


def _reach(view: str, create: str, edit: str, delete: str) -> dict[str, str]:
    return {"view": view, "create": create, "edit": edit, "delete": delete}


_EVERYTHING = _reach("all", "all", "all", "all")
_LOOK = _reach("all", "none", "none", "none")
_OWN_WORK = _reach("all", "all", "own", "own")
_SHARED_WORK = _reach("all", "all", "all", "own")

FIXED_ROLES: tuple[FixedRole, ...] = (
    FixedRole(
        slug=OWNER,
        name=_("Owner"),
        description=_("Everything, including who else is an owner."),
        matrix={"*": _EVERYTHING, "workspace": dict.fromkeys(POWERS, "all")},
    ),
    FixedRole(
        slug=ADMIN,
        name=_("Admin"),
        description=_("Everything except who is an owner."),
        matrix={"*": _EVERYTHING, "workspace": {**dict.fromkeys(POWERS, "all"), "owners": "none"}},
    ),
    FixedRole(
        slug=MANAGER,
        name=_("Manager"),
        description=_("All records of everyone, no settings."),
        matrix={"*": _LOOK, **dict.fromkeys(WORK_NOUNS, _EVERYTHING), "workspace": {}},
    ),
    FixedRole(
        slug=MEMBER,
        name=_("Member"),
        description=_("Sees all records, changes companies, contacts and what is theirs."),
        matrix={
            "*": _LOOK,
            "company": _SHARED_WORK,
            "contact": _SHARED_WORK,
            "deal": _OWN_WORK,
            "task": _OWN_WORK,
            "note": _OWN_WORK,
            "workspace": {},
        },
    ),
    FixedRole(
        slug=READ_ONLY,
        name=_("Read-only"),
        description=_("Sees all records, changes nothing."),
        matrix={"*": _LOOK, "workspace": {}},
    ),
)
FIXED_BY_SLUG: Mapping[str, FixedRole] = {role.slug: role for role in FIXED_ROLES}


def covers(holder: Permissions, wanted: Permissions) -> bool:
    """Whether ``holder`` reaches at least as far as ``wanted`` everywhere: nobody grants more than they have."""
    nouns = {*NOUNS, *holder.matrix, *wanted.matrix} - {"*", "workspace"}
    return all(
        holder.scope(noun, action) >= wanted.scope(noun, action) for noun in (*nouns, "*") for action in ACTIONS
    ) and all(holder.scope("workspace", power) >= wanted.scope("workspace", power) for power in POWERS)


def fixed_permissions(slug: str) -> Permissions:
    """The permissions of a fixed role; KeyError for an unknown slug."""
    return Permissions.from_json(FIXED_BY_SLUG[slug].matrix)


EVERYTHING = Permissions(
    {"*": dict.fromkeys(ACTIONS, Scope.ALL), "workspace": dict.fromkeys(POWERS, Scope.ALL)},
)
