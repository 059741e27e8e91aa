"""A member leaves: their reports get another manager, their teams another head, and the door closes behind them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from crm.workspace.errors import Conflict, WorkspaceError
from crm.workspace.models import Member, Team
from crm.workspace.people.checks import people_lock
from crm.workspace.people.member_services import member_deactivate, member_reactivate, member_update
from crm.workspace.people.team_services import team_update
from crm.workspace.text.folding import BY_NAME
from tenants.actors import Actor
from tenants.ids import id_of

PEOPLE_UNDONE = ("member.deactivated", "member.reactivated", "member.updated", "team.updated")
"""The events of members and teams that ``people_undo`` takes back."""


def member_leave(
    actor: Actor,
    *,
    member_id: UUID,
    manager_id: UUID | str | None = None,
    heads: Mapping[UUID, UUID | str | None] | None = None,
    change_set: object | None = None,
) -> Member:
    """Deactivate a member and leave nobody under them.

    ``manager_id`` is whom their reports have from now on, else their own manager; one who is chosen among the reports
    moves up to that one. ``heads`` gives the teams they head their next one, None for none; those not named get their
    manager.
    """
    with transaction.atomic():
        people_lock(actor)
        leaver = Member.objects.select_related("manager").filter(id=member_id).first()
        above = leaver.manager_id if leaver and leaver.manager and leaver.manager.is_active else None
        next_one = _id(manager_id, "manager") if manager_id else above
        if member_id in (next_one, *(heads or {}).values()):
            raise WorkspaceError("leaves_himself", _("Choose somebody else than the one who leaves."), field="manager")
        if leaver is not None and leaver.is_active:
            reports = list(Member.objects.filter(manager=leaver).order_by(BY_NAME, "id"))
            for report in sorted(reports, key=lambda one: one.id != next_one):
                wanted = above if report.id == next_one else next_one
                member_update(actor, member_id=report.id, manager=wanted, change_set=change_set, leaving=True)
            for team in Team.objects.filter(head=leaver).order_by(BY_NAME, "id"):
                head = (heads or {}).get(team.id, above)
                team_update(actor, team_id=team.id, head=head or None, change_set=change_set, leaving=True)
        return member_deactivate(actor, member_id=member_id, change_set=change_set)


def _id(value: UUID | str, field: str) -> UUID:
    found = id_of(value)
    if found is None:
        raise WorkspaceError("unknown_member", _("Choose an active member."), field=field)
    return found


def people_undo(
    actor: Actor, type: str, record_id: UUID, before: Mapping[str, Any], after: Mapping[str, Any], change_set: object
) -> None:
    """Take back what an event says was changed of a member or a team. Raises WorkspaceError for what is in the way."""
    changed = {slug for slug in before if before[slug] != after.get(slug)}
    if type == "member.deactivated":
        member_reactivate(actor, member_id=record_id, change_set=change_set)
    elif type == "member.reactivated":
        member_deactivate(actor, member_id=record_id, change_set=change_set)
    elif type == "member.updated" and changed <= {"manager", "team", "role"}:
        _unchanged(Member.objects.select_related("role").filter(id=record_id).first(), after, changed)
        values = {slug: before[slug] for slug in changed}
        member_update(actor, member_id=record_id, change_set=change_set, **values)
    elif type == "team.updated" and changed <= {"name", "parent", "head"}:
        _unchanged(Team.objects.filter(id=record_id).first(), after, changed)
        values = {slug: before[slug] for slug in changed}
        team_update(actor, team_id=record_id, change_set=change_set, **values)
    else:
        raise WorkspaceError("not_undoable", _("This kind of change cannot be undone here."))


def _unchanged(found: Member | Team | None, after: Mapping[str, Any], slugs: set[str]) -> None:
    """Refuse to go back behind what somebody changed since."""
    now = found.snapshot() if found is not None else {}
    for slug in sorted(slugs):
        if slug not in now or now[slug] != after.get(slug):
            raise Conflict("changed_since", _("Something in this has been changed since."))
