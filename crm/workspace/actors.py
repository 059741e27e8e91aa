"""Turning a member into the Actor that services take."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext as _

from crm.workspace.models import Member
from crm.workspace.permissions import EVERYTHING, for_visitor
from tenants.accounts import services
from tenants.actors import Actor, ActorKind, TenantRef
from tenants.db.prepared import Among, PreparedInstances
from tenants.db.scopes import shared
from tenants.models import SupportVisit
from tenants.workspaces.locales import zone

ACTIVE = Member.State.ACTIVE
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

    ``details`` hold their ``color`` and ``user_id``, and ``unverified`` while their email address is not proven.
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
    """Whose records are the team's for this member: their own team's, those of teams they head, and of all below."""
    with connection.cursor() as cursor:
        cursor.execute(REACHED_MEMBERS, [team_id, member_id])
        return frozenset([member_id, *(row[0] for row in cursor.fetchall())])


def reached_teams(member_id: UUID, team_id: UUID | None) -> frozenset[UUID]:
    """Their own team, those they head, and all below."""
    with connection.cursor() as cursor:
        cursor.execute(REACHED_TEAMS, [team_id, member_id])
        return frozenset(row[0] for row in cursor.fetchall())


def actor_for_user(tenant: TenantRef, user_id: UUID, request_id: str = "", *, unverified: bool = False) -> Actor | None:
    """The Actor of a signed-in user here, in one query; None unless they are an active member."""
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
    """An Actor that acts for a member (an API key, an automation), in one query; None unless they are active."""
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


def proven_users(user_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the users who have proven their address; nobody else is mailed what others wrote."""
    wanted = list(user_ids)
    with shared():
        return services.verified_among(wanted)
