"""A workspace that is read-only: what is refused says so and what to do, and what has to wait goes on afterwards."""

from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from crm.records import tasks
from crm.records.events import dispatch, timers
from crm.records.jobs import bulk, export, jobs
from crm.records.jobs.bulk import Selection
from crm.records.models import Event, Job, Timer
from crm.records.read import reading
from crm.records.schema.registry import registry
from crm.workspace.models import Member
from crm.workspace.people.invitation_services import invitation_send
from crm.workspace.people.member_services import member_create, member_user_change
from tenants.actors import Actor, TenantRef
from tenants.db.database_roles import role_of
from tenants.db.scopes import shared
from tenants.models import User, Wakeup
from tenants.workspaces.entitlements import (
    Entitlements,
    WorkspaceClosed,
    entitlements_write,
    require_writable,
    why_not_writable,
)
from tests import factories
from tests.registrations import anew

pytestmark = pytest.mark.django_db
MESSAGE = "This workspace is read-only, so nothing was changed."


def put(tenant: TenantRef, state: str, note: str = "") -> TenantRef:
    """The workspace in a state of payment, and how it is seen from now on."""
    granted = Entitlements(state, "active" if state == "active" else "canceled", None, "Team", {}, None, note)
    entitlements_write(tenant.id, granted)
    return replace(tenant, state=state, access_note=note)


@pytest.fixture
def closed(owner: Actor) -> TenantRef:
    return put(owner.tenant, "read_only")


def at(actor: Actor, tenant: TenantRef) -> Actor:
    return replace(actor, tenant=tenant)


@pytest.mark.parametrize(
    ("state", "writable"),
    [
        ("provisioning", True),
        ("active", True),
        ("read_only", False),
        ("suspended", False),
        ("deleting", False),
        ("deleted", False),
    ],
)
def test_which_states_are_written(owner: Actor, state: str, writable: bool) -> None:
    tenant = replace(owner.tenant, state=state)
    assert (why_not_writable(tenant) is None) is writable
    if not writable:
        with pytest.raises(WorkspaceClosed):
            require_writable(tenant)


class TestWhatIsSaid:
    def test_the_owner_is_led_to_billing(self, owner: Actor, browser_client: Any, closed: TenantRef) -> None:
        answer = browser_client(owner).post("/companies/new/", {"name": "Late"})
        page = answer.content.decode()
        assert answer.status_code == 402
        assert MESSAGE in page
        assert 'href="/settings/billing/"' in page

    def test_who_may_not_pay_is_told_whom_to_ask(self, seller: Actor, browser_client: Any, closed: TenantRef) -> None:
        named = Member.objects.get(role__slug="owner").name
        page = browser_client(seller).post("/companies/new/", {"name": "Late"}).content.decode()
        assert f"Ask an owner of the workspace to choose a plan: {named}." in page
        assert "/settings/billing/" not in page

    def test_a_form_that_htmx_sent_stays_and_a_toast_says_it(
        self, owner: Actor, browser_client: Any, closed: TenantRef
    ) -> None:
        answer = browser_client(owner).post("/companies/new/", {"name": "Late"}, headers={"HX-Request": "true"})
        assert (answer.status_code, answer.content) == (402, b"")
        assert MESSAGE in answer.headers["HX-Trigger"]
        assert "/settings/billing/" in answer.headers["HX-Trigger"]

    def test_the_form_of_a_write_is_not_even_opened(self, owner: Actor, browser_client: Any, closed: TenantRef) -> None:
        company = factories.company(at(owner, replace(closed, state="active")))
        client = browser_client(owner)
        assert client.get("/companies/new/").status_code == 402
        assert client.get(f"/companies/{company.pk}/edit/name/").status_code == 402
        assert client.get(f"/companies/{company.pk}/").status_code == 200

    @pytest.mark.parametrize("path", ["/", "/contacts/"])
    def test_sample_data_is_offered_only_where_it_can_be_loaded(
        self, owner: Actor, closed: TenantRef, browser_client: Any, path: str
    ) -> None:
        client = browser_client(owner)
        assert b"Load sample data" not in client.get(path).content
        put(closed, "active")
        assert b"Load sample data" in client.get(path).content

    def test_who_may_not_write_anyway_is_told_that(self, reader: Actor, browser_client: Any, closed: TenantRef) -> None:
        assert browser_client(reader).post("/companies/new/", {"name": "Late"}).status_code == 403

    def test_a_program_is_told_the_code_and_the_page(self, owner: Actor, api: Any, closed: TenantRef) -> None:
        answer = api(at(owner, replace(closed, state="active"))).post("/api/v1/companies", {"name": "Late"})
        error = answer.json()["error"]
        assert answer.status_code == 402
        assert (error["type"], error["code"]) == ("payment_required", "workspace_read_only")
        assert (error["message"], error["doc_url"]) == (MESSAGE, "/settings/billing/")

    def test_a_key_without_the_scope_hears_of_that_first(self, owner: Actor, api: Any, closed: TenantRef) -> None:
        key = api(at(owner, replace(closed, state="active")), scopes=["company:read"])
        assert key.post("/api/v1/companies", {"name": "Late"}).status_code == 403

    def test_a_question_by_post_is_reading(self, owner: Actor, api: Any, closed: TenantRef) -> None:
        key = api(at(owner, replace(closed, state="active")))
        assert key.post("/api/v1/companies/query", {"filter": {}}).status_code == 200

    def test_nobody_accepts_an_invitation(self, owner: Actor, public_client: Any) -> None:
        token = invitation_send(owner, email="late@example.com", role="member").token
        put(owner.tenant, "read_only")
        answer = public_client.get(f"/invitations/{token}/")
        assert answer.status_code == 410
        assert "takes nobody in at the moment" in answer.content.decode()


class TestInTheMiddle:
    """The state is the request's, or the turn's: read once, at the beginning."""

    def test_a_request_ends_as_it_began_and_the_next_is_refused(self, owner: Actor, browser_client: Any) -> None:
        client = browser_client(owner)
        put(owner.tenant, "read_only")
        assert factories.company(owner, name="Begun before").name == "Begun before"
        assert client.post("/companies/new/", {"name": "After"}).status_code == 402

    def test_a_turn_of_work_ends_as_it_began(self, owner: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(jobs, "CHUNK", 1)
        job = started(owner)
        put(owner.tenant, "read_only")
        assert jobs.step(owner.tenant, job.pk)
        job.refresh_from_db()
        assert job.done == 1


class TestWhoComesIn:
    """By the services themselves, which also the public host calls."""

    def test_nobody_becomes_a_member(self, owner: Actor, closed: TenantRef) -> None:
        with pytest.raises(WorkspaceClosed):
            member_create(tenant=closed, user_id=uuid4(), email="late@example.com")

    def test_nobody_takes_a_member_over(self, owner: Actor, closed: TenantRef) -> None:
        with shared():
            user = User.objects.get(id=owner.details["user_id"])
        with pytest.raises(WorkspaceClosed):
            member_user_change(closed, old_user=user, new_user=user)


class TestLeaving:
    def test_a_member_leaves_and_what_they_had_stays_theirs(
        self, owner: Actor, seller: Actor, browser_client: Any
    ) -> None:
        deal = factories.deal(seller)
        put(owner.tenant, "read_only")
        client = browser_client(owner)
        page = client.get(f"/settings/members/{seller.member_id}/leave/").content.decode()
        assert "what is open stays with" in page
        assert client.post(f"/settings/members/{seller.member_id}/leave/").status_code == 302
        assert Member.objects.get(pk=str(seller.member_id)).state == "deactivated"
        deal.refresh_from_db()
        assert deal.owner_id == seller.member_id

    def test_their_reports_follow_somebody_else(self, owner: Actor, manager: Actor, seller: Actor, api: Any) -> None:
        Member.objects.filter(pk=str(seller.member_id)).update(manager=manager.member_id)
        Member.objects.filter(pk=str(manager.member_id)).update(manager=owner.member_id)
        key = api(owner)
        put(owner.tenant, "read_only")
        assert key.post(f"/api/v1/members/{manager.member_id}/deactivate").status_code == 200
        assert Member.objects.get(pk=str(seller.member_id)).manager_id == owner.member_id

    def test_nothing_is_given_away(self, owner: Actor, manager: Actor, seller: Actor, api: Any) -> None:
        key = api(owner)
        put(owner.tenant, "read_only")
        answer = key.post(f"/api/v1/members/{seller.member_id}/deactivate", {"to": str(manager.member_id)})
        assert answer.status_code == 402
        assert Member.objects.get(pk=str(seller.member_id)).state == "active"


def due(tenant: TenantRef) -> set[str]:
    with shared():
        return set(Wakeup.objects.filter(role=role_of(tenant.schema_name)).values_list("work", flat=True))


def started(owner: Actor, count: int = 3) -> Job:
    """Work on some deals, begun while the workspace was paid for."""
    for place in range(count):
        factories.deal(owner, name=f"Deal {place}")
    record_type = registry.get("deal")
    return bulk.bulk_start(owner, record_type, "edit", Selection(filter={}), values={"probability": 35})


class TestWork:
    def test_a_job_stops_at_its_next_turn_and_goes_on_once_it_is_paid(
        self, owner: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "CHUNK", 1)
        job = started(owner)
        assert jobs.step(owner.tenant, job.pk)
        closed = put(owner.tenant, "read_only")
        jobs.run(closed, job.pk)
        job.refresh_from_db()
        assert (job.state, job.done) == ("running", 1)

        opened = put(closed, "active")
        jobs.run(opened, job.pk)
        job.refresh_from_db()
        assert (job.state, job.done) == ("done", 3)

    def test_a_turn_hands_out_what_only_reads(
        self, owner: Actor, celery_eager: None, django_capture_on_commit_callbacks: Any
    ) -> None:
        job = started(owner)
        record_type = registry.get("deal")
        closed = put(owner.tenant, "read_only")
        reader = at(owner, closed)
        columns = export.columns_of(reader, record_type)
        written = export.export_start(reader, record_type, columns, reading.Query(), name="Deals")
        with django_capture_on_commit_callbacks(execute=True):
            tasks.enqueue_due(closed)
        states = dict(Job.objects.values_list("pk", "state"))
        assert (states[job.pk], states[written.pk]) == ("queued", "done")

    def test_no_other_work_begins(self, owner: Actor) -> None:
        factories.deal(owner)
        reader = at(owner, put(owner.tenant, "read_only"))
        with pytest.raises(WorkspaceClosed):
            bulk.bulk_start(reader, registry.get("deal"), "edit", Selection(filter={}), values={"probability": 35})

    def test_a_timer_waits_and_fires_once_it_is_paid(self, owner: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
        anew(monkeypatch, timers, "kinds")
        timers.register("ring", ring)
        rung.clear()
        timers.schedule("ring", "task", uuid4(), timezone.now() - timedelta(seconds=1))
        closed = put(owner.tenant, "read_only")
        timers.fire_due(closed, monotonic() + 120)
        assert (rung, Timer.objects.get().fired_at) == ([], None)

        timers.fire_due(put(closed, "active"), monotonic() + 120)
        assert len(rung) == 1

    def test_a_timer_that_tidies_up_fires_all_the_same(self, owner: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
        anew(monkeypatch, timers, "kinds")
        timers.register("ring", ring, unpaid=True)
        rung.clear()
        timers.schedule("ring", "task", uuid4(), timezone.now() - timedelta(seconds=1))
        timers.fire_due(put(owner.tenant, "read_only"), monotonic() + 120)
        assert len(rung) == 1

    def test_events_are_numbered_and_read_once_it_is_paid(self, owner: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
        anew(monkeypatch, dispatch, "readers")
        dispatch.on("company.*", name="heard", handler=hear)
        heard.clear()
        dispatch.drain(owner.tenant)
        heard.clear()
        factories.company(owner)
        closed = put(owner.tenant, "read_only")
        dispatch.drain(closed)
        assert not Event.objects.filter(position=None).exists()
        assert heard == []

        dispatch.drain(put(closed, "active"))
        assert "company.created" in heard

    def test_paying_wakes_all_that_waited(self, owner: Actor) -> None:
        closed = put(owner.tenant, "read_only")
        with shared():
            Wakeup.objects.all().delete()
        put(closed, "read_only")
        assert due(closed) == set()
        put(closed, "active")
        assert due(closed) == {"events", "timers", "mails"}


rung: list[Any] = []
heard: list[str] = []


def ring(tenant: TenantRef, due: Any) -> None:
    rung.extend(due)


def hear(tenant: TenantRef, event: Event) -> None:
    heard.append(event.type)
