"""The demo workspace of a copy that runs on one machine: a business that fits windows, with half a year behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from crm.people.models import Company
from crm.records.lists.view_services import view_create
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.sales.models import Pipeline, Stage
from crm.sales.rules.common import LOST, OPEN, WON
from crm.sales.sample.loading import STAGES, sample_load
from crm.workspace.actors import actor_for_user
from crm.workspace.currencies.files import Line
from crm.workspace.currencies.services import exchange_rates_import
from crm.workspace.models import Member, Team
from crm.workspace.people.member_services import member_create, member_update
from crm.workspace.people.role_services import role_create
from crm.workspace.people.team_services import team_create
from crm.workspace.permissions import WORK_NOUNS
from crm.workspace.settings.services import holiday_place_set, holiday_suggestions, holidays_add
from tenants.accounts import services
from tenants.accounts.api_keys import ApiKeyRefused, api_key_authenticate, api_key_create
from tenants.actors import Actor, TenantRef
from tenants.db.scopes import shared, tenant_scope
from tenants.models import Domain, Tenant, User
from tenants.selectors import BUILT
from tenants.workspaces.fleet import workspace_upgrade
from tenants.workspaces.hosts import subdomain_host, tenant_host, tenant_url
from tenants.workspaces.provisioning import tenant_provision

NAME = "Morgenlicht Fenster"
SUBDOMAIN = "morgenlicht"
SECOND_NAME, SECOND_SUBDOMAIN = "Abendrot Türen", "abendrot"
PASSWORD = "light comes in by windows"  # noqa: S105
CARE = "Maintenance"
CARE_DEALS = 14
CARE_STAGES = (
    {"name": "Offer sent", "probability": 40, "color": "blue", "stale_days": 14, "guidance": "Call after a week."},
    {"name": "Agreed", "probability": 90, "color": "teal", "stale_days": 10, "required_fields": ["amount"]},
)
TEAMS = (("Sales", "", 0), ("Homes", "Sales", 1), ("Projects", "Sales", 3))
"""Name, the team above and the number of the head among ``MANAGER`` and ``SELLERS``."""
PLACES = ("Sales", "Homes", "Homes", "Projects")
TRAINEE_ROLE = "Trainee"
VIEWS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    (
        "deal",
        0,
        {
            "name": "By stage",
            "sharing": "everyone",
            "grouping": "stage",
            "columns": ["name", "company", "amount", "owner", "expected_close"],
            "footers": {"amount": "sum"},
            "filter": {"field": "closed_on", "op": "is_empty"},
        },
    ),
    (
        "deal",
        0,
        {
            "name": "Large ones",
            "sharing": "private",
            "sort": ["-amount"],
            "filter": {"field": "amount", "op": "gt", "value": "20000"},
        },
    ),
    (
        "deal",
        2,
        {
            "name": "Our board",
            "layout": "board",
            "sharing": "team",
            "card_fields": ["expected_close", "source"],
        },
    ),
    (
        "contact",
        1,
        {
            "name": "By language",
            "sharing": "everyone",
            "grouping": "language",
            "columns": ["name", "company", "emails", "phones"],
        },
    ),
)
"""Views of lists: their noun, whose they are (0 the owner, 1 the manager, then sales people), and what they keep."""
RATES = {
    "CHF": Decimal("1.06"),
    "GBP": Decimal("1.15"),
    "JPY": Decimal("0.0061"),
    "KWD": Decimal("2.98"),
    "PLN": Decimal("0.235"),
    "SEK": Decimal("0.089"),
    "USD": Decimal("0.92"),
}
ABROAD = (
    ("Hikari Ryokan", "JP", "Kyoto", "Twenty sliding windows, Kyoto", "JPY", "4850000"),
    ("Al Noor Residences", "KW", "Salmiya", "Shaded facade, Salmiya", "KWD", "18250.750"),
    ("Harbor Lofts", "US", "Boston", "Loft windows, Boston", "USD", "64200"),
)
"""Customers far away, whose currencies have no cents, three decimals, and the usual two: with city, deal and amount."""


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    role: str
    locale: str = "en"

    @property
    def email(self) -> str:
        return f"{self.name.partition(' ')[0].lower()}@{SUBDOMAIN}.example"


OWNER = Person("Clara Winter", "owner")
SECOND_OWNER = Person("Paul Abend", "owner")
MANAGER = Person("Jonas Keller", "manager")
TRAINEE = Person("Tim Berger", "member")
SELLERS = (Person("Amelie Roux", "member"), Person("Marek Nowak", "member"), Person("Sofia Lind", "member"))


def demo_workspace_ensure(known: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Make the demo workspace if it is not there, and say how to get in.

    ``known`` is what an earlier call returned: its key is kept as long as it works.
    """
    tenant, owner = _workspace(NAME, SUBDOMAIN, OWNER)
    with tenant_scope(tenant):
        actor = _actor(tenant, owner)
        if Member.objects.count() == 1:
            _fill(tenant, actor)
        key = str((known or {}).get("api_key") or "")
        if not _works(key, tenant):
            scopes = [f"{record_type.slug}:{right}" for record_type in registry.all() for right in ("read", "write")]
            _key, key = api_key_create(actor, name="Demo", scopes=[*scopes, "member:read"])
    return {
        "workspace_url": tenant_url(tenant),
        "workspace_host": tenant_host(tenant),
        "email": OWNER.email,
        "password": PASSWORD,
        "api_key": key,
    }


def second_workspace_ensure() -> tuple[TenantRef, User]:
    """Another workspace, empty, and its owner."""
    return _workspace(SECOND_NAME, SECOND_SUBDOMAIN, SECOND_OWNER)


def _workspace(name: str, subdomain: str, person: Person) -> tuple[TenantRef, User]:
    with shared(), transaction.atomic():
        domain = Domain.objects.select_related("tenant").filter(domain=subdomain_host(subdomain)).first()
        owner = services.verified_user(person.email) or services.account_create(
            email=person.email, password=PASSWORD, name=person.name, verified=True
        )
        if domain is None:
            tenant = Tenant.objects.create(name=name, currency="EUR", time_zone="Europe/Berlin")
            domain = Domain.objects.create(tenant=tenant, domain=subdomain_host(subdomain), is_primary=True)
    with shared():
        behind = domain.tenant.state in BUILT and domain.tenant.ref(domain).is_behind
    if behind:
        workspace_upgrade(domain.tenant.schema_name)
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
    pipeline_id = _pipeline(owner)
    manager = _member(tenant, MANAGER, None)
    boss = Member.objects.get(email=MANAGER.email)
    _money(owner)
    team = [manager, *(_member(tenant, person, boss) for person in SELLERS)]
    _teams(tenant, owner, boss)
    sample_load(owner, team=team, pipeline_id=pipeline_id)
    _care(owner, team)
    _abroad(team)
    for noun, person, values in VIEWS:
        view_create([owner, *team][person], registry.get(noun), values)


def _teams(tenant: TenantRef, owner: Actor, boss: Member) -> None:
    """Sales with two teams below it, and a trainee who sees their team's records and no amounts."""
    people = [Member.objects.get(email=person.email) for person in (MANAGER, *SELLERS)]
    for name, above, head in TEAMS:
        team_create(owner, name=name, parent=Team.objects.get(name=above) if above else None, head=people[head])
    teams = {one.name: one for one in Team.objects.all()}
    for person, place in zip(people, PLACES, strict=True):
        member_update(owner, member_id=person.pk, team=teams[place])
    row = {"view": "team", "create": "own", "edit": "own", "delete": "none", "export": "none", "bulk": "none"}
    role = role_create(
        owner,
        name=TRAINEE_ROLE,
        about="Sees what the team works on, without amounts.",
        permissions={**dict.fromkeys(WORK_NOUNS, row), "note": {**row, "view": "all"}},
        fields={"deal": {"amount": "hidden", "probability": "read"}},
    )
    _member(tenant, TRAINEE, boss)
    trainee = Member.objects.get(email=TRAINEE.email)
    member_update(owner, member_id=trainee.pk, role=role, team=teams["Homes"])


def _care(owner: Actor, team: Sequence[Actor]) -> None:
    """A second pipeline, for what customers buy after their windows."""
    pipeline = gate.create(owner, registry.get("pipeline"), {"name": CARE})
    ends: list[dict[str, Any]] = [
        {"name": "Signed", "kind": WON, "color": "green"},
        {"name": "Declined", "kind": LOST, "color": "red"},
    ]
    rows = [{"kind": OPEN, **one, "pipeline": pipeline.id} for one in (*CARE_STAGES, *ends)]
    made = gate.create_many(owner, registry.get("stage"), rows)
    stages = [stage.pk for stage in made.records][: len(CARE_STAGES) + 1]
    customers = list(Company.objects.filter(kind="customer", deleted_at=None).order_by("name")[:CARE_DEALS])
    now = timezone.now()
    for number, seller in enumerate(team):
        deals = [
            {
                "name": f"Care for {company.name}",
                "company": company.pk,
                "pipeline": pipeline.id,
                "stage": stages[place % len(stages)],
                "amount": str(240 + 60 * (place % 7)),
                "currency": owner.tenant.currency,
                "expected_close": f"{(now + timedelta(days=10 + place)).date()}",
            }
            for place, company in enumerate(customers)
            if place % len(team) == number
        ]
        times = [now - timedelta(days=3 + 2 * place) for place in range(len(deals))]
        if deals:
            gate.create_many(seller, registry.get("deal"), deals, source="sample", at=times)


def _abroad(team: Sequence[Actor]) -> None:
    """Deals in the currencies of ``ABROAD``, in the stages where an amount is known."""
    now = timezone.now()
    stages = Stage.objects.filter(pipeline__is_default=True, kind=OPEN, deleted_at=None).order_by("position")[1:3]
    for place, (company, country, city, deal, currency, amount) in enumerate(ABROAD):
        seller, stage, at = team[1 + place % len(SELLERS)], stages[place % len(stages)], now - timedelta(days=2 + place)
        where = {"city": city, "country": country}
        facts = {"name": company, "kind": "customer", "address": where}
        customer = gate.create(seller, registry.get("company"), facts, source="sample", at=at)
        values: dict[str, Any] = {
            "name": deal,
            "company": customer.id,
            "stage": stage.pk,
            "amount": amount,
            "currency": currency,
            "expected_close": f"{(now + timedelta(days=20 + 9 * place)).date()}",
        }
        gate.create(seller, registry.get("deal"), values, source="sample", at=at)


def _money(actor: Actor) -> None:
    """Half a year of rates of the currencies that the sample's customers pay in, and the year's public holidays."""
    today = timezone.now().astimezone(actor.time_zone).date()
    lines = [
        Line(month, code, f"{today - timedelta(days=30 * month)}", f"{rate * (1 + Decimal(month) / 400):.6f}")
        for code, rate in RATES.items()
        for month in range(7)
    ]
    exchange_rates_import(actor, lines=lines)
    found = holiday_suggestions("DE", "BY", [today.year, today.year + 1])
    holidays_add(actor, days=[(one.on, one.name) for one in found])
    holiday_place_set(actor, country="DE", region="BY")


def _member(tenant: TenantRef, person: Person, manager: Member | None) -> Actor:
    with shared():
        user = services.verified_user(person.email) or services.account_create(
            email=person.email, password=PASSWORD, name=person.name, verified=True
        )
    member_create(
        tenant=tenant, user_id=user.pk, email=person.email, name=person.name, role_slug=person.role, manager=manager
    )
    return _actor(tenant, user)


def _pipeline(actor: Actor) -> UUID:
    """Turn the pipeline that every workspace starts with into that of a business that fits windows."""
    stage_type = registry.get("stage")
    pipeline = Pipeline.objects.get(is_default=True)
    gate.update(actor, registry.get("pipeline"), pipeline.pk, {"name": "Windows"})
    there = list(Stage.objects.filter(pipeline=pipeline, kind=OPEN, deleted_at=None).order_by("position", "pk"))
    for position, (stage, values) in enumerate(zip(there, STAGES, strict=False), 1):
        gate.update(actor, stage_type, stage.pk, {"required_fields": [], **values, "position": position})
    for position, values in enumerate(STAGES[len(there) :], len(there) + 1):
        gate.create(actor, stage_type, {**values, "position": position, "kind": OPEN, "pipeline": pipeline.pk})
    for position, kind in enumerate((WON, LOST), len(STAGES) + 1):
        closed = Stage.objects.get(pipeline=pipeline, kind=kind, deleted_at=None)
        gate.update(actor, stage_type, closed.pk, {"position": position})
    return pipeline.pk
