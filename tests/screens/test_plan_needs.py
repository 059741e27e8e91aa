"""Controls that the plan does not have are shown with what they would need, and nothing behind them is broken."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from crm.people.models import Contact
from crm.records.models import ChangeSet, Event
from crm.records.write.event_store import id_from
from crm.workspace.models import Invitation, Role, Team
from crm.workspace.people.member_services import member_update
from crm.workspace.people.role_services import role_create
from tenants.actors import Actor, TenantRef
from tenants.workspaces.entitlements import Entitlements, entitlements_write
from tests import factories
from tests.screens.conftest import HTMX

pytestmark = pytest.mark.django_db
PLANS = '<a href="/settings/billing/">See the plans</a>'


def plan(tenant: TenantRef, features: list[str] | None = None, **limits: int) -> None:
    entitlements_write(tenant.id, Entitlements("active", "active", None, "Starter", limits, features))


def text(answer: Any) -> str:
    found: str = answer.content.decode()
    return found


PAGES = {
    "/settings/teams/": "“Teams” is not part of your plan. It comes with the plan Team.",
    "/settings/roles/": "“Roles of your own” is not part of your plan. It comes with the plan Team.",
    "/settings/audit/": "“Audit” is not part of your plan. It comes with the plan Business.",
    "/settings/members/": "All 6 seats of your plan are taken.",
    "/settings/pipelines/": "Your plan holds 1 pipeline, and this workspace has 1",
    "/contacts/new/": "Your plan holds 0 contacts, and this workspace has 0",
}


@pytest.mark.parametrize("address", PAGES)
def test_the_page_says_what_it_would_need_and_where(browser_client: Any, owner: Actor, address: str) -> None:
    client = browser_client(owner)
    assert PLANS not in text(client.get(address))
    plan(owner.tenant, features=[], seats=6, pipelines=1, contacts=0)
    page = text(client.get(address))
    assert PAGES[address] in page
    assert PLANS in page


def test_who_may_not_choose_a_plan_is_told_whom_to_ask(browser_client: Any, owner: Actor, seller: Actor) -> None:
    plan(owner.tenant, contacts=0)
    page = text(browser_client(seller).get("/contacts/new/"))
    assert "Ask an owner of the workspace to choose a plan: Owner." in page
    assert PLANS not in page


def test_a_contact_too_many_is_a_page_with_the_way_out_and_by_htmx_a_toast(browser_client: Any, owner: Actor) -> None:
    plan(owner.tenant, contacts=0)
    client = browser_client(owner)
    answer = client.post("/contacts/new/", {"name": "Ada Byron"})
    assert answer.status_code == 402
    assert "Your plan holds 0 contacts" in text(answer)
    assert 'href="/settings/billing/"' in text(answer)
    answer = client.post("/contacts/new/", {"name": "Ada Byron"}, headers=HTMX)
    assert (answer.status_code, answer.content) == (402, b"")
    assert "Your plan holds 0 contacts" in answer.headers["HX-Trigger"].encode().decode("unicode_escape")
    assert not Contact.objects.exists()


def test_a_pipeline_too_many_is_refused(browser_client: Any, owner: Actor) -> None:
    plan(owner.tenant, pipelines=1)
    answer = browser_client(owner).post("/settings/pipelines/", {"name": "Repairs", "like": ""})
    assert answer.status_code == 402
    assert "Your plan holds 1 pipeline" in text(answer)


def test_of_several_who_are_invited_those_without_a_seat_are_named(browser_client: Any, owner: Actor) -> None:
    plan(owner.tenant, seats=7)
    given = {"emails": "one@example.com\ntwo@example.com", "role": "member"}
    answer = browser_client(owner).post("/settings/members/", given)
    assert answer.status_code == 402
    assert "Not invited yet: two@example.com" in text(answer)
    assert list(Invitation.objects.values_list("email", flat=True)) == ["one@example.com"]


def test_without_teams_and_roles_of_ones_own_those_there_can_be_opened_and_changed(
    browser_client: Any, owner: Actor
) -> None:
    team = Team.objects.create(name="North")
    role = role_create(owner, name="Interns", permissions={}, fields={})
    plan(owner.tenant, features=[])
    client = browser_client(owner)
    assert "North" in text(client.get("/settings/teams/"))
    assert client.get(f"/settings/teams/{team.id}/").status_code == 200
    assert client.get(f"/settings/roles/{role.id}/").status_code == 200
    assert client.post("/settings/teams/", {"name": "South"}).status_code == 402
    assert client.get(f"/settings/roles/new/?from={role.id}").status_code == 402
    assert client.post("/settings/roles/new/", {"name": "Temps"}).status_code == 402
    assert (Team.objects.count(), Role.objects.filter(is_fixed=False).count()) == (1, 1)


def test_a_role_cannot_be_begun_from_any_other_without_the_feature(browser_client: Any, owner: Actor) -> None:
    client = browser_client(owner)
    assert "/settings/roles/new/?from=" in text(client.get("/settings/roles/"))
    plan(owner.tenant, features=[])
    page = text(client.get("/settings/roles/"))
    assert "/settings/roles/new/" not in page
    assert "Copy" in page


def test_a_role_of_ones_own_stays_in_force(browser_client: Any, owner: Actor, seller: Actor) -> None:
    company = factories.company(owner)
    blind = role_create(owner, name="Blind", permissions={}, fields={})
    assert seller.member_id is not None
    member_update(owner, member_id=seller.member_id, role=blind)
    plan(owner.tenant, features=[])
    assert browser_client(seller).get(f"/companies/{company.pk}/").status_code == 404


def noted_before(days: int) -> None:
    """An entry of the audit as it was noted so many days ago."""
    change = ChangeSet.objects.create(actor_kind="member", source="ui", actor_label=f"Robot of {days}")
    made = UUID(int=id_from(timezone.now() - timedelta(days=days)).int)
    moment = timezone.now() - timedelta(days=days)
    Event.objects.create(
        id=made, change_set=change, type="session.started", record_type="session", record_id=made, at=moment
    )


def test_the_audit_reaches_back_as_far_as_the_plan_and_says_so(browser_client: Any, owner: Actor) -> None:
    noted_before(100)
    noted_before(50)
    client = browser_client(owner)
    whole = text(client.get("/settings/audit/"))
    assert "Robot of 100" in whole
    assert "is kept, and your plan does not show it" not in whole
    plan(owner.tenant, history_days=90)
    page = text(client.get("/settings/audit/"))
    assert "Robot of 50" in page
    assert "Robot of 100" not in page
    assert "is kept, and your plan does not show it. The plan Team does." in page
    assert "Robot of 100" not in text(
        client.get(f"/settings/audit/?until={timezone.now().date() - timedelta(days=95)}")
    )
    plan(owner.tenant, history_days=365)
    assert "is kept, and your plan does not show it" not in text(client.get("/settings/audit/"))


def test_what_the_plan_does_not_show_of_the_audit_is_still_noted(browser_client: Any, owner: Actor) -> None:
    plan(owner.tenant, features=[])
    client = browser_client(owner)
    assert client.get("/settings/audit/").status_code == 402
    role_create(owner, name="Interns", permissions={}, fields={})
    plan(owner.tenant)
    assert "Interns" in text(client.get("/settings/audit/"))


def test_who_may_not_see_the_audit_finds_no_page_whatever_the_plan(browser_client: Any, seller: Actor) -> None:
    plan(seller.tenant, features=[])
    assert browser_client(seller).get("/settings/audit/").status_code == 404


@pytest.mark.parametrize("address", ["/settings/teams/", "/settings/pipelines/", "/settings/members/"])
def test_the_plan_of_one_workspace_is_not_that_of_another(
    browser_client: Any, owner: Actor, outsider: Actor, address: str
) -> None:
    plan(owner.tenant, features=[], seats=1, pipelines=0)
    assert "data-plan-need" not in text(browser_client(outsider).get(address))
