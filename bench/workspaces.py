"""Make the workspaces that are measured in; run as a program inside the product's environment."""

import json
import sys
from typing import Any

import django


def main() -> None:
    django.setup()
    made = [workspace(size, rows) for size, rows in json.loads(sys.argv[1]).items()]
    sys.stdout.write("\n" + json.dumps(made) + "\n")


def workspace(size: str, rows: int) -> dict[str, Any]:
    """A provisioned workspace with its owner, four sellers, a key of all scopes and a session; and the same of a
    seller whose role reaches as far as their team, which is the four."""
    from django.conf import settings

    from bench.stack import LIMITS, OWNERS
    from crm.records.schema.registry import registry
    from crm.workspace.actors import actor_for_user
    from crm.workspace.models import Member, Role, Team
    from crm.workspace.people.member_services import member_create
    from tenants.accounts.api_keys import api_key_create
    from tenants.db.scopes import shared, tenant_scope
    from tenants.models import Domain, Tenant, User
    from tenants.workspaces.hosts import subdomain_host, tenant_host
    from tenants.workspaces.provisioning import tenant_provision

    with shared():
        people = [User.objects.create_user(f"bench.{size}.{place}@example.com") for place in range(OWNERS)]
        tenant = Tenant.objects.create(name=f"Bench {size}", limits=LIMITS)
        Domain.objects.create(tenant=tenant, domain=subdomain_host(f"bench-{size}"), is_primary=True)
    ref = tenant_provision(tenant, people[0])
    with tenant_scope(ref):
        owner = actor_for_user(ref, people[0].id)
        assert owner is not None
        sellers = [
            member_create(tenant=ref, user_id=one.id, email=one.email, name=f"Seller {place}", role_slug="member")
            for place, one in enumerate(people[1:])
        ]
        nouns = [*(record_type.slug for record_type in registry.all()), "member"]
        scopes = [f"{noun}:{right}" for noun in nouns for right in ("read", "write")]
        _key, secret = api_key_create(owner, name="Bench", scopes=scopes)
        by_team = {"*": {"view": "team", "edit": "team"}, "workspace": {"api_keys": "all"}}
        by_team |= {noun: {"view": "all"} for noun in ("pipeline", "stage", "lost_reason", "member")}
        team = Team.objects.create(name="Sellers")
        role = Role.objects.create(slug="by-team", name="By team", permissions=by_team)
        Member.objects.filter(pk__in=[one.pk for one in sellers]).update(team=team)
        Member.objects.filter(pk=sellers[0].pk).update(role=role)
        lead = actor_for_user(ref, people[1].id)
        assert lead is not None
        _key, lead_secret = api_key_create(lead, name="Bench by team", scopes=scopes)
    return {
        "size": size,
        "rows": rows,
        "schema": ref.schema_name,
        "host": tenant_host(ref),
        "key": secret,
        "session": f"{settings.SESSION_COOKIE_NAME}={session(people[0], ref.id)}",
        "lead_key": lead_secret,
        "lead_session": f"{settings.SESSION_COOKIE_NAME}={session(people[1], ref.id)}",
        "owners": [str(owner.member_id), *(str(one.pk) for one in sellers)],
    }


def session(user: Any, tenant_id: Any) -> str:
    """The key of a session on the workspace's host, hanging on one on the public host."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from tenants.db.scopes import shared
    from tenants.sessions import SessionStore

    with shared():
        parent = None
        for tenant in (None, tenant_id):
            store = SessionStore(tenant_id=tenant)
            store[SESSION_KEY] = str(user.pk)
            store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
            store[HASH_SESSION_KEY] = user.get_session_auth_hash()
            if parent:
                store.hang_on(parent)
            store.save()
            parent = store.session_key
    return str(parent)


if __name__ == "__main__":
    main()
