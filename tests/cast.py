"""Who plays: two workspaces and the people in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from allauth.account.models import EmailAddress

from crm.workspace.models import Member
from crm.workspace.people.member_services import member_create
from tenants.actors import TenantRef
from tenants.db.scopes import shared, tenant_scope
from tenants.models import Domain, Tenant, User
from tenants.workspaces.hosts import subdomain_host
from tenants.workspaces.provisioning import tenant_provision

PASSWORD = "correct horse battery"

# name → (role, the one that manages them)
PEOPLE_OF_A = {
    "owner": ("owner", None),
    "admin": ("admin", None),
    "manager": ("manager", None),
    "seller": ("member", "manager"),
    "seller_two": ("member", "manager"),
    "reader": ("read_only", None),
}
PEOPLE_OF_B = {"outsider": ("owner", None)}


@dataclass(frozen=True)
class Cast:
    tenant_a: TenantRef
    tenant_b: TenantRef
    users: dict[str, UUID]


def make_cast() -> Cast:
    users: dict[str, UUID] = {}
    return Cast(
        workspace("Alder Windows", "alder", PEOPLE_OF_A, users),
        workspace("Birch Doors", "birch", PEOPLE_OF_B, users),
        users,
    )


def user(name: str) -> User:
    email = f"{name.replace('_', '.')}@example.com"
    made = User.objects.create_user(email, PASSWORD, name=name.replace("_", " ").title())
    EmailAddress.objects.create(user=made, email=email, primary=True, verified=True)
    return made


def workspace(
    name: str, subdomain: str, people: Mapping[str, tuple[str, str | None]], users: dict[str, UUID]
) -> TenantRef:
    """A provisioned workspace whose first person is its owner."""
    with shared():
        accounts = {person: user(person) for person in people}
        users |= {person: account.id for person, account in accounts.items()}
        tenant = Tenant.objects.create(name=name)
        Domain.objects.create(tenant=tenant, domain=subdomain_host(subdomain), is_primary=True)
    ref = tenant_provision(tenant, next(iter(accounts.values())))
    for person, (role, manager) in people.items():
        account = accounts[person]
        with tenant_scope(ref):
            member_create(
                tenant=ref,
                user_id=account.id,
                email=account.email,
                name=account.name,
                role_slug=role,
                manager=Member.objects.get(user_id=users[manager]) if manager else None,
            )
    return ref
