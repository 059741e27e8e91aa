"""What a key may not read is named, wherever it is touched: no answer is wrong without a word."""

import pytest

from crm.records.events.dispatch import drain
from crm.records.jobs import jobs
from crm.records.models import Job
from crm.workspace.models import Member, Role
from tests import factories

pytestmark = pytest.mark.django_db


def refused(answer):
    """The scope that an answer says is missing."""
    assert answer.status_code == 403, (answer.status_code, answer.content)
    error = answer.json()["error"]
    assert error["code"] == "missing_scope"
    assert error["param"] in error["message"]
    return error["param"]


@pytest.fixture
def world(owner):
    company = factories.company(owner, name="Acme")
    contact = factories.contact(owner, name="Ann Lee", companies=[company.pk])
    deal = factories.deal(owner, name="Roof", company=company.pk, contacts=[{"id": contact.pk}])
    task = factories.task(owner, name="Ring", about={"type": "deal", "id": deal.pk})
    guests = [{"type": "contact", "id": contact.pk}]
    meeting = factories.make(owner, "meeting", {"name": "Visit", "starts_on": "2027-03-01", "guests": guests})
    return {"company": company, "contact": contact, "deal": deal, "task": task, "meeting": meeting}


@pytest.mark.parametrize(
    ("asked", "scope"),
    [
        ("stage.kind=won", "stage:read"),
        ("company.industry=Glass", "company:read"),
        ("company.industry[is_empty]=true", "company:read"),
        ("owner.name=x", "member:read"),
        ("contacts.name[contains]=Ann", "contact:read"),
        ("contacts[is_empty]=true", "contact:read"),
        ("contacts[is_not_empty]=true", "contact:read"),
        ("contacts[has]=01890000-0000-7000-8000-000000000000", "contact:read"),
        ("contacts=01890000-0000-7000-8000-000000000000", "contact:read"),
        ("expand=company", "company:read"),
        ("expand=stage", "stage:read"),
        ("expand=owner", "member:read"),
        ("expand=created_by", "member:read"),
        ("expand=contacts", "contact:read"),
        ("fields=name,contacts", "contact:read"),
    ],
)
def test_a_list_that_touches_what_the_key_may_not_read(api, owner, world, asked, scope):
    client = api(owner, scopes=["deal:read"])
    assert refused(client.get(f"/api/v1/deals?{asked}")) == scope
    assert client.get("/api/v1/deals").status_code == 200
    assert api(owner, scopes=["deal:read", scope]).get(f"/api/v1/deals?{asked}").status_code == 200
    assert api(owner).get(f"/api/v1/deals?{asked}").status_code == 200


def test_two_hops_name_the_one_that_is_missing(api, owner, world):
    client = api(owner, scopes=["deal:read", "company:read"])
    assert refused(client.get("/api/v1/deals?expand=company.owner")) == "member:read"
    assert refused(client.get(f"/api/v1/deals/{world['deal'].pk}?expand=contacts.owner")) == "contact:read"


@pytest.mark.parametrize("noun", ["task", "meeting"])
def test_an_expanded_reference_leads_to_what_may_be_read(api, owner, world, noun):
    field, scope = {"task": ("about", "deal:read"), "meeting": ("guests", "contact:read")}[noun]
    address = f"/api/v1/{noun}s/{world[noun].pk}?expand={field}"
    assert refused(api(owner, scopes=[f"{noun}:read"]).get(address)) == scope
    assert api(owner, scopes=[f"{noun}:read", scope]).get(address).status_code == 200


def test_a_tree_is_refused_however_deep_the_condition_lies(api, owner, world):
    tree = {"any": [{"not": {"all": [{"field": "stage.kind", "op": "eq", "value": "won"}]}}]}
    client = api(owner, scopes=["deal:read", "deal:write"])
    assert refused(client.post("/api/v1/deals/query", {"filter": tree})) == "stage:read"
    assert refused(client.post("/api/v1/deals/export", {"filter": tree})) == "stage:read"
    bulk = {"action": "edit", "values": {"name": "x"}, "filter": tree}
    assert refused(client.post("/api/v1/deals/bulk", bulk)) == "stage:read"
    assert refused(client.post("/api/v1/deals/views", {"name": "x", "filter": tree})) == "stage:read"
    assert not Job.objects.exists()


def test_links_to_what_a_key_may_not_read_are_left_out_rather_than_empty(api, owner, world):
    address = f"/api/v1/deals/{world['deal'].pk}"
    narrow = api(owner, scopes=["deal:read"])
    assert "contacts" not in narrow.get(address).json()
    assert "contacts" not in narrow.get("/api/v1/deals").json()["data"][0]
    fields = {one["slug"] for one in narrow.get("/api/v1/types").json()["data"][0]["fields"]}
    assert "contacts" not in fields
    assert "contacts" not in narrow.get("/api/v1/openapi.json").json()["components"]["schemas"]["Deal"]["properties"]
    assert [one["title"] for one in api(owner).get(address).json()["contacts"]] == ["Ann Lee"]


class TestWrites:
    @pytest.mark.parametrize(
        ("field", "scope"), [("company", "company:read"), ("contacts", "contact:read"), ("stage", "stage:read")]
    )
    def test_what_is_written_names_only_what_may_be_read(self, api, owner, world, field, scope):
        other = {
            "company": factories.company(owner).pk,
            "contacts": [{"id": factories.contact(owner).pk}],
            "stage": factories.stage(owner, pipeline=world["deal"].pipeline_id).pk,
        }[field]
        address = f"/api/v1/deals/{world['deal'].pk}"
        client = api(owner, scopes=["deal:read", "deal:write"])
        assert refused(client.patch(address, {field: other})) == scope
        assert refused(client.post("/api/v1/deals", {"name": "New", field: other})) == scope
        bulk = {"ids": [str(world["deal"].pk)], "values": {field: other}}
        if field == "contacts":
            assert refused(client.post("/api/v1/deals/bulk", bulk)) == scope
        wide = api(owner, scopes=["deal:read", "deal:write", scope])
        assert wide.patch(address, {field: other}).status_code == 200

    def test_a_task_is_put_on_what_may_be_read(self, api, owner, world):
        body = {"name": "Ring", "about": {"type": "company", "id": world["company"].pk}}
        assert refused(api(owner, scopes=["task:write"]).post("/api/v1/tasks", body)) == "company:read"

    def test_another_member_is_named_by_who_may_read_members(self, api, owner, seller, world):
        client = api(owner, scopes=["deal:read", "deal:write"])
        address = f"/api/v1/deals/{world['deal'].pk}"
        assert refused(client.patch(address, {"owner": str(seller.member_id)})) == "member:read"
        assert client.post("/api/v1/deals", {"name": "Mine", "owner": str(owner.member_id)}).status_code == 201

    @pytest.mark.parametrize("method", ["patch", "delete", "restore", "bulk"])
    def test_who_changes_a_record_reads_it(self, api, owner, world, method):
        client = api(owner, scopes=["deal:write"])
        address = f"/api/v1/deals/{world['deal'].pk}"
        answer = {
            "patch": lambda: client.patch(address, {"name": "x"}),
            "delete": lambda: client.delete(address),
            "restore": lambda: client.post(f"{address}/restore"),
            "bulk": lambda: client.post("/api/v1/deals/bulk", {"filter": {}, "values": {"name": "x"}}),
        }[method]()
        assert refused(answer) == "deal:read"

    def test_a_change_is_undone_by_who_may_read_and_change_all_of_it(self, api, owner, world):
        drain(owner.tenant)
        rows = api(owner).get("/api/v1/events?limit=500").json()["data"]
        change = next(row["change_set"] for row in rows if row["record_id"] == str(world["deal"].pk))
        address = f"/api/v1/change-sets/{change}/undo"
        assert refused(api(owner, scopes=["company:read"]).post(address)) == "deal:read"
        assert refused(api(owner, scopes=["deal:read"]).post(address)) == "deal:write"
        assert api(owner, scopes=["deal:read", "deal:write"]).post(address).status_code == 200

    def test_what_is_handed_over_with_all_takes_the_scopes_for_all(self, api, owner, seller, seller_two):
        factories.deal(seller)
        body = {"to": str(seller_two.member_id)}
        client = api(owner, scopes=["member:read", "member:write"])
        address = f"/api/v1/members/{seller.member_id}/deactivate"
        assert refused(client.post(address, body)).endswith(":read")
        assert refused(client.post(address, {"takers": {"deal": str(seller_two.member_id)}})) == "deal:read"
        assert Member.objects.get(pk=seller.member_id).is_active

    @pytest.mark.parametrize("noun", ["members", "teams"])
    def test_who_changes_people_is_answered_with_them_and_so_reads_them(self, api, admin, seller, noun):
        client = api(admin, scopes=["member:write"])
        answer = (
            client.patch(f"/api/v1/members/{seller.member_id}", {"role": "manager"})
            if noun == "members"
            else client.post("/api/v1/teams", {"name": "North"})
        )
        assert refused(answer) == "member:read"
        assert refused(client.post("/api/v1/invitations", {"email": "new@example.com"})) == "member:read"


class TestViews:
    @pytest.fixture
    def view(self, api, owner):
        tree = {"all": [{"field": "stage.kind", "op": "eq", "value": "won"}]}
        made = api(owner).post("/api/v1/deals/views", {"name": "Won", "filter": tree, "sharing": "everyone"})
        assert made.status_code == 201
        return made.json()["id"]

    def test_a_view_whose_filter_a_key_cannot_ask_finds_nothing_rather_than_all(self, api, owner, world, view):
        client = api(owner, scopes=["deal:read", "deal:write"])
        assert refused(client.get(f"/api/v1/deals?view={view}")) == "stage:read"
        assert refused(client.post("/api/v1/deals/query", {"view": view})) == "stage:read"
        assert refused(client.post("/api/v1/deals/export", {"view": view})) == "stage:read"
        assert refused(client.post("/api/v1/deals/bulk", {"view": view, "values": {"name": "x"}})) == "stage:read"
        assert client.get("/api/v1/deals/views").status_code == 200

    def test_nor_does_one_by_what_the_role_hides(self, api, owner, seller, world):
        tree = {"all": [{"field": "amount", "op": "gte", "value": "100"}]}
        view = api(owner).post("/api/v1/deals/views", {"name": "Big", "filter": tree, "sharing": "everyone"}).json()
        rights = {"deal": {"view": "all", "edit": "all", "bulk": "all"}}
        hidden = {"deal": {"amount": "hidden"}}
        role = Role.objects.create(slug="blind", name="Blind", permissions=rights, fields=hidden)
        Member.objects.filter(pk=seller.member_id).update(role=role)
        client = api(seller)
        for answer in (
            client.get(f"/api/v1/deals?view={view['id']}"),
            client.post("/api/v1/deals/bulk", {"view": view["id"], "values": {"name": "x"}}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
            assert "amount" not in answer.content.decode()


class TestWhatAKeySees:
    """One answer of role and scopes, for files, jobs, reasons, events and boards alike."""

    def file(self, owner, client, **body):
        made = client.post("/api/v1/deals/export", body)
        assert made.status_code == 202, made.content
        path = made.headers["Location"]
        jobs.run(owner.tenant, Job.objects.get(pk=path.rpartition("/")[2]).pk)
        return f"{path}/file"

    def test_a_narrow_key_does_not_fetch_the_file_of_a_wide_one(self, api, owner, world):
        wide = self.file(owner, api(owner))
        plain = self.file(owner, api(owner), fields=["name", "amount"])
        narrow = api(owner, scopes=["deal:read"])
        assert refused(narrow.get(wide)) == "company:read"
        assert narrow.get(plain).status_code == 200
        assert api(owner).get(wide).status_code == 200

    def test_an_export_leaves_out_what_the_key_may_not_read_and_refuses_what_it_is_asked_for(self, api, owner, world):
        narrow = api(owner, scopes=["deal:read"])
        assert refused(narrow.post("/api/v1/deals/export", {"fields": ["name", "company"]})) == "company:read"
        text = b"".join(narrow.get(self.file(owner, narrow)).streaming_content).decode()
        assert "Roof" in text
        assert "Acme" not in text
        assert "Company" not in text.splitlines()[0]

    def test_why_names_members_to_who_may_read_them(self, api, owner, world):
        address = f"/api/v1/deals/{world['deal'].pk}/why"
        assert refused(api(owner, scopes=["deal:read"]).get(address)) == "member:read"
        assert api(owner, scopes=["deal:read", "member:read"]).get(address).status_code == 200

    def test_a_board_is_of_deals_in_stages(self, api, owner, world):
        address = f"/api/v1/pipelines/{world['deal'].pipeline_id}/board"
        assert refused(api(owner, scopes=["pipeline:read", "deal:read"]).get(address)) == "stage:read"
        assert refused(api(owner, scopes=["pipeline:read", "stage:read"]).get(address)) == "deal:read"
        assert api(owner, scopes=["pipeline:read", "stage:read", "deal:read"]).get(address).status_code == 200

    def test_events_of_roles_are_for_who_may_read_roles(self, api, owner):
        from crm.workspace.people.role_services import role_create

        role_create(owner, name="Temps", permissions={"deal": {"view": "all"}}, fields={})
        drain(owner.tenant)

        def told(scopes):
            rows = api(owner, scopes=scopes).get("/api/v1/events?limit=500").json()["data"]
            return "role" in {row["record_type"] for row in rows}

        assert refused(api(owner, scopes=["member:read"]).get("/api/v1/roles")) == "member:write"
        assert not told(["event:read"])
        assert not told(["event:read", "member:read"])
        assert told(["event:read", "member:read", "member:write"])
        assert told(["event:read", "member:read", "audit:read"])

    def test_events_name_who_did_it_to_who_may_read_members(self, api, owner, seller):
        deal = factories.deal(seller, name="Roof")
        drain(owner.tenant)

        def label(actor, scopes):
            rows = api(actor, scopes=scopes).get("/api/v1/events?limit=500").json()["data"]
            return next(row["actor"]["label"] for row in rows if row["record_id"] == str(deal.pk))

        assert label(owner, ["event:read", "deal:read"]) is None
        assert label(seller, ["event:read", "deal:read"]) == seller.label
        assert label(owner, ["event:read", "deal:read", "member:read"]) == seller.label

    def test_events_tell_nothing_of_links_to_what_may_not_be_read(self, api, owner, world):
        client = api(owner)
        other = factories.contact(owner).pk
        client.patch(f"/api/v1/deals/{world['deal'].pk}", {"contacts": [{"id": other}]})
        drain(owner.tenant)

        def told(scopes):
            rows = api(owner, scopes=scopes).get("/api/v1/events?limit=500").json()["data"]
            return [row for row in rows if row["record_id"] == str(world["deal"].pk) and row["type"] == "deal.updated"]

        assert told(["event:read", "deal:read"]) == []
        assert "contacts" in told(["event:read", "deal:read", "contact:read"])[0]["after"]


class TestTheFeedsEnd:
    def test_it_is_told_and_no_page_before_it_is_empty(self, api, owner, seller, seller_two):
        rights = {"deal": {"view": "own", "create": "own"}, "member": {"view": "all"}}
        role = Role.objects.create(slug="own", name="Own", permissions=rights)
        factories.deal(seller_two, name="first")
        for _number in range(30):
            factories.deal(seller)
        factories.deal(seller_two, name="last")
        drain(owner.tenant)
        Member.objects.filter(pk=seller_two.member_id).update(role=role)
        client = api(seller_two, scopes=["event:read", "deal:read"])
        names, cursor, pages = [], "0", []
        while True:
            page = client.get(f"/api/v1/events?limit=1&cursor={cursor}").json()
            pages.append(len(page["data"]))
            names += [row["after"]["name"] for row in page["data"]]
            cursor = page["next_cursor"]
            if not page["has_more"]:
                break
        assert (names, pages) == (["first", "last"], [1, 1])
        factories.deal(seller_two, name="later")
        assert client.get(f"/api/v1/events?cursor={cursor}").json()["data"] == []
        drain(owner.tenant)
        later = client.get(f"/api/v1/events?cursor={cursor}").json()
        assert [row["after"]["name"] for row in later["data"]] == ["later"]
        assert later["has_more"] is False


class TestJobs:
    def test_those_of_what_a_key_may_not_read_are_not_there_and_leave_no_empty_page(
        self, api, owner, seller, seller_two, monkeypatch
    ):
        from crm.records.jobs import bulk, ownership_transfer

        monkeypatch.setattr(ownership_transfer, "BATCH_SIZE", 1)
        monkeypatch.setattr(bulk, "MAX_AT_ONCE", 1)
        ids = [str(factories.company(owner).pk)]
        wide = api(owner)
        assert wide.post("/api/v1/companies/bulk", {"ids": ids, "values": {"industry": "Glass"}}).status_code == 202
        for _number in range(3):
            factories.deal(seller)
        moved = ownership_transfer.records_move(
            owner, member_id=seller.member_id, takers={"deal": seller_two.member_id}
        )
        assert moved.job is not None
        jobs.run(owner.tenant, moved.job.pk)
        undone = wide.post(f"/api/v1/change-sets/{moved.change_set.pk}/undo")
        assert undone.status_code == 202, undone.content
        assert len(wide.get("/api/v1/jobs").json()["data"]) == 3
        page = api(owner, scopes=["company:read"]).get("/api/v1/jobs?limit=1").json()
        assert ([job["noun"] for job in page["data"]], page["next_cursor"]) == (["company"], None)
        assert api(owner, scopes=["company:read"]).get(undone.headers["Location"]).status_code == 404
