"""Roles of a workspace's own: made, copied, changed and removed, never beyond what their maker may do themselves."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from crm.workspace.errors import Conflict, NotAllowed, NotFound, WorkspaceError
from crm.workspace.hooks import event_note
from crm.workspace.models import Invitation, Member, Role
from crm.workspace.people.checks import name_checked, people_lock
from crm.workspace.people.member_services import member_update
from crm.workspace.permissions import (
    ACTIONS,
    FIXED_ROLES,
    GRANTABLE_POWERS,
    HIDDEN,
    READ,
    RoleNoun,
    action_label,
    covers,
    role_nouns,
)
from tenants.actors import Actor, Permissions, Scope
from tenants.ids import id_of
from tenants.workspaces.entitlements import require_writable
from tenants.workspaces.limits import require_feature

MAX_ROLES = 50
LONGEST_NAME = 80
SHARED_SCOPES = frozenset({Scope.NONE, Scope.ALL})

type Matrix = Mapping[str, Mapping[str, str]]


class RoleInvalid(WorkspaceError):
    """All that is wrong with a role's rights: ``problems`` by place, such as ``deal.edit``, in words."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("invalid_role", next(iter(problems.values())))
        self.problems = dict(problems)


def role_create(actor: Actor, *, name: str, about: str = "", permissions: Matrix, fields: Matrix) -> Role:
    """A role of the workspace's own. Raises RoleInvalid, NotAllowed for what the actor may not do themselves, and
    FeatureMissing: under a plan without them, those that are there stay in force and can be changed and removed."""
    _need(actor)
    require_feature(actor.tenant, "custom_roles")
    with transaction.atomic():
        people_lock(actor)
        if Role.objects.filter(is_fixed=False).count() >= MAX_ROLES:
            raise Conflict("too_many_roles", _("A workspace has at most %(most)d roles.") % {"most": MAX_ROLES})
        role = Role(name=_name(name), about=_about(about))
        role.slug = _slug(role.name)
        role.permissions, role.fields = rights_checked(actor, permissions, fields)
        role.save()
        _note(actor, "role.created", role, {}, role.snapshot())
    return role


def role_update(
    actor: Actor, *, role_id: UUID, name: str, about: str = "", permissions: Matrix, fields: Matrix, seen: str = ""
) -> Role:
    """Change a role and with it what its members may do, from their next request on.

    ``seen`` is the ``fingerprint`` of the role as it was edited: Conflict when it has changed since.
    """
    _need(actor)
    with transaction.atomic():
        people_lock(actor)
        role = _own_role(actor, role_id)
        if seen and seen != role.fingerprint:
            raise Conflict("changed_since", _("Somebody changed this role meanwhile. Look at it again first."))
        before = role.snapshot()
        role.name, role.about = _name(name, of=role), _about(about)
        role.permissions, role.fields = rights_checked(actor, permissions, fields)
        if actor.role == role.slug and not role.matrix().scope("workspace", "roles"):
            raise Conflict(
                "own_role",
                _("You would lock yourself out of this page. Somebody else has to take that from your role."),
            )
        after = role.snapshot()
        if after != before:
            role.save()
            _note(actor, "role.updated", role, before, after)
    return role


def role_delete(actor: Actor, *, role_id: UUID, replacement: Role | UUID | str | None = None) -> None:
    """Remove a role; its members and open invitations get the other one, which none may be without."""
    _need(actor)
    with transaction.atomic():
        people_lock(actor)
        role = _own_role(actor, role_id)
        members = list(Member.objects.filter(role=role).order_by("id").values_list("id", flat=True))
        invitations = Invitation.objects.filter(role=role)
        if members or invitations.exists():
            other = _replacement(actor, role, replacement)
            for member_id in members:
                member_update(actor, member_id=member_id, role=other)
            invitations.update(role=other)
        _note(actor, "role.deleted", role, role.snapshot(), {})
        role.delete()


def rights_checked(
    actor: Actor, permissions: Matrix, fields: Matrix
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """The rights with all that they leave unsaid. Raises RoleInvalid, and NotAllowed beyond the actor's own."""
    nouns = {noun.slug: noun for noun in role_nouns()}
    problems: dict[str, str] = {}
    matrix: dict[str, dict[str, Scope]] = {"member": {"view": Scope.ALL}}
    for slug in permissions.keys() - nouns.keys() - {"workspace", "member", "*"}:
        problems[slug[:60]] = _("There is no record type “%(noun)s”.") % {"noun": slug[:60]}
    for slug, noun in nouns.items():
        matrix[slug] = _row(noun, permissions.get(slug, permissions.get("*", {})), problems)
    matrix["workspace"] = {}
    for power, scope in permissions.get("workspace", {}).items():
        if scope == "all" and power not in GRANTABLE_POWERS:
            problems[f"workspace.{power}"[:80]] = _("Only the fixed role “Owner” has this.")
        elif scope == "all":
            matrix["workspace"][power] = Scope.ALL
    checked = _fields(nouns, matrix, fields, problems)
    if problems:
        raise RoleInvalid(problems)
    wanted = Permissions(matrix, checked)
    if not covers(actor.permissions, wanted):
        raise NotAllowed("role_beyond_own", _("You cannot make a role that may do more than your own."))
    return wanted.to_json(), checked


def _row(noun: RoleNoun, given: Mapping[str, str], problems: dict[str, str]) -> dict[str, Scope]:
    row: dict[str, Scope] = {}
    for action in ACTIONS:
        try:
            row[action] = Scope[given.get(action, "none").upper()]
        except KeyError:
            row[action] = Scope.NONE
            problems[f"{noun.slug}.{action}"] = _("Choose none, own, team or all.")
    facts = {"nouns": noun.label}
    if noun.is_shared:
        row["view"] = Scope.ALL
        if not set(row.values()) <= SHARED_SCOPES:
            problems[f"{noun.slug}.edit"] = _("%(nouns)s belong to nobody: it is all or none.") % facts
        return row
    if row["create"] and not row["view"]:
        problems[f"{noun.slug}.create"] = _("Who adds %(nouns)s must see at least the own.") % facts
    for action in ("edit", "delete", "export", "bulk"):
        if row[action] > row["view"]:
            problems[f"{noun.slug}.{action}"] = _("%(nouns)s: “%(action)s” reaches further than “View”.") % {
                **facts,
                "action": action_label(action),
            }
    if row["bulk"] > max(row["edit"], row["delete"]):
        problems.setdefault(
            f"{noun.slug}.bulk",
            _("%(nouns)s: in bulk one may change no more than one by one.") % facts,
        )
    return row


def _fields(
    nouns: Mapping[str, RoleNoun],
    matrix: Mapping[str, Mapping[str, Scope]],
    given: Matrix,
    problems: dict[str, str],
) -> dict[str, dict[str, str]]:
    checked: dict[str, dict[str, str]] = {}
    for slug, rights in given.items():
        known = {one.slug: one for one in nouns[slug].fields} if slug in nouns else {}
        for name, right in rights.items():
            place, one = f"{slug}.{name}"[:80], known.get(name)
            facts = {
                "field": one.label if one else name[:60],
                "nouns": nouns[slug].label if slug in nouns else slug[:60],
            }
            if not right:
                continue
            if one is None or right not in (HIDDEN, READ):
                problems[place] = _("%(nouns)s have no field “%(field)s” to hide.") % facts
            elif right == HIDDEN and one.stays:
                problems[place] = _("“%(field)s” of %(nouns)s cannot be hidden.") % facts + f" {one.stays}"
            elif one.is_needed and matrix[slug]["create"]:
                problems[place] = (
                    _("“%(field)s” of %(nouns)s cannot be read-only for who may add some: none is added without it.")
                    % facts
                )
            elif right == HIDDEN or one.is_editable:
                checked.setdefault(slug, {})[name] = right
    return checked


def _need(actor: Actor) -> None:
    if not actor.can("workspace", "roles"):
        raise NotAllowed("forbidden", _("You may not change the roles of this workspace."))
    require_writable(actor.tenant)


def _own_role(actor: Actor, role_id: UUID) -> Role:
    role = Role.objects.select_for_update(no_key=True).filter(id=role_id).first()
    if role is None:
        raise NotFound("not_found", _("There is no such role."))
    if role.is_fixed:
        raise Conflict("fixed_role", _("This role comes with Rapport and stays as it is. Copy it to have one like it."))
    if not covers(actor.permissions, role.matrix()):
        raise NotAllowed("role_beyond_own", _("This role may do more than your own, so you cannot change it."))
    return role


def _replacement(actor: Actor, role: Role, replacement: Role | UUID | str | None) -> Role:
    wanted = replacement.id if isinstance(replacement, Role) else id_of(replacement)
    other = Role.objects.filter(id=wanted).first() if wanted else None
    if other is None or other.id == role.id:
        raise WorkspaceError(
            "replacement_needed",
            _("Choose the role that its members and invitations get instead."),
            field="replacement",
        )
    if not covers(actor.permissions, other.matrix()):
        raise NotAllowed(
            "role_beyond_own", _("You cannot give a role that may do more than your own."), field="replacement"
        )
    return other


def _name(name: str, *, of: Role | None = None) -> str:
    cleaned = name_checked(name, longest=LONGEST_NAME)
    others = Role.objects.filter(is_fixed=False).values_list("id", "name")
    taken = {other.casefold() for key, other in others if of is None or key != of.id} | {
        str(fixed.name).casefold() for fixed in FIXED_ROLES
    }
    if cleaned.casefold() in taken:
        raise WorkspaceError("taken", _("Another role is called that already."), field="name")
    return cleaned


def _about(text: str) -> str:
    cleaned = " ".join(text.replace("\x00", "").split())
    if len(cleaned) > 200:
        raise WorkspaceError("too_long", _("At most 200 characters."), field="about")
    return cleaned


def _slug(name: str) -> str:
    base = (slugify(name) or "role")[:32].strip("-") or "role"
    slug, number = base, 2
    while Role.objects.filter(slug=slug).exists():
        slug, number = f"{base}-{number}", number + 1
    return slug


def _note(actor: Actor, type_: str, role: Role, before: dict[str, Any], after: dict[str, Any]) -> None:
    event_note(actor, type=type_, record_type="role", record_id=role.id, before=before, after=after)
