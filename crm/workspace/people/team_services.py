"""Changes to the tree of teams."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from crm.workspace.errors import NotAllowed, NotFound, WorkspaceError
from crm.workspace.hooks import event_note
from crm.workspace.models import Invitation, Member, Team
from crm.workspace.people.checks import find_team, name_checked, people_lock
from crm.workspace.people.member_services import member_update
from tenants.actors import Actor
from tenants.ids import id_of
from tenants.workspaces.entitlements import require_writable
from tenants.workspaces.limits import require_feature

DEEPEST = 10
LONGEST_NAME = 80


def team_create(
    actor: Actor, *, name: str, parent: Team | UUID | str | None = None, head: Member | UUID | str | None = None
) -> Team:
    """A new team, below another or at the top. Raises NotAllowed, WorkspaceError and FeatureMissing: under a plan
    without teams, those that are there stay as they are and can be changed and removed."""
    _need(actor)
    require_feature(actor.tenant, "teams")
    with transaction.atomic():
        people_lock(actor)
        above = find_team(parent, field="parent")
        team = Team(name=name_checked(name, longest=LONGEST_NAME), parent=above, head=_head(head))
        _not_too_deep(above, levels=1)
        team.save()
        _note(actor, "team.created", team, {}, team.snapshot())
    return team


def team_update(
    actor: Actor,
    *,
    team_id: UUID,
    name: str | None = None,
    parent: Team | UUID | str | bool | None = False,
    head: Member | UUID | str | bool | None = False,
    change_set: object | None = None,
    leaving: bool = False,
) -> Team:
    """Change a team's name, place or head (``parent=None`` puts it at the top, the default leaves it; so ``head``).

    A team cannot be moved inside its own child, and its head is an active member. ``leaving`` as in ``member_update``.
    """
    _need(actor, unpaid=leaving)
    with transaction.atomic():
        people_lock(actor)
        team = _locked(team_id)
        before = team.snapshot()
        if name is not None:
            team.name = name_checked(name, longest=LONGEST_NAME)
        if not isinstance(parent, bool):
            above = find_team(parent, field="parent")
            _not_inside_itself(team, above)
            _not_too_deep(above, levels=_levels(team))
            team.parent = above
        if not isinstance(head, bool):
            team.head = _head(head, now=team.head_id)
        after = team.snapshot()
        if after != before:
            team.save()
            _note(actor, "team.updated", team, before, after, change_set)
    return team


def team_delete(
    actor: Actor,
    *,
    team_id: UUID,
    move_to: Team | UUID | str | None = None,
    children_to: Team | UUID | str | bool | None = False,
) -> None:
    """Remove a team: its members and whoever is invited to it go to ``move_to`` (None: to no team), the teams below it
    to ``children_to`` (None: to the top; the default: to the one above it)."""
    _need(actor)
    with transaction.atomic():
        people_lock(actor)
        team = _locked(team_id)
        target = find_team(move_to, field="move_to")
        above = team.parent if isinstance(children_to, bool) else find_team(children_to, field="move_to")
        if team.id in {one.id for one in (target, above) if one is not None}:
            raise WorkspaceError("move_to_wrong", _("Choose another team for its members."), field="move_to")
        for member_id in Member.objects.filter(team=team).order_by("id").values_list("id", flat=True):
            member_update(actor, member_id=member_id, team=target)
        Invitation.objects.filter(team=team, accepted_at=None, revoked_at=None).update(team=target)
        for child in Team.objects.filter(parent=team).order_by("id"):
            team_update(actor, team_id=child.id, parent=above)
        _note(actor, "team.deleted", team, team.snapshot(), {})
        team.delete()


def _need(actor: Actor, *, unpaid: bool = False) -> None:
    if not actor.can("workspace", "members"):
        raise NotAllowed("forbidden", _("You may not change the teams of this workspace."))
    if not unpaid:
        require_writable(actor.tenant)
    if actor.permissions.by_team:
        raise NotAllowed(
            "team_beyond_own",
            _("Your role reaches as far as your own team. Ask somebody who reaches everybody to change the teams."),
        )


def _locked(team_id: UUID) -> Team:
    team = Team.objects.select_related("parent").filter(id=team_id).first()
    if team is None:
        raise NotFound("not_found", _("There is no such team."))
    return team


def _head(head: Member | UUID | str | None, *, now: UUID | None = None) -> Member | None:
    if head is None or head == "":
        return None
    wanted = head.id if isinstance(head, Member) else id_of(head)
    found = Member.objects.filter(id=wanted).first() if wanted else None
    if found is None or not (found.is_active or found.id == now):
        raise WorkspaceError("unknown_head", _("Choose an active member as head of the team."), field="head")
    return found


def _not_inside_itself(team: Team, above: Team | None) -> None:
    while above is not None:
        if above.id == team.id:
            raise WorkspaceError(
                "team_circle", _("A team cannot be part of itself or of a team below it."), field="parent"
            )
        above = above.parent


def _levels(team: Team) -> int:
    return 1 + max((_levels(child) for child in team.children.all()), default=0)


def _not_too_deep(above: Team | None, *, levels: int) -> None:
    while above is not None:
        levels += 1
        above = above.parent
    if levels > DEEPEST:
        raise WorkspaceError("too_deep", _("Teams can be at most %(most)d deep.") % {"most": DEEPEST}, field="parent")


def _note(
    actor: Actor,
    type_: str,
    team: Team,
    before: dict[str, Any],
    after: dict[str, Any],
    change_set: object | None = None,
) -> None:
    event_note(
        actor,
        type=type_,
        record_type="team",
        record_id=team.id,
        before=before,
        after=after,
        change_set=change_set,
    )
