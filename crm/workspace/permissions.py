"""The fixed roles, and what one role may grant of another."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.actors import Permissions, Scope
from tenants.registration import Hook

OWNER = "owner"
ADMIN = "admin"
MANAGER = "manager"
MEMBER = "member"
READ_ONLY = "read_only"

ACTIONS = ("view", "create", "edit", "delete", "export", "bulk")
POWERS = ("settings", "members", "roles", "api_keys", "sample_data", "billing", "owners", "audit")
GRANTABLE_POWERS: Mapping[str, Promise] = {
    "settings": _("Settings of the workspace, pipelines and currencies"),
    "members": _("Members, teams and invitations"),
    "roles": _("Roles"),
    "api_keys": _("API keys of their own"),
    "audit": _("Audit: who signed in, changed roles and exported"),
    "sample_data": _("Sample data"),
    "billing": _("Plan and invoices"),
}
"""The powers that a role of one's own may have, in words; ``owners`` is the fixed owner's alone."""
HIDDEN, READ = "hidden", "read"
STRICTNESS = {"": 0, READ: 1, HIDDEN: 2}
ACTIVITY_NOUNS = ("task", "call", "meeting", "email", "note")
NOUNS = ("company", "contact", "deal", *ACTIVITY_NOUNS, "pipeline", "stage", "lost_reason", "member")
WORK_NOUNS = ("company", "contact", "deal", *ACTIVITY_NOUNS)


@dataclass(frozen=True, slots=True)
class FixedRole:
    """A role every workspace has. ``matrix`` is noun × action → scope, ``*`` any noun not named."""

    slug: str
    name: Promise
    description: Promise
    matrix: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class RoleField:
    """A field as the editor of roles sees it. ``stays`` says why it cannot be hidden, ``is_needed`` that no record is
    added without it."""

    slug: str
    label: str
    stays: str
    is_editable: bool
    is_needed: bool


@dataclass(frozen=True, slots=True)
class RoleNoun:
    """A noun as the editor of roles sees it. A shared one belongs to nobody: everybody sees it, some may change it."""

    slug: str
    label: str
    icon: str
    is_shared: bool
    fields: tuple[RoleField, ...]


@Hook
def role_nouns() -> tuple[RoleNoun, ...]:
    """Every record type as the editor of roles sees it; registered by the app that has them."""
    return ()


def _reach(view: str, create: str, edit: str, delete: str, export: str, bulk: str) -> dict[str, str]:
    return dict(zip(ACTIONS, (view, create, edit, delete, export, bulk), strict=True))


_EVERYTHING = dict.fromkeys(ACTIONS, "all")
_LOOK = _reach("all", "none", "none", "none", "none", "none")
_OWN_WORK = _reach("all", "all", "own", "own", "none", "own")
_SHARED_WORK = _reach("all", "all", "all", "own", "none", "own")

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
            **dict.fromkeys(ACTIVITY_NOUNS, _OWN_WORK),
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
ACTION_LABELS: Mapping[str, Promise] = {
    "view": _("View"),
    "create": _("Add"),
    "edit": _("Edit"),
    "delete": _("Delete"),
    "export": _("Export"),
    "bulk": _("In bulk"),
}
FIXED_BY_SLUG: Mapping[str, FixedRole] = {role.slug: role for role in FIXED_ROLES}


def action_label(action: str) -> str:
    return str(ACTION_LABELS[action])


def covers(holder: Permissions, wanted: Permissions) -> bool:
    """Whether ``holder`` reaches at least as far as ``wanted`` everywhere: nobody grants more than they have."""
    nouns = {*NOUNS, "*", *holder.matrix, *wanted.matrix} - {"workspace"}
    if "*" not in holder.matrix and holder.matrix.keys() >= {*NOUNS}:
        nouns -= {"*"}  # A role of one's own names every noun there is.
    return (
        all(holder.scope(noun, action) >= wanted.scope(noun, action) for noun in nouns for action in ACTIONS)
        and all(holder.scope("workspace", power) >= wanted.scope("workspace", power) for power in POWERS)
        and all(
            STRICTNESS[wanted.fields.get(noun, {}).get(slug, "")] >= STRICTNESS[right]
            for noun, rights in holder.fields.items()
            if any(wanted.scope(noun, action) for action in ("view", "create"))
            for slug, right in rights.items()
        )
    )


def fixed_permissions(slug: str) -> Permissions:
    """The permissions of a fixed role; KeyError for an unknown slug."""
    return Permissions.from_json(FIXED_BY_SLUG[slug].matrix)


VISITOR_POWERS: Mapping[str, bool] = {
    "settings": True,
    "sample_data": True,
    "audit": True,
    "members": False,
    "roles": False,
    "api_keys": False,
    "billing": False,
    "owners": False,
}
"""Which of a member's powers an operator on a visit keeps: none by which somebody gets in, pays, or owns.

What is kept has its own limits where it is decided (``Actor.visitor``): a visitor neither asks for second factors nor
lets others in without (tenants.workspaces.settings), agrees to no visit (tenants.workspaces.support), makes no calendar
address (crm.activities.calendar.feeds) and puts away no announcement. Passwords and second factors are on the public
host, where the operator is only the operator. Undoing a change of members or roles asks for the power ``members``, as
making it does. Records are looked at and mended, not carried away: nothing is exported on a visit.
"""


def for_visitor(permissions: Permissions) -> Permissions:
    """A member's permissions without the powers that are no visitor's, and without exports."""
    powers = {power: permissions.scope("workspace", power) for power, is_kept in VISITOR_POWERS.items() if is_kept}
    records = {noun: {**row, "export": Scope.NONE} for noun, row in permissions.matrix.items()}
    return Permissions({**records, "workspace": powers}, permissions.fields)


EVERYTHING = Permissions(
    {"*": dict.fromkeys(ACTIONS, Scope.ALL), "workspace": dict.fromkeys(POWERS, Scope.ALL)},
)
