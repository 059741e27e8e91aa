"""What changes to members and invitations share: reading what was asked for, who may do it, one at a time."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from crm.workspace.actors import reached_teams
from crm.workspace.errors import NotAllowed, WorkspaceError
from crm.workspace.hooks import event_note
from crm.workspace.models import Member, Role, Team
from crm.workspace.people.selectors import seats
from crm.workspace.permissions import covers
from tenants.actors import Actor, TenantRef
from tenants.db.locks import advisory_lock
from tenants.ids import id_of
from tenants.names import NameRefused, name_read
from tenants.workspaces.entitlements import require_writable
from tenants.workspaces.limits import require_room

LONGEST_NAME = 120


def note_member(
    actor: Actor,
    type_: str,
    member: Member,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    change_set: object | None = None,
) -> None:
    event_note(
        actor,
        type=type_,
        record_type="member",
        record_id=member.id,
        before=dict(before or {}),
        after=dict(after),
        change_set=change_set,
    )


def check_people_power(actor: Actor, power: str, *, unpaid: bool = False) -> None:
    """Raises NotAllowed and WorkspaceClosed; the latter not where it is done without being paid for (``unpaid``)."""
    if not actor.can("workspace", power):
        raise NotAllowed("forbidden", _("You may not change members of this workspace."))
    if not unpaid:
        require_writable(actor.tenant)


def name_checked(name: str, *, longest: int) -> str:
    """A name as it is kept. Raises WorkspaceError for one that cannot be."""
    try:
        return name_read(name, longest=longest)
    except NameRefused as refusal:
        raise WorkspaceError(refusal.code, refusal.message, field="name") from None


def email_checked(email: str) -> str:
    cleaned = email.strip().lower()
    try:
        validate_email(cleaned)
    except ValidationError:
        cleaned = ""
    if not cleaned or len(cleaned) > 254 or not cleaned.isprintable():
        raise WorkspaceError("invalid_email", _("That is not an email address."), field="email")
    return cleaned


def find_role(role: Role | UUID | str) -> Role:
    if isinstance(role, Role):
        return role
    found = None
    if isinstance(role, UUID):
        found = Role.objects.filter(id=role).first()
    elif role and "\x00" not in role and len(role) <= 40:
        found = Role.objects.filter(slug=role).first()
        if found is None and (role_id := id_of(role)):
            found = Role.objects.filter(id=role_id).first()
    if found is None:
        raise WorkspaceError("unknown_role", _("Choose one of the roles."), field="role")
    return found


def find_manager(manager: Member | UUID | str | None, *, of: Member | None = None) -> Member | None:
    if manager is None or manager == "":
        return None
    if not isinstance(manager, Member):
        manager_id = id_of(manager)
        found = Member.objects.filter(id=manager_id, state=Member.State.ACTIVE).first() if manager_id else None
        if found is None:
            raise WorkspaceError("unknown_manager", _("Choose an active member as manager."), field="manager")
        manager = found
    if of is not None:
        chain, seen = manager, set[UUID]()
        while chain is not None and chain.id not in seen:
            if chain.id == of.id:
                raise WorkspaceError(
                    "manager_circle", _("Nobody can be, even by way of others, their own manager."), field="manager"
                )
            seen.add(chain.id)
            chain = Member.objects.filter(id=chain.manager_id).first() if chain.manager_id else None  # type: ignore[assignment]
    return manager


def find_team(team: Team | UUID | str | None, *, field: str = "team") -> Team | None:
    """The team meant by an id, None for none. Raises WorkspaceError for one that is not there."""
    if isinstance(team, Team):
        return team
    if team is None or team == "":
        return None
    team_id = id_of(team)
    found = Team.objects.filter(id=team_id).first() if team_id else None
    if found is None:
        raise WorkspaceError("unknown_team", _("Choose one of the teams."), field=field)
    return found


def check_placing(actor: Actor, team: Team | None, member: Member | None = None) -> None:
    """Who reaches no further than their teams puts people into these only: nobody grants more than they have.

    Nor do they take a ``member`` in from elsewhere, or out of there, and with them what is theirs.
    """
    if not actor.permissions.by_team or actor.member_id is None:
        return
    own = Member.objects.filter(id=actor.member_id).values_list("team_id", flat=True).first()
    reached = reached_teams(actor.member_id, own)
    if member is not None and member.id != actor.member_id and member.team_id not in reached:
        raise NotAllowed(
            "team_beyond_own",
            _("Your role reaches as far as your own team, so you cannot move somebody who is elsewhere."),
            field="team",
        )
    if team is not None and team.id not in reached:
        raise NotAllowed(
            "team_beyond_own",
            _("Your role reaches as far as your own team, so you cannot put people into another."),
            field="team",
        )


def check_granting(actor: Actor, role: Role) -> None:
    if not covers(actor.permissions, role.matrix()):
        raise NotAllowed(
            "role_beyond_own", _("You cannot give or take a role that may do more than your own."), field="role"
        )


def people_lock(actor: Actor | None = None) -> None:
    """One at a time changes who works here and how they stand to each other, until the end of the transaction.

    Taken before any row: the last owner, circles of managers and seats are told from many rows, and two who change
    each other would wait for each other. Raises NotAllowed for an actor who was deactivated while they waited.
    """
    advisory_lock("people")
    if actor is None or actor.member_id is None:
        return
    if not Member.objects.filter(id=actor.member_id, state=Member.State.ACTIVE).exists():
        raise NotAllowed("deactivated", _("You are not an active member of this workspace any more."))


def require_seat(tenant: TenantRef) -> None:
    """Raise LimitReached unless one more may be invited or let in again. Called with ``people_lock`` held."""
    require_room(tenant, "seats", used=seats(tenant).used)
