"""What a new workspace starts with: the fixed roles and its owner."""

from crm.workspace.models import Role
from crm.workspace.people.member_services import member_create
from crm.workspace.permissions import FIXED_ROLES, OWNER
from tenants.actors import TenantRef
from tenants.models import User


def roles_ensure() -> None:
    """Make the fixed roles that are missing; safe to repeat."""
    Role.objects.bulk_create(
        [Role(slug=role.slug, name=role.slug.replace("_", " ").title(), is_fixed=True) for role in FIXED_ROLES],
        ignore_conflicts=True,
    )


def provision(tenant: TenantRef, owner: User | None) -> None:
    """Make the fixed roles and the owner's Member, inside the tenant's scope; safe to repeat."""
    roles_ensure()
    if owner is not None:
        member_create(tenant=tenant, user_id=owner.pk, email=owner.email, name=owner.name, role_slug=OWNER)
