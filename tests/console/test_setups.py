"""Workspaces whose setup stopped half way are finished, by themselves or by an operator."""

from datetime import timedelta

import pytest
from django.utils import timezone

from console.models import AuditEntry
from crm.sales.provisioning import provision as sales_provision
from crm.workspace.people.provisioning import provision as workspace_provision
from tenants.db.scopes import shared
from tenants.models import Domain, Membership, Tenant, TenantStep, User
from tenants.workspaces import provisioning
from tenants.workspaces.finishing import setup_finish, setups_finish, unfinished
from tests.registrations import anew

pytestmark = pytest.mark.django_db


@pytest.fixture
def stopped(owner_alias, tenant_a, the_cast, monkeypatch):
    """A workspace whose sign-up died before the first provisioner was done, an hour ago."""
    with shared():
        tenant = Tenant.objects.create(name="Cedar Gates")
        Domain.objects.create(tenant=tenant, domain="cedar.localhost", is_primary=True)
        Membership.objects.create(user=User.objects.get(id=the_cast.users["seller"]), tenant=tenant)
        Tenant.objects.filter(id=tenant.id).update(created_at=timezone.now() - timedelta(hours=1))
        tenant.refresh_from_db()
    return tenant


@pytest.fixture
def broken(monkeypatch):
    anew(monkeypatch, provisioning, "provisioners")
    provisioning.provisioner_register("fails", fails, order=10)


def fails(ref, owner):
    raise RuntimeError("No space left.")


def state_of(tenant):
    with shared():
        return Tenant.objects.get(id=tenant.id).state


def test_the_sweep_finishes_it_for_who_signed_up(stopped, the_cast):
    with shared():
        assert setups_finish() == {stopped.schema_name: ""}
        assert unfinished() == []
        assert Membership.objects.get(tenant=stopped).member_id is not None
    assert state_of(stopped) == "active"


def test_one_that_is_just_being_made_is_left_alone(stopped):
    with shared():
        Tenant.objects.filter(id=stopped.id).update(created_at=timezone.now())
        assert setups_finish() == {}
    assert state_of(stopped) == "reserved"


def test_a_try_that_fails_is_noted_and_tried_later(stopped, broken):
    with shared():
        assert setups_finish() == {stopped.schema_name: "RuntimeError: No space left."}
        assert setups_finish() == {}, "a minute has to pass"
        found = unfinished()[0]
    assert (found.attempts, found.error) == (1, "RuntimeError: No space left.")


def test_it_goes_on_where_it_stopped(stopped, broken, monkeypatch):
    with shared():
        setup_finish(stopped)
        done = set(TenantStep.objects.filter(tenant=stopped, kind="step").values_list("name", flat=True))
    assert done == {"schema"}
    anew(monkeypatch, provisioning, "provisioners")
    provisioning.provisioner_register("workspace", workspace_provision, order=10)
    provisioning.provisioner_register("sales", sales_provision, order=20)
    with shared():
        assert setup_finish(stopped) == ""
    assert state_of(stopped) == "active"


def test_pauses_grow(stopped, broken):
    with shared():
        pauses = []
        for _turn in range(6):
            setup_finish(stopped)
            found = unfinished()[0]
            assert found.last_at is not None
            pauses.append(round((found.next_at - found.last_at).total_seconds() / 60))
    assert pauses == [1, 5, 15, 60, 60, 60]


def test_two_at_once_do_not_meet(stopped):
    from django.core.cache import cache

    with shared():
        cache.add(f"setup:{stopped.id}", 1, 60)
        assert "already" in setup_finish(stopped)
        assert not TenantStep.objects.filter(tenant=stopped, kind="failed").exists()


def test_an_operator_sees_it_and_finishes_it_by_a_click(stopped, console):
    page = console.get("/console/setups/").content.decode()
    assert "Cedar Gates" in page
    assert console.post(f"/console/workspaces/{stopped.id}/setup/", {"why": ""}).status_code == 302
    assert state_of(stopped) == "active"
    assert "Cedar Gates" not in console.get("/console/setups/").content.decode()
    with shared():
        assert AuditEntry.objects.get(action="setup_finished").tenant_id == stopped.id


def test_and_reads_what_stopped_it_again(stopped, broken, console):
    answer = console.post(f"/console/workspaces/{stopped.id}/setup/", {"why": ""})
    assert answer.status_code == 422
    assert "No space left." in answer.content.decode()
    with shared():
        steps = AuditEntry.objects.exclude(action="looked").order_by("id").values_list("action", "details__problem")
        assert list(steps) == [("begun", None), ("stopped", "RuntimeError: No space left.")]


def test_without_one_that_stopped_the_page_says_no_more_than_that(stopped, console):
    with shared():
        Tenant.objects.filter(id=stopped.id).update(created_at=timezone.now())
    assert "No setup has stopped" in console.get("/console/setups/").content.decode()


def test_a_try_that_is_due_is_one_to_come(stopped, console):
    page = console.get("/console/setups/").content.decode()
    assert "in a moment" in page
    with shared():
        TenantStep.objects.create(tenant=stopped, kind="failed", name="setup", detail="RuntimeError")
    assert "in 1 minute" in console.get("/console/setups/").content.decode()


def test_a_finished_one_has_nothing_to_finish(console, tenant_a):
    assert console.get(f"/console/workspaces/{tenant_a.id}/setup/").status_code == 404
