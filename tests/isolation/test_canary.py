"""Every address: its owner sees the canary, the other workspace sees neither it nor that it is there."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings

from crm.records.events.dispatch import drain
from crm.records.models import ChangeSet, Event, Job, SavedView
from crm.records.schema.registry import registry
from crm.workspace.models import ExchangeRate, Holiday, Member, Notification
from crm.workspace.notifications.mailing import unsubscribe_url
from crm.workspace.people.invitation_services import invitation_send
from crm.workspace.people.member_services import member_create
from crm.workspace.people.role_services import role_create
from crm.workspace.people.team_services import team_create
from tenants.actors import Actor
from tenants.db.scopes import shared, tenant_scope
from tenants.workspaces.hosts import tenant_host
from tests import factories
from tests.isolation.routes import Route, Thing, addresses, routes

pytestmark = pytest.mark.django_db

CANARY = "Kanarienvogel"


class Planted:
    """A workspace full of canaries."""

    def __init__(self, actor: Actor) -> None:
        company = factories.company(actor, name=f"{CANARY} company", description=CANARY)
        contact = factories.contact(actor, name=f"{CANARY} contact", company=company.id)
        pipeline = factories.pipeline(actor, name=f"{CANARY} pipeline")
        stage = factories.stage(actor, name=f"{CANARY} stage", pipeline=pipeline.id)
        reason = factories.make(actor, "lost_reason", {"name": f"{CANARY} reason"})
        deal = factories.deal(
            actor,
            name=f"{CANARY} deal",
            company=company.id,
            pipeline=pipeline.id,
            stage=stage.id,
            amount="10",
            currency="EUR",
        )
        about = {"type": "company", "id": company.id}
        task = factories.task(actor, name=f"{CANARY} task", about=about)
        note = factories.note(actor, body=f"{CANARY} note", about=about)
        also = [{"type": "deal", "id": deal.id}]
        call = factories.make(actor, "call", {"name": f"{CANARY} call", "about": about, "also": also})
        meeting = factories.make(
            actor,
            "meeting",
            {
                "name": f"{CANARY} meeting",
                "starts_on": "2027-03-01",
                "about": about,
                "guests": [{"type": "contact", "id": contact.id}],
            },
        )
        email = factories.make(actor, "email", {"subject": f"{CANARY} email", "about": about})
        records = {
            "company": company,
            "contact": contact,
            "pipeline": pipeline,
            "stage": stage,
            "lost_reason": reason,
            "deal": deal,
            "task": task,
            "note": note,
            "call": call,
            "meeting": meeting,
            "email": email,
        }
        assert set(records) == {record_type.slug for record_type in registry.all()}, "plant one of the new type too"
        self.things = [
            Thing(registry.get(slug).plural, record.id, registry.get(slug).title) for slug, record in records.items()
        ]
        with tenant_scope(actor.tenant):
            drain(actor.tenant)
            member = Member.objects.get(user_id=actor.details["user_id"])
            Member.objects.filter(id=member.id).update(name=f"{CANARY} member")
            notification = Notification.objects.create(
                member=member, key=CANARY, kind="test", title=f"{CANARY} notification", body="", record_type="company",
                record_id=company.id,
            )  # fmt: skip
            team = team_create(actor, name=f"{CANARY} team", head=member)
            invitation = invitation_send(actor, email=f"{CANARY.lower()}@example.com", role="member")
            job = Job.objects.create(
                kind="bulk", title=f"{CANARY} job", noun="company", member=member, actor_kind="member"
            )
            view = SavedView.objects.create(noun="company", name=f"{CANARY} view", owner=member)
            role = role_create(actor, name=f"{CANARY} role", permissions={}, fields={})
            change_set = ChangeSet.objects.order_by("-at")[0]
            rate = ExchangeRate.objects.create(currency="BHD", on=date(2026, 1, 1), rate=2)
            holiday = Holiday.objects.create(on=date(2026, 1, 1), name=f"{CANARY} holiday")
            self.others: dict[str, Any] = {
                "change_set": change_set.id,
                "change_set_id": change_set.id,
                "job": job.id,
                "job_id": job.id,
                "view": view.id,
                "view_id": view.id,
                "member_id": member.id,
                "notification_id": notification.id,
                "stage": stage.id,
                "stage_id": stage.id,
                "pipeline": pipeline.id,
                "pipeline_id": pipeline.id,
                "key_id": company.id,
                "announcement_id": company.id,
                "invitation_id": invitation.id,
                "team_id": team.id,
                "role_id": role.id,
                "code": rate.currency,
                "rate_id": rate.id,
                "token": unsubscribe_url(actor.tenant, member.id, "mentioned").rstrip("/").rpartition("/")[2],
                "holiday_id": holiday.id,
                "on": holiday.on,
                "price": "team_month_eur",
                "attempt_id": company.id,
                "picture": "0123456789abcdef",
                "size": 64,
            }
        self.ids = {str(thing.id) for thing in self.things} | {
            # Whoever has a token out of a mail may use it, signed in or not; a price is everybody's.
            str(value)
            for name, value in self.others.items()
            if name not in ("token", "price")
        }
        self.member, self.notification = member, notification

    def paths(self, route: Route) -> list[str]:
        if route.path.startswith("inbox/") and "id" in route.parameters:
            return addresses(replace(route), [Thing("inbox", self.notification.id, "")], self.others)
        if route.path.startswith("api/v1/members"):
            return addresses(route, [Thing("members", self.member.id, "")], self.others)
        return addresses(route, self.things, self.others)


@pytest.fixture
def planted(owner: Actor) -> Planted:
    return Planted(owner)


def page_paths(planted: Planted) -> list[str]:
    return [
        path
        for route in routes(settings.TENANT_URLCONF)
        if not route.path.startswith("api/")
        for path in planted.paths(route)
    ]


def opened(client: Any, planted: Planted) -> Iterator[tuple[str, Any]]:
    """What every page answers; a route that takes no reading is asked once."""
    for route in routes(settings.TENANT_URLCONF):
        if route.path.startswith("api/"):
            continue
        for path in planted.paths(route):
            answer = client.get(path)
            yield path, answer
            if answer.status_code == 405:
                break


def api_paths(planted: Planted) -> list[str]:
    return [path for route in routes(settings.API_URLCONF) for path in planted.paths(route)]


def holds(response) -> bool:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return CANARY.encode() in content or any(CANARY in str(value) for value in response.headers.values())


def names_one(planted: Planted, path: str) -> bool:
    return not planted.ids.isdisjoint(re.split(r"[/?&=]", path))


def events_of(actor: Actor) -> int:
    with tenant_scope(actor.tenant):
        return Event.objects.count()


def test_every_route_has_an_address(planted):
    """A route with a parameter that nobody fills in would go untested."""
    unknown = [
        route.path
        for urlconf in (settings.TENANT_URLCONF, settings.API_URLCONF)
        for route in routes(urlconf)
        if not planted.paths(route) and "^" not in route.path
    ]
    assert unknown == []


@pytest.mark.slow("opens every page of every noun")
def test_its_owner_sees_the_canary_on_pages(planted, owner, browser_client):
    client = browser_client(owner)
    answers = dict(opened(client, planted))
    failed = {path: answer.status_code for path, answer in answers.items() if answer.status_code >= 500}
    assert not failed
    seen = {path for path, answer in answers.items() if holds(answer)}
    for thing in planted.things:
        if thing.plural in ("companies", "contacts", "deals", "tasks"):
            assert f"/{thing.plural}/" in seen
            assert f"/{thing.plural}/{thing.id}/" in seen
    assert {"/inbox/", "/jobs/", f"/jobs/{planted.others['job']}/"} <= seen


@pytest.mark.slow("opens every page of every noun")
def test_another_workspace_sees_nothing_on_pages(planted, outsider, browser_client):
    client = browser_client(outsider)
    for path, answer in opened(client, planted):
        assert not holds(answer), path
        assert answer.status_code < 500, path
        if names_one(planted, path):
            assert answer.status_code in (404, 405), path


def test_another_workspaces_members_are_strangers_on_the_host(planted, owner, outsider, browser_client):
    """Their session is good on their own host; here they are nobody, and no page is told from one that is not."""
    client = browser_client(outsider, host=tenant_host(owner.tenant))
    for path, answer in opened(client, planted):
        assert not holds(answer), path
        assert answer.status_code in (302, 401, 403, 404, 405) or not names_one(planted, path), path


@pytest.mark.slow("posts to every page of every noun, twice")
def test_nothing_is_changed_from_another_workspace(planted, owner, outsider, browser_client):
    before = events_of(owner)
    for client in (browser_client(outsider), browser_client(outsider, host=tenant_host(owner.tenant))):
        for path in page_paths(planted):
            if names_one(planted, path):
                answer = client.post(path, {"name": "Mine", "value": "Mine", "body": "Mine", "title": "Mine"})
                assert answer.status_code in (302, 401, 403, 404, 405), path
                assert not holds(answer), path
    assert events_of(owner) == before


def test_its_owner_sees_the_canary_by_the_api(planted, owner, api):
    client = api(owner)
    seen = {path for path in api_paths(planted) if holds(client.get(path))}
    for thing in planted.things:
        plural = registry.by_plural(thing.plural).plural
        assert any(f"/{plural}".replace("_", "-") in path and str(thing.id) in path for path in seen), plural
    assert "/api/v1/events" in seen
    assert "/api/v1/members" in seen
    assert {"/api/v1/jobs", f"/api/v1/jobs/{planted.others['job']}", "/api/v1/companies/views"} <= seen


@pytest.mark.parametrize("host", [None, "api.localhost"])
def test_another_workspace_sees_nothing_by_the_api(planted, owner, outsider, api, host):
    before = events_of(owner)
    client = api(outsider, host=host)
    for path in api_paths(planted):
        answers = [client.get(path), client.patch(path, {"name": "Mine"}), client.post(path, {}), client.delete(path)]
        for answer in answers:
            assert not holds(answer), path
            assert answer.status_code < 500, path
            if names_one(planted, path):
                assert answer.status_code in (404, 405), (path, answer.content)
    assert events_of(owner) == before


def test_a_key_opens_nothing_on_another_workspaces_host(planted, owner, outsider, api):
    client = api(outsider, host=tenant_host(owner.tenant))
    for path in api_paths(planted):
        answer = client.get(path)
        assert answer.status_code in (401, 404) or not names_one(planted, path), path
        assert not holds(answer), path


def test_another_workspaces_record_cannot_be_pointed_at(planted, owner, outsider, api):
    """By relation, reference, link, filter or cursor: as if it were not there."""
    company = next(thing.id for thing in planted.things if thing.plural == "companies")
    deal = next(thing.id for thing in planted.things if thing.plural == "deals")
    client = api(outsider)
    answers = [
        client.post("/api/v1/deals", {"name": "Mine", "company": str(company)}),
        client.post("/api/v1/contacts", {"name": "Mine", "companies": [{"id": str(company), "role": ""}]}),
        client.post("/api/v1/notes", {"body": "Mine", "about": {"type": "company", "id": str(company)}}),
        client.post("/api/v1/tasks", {"name": "Mine", "about": {"type": "deal", "id": str(deal)}}),
        client.post("/api/v1/deals", {"name": "Mine", "owner": str(owner.member_id)}),
    ]
    for answer in answers:
        assert answer.status_code in (404, 422), answer.content
        assert not holds(answer)
    found = client.post("/api/v1/deals/query", {"filter": {"field": "company", "op": "eq", "value": str(company)}})
    assert found.status_code in (200, 400, 422)
    assert json.loads(found.content).get("data", []) == []


def test_a_session_of_one_host_is_nothing_on_another(owner, tenant_a, tenant_b, browser_client, public_client):
    """Not even for one who is a member of both and signed in on neither other host."""
    with tenant_scope(tenant_b):
        member_create(tenant=tenant_b, user_id=UUID(str(owner.details["user_id"])), email=owner.email)
    on_a = browser_client(owner)
    assert on_a.get("/").status_code == 200
    public_client.cookies = on_a.cookies
    assert "/signin/" in public_client.get("/workspaces/").headers["Location"]
    assert browser_client(replace(owner, tenant=tenant_b)).get("/").status_code == 200
    on_b = browser_client(owner, host=tenant_host(tenant_b))
    answer = on_b.get("/")
    assert answer.status_code == 302
    assert "/handover/" in answer.headers["Location"]


def test_the_cache_of_one_is_not_the_others(tenant_a, tenant_b):
    from django.core.cache import cache

    with tenant_scope(tenant_a):
        cache.set("greeting", CANARY)
    with tenant_scope(tenant_b):
        assert cache.get("greeting") is None
    with shared():
        assert cache.get("greeting") is None
    with tenant_scope(tenant_a):
        assert cache.get("greeting") == CANARY
