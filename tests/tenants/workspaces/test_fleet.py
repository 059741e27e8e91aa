"""Workspaces are brought to a release one after the other; those at it are not opened, and work meanwhile."""

import io
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants.accounts.browsers import Visit
from tenants.accounts.security_log import Kind, account_event
from tenants.actors import TenantRef
from tenants.db.release import template_digest
from tenants.db.scopes import WorkspaceBehind, owner_scope, shared, tenant_scope
from tenants.models import AccountEvent, TemplateRecording, Tenant, User, is_behind
from tenants.web.middleware import HostMiddleware
from tenants.work.task_classes import TenantRefused, tenant_served
from tenants.work.wakeups import wake, wakeups_claim
from tenants.workspaces import fleet
from tenants.workspaces.hosts import api_host, tenant_host
from tenants.workspaces.schema_template import schema_create

pytestmark = pytest.mark.django_db

EARLIER = "e" * 64


@pytest.fixture
def committed(owner_alias: None) -> Iterator[list[str]]:
    """Three workspaces that stay until the test ends, their versions forgotten as a release before left them."""
    made = []
    with owner_scope("public"):
        for number in range(3):
            tenant = Tenant.objects.using("owner").create(name=f"Fleet {number}", state=Tenant.State.ACTIVE)
            made.append(tenant.schema_name)
    for schema in made:
        schema_create(schema)
    yield made
    with owner_scope("public"):
        Tenant.objects.using("owner").filter(schema_name__in=made).delete()


def versions(schemas: list[str]) -> list[str]:
    with owner_scope("public"):
        found = dict(Tenant.objects.using("owner").values_list("schema_name", "schema_version"))
    return [found[schema] for schema in schemas]


def behind(tenant: TenantRef) -> None:
    """Let the workspace be of an earlier release, until the test is rolled back."""
    with shared():
        Tenant.objects.filter(id=tenant.id).update(schema_version=EARLIER)


class TestUpgrade:
    def test_what_is_behind_is_upgraded_and_noted(self, committed):
        assert set(fleet.schemas_behind()) == set(committed)
        assert list(fleet.fleet_upgrade()) == committed
        assert set(versions(committed)) == {template_digest()}

    def test_what_is_at_the_release_is_not_opened(self, committed, monkeypatch):
        list(fleet.fleet_upgrade())
        monkeypatch.setattr(fleet, "schema_upgrade", lambda schema: pytest.fail(f"opened {schema}"))
        with CaptureQueriesContext(connections["owner"]) as asked:
            assert list(fleet.fleet_upgrade()) == []
        assert len(asked) == 1

    def test_every_workspace_is_opened_where_that_is_asked_for(self, committed):
        list(fleet.fleet_upgrade())
        assert set(committed) <= set(fleet.fleet_upgrade(every=True))

    def test_nothing_else_is_tried_where_the_first_fails(self, committed, monkeypatch):
        monkeypatch.setattr(fleet, "ATTEMPTS", 1)
        monkeypatch.setattr(fleet, "schema_upgrade", self.failing(committed[0]))
        with pytest.raises(fleet.FleetStopped) as stopped:
            list(fleet.fleet_upgrade())
        assert (list(stopped.value.failed), stopped.value.left) == ([committed[0]], 2)
        assert set(versions(committed)) == {""}

    def test_one_that_fails_leaves_the_others_upgraded_and_is_tried_again(self, committed, monkeypatch):
        monkeypatch.setattr(fleet, "ATTEMPTS", 1)
        with monkeypatch.context() as broken:
            broken.setattr(fleet, "schema_upgrade", self.failing(committed[1]))
            told = io.StringIO()
            with pytest.raises(CommandError, match="2 workspaces upgraded, 1 failed"):
                call_command("migrate_all", stdout=io.StringIO(), stderr=told)
            assert f"{committed[1]}: it is broken" in told.getvalue()
        assert versions(committed) == [template_digest(), "", template_digest()]
        assert list(fleet.fleet_upgrade()) == [committed[1]]

    def test_the_servers_parts_alone_leave_the_workspaces_for_later(self, committed):
        call_command("migrate_all", shared=True, stdout=io.StringIO())
        assert set(versions(committed)) == {""}

    def failing(self, broken: str):
        def upgrade(schema: str) -> None:
            if schema == broken:
                raise DatabaseError("it is broken")

        return upgrade


class TestVersions:
    def test_a_new_workspace_is_at_the_release(self, tenant_a):
        assert not tenant_a.is_behind

    def test_what_no_release_is_known_to_have_made_is_behind(self, in_tenant):
        with shared():
            assert is_behind("")
            assert is_behind("f" * 64)

    def test_what_a_later_release_upgraded_is_not(self, in_tenant):
        """Processes of the release before go on beside those of the next."""
        with shared():
            TemplateRecording.objects.create(digest=EARLIER, sql="")
            assert not is_behind(EARLIER)
            TemplateRecording.objects.filter(digest=EARLIER).update(created_at=timezone.now().replace(year=2020))
            assert is_behind(EARLIER)


class TestMeanwhile:
    def test_its_pages_wait_and_look_again(self, tenant_a, tenant_b, owner):
        behind(tenant_a)
        answer = Client(headers={"host": tenant_host(tenant_a)}).get("/deals/")
        assert answer.status_code == 503
        assert (answer["Retry-After"], answer["Refresh"], answer["Cache-Control"]) == ("3", "3", "no-store")
        assert "being updated" in answer.content.decode()
        assert Client(headers={"host": tenant_host(tenant_b)}).get("/deals/").status_code == 302

    def test_what_was_sent_is_not_loaded_away(self, tenant_a, owner):
        behind(tenant_a)
        answer = Client(headers={"host": tenant_host(tenant_a)}).post("/companies/new/", {"name": "Typed"})
        assert (answer.status_code, answer.has_header("Refresh")) == (503, False)
        assert "Nothing was saved" in answer.content.decode()

    @pytest.mark.parametrize("host", ["workspace", "api"])
    def test_programs_are_told_in_the_apis_way(self, api, owner, tenant_a, host):
        program = api(owner, host=None if host == "workspace" else api_host())
        assert program.get("/api/v1/companies").status_code == 200
        behind(tenant_a)
        answer = program.get("/api/v1/companies")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "being_updated")
        assert answer["Retry-After"] == "3"

    def test_work_in_the_background_waits(self, in_tenant, tenant_a):
        wake(timezone.now(), "timers")
        behind(tenant_a)
        assert (tenant_a.id, "timers") not in wakeups_claim()
        with pytest.raises(TenantRefused, match="not at this release"):
            tenant_served(tenant_a.id)

    def test_no_code_enters_by_another_door(self, in_tenant, tenant_a):
        behind(tenant_a)
        with shared():
            ref = Tenant.objects.get(id=tenant_a.id).ref()
        with pytest.raises(WorkspaceBehind), tenant_scope(ref):
            pass

    def test_the_account_of_a_member_goes_on(self, in_tenant, tenant_a, the_cast):
        """What happens to an account is noted in the audit of each of its workspaces; one behind keeps nobody out."""
        behind(tenant_a)
        with shared():
            user = User.objects.get(id=the_cast.users["owner"])
            account_event(user, Kind.PASSWORD_CHANGED, Visit())
            assert AccountEvent.objects.filter(user=user, kind=Kind.PASSWORD_CHANGED).exists()

    def test_a_page_that_has_to_write_to_it_says_that_nothing_was_done(self, rf, tenant_a):
        request = rf.post("/email/confirm/")
        answer = HostMiddleware(lambda _request: HttpResponse()).process_exception(request, WorkspaceBehind(tenant_a))
        assert answer is not None
        assert answer.status_code == 503
        assert "Nothing was saved" in answer.content.decode()
