"""Who works here, in which role, and who may change that."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from crm.records.models import Event
from crm.workspace.actors import actor_for_user
from crm.workspace.errors import Conflict, NotAllowed, NotFound, WorkspaceError
from crm.workspace.models import Invitation, Member, Role
from crm.workspace.notifications.notify import notify
from crm.workspace.notifications.services import notifications_mark_read
from crm.workspace.people import invitation_services, member_services
from crm.workspace.people.role_services import role_create, role_delete
from crm.workspace.people.selectors import grantable_roles
from crm.workspace.permissions import FIXED_ROLES, covers, fixed_permissions
from tenants.accounts.api_keys import api_key_create
from tenants.actors import Actor, Scope, TenantRef
from tenants.db.scopes import shared, tenant_scope
from tenants.models import Membership, Session
from tests import factories


def member(actor: Actor) -> Member:
    assert actor.member_id is not None
    return Member.objects.get(id=actor.member_id)


class TestRoles:
    def test_each_workspace_has_the_five(self, in_tenant: TenantRef) -> None:
        assert {role.slug for role in Role.objects.all()} == {"owner", "admin", "manager", "member", "read_only"}

    @pytest.mark.parametrize(
        ("role", "noun", "action", "scope"),
        [
            ("owner", "deal", "delete", Scope.ALL),
            ("owner", "workspace", "owners", Scope.ALL),
            ("admin", "workspace", "settings", Scope.ALL),
            ("admin", "workspace", "owners", Scope.NONE),
            ("manager", "deal", "edit", Scope.ALL),
            ("manager", "workspace", "settings", Scope.NONE),
            ("manager", "pipeline", "edit", Scope.NONE),
            ("member", "company", "edit", Scope.ALL),
            ("member", "deal", "edit", Scope.OWN),
            ("member", "deal", "view", Scope.ALL),
            ("member", "note", "delete", Scope.OWN),
            ("member", "stage", "view", Scope.ALL),
            ("member", "stage", "create", Scope.NONE),
            ("read_only", "deal", "view", Scope.ALL),
            ("read_only", "task", "create", Scope.NONE),
            ("read_only", "workspace", "api_keys", Scope.NONE),
        ],
    )
    def test_reach_as_far_as_promised(self, role: str, noun: str, action: str, scope: Scope) -> None:
        assert fixed_permissions(role).scope(noun, action) is scope

    def test_each_covers_the_next(self) -> None:
        matrices = [fixed_permissions(role.slug) for role in FIXED_ROLES]
        for higher, lower in pairwise(matrices):
            assert covers(higher, lower)
            assert not covers(lower, higher)


class TestChangingAMember:
    def test_an_admin_makes_a_seller_a_manager_and_it_is_noted(self, admin: Actor, seller: Actor) -> None:
        member_services.member_update(admin, member_id=member(seller).id, role="manager")
        assert member(seller).role.slug == "manager"
        event = Event.objects.get(type="member.updated", record_id=member(seller).id)
        assert event.before["role"] == "member"
        assert event.after["role"] == "manager"

    def test_nobody_gives_more_than_he_has(self, admin: Actor, seller: Actor, owner: Actor) -> None:
        with pytest.raises(NotAllowed, match="more than your own"):
            member_services.member_update(admin, member_id=member(seller).id, role="owner")
        with pytest.raises(NotAllowed, match="more than your own"):
            member_services.member_update(admin, member_id=member(owner).id, role="member")
        assert "owner" not in {role.slug for role in grantable_roles(admin)}
        assert "owner" in {role.slug for role in grantable_roles(owner)}

    @pytest.mark.parametrize("who", ["manager", "seller", "reader"])
    def test_only_those_with_the_power_change_members(
        self, actor_named: Callable[[str], Actor], seller_two: Actor, who: str
    ) -> None:
        actor = actor_named(who)
        for work in (
            lambda: member_services.member_update(actor, member_id=member(seller_two).id, role="read_only"),
            lambda: member_services.member_deactivate(actor, member_id=member(seller_two).id),
            lambda: invitation_services.invitation_send(actor, email="new@example.com", role="member"),
        ):
            with pytest.raises(NotAllowed):
                work()

    def test_the_last_owner_stays_owner_and_active(self, owner: Actor, seller: Actor) -> None:
        with pytest.raises(Conflict, match="last owner"):
            member_services.member_update(owner, member_id=member(owner).id, role="admin")
        with pytest.raises(Conflict, match="last owner"):
            member_services.member_deactivate(owner, member_id=member(owner).id)
        member_services.member_update(owner, member_id=member(seller).id, role="owner")
        member_services.member_update(owner, member_id=member(owner).id, role="admin")
        assert member(owner).role.slug == "admin"

    def test_a_deactivated_owner_does_not_count_as_the_one_who_stays(self, owner: Actor, seller: Actor) -> None:
        member_services.member_update(owner, member_id=member(seller).id, role="owner")
        member_services.member_deactivate(owner, member_id=member(seller).id)
        with pytest.raises(Conflict, match="last owner"):
            member_services.member_update(owner, member_id=member(owner).id, role="admin")

    def test_nobody_is_his_own_manager_not_even_by_way_of_others(
        self, admin: Actor, seller: Actor, manager: Actor
    ) -> None:
        with pytest.raises(WorkspaceError, match="own manager"):
            member_services.member_update(admin, member_id=member(manager).id, manager=seller.member_id)
        with pytest.raises(WorkspaceError, match="own manager"):
            member_services.member_update(admin, member_id=member(seller).id, manager=seller.member_id)
        member_services.member_update(admin, member_id=member(seller).id, manager=None)
        assert member(seller).manager is None

    def test_members_of_another_workspace_are_not_found(self, admin: Actor, outsider: Actor) -> None:
        for work in (
            member_services.member_deactivate,
            member_services.member_update,
            member_services.member_reactivate,
        ):
            with pytest.raises(NotFound):
                work(admin, member_id=outsider.member_id)  # type: ignore[arg-type]
        with pytest.raises(WorkspaceError, match="active member as manager"):
            member_services.member_update(admin, member_id=admin.member_id, manager=outsider.member_id)  # type: ignore[arg-type]


class TestDeactivating:
    def test_the_door_closes_at_once_and_the_records_stay(
        self, admin: Actor, seller: Actor, browser_client: Any
    ) -> None:
        deal = factories.deal(seller)
        client = browser_client(seller)
        assert client.get("/settings/personal/").status_code == 200
        member_services.member_deactivate(admin, member_id=member(seller).id)
        assert client.get("/settings/personal/").status_code == 302
        deal.refresh_from_db()
        assert deal.owner_id == seller.member_id
        assert actor_for_user(admin.tenant, member(seller).user_id) is None
        with shared():
            assert not Session.objects.filter(user_id=member_user(seller), tenant_id=admin.tenant.id).exists()
            membership = Membership.objects.get(user_id=member_user(seller), tenant_id=admin.tenant.id)
            assert not membership.is_active

    def test_his_key_sleeps_and_wakes_with_him(self, owner: Actor, admin: Actor, api: Any) -> None:
        client = api(admin)
        assert client.get("/api/v1/companies").status_code == 200
        member_services.member_deactivate(owner, member_id=member(admin).id)
        refused = client.get("/api/v1/companies")
        assert refused.status_code == 401
        assert "sleeps" in refused.json()["error"]["message"]
        member_services.member_reactivate(owner, member_id=member(admin).id)
        assert client.get("/api/v1/companies").status_code == 200

    def test_his_other_workspaces_are_untouched(
        self, owner: Actor, seller: Actor, tenant_b: TenantRef, outsider: Actor
    ) -> None:
        with tenant_scope(tenant_b):
            there = member_services.member_create(tenant=tenant_b, user_id=member_user(seller), email=seller.email)
        member_services.member_deactivate(owner, member_id=member(seller).id)
        with tenant_scope(tenant_b):
            assert Member.objects.get(id=there.id).is_active
        with shared():
            assert Membership.objects.get(user_id=member_user(seller), tenant_id=tenant_b.id).is_active


def member_user(actor: Actor) -> Any:
    return UUID(actor.details["user_id"])


class TestPages:
    def test_each_may_see_who_works_here(self, browser_client: Any, reader: Actor) -> None:
        page = browser_client(reader).get("/settings/members/").content.decode()
        assert "Seller Two" in page
        assert "Send the invitation" not in page

    def test_an_admin_changes_a_member_in_the_form(self, browser_client: Any, admin: Actor, seller: Actor) -> None:
        client = browser_client(admin)
        address = f"/settings/members/{seller.member_id}/"
        assert client.get(address).status_code == 200
        answer = client.post(address, {"role": "manager", "manager": str(admin.member_id)})
        assert answer.status_code == 302
        assert member(seller).manager_id == admin.member_id

    @pytest.mark.parametrize(
        "data",
        [{"role": "emperor"}, {"role": "owner"}, {"role": ""}, {"role": "\x00"}, {"role": "member", "manager": "x"}],
    )
    def test_a_forged_choice_is_refused(
        self, browser_client: Any, admin: Actor, seller: Actor, data: dict[str, str]
    ) -> None:
        answer = browser_client(admin).post(f"/settings/members/{seller.member_id}/", data)
        assert answer.status_code == 422
        assert member(seller).role.slug == "member"

    def test_the_last_owner_is_told_why_not(self, browser_client: Any, owner: Actor) -> None:
        page = browser_client(owner).post(f"/settings/members/{owner.member_id}/", {"role": "admin"})
        assert page.status_code == 422
        assert "last owner stays" in page.content.decode()

    def test_members_elsewhere_are_not_found(self, browser_client: Any, owner: Actor, outsider: Actor) -> None:
        client = browser_client(owner)
        for ending in ("", "leave/", "move/", "reactivate/"):
            assert client.post(f"/settings/members/{outsider.member_id}/{ending}").status_code == 404

    @pytest.mark.parametrize("who", ["manager", "seller", "reader"])
    def test_without_the_power_the_doors_are_shut(
        self, browser_client: Any, actor_named: Callable[[str], Actor], seller_two: Actor, who: str
    ) -> None:
        client = browser_client(actor_named(who))
        colleague = f"/settings/members/{seller_two.member_id}/"
        assert client.post(colleague, {"role": "manager"}).status_code == 403
        for ending in ("leave/", "reactivate/"):
            assert client.post(f"{colleague}{ending}").status_code == 403
        assert client.post("/settings/members/", {"emails": "x@example.com", "role": "member"}).status_code == 403
        assert client.get("/settings/workspace/").status_code == 403

    def test_personal_settings_change_language_and_time_zone(self, browser_client: Any, seller: Actor) -> None:
        client = browser_client(seller)
        answer = client.post("/settings/personal/", {"name": "سارة 🪟", "locale": "", "time_zone": "Asia/Tokyo"})
        assert answer.status_code == 302
        changed = actor_for_user(seller.tenant, member(seller).user_id)
        assert changed is not None
        assert changed.label == "سارة 🪟"
        assert changed.time_zone.key == "Asia/Tokyo"

    @pytest.mark.parametrize(
        "data",
        [
            {"name": ""},
            {"name": "x" * 121},
            {"name": "a\x00b"},
            {"name": "Sam", "time_zone": "Mars/Base"},
            {"name": "Sam", "time_zone": "../../etc/passwd"},
            {"name": "Sam", "locale": "xx"},
        ],
    )
    def test_nonsense_about_oneself_is_refused_and_kept_in_the_form(
        self, browser_client: Any, seller: Actor, data: dict[str, str]
    ) -> None:
        assert browser_client(seller).post("/settings/personal/", data).status_code == 422
        assert member(seller).name == "Seller"

    def test_the_workspace_changes_its_name_and_currency(self, browser_client: Any, owner: Actor) -> None:
        client = browser_client(owner)
        values = {"name": "Alder & Sons", "currency": "CHF", "locale": "en", "time_zone": "Europe/Zurich"}
        assert client.post("/settings/workspace/", values).status_code == 302
        page = client.get("/settings/workspace/").content.decode()
        assert "Alder &amp; Sons" in page
        assert client.post("/settings/workspace/", values | {"time_zone": "Mars/Base"}).status_code == 422


def test_a_request_of_a_member_asks_once_who_he_is(
    browser_client: Any, seller: Actor, django_assert_max_num_queries: Any
) -> None:
    client = browser_client(seller)
    client.get("/settings/personal/")
    with django_assert_max_num_queries(12) as queries:
        client.get("/settings/personal/")
    asked = [
        one["sql"] for one in queries.captured_queries if "workspace_role" in one["sql"] and 'user_id" =' in one["sql"]
    ]
    assert len(asked) == 1


def test_a_member_of_another_workspace_is_somebody_else(admin: Actor, outsider: Actor, tenant_b: TenantRef) -> None:
    assert actor_for_user(admin.tenant, outsider.details["user_id"]) is None
    with tenant_scope(tenant_b):
        assert actor_for_user(tenant_b, outsider.details["user_id"]) is not None


def test_a_notification_is_told_once_for_its_key(seller: Actor, seller_two: Actor) -> None:
    def tell(actor: Actor, key: str) -> bool:
        assert actor.member_id is not None
        return bool(notify([actor.member_id], kind="assigned", key=key, title="Late"))

    assert tell(seller, "a")
    assert not tell(seller, "a")
    assert tell(seller, "b")
    assert tell(seller_two, "a")
    assert notifications_mark_read(seller) == 2


def test_a_key_cannot_make_a_key(admin: Actor, api: Any) -> None:
    from dataclasses import replace

    from django.core.exceptions import PermissionDenied

    from tenants.actors import ActorKind

    key_actor = replace(admin, kind=ActorKind.API_KEY, scopes=frozenset({"deal:read"}))
    with pytest.raises(PermissionDenied):
        api_key_create(key_actor, name="Another", scopes=[])


class TestBeyondOnesOwn:
    """Who looks after members and roles, but may do less with records than those they would touch."""

    @pytest.fixture
    def clerk(self, owner: Actor, reader: Actor) -> Actor:
        rights = {"company": {"view": "all"}, "workspace": {"members": "all", "roles": "all"}}
        role = role_create(owner, name="Clerk", permissions=rights, fields={})
        member_services.member_update(owner, member_id=member(reader).id, role=role)
        actor = actor_for_user(owner.tenant, member(reader).user_id)
        assert actor is not None
        return actor

    def test_he_neither_shuts_them_out_nor_lets_them_in(self, owner: Actor, admin: Actor, clerk: Actor) -> None:
        with pytest.raises(NotAllowed, match="more than your own"):
            member_services.member_deactivate(clerk, member_id=member(admin).id)
        member_services.member_deactivate(owner, member_id=member(admin).id)
        with pytest.raises(NotAllowed, match="more than your own"):
            member_services.member_reactivate(clerk, member_id=member(admin).id)

    def test_he_sends_no_invitation_of_theirs_again(self, owner: Actor, clerk: Actor) -> None:
        sent = invitation_services.invitation_send(owner, email="new@example.com", role="admin")
        with pytest.raises(NotAllowed, match="more than your own"):
            invitation_services.invitation_resend(clerk, invitation_id=sent.id)

    def test_he_gives_no_greater_role_to_who_is_invited_by_removing_theirs(self, owner: Actor, clerk: Actor) -> None:
        small = role_create(owner, name="Small", permissions={"company": {"view": "all"}}, fields={})
        invitation_services.invitation_send(owner, email="new@example.com", role=small)
        with pytest.raises(NotAllowed, match="more than your own"):
            role_delete(clerk, role_id=small.id, replacement=Role.objects.get(slug="admin"))
        assert Invitation.objects.get().role == small
