"""Who works in which workspace: the shared index of the workspaces' own members."""

from typing import Any
from uuid import UUID

from tenants.models import Membership, Session, Tenant, User
from tenants.registration import Hook
from tenants.selectors import BUILT


def memberships(user: User) -> list[Membership]:
    """Where the user works now, by name of the workspace."""
    there = (*BUILT, Tenant.State.PROVISIONING, Tenant.State.RESERVED)
    return list(
        Membership.objects.select_related("tenant")
        .prefetch_related("tenant__domains")
        .filter(user=user, state=Membership.State.ACTIVE, tenant__state__in=there)
        .order_by("tenant__name", "id")
    )


def membership_of(user_id: UUID, tenant_id: UUID) -> Membership | None:
    """The user's active membership in a workspace that is there."""
    return (
        Membership.objects.select_related("tenant")
        .filter(user_id=user_id, tenant_id=tenant_id, state=Membership.State.ACTIVE)
        .exclude(tenant__state__in=(Tenant.State.DELETED, Tenant.State.DELETING))
        .first()
    )


def memberships_built(user: User) -> list[Membership]:
    """Where the user works or worked, of workspaces that have a schema."""
    return list(Membership.objects.select_related("tenant").filter(user=user, tenant__state__in=BUILT))


@Hook
def members_changed(tenant_id: UUID) -> None:
    """Hear that the members of a workspace changed, in the transaction and the shared scope of the change."""


def membership_add(*, user: User, tenant: Tenant) -> None:
    """Note the first member of a workspace that is being made."""
    Membership.objects.create(user=user, tenant=tenant)
    members_changed(tenant.id)


def memberships_end(tenant_id: UUID) -> None:
    """Forget who worked in a workspace that is gone, and sign all out of it."""
    Session.objects.filter(tenant_id=tenant_id).delete()
    Membership.objects.filter(tenant_id=tenant_id).delete()
    members_changed(tenant_id)


def membership_set(*, tenant_id: UUID, user_id: UUID, active: bool, member_id: UUID | None = None) -> None:
    """Keep the index of who is where in step with a workspace's own Member."""
    values: dict[str, Any] = {"state": Membership.State.ACTIVE if active else Membership.State.DEACTIVATED}
    if member_id is not None:
        values["member_id"] = member_id
    Membership.objects.update_or_create(tenant_id=tenant_id, user_id=user_id, defaults=values)
    members_changed(tenant_id)


def membership_move(membership: Membership, *, to: User) -> None:
    """Put another account behind a membership."""
    membership.user = to
    membership.save(update_fields=["user"])
    members_changed(membership.tenant_id)
