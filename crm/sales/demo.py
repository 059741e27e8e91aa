"""The demo workspace of a copy that runs on one machine: a business that fits windows, with half a year behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from crm.records import writing
from crm.records.types import registry
from crm.sales.models import Pipeline, Stage
from crm.sales.rules import LOST, OPEN, WON
from crm.sales.sample import sample_load
from crm.workspace.models import Member
from crm.workspace.selectors import actor_for_user
from crm.workspace.services import member_create
from tenants import accounts
from tenants.actors import Actor, TenantRef
from tenants.api_keys import ApiKeyRefused, api_key_authenticate, api_key_create
from tenants.hosts import subdomain_host, tenant_host, tenant_url
from tenants.models import Domain, Tenant, User
from tenants.provisioning import tenant_provision
from tenants.scopes import shared, tenant_scope

NAME = "Morgenlicht Fenster"
SUBDOMAIN = "morgenlicht"
PASSWORD = "light comes in by windows"  # noqa: S105
STAGES = (
    {"name": "First call", "probability": 10, "color": "gray", "stale_days": 7},
    {"name": "Measuring", "probability": 30, "color": "blue", "stale_days": 14},
    {"name": "Agreement", "probability": 60, "color": "violet", "stale_days": 21, "required_fields": ["amount"]},
    {"name": "Payment", "probability": 85, "color": "amber", "stale_days": 14, "required_fields": ["expected_close"]},
    {"name": "Installation", "probability": 95, "color": "teal", "stale_days": 30},
)


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    role: str
    locale: str = "en"

    @property
    def email(self) -> str:
        return f"{self.name.partition(' ')[0].lower()}@{SUBDOMAIN}.example"


OWNER = Person("Clara Winter", "owner")
MANAGER = Person("Jonas Keller", "manager")
SELLERS = (Person("Amelie Roux", "member"), Person("Marek Nowak", "member"), Person("Sofia Lind", "member"))


def demo_workspace_ensure(known: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Make the demo workspace if it is not there, and say how to get in.

    ``known`` is what an earlier call returned: its key is kept as long as it works.
    """
    tenant, owner = _workspace()
    with tenant_scope(tenant):
        actor = _actor(tenant, owner)
        if Member.objects.count() == 1:
            _fill(tenant, actor)
        key = str((known or {}).get("api_key") or "")
        if not _works(key, tenant):
            scopes = [f"{rt.slug}:{right}" for rt in registry.all() for right in ("read", "write")]
            _key, key = api_key_create(actor, name="Demo", scopes=[*scopes, "member:read"])
    return {
        "workspace_url": tenant_url(tenant),
        "workspace_host": tenant_host(tenant),
        "email": OWNER.email,
        "password": PASSWORD,
        "api_key": key,
    }


def _workspace() -> tuple[TenantRef, User]:
    with shared(), transaction.atomic():
        domain = Domain.objects.select_related("tenant").filter(domain=subdomain_host(SUBDOMAIN)).first()
        owner = accounts.verified_user(OWNER.email) or accounts.account_create(
            email=OWNER.email, password=PASSWORD, name=OWNER.name, verified=True
        )
        if domain is None:
            tenant = Tenant.objects.create(name=NAME, currency="EUR", time_zone="Europe/Berlin")
            domain = Domain.objects.create(tenant=tenant, domain=subdomain_host(SUBDOMAIN), is_primary=True)
    return tenant_provision(domain.tenant, owner), owner


def _actor(tenant: TenantRef, user: User) -> Actor:
    actor = actor_for_user(tenant, user.pk, "demo")
    if actor is None:
        raise RuntimeError(f"{user.email} is no member of {tenant.name} any more.")
    return actor


def _works(key: str, tenant: TenantRef) -> bool:
    try:
        _found, where = api_key_authenticate(f"Bearer {key}" if key else None)
    except ApiKeyRefused:
        return False
    return where.id == tenant.id


@transaction.atomic
def _fill(tenant: TenantRef, owner: Actor) -> None:
    _pipeline(owner)
    manager = _member(tenant, MANAGER, None)
    boss = Member.objects.get(email=MANAGER.email)
    sample_load(owner, team=[manager, *(_member(tenant, person, boss) for person in SELLERS)])


def _member(tenant: TenantRef, person: Person, manager: Member | None) -> Actor:
    with shared():
        user = accounts.verified_user(person.email) or accounts.account_create(
            email=person.email, password=PASSWORD, name=person.name, verified=True
        )
    member_create(
        tenant=tenant, user_id=user.pk, email=person.email, name=person.name, role_slug=person.role, manager=manager
    )
    return _actor(tenant, user)


def _pipeline(actor: Actor) -> None:
    """Turn the pipeline that every workspace starts with into that of a business that fits windows."""
    stage_type = registry.get("stage")
    pipeline = Pipeline.objects.get(is_default=True)
    writing.update(actor, registry.get("pipeline"), pipeline.pk, {"name": "Windows"})
    there = list(Stage.objects.filter(pipeline=pipeline, kind=OPEN, deleted_at=None).order_by("position", "pk"))
    for position, (stage, values) in enumerate(zip(there, STAGES, strict=False), 1):
        writing.update(actor, stage_type, stage.pk, {"required_fields": [], **values, "position": position})
    for position, values in enumerate(STAGES[len(there) :], len(there) + 1):
        writing.create(actor, stage_type, {**values, "position": position, "kind": OPEN, "pipeline": pipeline.pk})
    for position, kind in enumerate((WON, LOST), len(STAGES) + 1):
        closed = Stage.objects.get(pipeline=pipeline, kind=kind, deleted_at=None)
        writing.update(actor, stage_type, closed.pk, {"position": position})
