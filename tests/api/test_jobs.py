"""Big changes and saved views by the API."""

import csv
from typing import Any
from uuid import uuid4

import jsonschema
import pytest

from crm.records.jobs import jobs, ownership_transfer
from crm.records.jobs.ownership_transfer import records_move
from crm.records.models import Job, SavedView
from crm.records.schema.registry import registry
from crm.workspace.models import Member, Role
from crm.workspace.people.role_services import role_create
from tenants.accounts.api_keys import api_key_list, api_key_revoke
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


class TestExport:
    @pytest.fixture(autouse=True)
    def files(self, settings, tmp_path):
        settings.MEDIA_ROOT = tmp_path

    @pytest.fixture
    def export(self, owner):
        def made(client: Any, noun: str = "deals", **body: Any) -> tuple[str, list[list[str]]]:
            """The job's address and the lines of its file."""
            answer = client.post(f"/api/v1/{noun}/export", body)
            assert answer.status_code == 202, answer.json()
            assert answer.json()["file"] is None
            jobs.run(owner.tenant, answer.json()["id"])
            path = answer.headers["Location"]
            file = client.get(client.get(path).json()["file"])
            assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
            return path, list(csv.reader(b"".join(file.streaming_content).decode().splitlines()))

        return made

    def test_what_a_query_finds_is_fetched_as_a_file(self, api, owner, export):
        fill(owner)
        client = api(owner)
        document = client.get("/api/v1/openapi.json").json()
        path, lines = export(client, filter=RICH, sort="-amount", fields=["name", "amount"])
        assert lines[0] == ["Name", "Amount", "Currency"]
        assert [line[:2] for line in lines[1:]] == [["Deal 3", "102.00"], ["Deal 2", "101.00"], ["Deal 1", "100.00"]]
        fits(document, "Job", client.get(path).json())

    def test_a_view_gives_its_rows_order_and_columns(self, api, owner, export):
        fill(owner)
        client = api(owner)
        view = {"name": "Rich", "filter": RICH, "sort": ["-amount"], "columns": ["name"]}
        made = client.post("/api/v1/deals/views", view).json()
        assert export(client, view=made["id"], search="deal")[1] == [["Name"], ["Deal 3"], ["Deal 2"], ["Deal 1"]]

    def test_without_fields_it_has_all_that_the_key_may_read(self, api, owner, seller, export):
        rights = {"deal": {"view": "all", "export": "all"}}
        blind = Role.objects.create(
            slug="blind", name="Blind", permissions=rights, fields={"deal": {"amount": "hidden"}}
        )
        Member.objects.filter(pk=seller.member_id).update(role=blind)
        fill(owner)
        for actor, there in ((owner, True), (seller, False)):
            head, *lines = export(api(actor))[1]
            assert (head[0], "Name" in head, "Amount" in head) == ("ID", True, there)
            assert {line[0] for line in lines} == {
                str(pk) for pk in registry.get("deal").rows.values_list("pk", flat=True)
            }
        assert api(seller).post("/api/v1/deals/export", {"fields": "amount"}).status_code == 400

    def test_relations_are_names_days_are_days_and_nothing_is_a_formula(self, api, owner, seller, export):
        company = factories.company(owner, name="=Energy & Co")
        about, deal = {"type": "company", "id": str(company.pk)}, factories.deal(owner, name="Roof")
        values = {
            "name": "Visit",
            "starts_on": "2026-06-01",
            "about": about,
            "also": [{"type": "deal", "id": str(deal.pk)}],
            "description": f"Ask @[Sue Seller](member:{seller.member_id})",
        }
        factories.make(owner, "meeting", values)
        fields = ["name", "starts_at", "about", "also", "description"]
        _head, line = export(api(owner), "meetings", fields=fields)[1]
        assert line == ["Visit", "2026-06-01", "'=Energy & Co", "Roof", "Ask @Sue Seller"]

    def test_addresses_are_in_the_order_one_writes_them_and_numbers_stay_numbers(self, api, owner, export):
        address = {"country": "Norway", "city": "Oslo", "postcode": "0150", "street": "Storgata 1"}
        factories.company(owner, name="1;=1+1", phones=["+47 22 12 34 56"], address=address, description="-5")
        _head, line = export(api(owner), "companies", fields=["name", "phones", "address", "description"])[1]
        assert line == ["1;'=1+1", "+47 22 12 34 56", "Storgata 1, Oslo, 0150, Norway", "-5"]

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"limit": 5}, 400),
            ({"fields": ["nonsense"]}, 400),
            ({"sort": "nonsense"}, 400),
            ({"filter": []}, 400),
            ({"filter": {"field": "nonsense", "op": "eq", "value": 1}}, 400),
            ({"view": "nonsense"}, 404),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, api, owner, body, status):
        assert api(owner).post("/api/v1/deals/export", body).status_code == status
        assert not Job.objects.exists()

    def test_only_who_made_it_fetches_it_with_the_right_to_export(self, api, owner, manager, seller, export):
        fill(owner)
        path, _lines = export(api(manager))
        assert api(owner).get(path).status_code == 200
        for client in (api(owner), api(seller), api(manager, scopes=["company:read"])):
            assert client.get(f"{path}/file").status_code == 404
        assert api(manager, scopes=["deal:read"]).get(f"{path}/file").status_code == 403
        told = [f"{noun}:read" for noun in ("deal", "company", "contact", "member", "pipeline", "stage", "lost_reason")]
        assert api(manager, scopes=told).get(f"{path}/file").status_code == 200
        assert api(manager, scopes=["deal:write"]).post("/api/v1/deals/export", {}).status_code == 403
        mine = Role.objects.get(pk=Member.objects.get(pk=manager.member_id).role_id)
        less = role_create(
            owner,
            name="Exports without amounts",
            permissions={"deal": {"view": "all", "export": "all"}},
            fields={"deal": {"amount": "hidden"}},
        )
        for role, status in ((less, 403), (mine, 200)):
            Member.objects.filter(pk=manager.member_id).update(role=role)
            assert api(manager, scopes=told).get(f"{path}/file").status_code == status
        assert api(seller).post("/api/v1/deals/export", {}).status_code == 403
        Member.objects.filter(pk=manager.member_id).update(role=Role.objects.get(slug="read_only"))
        assert api(manager).get(f"{path}/file").status_code == 403

    def test_who_may_export_but_not_change_many_cancels_it(self, api, owner, seller):
        fill(owner)
        rights = {"deal": {"view": "all", "export": "all"}}
        Member.objects.filter(pk=seller.member_id).update(role=Role.objects.create(slug="out", permissions=rights))
        client = api(seller)
        path = client.post("/api/v1/deals/export", {}).headers["Location"]
        assert client.post(f"{path}/cancel").status_code == 200
        jobs.run(owner.tenant, Job.objects.get().pk)
        assert client.get(path).json()["state"] == "cancelled"
        assert client.get(f"{path}/file").status_code == 404


class TestHandOver:
    def test_a_key_steers_it_only_as_far_as_it_could_do_it_itself(self, api, owner, seller, seller_two, monkeypatch):
        monkeypatch.setattr(ownership_transfer, "BATCH_SIZE", 1)
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
