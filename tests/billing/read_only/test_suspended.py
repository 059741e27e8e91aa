"""A suspended workspace: closed with its reason, but for what is open until it is deleted to those who can pay."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from crm.records.events import timers
from crm.records.models import Job, Timer
from crm.records.tasks import job_work
from crm.workspace.models import Member, NotificationMail
from crm.workspace.notifications.notify import MAILS
from crm.workspace.tasks import mails_send
from tenants.actors import Actor, TenantRef
from tenants.work.task_classes import TenantRefused, tenant_served
from tenants.work.wakeups import wake
from tenants.workspaces.entitlements import Entitlements, entitlements_write
from tenants.workspaces.hosts import tenant_host
from tests import factories

pytestmark = pytest.mark.django_db
NOTE = "Your last three invoices came back. Please call us."


@pytest.fixture
def suspend() -> Callable[..., TenantRef]:
    def work(tenant: TenantRef, access_state: str = "retention", note: str = "", days: int = 60) -> TenantRef:
        until = timezone.now() + timedelta(days=days)
        entitlements_write(tenant.id, Entitlements("suspended", access_state, until, "Team", {}, None, note))
        return replace(tenant, state="suspended", access_note=note, access_state=access_state)

    return work


class TestTheClosedPage:
    def test_a_visitor_learns_nothing_but_where_to_sign_in(self, owner: Actor, suspend: Any) -> None:
        suspend(owner.tenant, note=NOTE)
        answer = Client(headers={"host": tenant_host(owner.tenant)}).get("/deals/")
        page = answer.content.decode()
        assert answer.status_code == 403
        assert "/handover/?next=/" in page
        assert NOTE not in page
        assert owner.tenant.name not in page

    def test_a_member_reads_the_reason_and_whom_to_ask(self, seller: Actor, browser_client: Any, suspend: Any) -> None:
        suspend(seller.tenant, note=NOTE)
        answer = browser_client(seller).get("/deals/")
        page = answer.content.decode()
        assert answer.status_code == 403
        assert NOTE in page
        assert f"to choose a plan: {Member.objects.get(role__slug='owner').name}." in page
        assert "Export " not in page
        assert "/settings/billing/" not in page

    def test_the_owner_is_shown_what_is_open(self, owner: Actor, browser_client: Any, suspend: Any) -> None:
        suspend(owner.tenant)
        page = browser_client(owner).get("/").content.decode()
        assert 'href="/settings/billing/"' in page
        assert 'action="/deals/export/"' in page
        assert 'href="/settings/members/"' in page
        assert "it is deleted with all that is in it" in page

    def test_who_was_suspended_by_an_operator_is_not_told_to_pay(
        self, owner: Actor, browser_client: Any, suspend: Any
    ) -> None:
        suspend(owner.tenant, access_state="suspended", note=NOTE)
        page = browser_client(owner).get("/").content.decode()
        assert NOTE in page
        assert "Choose a plan" not in page

    def test_a_page_that_is_not_there_shows_nothing_of_the_workspace(
        self, seller: Actor, browser_client: Any, suspend: Any
    ) -> None:
        suspend(seller.tenant)
        page = browser_client(seller).get("/nothing/of/the/sort/").content.decode()
        assert seller.tenant.name not in page
        assert "/deals/" not in page

    def test_what_htmx_asks_is_answered_with_a_toast(self, owner: Actor, browser_client: Any, suspend: Any) -> None:
        suspend(owner.tenant, note=NOTE)
        answer = browser_client(owner).get("/deals/", headers={"HX-Request": "true"})
        assert (answer.status_code, answer.content) == (403, b"")
        assert NOTE in answer.headers["HX-Trigger"]

    def test_an_outsider_is_a_visitor(self, owner: Actor, outsider: Actor, browser_client: Any, suspend: Any) -> None:
        suspend(owner.tenant, note=NOTE)
        answer = browser_client(outsider, host=tenant_host(owner.tenant)).get("/settings/members/")
        assert NOTE not in answer.content.decode()
        assert answer.status_code == 302


class TestWhatIsOpen:
    def test_the_owner_deactivates_a_member(
        self, owner: Actor, seller: Actor, browser_client: Any, suspend: Any
    ) -> None:
        suspend(owner.tenant)
        client = browser_client(owner)
        assert client.get("/settings/members/").status_code == 200
        assert client.get(f"/settings/members/{seller.member_id}/").status_code == 200
        assert client.post(f"/settings/members/{seller.member_id}/leave/").status_code == 302
        assert Member.objects.get(pk=str(seller.member_id)).state == "deactivated"

    def test_the_owner_invites_nobody(self, owner: Actor, browser_client: Any, suspend: Any) -> None:
        suspend(owner.tenant)
        answer = browser_client(owner).post("/settings/members/", {"emails": "new@example.com", "role": "member"})
        assert answer.status_code == 402

    def test_a_manager_deactivates_nobody(
        self, manager: Actor, seller: Actor, browser_client: Any, suspend: Any
    ) -> None:
        suspend(manager.tenant)
        answer = browser_client(manager).post(f"/settings/members/{seller.member_id}/leave/")
        assert answer.status_code == 403
        assert Member.objects.get(pk=str(seller.member_id)).state == "active"

    def test_the_owner_exports_and_fetches_the_file(
        self, owner: Actor, browser_client: Any, suspend: Any, django_capture_on_commit_callbacks: Any
    ) -> None:
        factories.company(owner, name="Ahorn")
        closed = suspend(owner.tenant)
        client = browser_client(owner)
        assert client.post("/companies/export/").headers["Location"] == "/jobs/"
        job = Job.objects.get()
        job_work.apply(kwargs={"tenant_id": str(closed.id), "job_id": str(job.pk)}, throw=True)
        assert client.get("/jobs/").status_code == 200
        assert b"Ahorn" in b"".join(client.get(f"/jobs/{job.pk}/file/").streaming_content)

    def test_settings_name_only_what_is_open(self, owner: Actor, browser_client: Any, suspend: Any) -> None:
        suspend(owner.tenant)
        page = browser_client(owner).get("/settings/").content.decode()
        assert "/settings/members/" in page
        assert "/settings/roles/" not in page
        assert "/inbox/" not in page

    def test_a_member_signs_out(self, seller: Actor, browser_client: Any, suspend: Any) -> None:
        suspend(seller.tenant)
        assert browser_client(seller).post("/signout/").status_code == 302


def test_keys_are_told_the_reason(owner: Actor, api: Any, suspend: Any) -> None:
    key = api(owner)
    suspend(owner.tenant, note=NOTE)
    answer = key.get("/api/v1/companies")
    error = answer.json()["error"]
    assert answer.status_code == 403
    assert error["code"] == "workspace_suspended"
    assert error["message"] == f"This workspace is suspended. {NOTE}"


class TestWork:
    def test_only_the_task_of_exports_runs(self, owner: Actor, suspend: Any) -> None:
        closed = suspend(owner.tenant)
        with pytest.raises(TenantRefused):
            tenant_served(closed.id)
        assert tenant_served(closed.id, suspended=True).state == "suspended"

    def test_timers_wait(self, owner: Actor, suspend: Any) -> None:
        timers.schedule("task_reminder", "task", uuid4(), timezone.now() - timedelta(seconds=1))
        timers.fire_due(suspend(owner.tenant), monotonic() + 120)
        assert Timer.objects.get().fired_at is None

    def test_mails_wait(self, owner: Actor, suspend: Any) -> None:
        waiting = NotificationMail.objects.create(
            member_id=str(owner.member_id), kind="job_done", due_at=timezone.now() - timedelta(minutes=1)
        )
        closed = suspend(owner.tenant)
        wake(timezone.now() - timedelta(minutes=1), MAILS)
        mails_send.apply(kwargs={"tenant_ids": [str(closed.id)]}, throw=True)
        waiting.refresh_from_db()
        assert waiting.state == NotificationMail.State.QUEUED
