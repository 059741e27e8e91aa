"""A fresh workspace with the agents of the files as members; run as a program inside the product's environment."""

import csv
import json
import sys
from pathlib import Path
from uuid import UUID

import django


def email_of(name: str) -> str:
    return f"{name.lower().replace(' ', '.')}@opportunities.example"


def main() -> None:
    django.setup()
    folder, subdomain = Path(sys.argv[1]), sys.argv[2]
    from bench.stack import LIMITS
    from crm.records.schema.registry import registry
    from crm.workspace.actors import actor_for_user
    from crm.workspace.people.invitation_services import invitation_accept, invitation_send
    from tenants.accounts import services
    from tenants.accounts.api_keys import api_key_create
    from tenants.db.scopes import shared, tenant_scope
    from tenants.models import Domain, Tenant, User
    from tenants.workspaces.hosts import subdomain_host, tenant_host
    from tenants.workspaces.provisioning import tenant_drop, tenant_provision

    with (folder / "sales_teams.csv").open(newline="", encoding="utf-8-sig") as file:
        teams = [(row["sales_agent"].strip(), row["manager"].strip()) for row in csv.DictReader(file)]
    with shared():
        before = [domain.tenant for domain in Domain.objects.filter(domain=subdomain_host(subdomain))]
    for tenant in before:
        tenant_drop(tenant)
    with shared():
        Domain.objects.filter(domain=subdomain_host(subdomain)).delete()
        User.objects.filter(email__endswith="@opportunities.example").delete()
        owner_user = services.account_create(email=email_of("owner"), password="", name="Owner", verified=True)
        tenant = Tenant.objects.create(name="Opportunities", currency="USD", limits=LIMITS)
        Domain.objects.create(tenant=tenant, domain=subdomain_host(subdomain), is_primary=True)
    ref = tenant_provision(tenant, owner_user)
    managers: dict[str, UUID] = {}
    with tenant_scope(ref):
        owner = actor_for_user(ref, owner_user.pk)
        assert owner is not None
        for name, manager in [*((one, None) for one in dict.fromkeys(boss for _agent, boss in teams)), *teams]:
            role = "member" if manager else "manager"
            invitation = invitation_send(
                owner, email=email_of(name), role=role, manager=managers[manager] if manager else None
            )
            with shared():
                user = services.account_create(email=email_of(name), password="", name=name, verified=True)
            managers[name] = invitation_accept(ref, invitation.token, user, name=name).pk
        nouns = [*(record_type.slug for record_type in registry.all()), "member"]
        scopes = [f"{noun}:{right}" for noun in nouns for right in ("read", "write")]
        _key, secret = api_key_create(owner, name="Load", scopes=scopes)
    sys.stdout.write("\n" + json.dumps({"host": tenant_host(ref), "key": secret, "invited": len(managers)}) + "\n")


if __name__ == "__main__":
    main()
