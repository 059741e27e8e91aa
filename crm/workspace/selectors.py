"""Reading members, and turning one into the Actor that services take."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.workspace.models import Invitation, Member, Notification, Role
from crm.workspace.roles import EVERYTHING, covers
from tenants.actors import Actor, ActorKind, TenantRef
from tenants.prepared import PreparedInstances

ACTIVE = Member.State.ACTIVE
MEMBER = PreparedInstances(lambda id: Member.objects.filter(id=id, state=ACTIVE).order_by(), UUID, related=("role",))
MEMBER_OF_USER = PreparedInstances(
    lambda user_id: Member.objects.filter(user_id=user_id, state=ACTIVE).order_by(), UUID, related=("role",)
)


def zone(name: str) -> ZoneInfo:
    """The zone of that IANA name, or UTC when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


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
    """The Actor for a member already read together with its role.

    ``details`` hold his ``color`` and ``user_id``, and ``unverified`` while his email address is not proven.
    """
    return Actor(
        kind=kind,
        tenant=tenant,
        permissions=member.role.matrix(),
        id=actor_id or member.id,
        member_id=member.id,
        label=label or member.name,
        email=member.email,
        role=member.role.slug,
        time_zone=zone(member.time_zone or tenant.time_zone),
        locale=member.locale or tenant.locale,
        request_id=request_id,
        scopes=scopes,
        details={"color": member.color, "user_id": str(member.user_id), "unverified": unverified},
    )


def actor_for_user(tenant: TenantRef, user_id: UUID, request_id: str = "", *, unverified: bool = False) -> Actor | None:
    """The Actor of a signed-in user here, in one query; None unless he is an active member."""
    member = MEMBER_OF_USER.first(user_id)
    return None if member is None else member_actor(tenant, member, request_id=request_id, unverified=unverified)


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
    return Member.objects.select_related("role", "manager").order_by("state", "name", "id")


MEMBER_COLUMNS = ("id", "name", "email", "role__slug", "state", "manager_id", "time_zone", "locale", "created_at")


def member_rows(*, after: UUID | None, limit: int) -> tuple[list[dict[str, Any]], UUID | None]:
    """A page of members as plain rows in the order of their ids, and the id to go on after (None at the end)."""
    rows = Member.objects.order_by("id").values(*MEMBER_COLUMNS)
    if after is not None:
        rows = rows.filter(id__gt=after)
    page = [_member_row(row) for row in rows[: limit + 1]]
    return page[:limit], page[limit - 1]["id"] if len(page) > limit else None


def member_row(member_id: UUID) -> dict[str, Any] | None:
    row = Member.objects.filter(id=member_id).values(*MEMBER_COLUMNS).first()
    return None if row is None else _member_row(row)


def _member_row(row: dict[str, Any]) -> dict[str, Any]:
    role, manager = row.pop("role__slug"), row.pop("manager_id")
    return {**row, "role": role, "manager": manager}


def active_members() -> QuerySet[Member]:
    return Member.objects.filter(state=Member.State.ACTIVE).order_by("name", "id")


def open_invitations() -> QuerySet[Invitation]:
    """Invitations neither accepted nor revoked, expired ones included."""
    return Invitation.objects.select_related("role", "invited_by").filter(accepted_at=None, revoked_at=None)


def grantable_roles(actor: Actor) -> list[Role]:
    """The roles this actor may give to others: none that reaches further than his own."""
    order = {"owner": 0, "admin": 1, "manager": 2, "member": 3, "read_only": 4}
    roles = [role for role in Role.objects.all() if covers(actor.permissions, role.matrix())]
    return sorted(roles, key=lambda role: (order.get(role.slug, 9), role.name))


def unread_count(actor: Actor) -> int:
    if actor.member_id is None:
        return 0
    return Notification.objects.filter(member_id=actor.member_id, read_at=None).count()


@dataclass(frozen=True, slots=True)
class Seats:
    """Seats in use (active members and open invitations) and how many there are; ``limit`` None is no limit."""

    used: int
    limit: int | None

    @property
    def full(self) -> bool:
        return self.limit is not None and self.used >= self.limit


def seats(tenant: TenantRef) -> Seats:
    waiting = Invitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=timezone.now()).count()
    return Seats(used=active_members().count() + waiting, limit=tenant.limits.get("seats"))
