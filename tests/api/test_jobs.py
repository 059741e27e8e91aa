"""Big changes and saved views by the API."""

from typing import Any
from uuid import uuid4

import jsonschema
import pytest

from crm.records import belongings, jobs
from crm.records.belongings import records_move
from crm.records.models import Job, SavedView
from crm.records.types import registry
from crm.workspace.models import Member
from tenants.api_keys import api_key_list, api_key_revoke
from tests import factories

pytestmark = pytest.mark.django_db

RICH = {"field": "amount", "op": "gte", "value": "100"}


def fill(owner: Any) -> None:
    for place in range(4):
        factories.deal(owner, name=f"Deal {place}", amount=str(99 + place))


def fits(document: Any, name: str, found: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(found)


class TestBulk:
    def test_a_change_is_a_job_that_is_followed_and_undone(self, api, owner):
        fill(owner)
        client = api(owner)
        document = client.get("/api/v1/openapi.json").json()
        answer = client.post("/api/v1/deals/bulk", {"filter": RICH, "values": {"probability": 35}})
        assert answer.status_code == 202
        path = answer.headers["Location"]
        assert client.get(path).json()["state"] == "queued"
        jobs.run(owner.tenant, answer.json()["id"])
        done = client.get(path).json()
        fits(document, "Job", done)
        assert (done["state"], done["total"], done["done"], done["changed"]) == ("done", 3, 3, 3)
        assert registry.get("deal").rows.filter(probability=35).count() == 3
        back = client.post(f"{path}/undo")
        assert back.status_code == 202
        jobs.run(owner.tenant, back.json()["id"])
        assert registry.get("deal").rows.filter(probability=35).count() == 0
        assert client.post(f"{path}/undo").status_code == 409
        assert [one["kind"] for one in client.get("/api/v1/jobs").json()["data"]] == ["undo", "bulk"]

    def test_it_is_cancelled(self, api, owner):
        fill(owner)
        client = api(owner)
        path = client.post("/api/v1/deals/bulk", {"filter": {}, "action": "trash"}).headers["Location"]
        assert client.post(f"{path}/cancel").status_code == 200
        jobs.run(owner.tenant, Job.objects.get().pk)
        assert client.get(path).json()["state"] == "cancelled"
        assert client.post(f"{path}/cancel").status_code == 422

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({}, 400),
            ({"filter": {}, "ids": [str(uuid4())], "values": {"probability": 1}}, 400),
            ({"filter": [], "values": {"probability": 1}}, 400),
            ({"ids": [], "values": {"probability": 1}}, 400),
            ({"ids": ["x"], "values": {"probability": 1}}, 400),
            ({"filter": {}, "valuse": {}}, 400),
            ({"filter": {}, "action": "burn"}, 400),
            ({"filter": {}, "on_error": "cry", "values": {"probability": 1}}, 400),
            ({"filter": {}, "values": []}, 422),
            ({"filter": {}, "values": {}}, 422),
            ({"filter": {}, "values": {"probability": "many"}}, 422),
            ({"filter": {}, "values": {"nonsense": 1}}, 422),
            ({"filter": {"field": "nonsense", "op": "eq", "value": 1}, "values": {"probability": 1}}, 400),
            ({"view": str(uuid4()), "values": {"probability": 1}}, 404),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, api, owner, body, status):
        fill(owner)
        assert api(owner).post("/api/v1/deals/bulk", body).status_code == status
        assert not Job.objects.exists()

    def test_a_key_needs_the_scope_and_its_role_the_right(self, api, owner, reader):
        fill(owner)
        body = {"filter": {}, "values": {"probability": 1}}
        assert api(owner, scopes=["deal:read"]).post("/api/v1/deals/bulk", body).status_code == 403
        assert api(reader).post("/api/v1/deals/bulk", body).status_code == 403

    def test_a_key_that_is_revoked_meanwhile_stops_it(self, api, owner):
        fill(owner)
        api(owner).post("/api/v1/deals/bulk", {"filter": {}, "values": {"probability": 1}})
        for key in api_key_list(owner):
            api_key_revoke(owner, key_id=key.id)
        job = Job.objects.get()
        jobs.run(owner.tenant, job.pk)
        job.refresh_from_db()
        assert (job.state, job.done) == ("failed", 0)

    def test_the_jobs_of_others_are_not_there(self, api, owner, seller):
        fill(owner)
        path = api(owner).post("/api/v1/deals/bulk", {"filter": {}, "action": "trash"}).headers["Location"]
        client = api(seller)
        assert client.get(path).status_code == 404
        assert client.post(f"{path}/cancel").status_code == 404
        assert client.get("/api/v1/jobs").json()["data"] == []

    def test_a_key_without_the_noun_sees_no_job_of_it(self, api, owner):
        fill(owner)
        path = api(owner).post("/api/v1/deals/bulk", {"filter": {}, "action": "trash"}).headers["Location"]
        client = api(owner, scopes=["company:read"])
        assert client.get(path).status_code == 404
        assert client.get("/api/v1/jobs").json()["data"] == []


class TestViews:
    def test_a_view_is_made_read_used_changed_and_deleted(self, api, owner):
        fill(owner)
        client = api(owner)
        document = client.get("/api/v1/openapi.json").json()
        made = client.post(
            "/api/v1/deals/views",
            {
                "name": "Rich",
                "filter": RICH,
                "sort": ["-amount"],
                "columns": ["name", {"field": "amount"}],
            },
        )
        assert made.status_code == 201
        fits(document, "View", made.json())
        fits(document, "ViewPage", client.get("/api/v1/deals/views").json())
        path = f"/api/v1/deals/views/{made.json()['id']}"
        listed = client.get(f"/api/v1/deals?view={made.json()['id']}").json()["data"]
        assert [row["name"] for row in listed] == ["Deal 3", "Deal 2", "Deal 1"]
        body = {"view": made.json()["id"], "filter": {"field": "amount", "op": "lt", "value": "102"}, "sort": "name"}
        found = client.post("/api/v1/deals/query", body).json()["data"]
        assert [row["name"] for row in found] == ["Deal 1", "Deal 2"]
        assert client.patch(path, {"name": "Richer", "sharing": "everyone"}).json()["name"] == "Richer"
        assert client.patch(path, {"sharing": "world"}).status_code == 422
        assert client.patch(path, {"owner": str(uuid4())}).status_code == 400
        assert client.delete(path).status_code == 204
        assert client.get(path).status_code == 404

    def test_another_ones_is_not_there(self, api, owner, seller):
        view = SavedView.objects.create(noun="deal", name="Mine", owner=Member.objects.get(pk=owner.member_id))
        client = api(seller)
        assert client.get("/api/v1/deals/views").json()["data"] == []
        for answer in (
            client.get(f"/api/v1/deals/views/{view.pk}"),
            client.patch(f"/api/v1/deals/views/{view.pk}", {"name": "x"}),
            client.delete(f"/api/v1/deals/views/{view.pk}"),
            client.get(f"/api/v1/deals?view={view.pk}"),
        ):
            assert answer.status_code == 404


class TestHandOver:
    def test_a_key_steers_it_only_as_far_as_it_could_do_it_itself(self, api, owner, seller, seller_two, monkeypatch):
        monkeypatch.setattr(belongings, "AT_ONCE", 1)
        for _number in range(3):
            factories.deal(seller)
        job = records_move(owner, member_id=seller.member_id, takers={"deal": seller_two.member_id}).job
        assert job is not None
        path = f"/api/v1/jobs/{job.pk}"
        blind, reading, writing = (api(owner, scopes=[scope]) for scope in ("company:write", "deal:read", "deal:write"))
        assert blind.get(path).status_code == 404
        assert blind.get("/api/v1/jobs").json()["data"] == []
        assert reading.get(path).status_code == 200
        for what in ("cancel", "undo"):
            assert blind.post(f"{path}/{what}").status_code == 404
            assert reading.post(f"{path}/{what}").status_code == 403
        assert not Job.objects.filter(cancelled_at__isnull=False).exists()
        both = api(owner, scopes=["deal:read", "deal:write"])
        assert both.post(f"{path}/cancel").status_code == 200
        assert writing.get(path).status_code == 404
