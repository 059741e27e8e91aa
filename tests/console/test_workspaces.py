"""The list of workspaces and the page of one."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.workspaces.selectors import workspace_page, workspaces_matching
from crm.records.models import Job, Timer
from crm.workspace.models import Member
from tenants.db.database_roles import role_of
from tenants.db.scopes import shared, tenant_scope
from tenants.models import Domain, Tenant, Wakeup
from tests.conftest import session_key

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_shared(db, tenant_a):
    with shared():
        yield


def found(**by):
    return {row.tenant.name for row in workspace_page(workspaces_matching(**by)).rows}


def row_of(tenant):
    return next(row for row in workspace_page(workspaces_matching(q=str(tenant.id))).rows)


class TestSearch:
    def test_by_a_part_of_the_name(self, tenant_a):
        assert found(q="alder") == {tenant_a.name}

    def test_by_the_address(self, tenant_b):
        assert found(q="birch.localhost") == {tenant_b.name}

    def test_by_a_members_email(self, tenant_a, tenant_b):
        assert found(q="seller.two@example.com") == {tenant_a.name}
        assert found(q="outsider@") == {tenant_b.name}

    def test_by_its_id_and_by_its_schema(self, tenant_b):
        assert found(q=str(tenant_b.id)) == {tenant_b.name}
        assert found(q=tenant_b.schema_name) == {tenant_b.name}

    def test_its_field_is_one_for_searching(self, console):
        page = console.get("/console/").content.decode()
        [field] = re.findall(r'<input[^>]*name="q"[^>]*>', page)
        assert re.findall(r'type="([a-z]+)"', field) == ["search"]

    def test_every_word_counts(self):
        assert found(q="alder outsider@example.com") == set()

    @pytest.mark.parametrize("q", ["%", "_", "'", "\\", "a" * 200])
    def test_signs_stand_for_themselves(self, q):
        assert found(q=q) == set()


class TestFilters:
    def test_by_state_and_plan(self, tenant_a, tenant_b):
        Tenant.objects.filter(id=tenant_a.id).update(state="suspended", plan_name="Team", access_state="suspended")
        assert found(state="suspended") == {tenant_a.name}
        assert found(plan="Team") == {tenant_a.name}
        assert found(access="suspended") == {tenant_a.name}
        assert found(state="active") == {tenant_b.name}

    def test_a_setup_that_takes_too_long_has_failed(self, tenant_a, tenant_b):
        Tenant.objects.filter(id=tenant_a.id).update(state="provisioning", created_at=timezone.now())
        assert found(health="unfinished") == set()
        Tenant.objects.filter(id=tenant_a.id).update(created_at=timezone.now() - timedelta(minutes=3))
        assert found(health="unfinished") == {tenant_a.name}

    def test_those_behind_this_release(self, tenant_a, tenant_b):
        Wakeup.objects.all().delete()
        Tenant.objects.filter(id=tenant_b.id).update(schema_version="of yesterday")
        assert found(health="behind") == {tenant_b.name}
        assert row_of(tenant_b).problems == ["behind"]

    def test_those_whose_work_waits(self, tenant_a):
        Wakeup.objects.all().delete()
        Wakeup.objects.create(role=role_of(tenant_a.schema_name), due_at=timezone.now())
        assert found(health="waiting") == set()
        Wakeup.objects.update(due_at=timezone.now() - timedelta(minutes=6))
        assert found(health="waiting") == {tenant_a.name}
        assert row_of(tenant_a).problems == ["waiting"]

    def test_a_word_that_is_no_filter_is_refused(self, console):
        assert console.get("/console/?health=ill").status_code == 422


class TestRows:
    def test_seats_are_active_members(self, tenant_a):
        Tenant.objects.filter(id=tenant_a.id).update(limits={"seats": 9})
        row = row_of(tenant_a)
        assert (row.seats, row.limit) == (6, 9)

    def test_the_last_activity_is_a_members(self, tenant_a, the_cast):
        assert row_of(tenant_a).last_activity is None
        session_key(the_cast.users["seller"], tenant_a)
        assert row_of(tenant_a).last_activity > timezone.now() - timedelta(minutes=1)

    def test_paging_shows_each_once(self, tenant_a, tenant_b):
        first = workspace_page(workspaces_matching(), limit=1)
        second = workspace_page(workspaces_matching(), limit=1, after=first.next)
        assert [first.rows[0].tenant.id, second.rows[0].tenant.id] == [tenant_b.id, tenant_a.id]
        assert (first.count, second.next) == (2, None)

    def test_more_workspaces_are_no_more_questions(self, console):
        def questions():
            with CaptureQueriesContext(connection) as asked:
                assert console.get("/console/").status_code == 200
            return len(asked)

        questions()
        few = questions()
        for number in range(20):
            made = Tenant.objects.create(name=f"Oak {number}", schema_version="of yesterday")
            Domain.objects.create(tenant=made, domain=f"oak{number}.localhost", is_primary=True)
        assert questions() == few + 1, "one release more is asked about once"
        assert few < 24


class TestOrder:
    """Also over the border of a page of one."""

    @pytest.fixture
    def names(self, tenant_a, tenant_b):
        now = timezone.now()
        for name, ends in (("beech", 3), ("Ash", None), ("beech", 1)):
            until = None if ends is None else now + timedelta(days=ends)
            Tenant.objects.create(name=name, access_until=until)
        Tenant.objects.filter(id=tenant_a.id).update(access_until=now + timedelta(days=2))
        Tenant.objects.filter(id=tenant_b.id).update(access_until=now + timedelta(days=4))

        def listed(sort):
            found, after = [], None
            while True:
                page = workspace_page(workspaces_matching(), sort=sort, after=after, limit=1)
                found += [row.tenant.name for row in page.rows]
                if (after := page.next) is None:
                    return found

        return listed

    def test_by_age(self, names, tenant_a, tenant_b):
        assert names("oldest")[-3:] == ["beech", "Ash", "beech"]
        assert names("") == names("oldest")[::-1]

    def test_by_name_however_it_is_written(self, names, tenant_a, tenant_b):
        assert names("name") == [tenant_a.name, "Ash", "beech", "beech", tenant_b.name]

    def test_whose_billing_changes_first_and_last_those_where_nothing_does(self, names, tenant_a, tenant_b):
        assert names("ends") == ["beech", tenant_a.name, "beech", tenant_b.name, "Ash"]

    def test_it_is_chosen_on_the_page_and_kept_from_page_to_page(self, console, names):
        page = console.get("/console/?sort=name").content.decode()
        assert page.index(">Ash<") < page.index(">beech<")
        assert '<option value="name" selected>By name</option>' in page
        assert console.get("/console/?sort=colour").status_code == 422


class TestOne:
    def test_its_page_has_members_addresses_and_its_life(self, console, tenant_a):
        page = console.get(f"/console/workspaces/{tenant_a.id}/").content.decode()
        for word in (
            "alder.localhost",
            "owner@example.com",
            "seller@example.com",
            "being set up → active",
            str(tenant_a.id),
        ):
            assert word in page
        assert "outsider@example.com" not in page

    def test_its_page_has_what_failed_inside(self, console, tenant_a):
        with tenant_scope(tenant_a):
            member = Member.objects.get(email="owner@example.com")
            Timer.objects.create(
                kind="task_reminder",
                record_type="task",
                record_id=uuid4(),
                due_at=timezone.now(),
                failures=3,
                error="No way.",
            )
            Job.objects.create(
                kind="export", title="All", member=member, actor_kind="member", state="failed", error="Disk full."
            )
        page = console.get(f"/console/workspaces/{tenant_a.id}/").content.decode()
        for word in ("No way.", "failed 3 times", "Disk full.", "Failed: 1"):
            assert word in page

    def test_what_is_used_has_its_unit(self, console, tenant_a, settings, tmp_path):
        settings.MEDIA_ROOT = tmp_path
        Tenant.objects.filter(id=tenant_a.id).update(limits={"storage_mb": 50_000, "contacts": 2000})
        page = console.get(f"/console/workspaces/{tenant_a.id}/").content.decode()
        assert "0 MB / 50 GB" in page
        assert "/ 2,000" in page

    @pytest.mark.parametrize(
        "change", [{"state": "provisioning"}, {"schema_version": "of yesterday"}, {"state": "deleted"}]
    )
    def test_its_page_opens_when_it_cannot_be_looked_into(self, console, tenant_a, change):
        Tenant.objects.filter(id=tenant_a.id).update(**change)
        answer = console.get(f"/console/workspaces/{tenant_a.id}/")
        assert answer.status_code == 200
        assert b"Events in seven days" not in answer.content

    def test_one_that_is_not_there(self, console):
        assert console.get(f"/console/workspaces/{uuid4()}/").status_code == 404
