"""What the API says of the plan, and how it refuses what the plan does not hold."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from crm.records.events.dispatch import drain
from crm.records.models import Event
from crm.records.write.event_store import id_from
from tenants.actors import Actor, TenantRef
from tenants.workspaces.entitlements import Entitlements, entitlements_write
from tests import factories

pytestmark = pytest.mark.django_db

type Plan = Callable[..., None]


@pytest.fixture
def plan(in_tenant: TenantRef) -> Plan:
    """``plan(contacts=5, features=["teams"])``: what the workspace of the tests has from now on."""

    def granted(features: list[str] | None = None, **limits: int) -> None:
        until = datetime(2027, 4, 1, tzinfo=UTC)
        entitlements_write(in_tenant.id, Entitlements("active", "active", until, "Team", limits, features))

    return granted


def test_the_workspace_says_its_plan(api: Any, owner: Actor, plan: Plan) -> None:
    plan(contacts=5, seats=50, features=["teams", "custom_roles"])
    factories.contact(owner)
    told = api(owner).get("/api/v1/workspace").json()["plan"]
    assert told["name"] == "Team"
    assert told["state"] == "active"
    assert told["until"] == "2027-04-01T00:00:00Z"
    assert told["limits"] == {"contacts": 5, "seats": 50}
    assert told["features"] == ["custom_roles", "teams"]
    assert told["usage"] == {"seats": 6, "contacts": 1, "pipelines": 1, "storage_mb": told["usage"]["storage_mb"]}


def test_a_workspace_without_limits_says_that_too(api: Any, owner: Actor, plan: Plan) -> None:
    plan()
    told = api(owner).get("/api/v1/workspace").json()["plan"]
    assert (told["limits"], told["features"]) == ({}, None)


def test_how_much_is_used_is_not_for_everybody(api: Any, seller: Actor) -> None:
    assert api(seller).get("/api/v1/workspace").json()["plan"]["usage"] is None


def test_a_contact_too_many_is_refused_with_the_limit_and_the_page_that_helps(
    api: Any, owner: Actor, plan: Plan
) -> None:
    plan(contacts=1)
    client = api(owner)
    assert client.post("/api/v1/contacts", {"name": "Ada Byron"}).status_code == 201
    answer = client.post("/api/v1/contacts", {"name": "One more"})
    assert answer.status_code == 402
    error = answer.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("payment_required", "plan_limit", "contacts")
    assert error["doc_url"] == "/settings/billing/"
    assert "Your plan holds 1 contact" in error["message"]
    assert client.get("/api/v1/contacts?include=count").json()["count"] == 1


def test_a_refused_restore_and_a_refused_pipeline_say_so_too(api: Any, owner: Actor, plan: Plan) -> None:
    client = api(owner)
    gone = factories.contact(owner)
    client.delete(f"/api/v1/contacts/{gone.pk}")
    plan(contacts=0, pipelines=1)
    pipeline = client.get("/api/v1/pipelines").json()["data"][0]["id"]
    refused = {
        "contacts": [client.post(f"/api/v1/contacts/{gone.pk}/restore")],
        "pipelines": [
            client.post("/api/v1/pipelines", {"name": "Repairs"}),
            client.post(f"/api/v1/pipelines/{pipeline}/copy", {"name": "Copy"}),
        ],
    }
    for limit, answers in refused.items():
        for answer in answers:
            assert (answer.status_code, answer.json()["error"]["param"]) == (402, limit)


def test_a_seat_too_many_and_a_team_that_is_not_sold(api: Any, owner: Actor, plan: Plan) -> None:
    plan(seats=6, features=[])
    client = api(owner)
    invited = client.post("/api/v1/invitations", {"email": "new@example.com"})
    assert (invited.status_code, invited.json()["error"]["param"]) == (402, "seats")
    made = client.post("/api/v1/teams", {"name": "North"})
    assert (made.status_code, made.json()["error"]["code"]) == (402, "plan_feature")
    assert made.json()["error"]["param"] == "teams"


def test_over_a_limit_programs_read_change_export_and_delete(api: Any, owner: Actor, plan: Plan) -> None:
    one = factories.contact(owner)
    factories.contact(owner, name="Grace Hopper")
    plan(contacts=1)
    client = api(owner)
    assert len(client.get("/api/v1/contacts").json()["data"]) == 2
    assert client.patch(f"/api/v1/contacts/{one.pk}", {"job": "Analyst"}).status_code == 200
    assert client.post("/api/v1/contacts/export", {}).status_code == 202
    assert client.delete(f"/api/v1/contacts/{one.pk}").status_code == 204


def test_the_plan_of_one_workspace_is_not_that_of_another(api: Any, outsider: Actor, plan: Plan) -> None:
    plan(contacts=0)
    assert api(outsider).post("/api/v1/contacts", {"name": "Free"}).status_code == 201


def noted_before(company: Any, days: int) -> str:
    """An event of the company as it was noted so many days ago: its id says when."""
    change_set = Event.objects.filter(record_id=company.pk)[0].change_set
    made = UUID(int=id_from(timezone.now() - timedelta(days=days)).int + days)
    Event.objects.create(
        id=made, change_set=change_set, type="company.updated", record_type="company", record_id=company.pk
    )
    return str(made)


@pytest.mark.parametrize(("days", "left_out"), [(None, 0), (1_000, 0), (500, 1), (90, 2), (0, 3)])
def test_the_feed_reaches_back_as_far_as_the_plan(
    api: Any, owner: Actor, plan: Plan, days: int | None, left_out: int
) -> None:
    company = factories.company(owner)
    long_ago = [noted_before(company, 800), noted_before(company, 100), noted_before(company, 1)]
    drain(owner.tenant)
    if days is not None:
        plan(history_days=days)
    client = api(owner)
    page = client.get("/api/v1/events?limit=500").json()
    shown = {row["id"] for row in page["data"]}
    assert [one for one in long_ago if one in shown] == long_ago[left_out:]
    if days is None:
        assert page["since"] is None
    else:
        since = datetime.fromisoformat(page["since"])
        assert abs(timezone.now() - timedelta(days=days) - since) < timedelta(minutes=1)
    assert client.get(f"/api/v1/events?cursor={page['next_cursor']}").json()["data"] == []


def test_an_old_cursor_goes_on_where_the_plan_begins(api: Any, owner: Actor, plan: Plan) -> None:
    company = factories.company(owner)
    old, older = noted_before(company, 100), noted_before(company, 800)
    drain(owner.tenant)
    client = api(owner)
    first = client.get("/api/v1/events?limit=1").json()
    assert first["data"][0]["id"] == older
    plan(history_days=90)
    rest = client.get(f"/api/v1/events?limit=500&cursor={first['next_cursor']}").json()["data"]
    assert rest
    assert old not in {row["id"] for row in rest}
