"""Reading members, teams, invitations and seats."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.workspace.models import Invitation, Member, Role, Team
from crm.workspace.permissions import OWNER, covers
from crm.workspace.text.folding import BY_NAME, fold, holds_words
from tenants.actors import Actor, Scope, TenantRef
from tenants.work.mail import Recipient
from tenants.workspaces.locales import zone

MAX_NAMED = 3


def teams() -> list[Team]:
    """Every team with its head, parents before what is below them and each level by name; ``depth`` is set on each."""
    below: dict[UUID | None, list[Team]] = {}
    for team in Team.objects.select_related("head").order_by(BY_NAME, "id"):
        below.setdefault(team.parent_id, []).append(team)
    found: list[Team] = []

    def add(parent_id: UUID | None, depth: int) -> None:
        for team in below.get(parent_id, ()):
            team.depth = depth
            found.append(team)
            add(team.id, depth + 1)

    add(None, 0)
    return found


def members() -> QuerySet[Member]:
    """All members with their role and manager, the active first."""
    return present_members().select_related("role", "manager").order_by("state", BY_NAME, "id")


def present_members() -> QuerySet[Member]:
    """Those who are or were members: not the people of the sample data, who are only named on what they did."""
    return Member.objects.exclude(state=Member.State.SAMPLE)


def members_matching(q: str = "", role: str = "", team: str = "", state: str = "") -> QuerySet[Member]:
    """Members as ``members`` has them: by words in name or address, role, team (those below it too) and state."""
    rows = members().select_related("team")
    if state != "all":
        rows = rows.filter(state=state or Member.State.ACTIVE)
    for word in q.replace("\x00", "").split():
        rows = rows.filter(holds_words("name", word) | holds_words("email", word))
    if role:
        rows = rows.filter(role__slug=role)
    if team:
        wanted = {UUID(team)}
        for one in teams():
            if one.parent_id in wanted:
                wanted.add(one.id)
        rows = rows.filter(team__in=wanted)
    return rows


def members_of_teams() -> dict[UUID | None, list[Member]]:
    """The active members by their team's id; None for those in no team."""
    found: dict[UUID | None, list[Member]] = {}
    for member in active_members():
        found.setdefault(member.team_id, []).append(member)
    return found


MEMBER_COLUMNS = (
    "id",
    "name",
    "email",
    "role__slug",
    "state",
    "manager_id",
    "team_id",
    "time_zone",
    "locale",
    "created_at",
)


type Rows = tuple[list[dict[str, Any]], UUID | None]


def id_page(rows: QuerySet[Any, Any], after: UUID | None, limit: int) -> Rows:
    """A page of plain rows in the order of their ids, and the id to go on after (None at the end)."""
    found = list((rows if after is None else rows.filter(id__gt=after)).order_by("id")[: limit + 1])
    return found[:limit], found[limit - 1]["id"] if len(found) > limit else None


def member_rows(*, after: UUID | None, limit: int) -> Rows:
    page, more = id_page(present_members().values(*MEMBER_COLUMNS), after, limit)
    return [_member_row(row) for row in page], more


def team_rows(*, after: UUID | None = None, limit: int = 1, team_id: UUID | None = None) -> Rows:
    """Teams, or the one with an id."""
    rows = Team.objects.all() if team_id is None else Team.objects.filter(id=team_id)
    found = rows.values("id", "name", "created_at", parent_team=F("parent_id"), head_member=F("head_id"))
    page, more = id_page(found, after, limit)
    for row in page:
        row["parent"], row["head"] = row.pop("parent_team"), row.pop("head_member")
    return page, more


def invitation_rows(*, after: UUID | None = None, limit: int = 1, invitation_id: UUID | None = None) -> Rows:
    """Invitations that are open, expired ones among them; or the one with an id."""
    rows = Invitation.objects.filter(accepted_at=None, revoked_at=None)
    if invitation_id is not None:
        rows = rows.filter(id=invitation_id)
    page, more = id_page(
        rows.values("id", "email", "role__slug", "team_id", "manager_id", "invited_by_id", "expires_at", "created_at"),
        after,
        limit,
    )
    for row in page:
        row["role"] = row.pop("role__slug")
        row |= {name: row.pop(f"{name}_id") for name in ("team", "manager", "invited_by")}
        row["expired"] = row["expires_at"] <= timezone.now()
    return page, more


def member_row(member_id: UUID) -> dict[str, Any] | None:
    row = present_members().filter(id=member_id).values(*MEMBER_COLUMNS).first()
    return None if row is None else _member_row(row)


def _member_row(row: dict[str, Any]) -> dict[str, Any]:
    role, manager, team = row.pop("role__slug"), row.pop("manager_id"), row.pop("team_id")
    return {**row, "role": role, "manager": manager, "team": team}


def active_members() -> QuerySet[Member]:
    return Member.objects.filter(state=Member.State.ACTIVE).order_by(BY_NAME, "id")


def power_holders(tenant: TenantRef, power: str) -> list[Recipient]:
    """The active members whose role has a power over the workspace, as those to whom a mail about it goes."""
    return [
        Recipient(one.email, one.locale or tenant.locale, zone(one.time_zone or tenant.time_zone), one.user_id)
        for one in active_members().select_related("role")
        if one.role.matrix().scope("workspace", power) is not Scope.NONE
    ]


def payment_remedy(actor: Actor) -> str:
    """What the actor can do about something that was not paid for: choose a plan, or ask an owner, by name."""
    if actor.can("workspace", "billing"):
        return _("Choose a plan under Settings → Billing.")
    return _("Ask an owner of the workspace to choose a plan: %(names)s.") % {"names": _owners_named()}


def seats_remedy(actor: Actor) -> str:
    """What who may not buy seats can do about a missing one: ask an owner, by name."""
    return _("Ask an owner of the workspace for more seats: %(names)s.") % {"names": _owners_named()}


def owners() -> QuerySet[Member]:
    """The active members whose role is Owner."""
    return active_members().filter(role__slug=OWNER, role__is_fixed=True)


def _owners_named() -> str:
    return ", ".join(owners().values_list("name", flat=True)[:MAX_NAMED])


def open_invitations() -> QuerySet[Invitation]:
    """Invitations neither accepted nor revoked, expired ones included."""
    return Invitation.objects.select_related("role", "invited_by").filter(accepted_at=None, revoked_at=None)


def grantable_roles(actor: Actor) -> list[Role]:
    """The roles this actor may give to others: none that reaches further than their own."""
    order = {"owner": 0, "admin": 1, "manager": 2, "member": 3, "read_only": 4}
    roles = [role for role in Role.objects.all() if covers(actor.permissions, role.matrix())]
    return sorted(roles, key=lambda role: (order.get(role.slug, 9), fold(role.name)))


@dataclass(frozen=True, slots=True)
class Seats:
    """Seats in use (active members and open invitations) and how many there are; ``limit`` None is no limit."""

    used: int
    limit: int | None


def seats(tenant: TenantRef) -> Seats:
    waiting = Invitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=timezone.now()).count()
    return Seats(used=active_members().count() + waiting, limit=tenant.limits.get("seats"))
