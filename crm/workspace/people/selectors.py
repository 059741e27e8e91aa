"""Reading members, and turning one into the Actor that services take."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, QuerySet, UUIDField
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.workspace.hooks import records_in_sight
from crm.workspace.models import Invitation, Member, Notification, Role, Team
from crm.workspace.permissions import EVERYTHING, OWNER, covers, for_visitor
from crm.workspace.text.folding import BY_NAME, fold, holds_words
from tenants.actors import Actor, ActorKind, Scope, TenantRef
from tenants.locales import zone
from tenants.mails import Recipient
from tenants.models import SupportVisit
from tenants.prepared import Among, PreparedInstances

ACTIVE = Member.State.ACTIVE
MOST_NAMED = 3
MEMBER = PreparedInstances(lambda id: Member.objects.filter(id=id, state=ACTIVE).order_by(), UUID, related=("role",))
MEMBERS = PreparedInstances(
    lambda ids: Member.objects.filter(Among.of("id", ids), state=ACTIVE).order_by(), list, related=("role",)
)
MEMBER_OF_USER = PreparedInstances(
    lambda user_id: Member.objects.filter(user_id=user_id, state=ACTIVE).order_by(), UUID, related=("role",)
)


def member_actor(
    tenant: TenantRef,
    member: Member,
    *,
    kind: ActorKind = ActorKind.MEMBER,
    actor_id: UUID | None = None,
    label: str = "",
    scopes: frozenset[str] | None = None,
    request_id: str = "",
    unverified: bool = False,
) -> Actor:
    """The Actor for a member already read together with its role. A key lives in the workspace's time zone, whoever
    made it.

    ``details`` hold his ``color`` and ``user_id``, and ``unverified`` while his email address is not proven.
    """
    permissions = member.role.matrix()
    return Actor(
        kind=kind,
        tenant=tenant,
        permissions=permissions,
        id=actor_id or member.id,
        member_id=member.id,
        label=label or member.name,
        email=member.email,
        role=member.role.slug,
        time_zone=zone((kind is not ActorKind.API_KEY and member.time_zone) or tenant.time_zone),
        locale=member.locale or tenant.locale,
        request_id=request_id,
        scopes=scopes,
        details={
            "color": member.color,
            "user_id": str(member.user_id),
            "unverified": unverified,
            "formats": member.formats,
        },
        team_members=team_reach(member.id, member.team_id) if permissions.by_team else frozenset(),
    )


REACHED = """
    WITH RECURSIVE reached (id) AS (
        SELECT id FROM workspace_team WHERE id = %s OR head_id = %s
        UNION
        SELECT team.id FROM workspace_team AS team JOIN reached ON team.parent_id = reached.id
    )
"""
REACHED_TEAMS = f"{REACHED} SELECT id FROM reached"  # noqa: S608
REACHED_MEMBERS = f"{REACHED} SELECT id FROM workspace_member WHERE team_id IN (SELECT id FROM reached)"  # noqa: S608


def team_reach(member_id: UUID, team_id: UUID | None) -> frozenset[UUID]:
    """Whose records are the team's for this member: his own team's, those of the teams he heads, and of all below."""
    with connection.cursor() as cursor:
        cursor.execute(REACHED_MEMBERS, [team_id, member_id])
        return frozenset([member_id, *(row[0] for row in cursor.fetchall())])


def reached_teams(member_id: UUID, team_id: UUID | None) -> frozenset[UUID]:
    """His own team, those he heads, and all below."""
    with connection.cursor() as cursor:
        cursor.execute(REACHED_TEAMS, [team_id, member_id])
        return frozenset(row[0] for row in cursor.fetchall())


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


def actor_for_user(tenant: TenantRef, user_id: UUID, request_id: str = "", *, unverified: bool = False) -> Actor | None:
    """The Actor of a signed-in user here, in one query; None unless he is an active member."""
    member = MEMBER_OF_USER.first(user_id)
    return None if member is None else member_actor(tenant, member, request_id=request_id, unverified=unverified)


def visitor_actor(tenant: TenantRef, visit: SupportVisit, request_id: str = "") -> Actor | None:
    """The Actor of an operator on a visit: as the member, named as who it is, without the powers that are no visitor's.

    None once the member is not active any more.
    """
    actor = actor_for_user(tenant, visit.user_id, request_id)
    if actor is None:
        return None
    operator = visit.operator.email
    return replace(
        actor,
        permissions=for_visitor(actor.permissions),
        label=_("%(operator)s (support) as %(member)s") % {"operator": operator, "member": actor.label},
        details={**actor.details, "operator": operator, "visit_id": str(visit.id)},
    )


def actor_for_member(
    tenant: TenantRef,
    member_id: UUID,
    *,
    kind: ActorKind = ActorKind.MEMBER,
    actor_id: UUID | None = None,
    label: str = "",
    scopes: frozenset[str] | None = None,
    request_id: str = "",
) -> Actor | None:
    """An Actor that acts for a member (an API key, an automation), in one query; None unless he is active."""
    member = MEMBER.first(member_id)
    if member is None:
        return None
    return member_actor(tenant, member, kind=kind, actor_id=actor_id, label=label, scopes=scopes, request_id=request_id)


def actors_for_members(tenant: TenantRef, member_ids: Collection[UUID]) -> dict[UUID, Actor]:
    """The Actors of those of the members that are active, in one query."""
    if not member_ids:
        return {}
    return {member.pk: member_actor(tenant, member) for member in MEMBERS.all(list(member_ids))}


def system_actor(tenant: TenantRef, request_id: str = "") -> Actor:
    """The workspace itself: may do everything, is nobody."""
    return Actor(
        kind=ActorKind.SYSTEM,
        tenant=tenant,
        permissions=EVERYTHING,
        label=_("System"),
        time_zone=zone(tenant.time_zone),
        locale=tenant.locale,
        request_id=request_id,
    )


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
    return ", ".join(owners().values_list("name", flat=True)[:MOST_NAMED])


def open_invitations() -> QuerySet[Invitation]:
    """Invitations neither accepted nor revoked, expired ones included."""
    return Invitation.objects.select_related("role", "invited_by").filter(accepted_at=None, revoked_at=None)


def grantable_roles(actor: Actor) -> list[Role]:
    """The roles this actor may give to others: none that reaches further than his own."""
    order = {"owner": 0, "admin": 1, "manager": 2, "member": 3, "read_only": 4}
    roles = [role for role in Role.objects.all() if covers(actor.permissions, role.matrix())]
    return sorted(roles, key=lambda role: (order.get(role.slug, 9), fold(role.name)))


def notifications_of(actor: Actor) -> QuerySet[Notification]:
    """What stands in the actor's own inbox: nothing of records that are out of his sight by now, or of
    changes that were undone."""
    if actor.member_id is None:
        return Notification.objects.none()
    return Notification.objects.filter(
        records_in_sight(actor), member_id=actor.member_id, in_app=True, withdrawn_at=None
    )


def unread_count(actor: Actor) -> int:
    """The inbox's unread lines: what is of one kind and record counts once."""
    unread = notifications_of(actor).filter(read_at=None)
    return (
        unread.values("kind", "record_type", of=Coalesce("record_id", "id", output_field=UUIDField()))
        .distinct()
        .order_by()
        .count()
    )


@dataclass(frozen=True, slots=True)
class Seats:
    """Seats in use (active members and open invitations) and how many there are; ``limit`` None is no limit."""

    used: int
    limit: int | None


def seats(tenant: TenantRef) -> Seats:
    waiting = Invitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=timezone.now()).count()
    return Seats(used=active_members().count() + waiting, limit=tenant.limits.get("seats"))
