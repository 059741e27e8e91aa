"""What docs/api says is so."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError

from crm.records.events.dispatch import drain
from crm.workspace.models import Member
from tenants.db.scopes import shared
from tenants.models import Tenant
from tests import factories

pytestmark = pytest.mark.django_db

DOCS = Path(__file__).parents[2] / "docs" / "api"
README = (DOCS / "README.md").read_text()
ERRORS = (DOCS / "errors.md").read_text()
NOBODY = "01890000-0000-7000-8000-000000000000"


def spans(text):
    return re.findall(r"`([^`]+)`", text)


def first(pattern, text):
    return next(iter(re.findall(pattern, text)))


def told_codes():
    """(status, code) of the table of codes."""
    rows = re.findall(r"^\| (\d{3}) \| (`[^|]+`) \|$", ERRORS, re.MULTILINE)
    return [(int(status), code) for status, codes in rows for code in spans(codes)]


def asked_as_told():
    """Every piece of a query string that the page shows."""
    return sorted({one for one in spans(README) if re.match(r"[a-z_.]+(\[[a-z_]+\])?=[^…]+\Z", one)})


@pytest.mark.parametrize("asked", asked_as_told())
def test_what_is_shown_of_query_strings_works(api, owner, asked):
    factories.deal(owner, name="Oak", company=factories.company(owner, industry="Glass").pk)
    noun = "events" if asked.startswith("cursor") else "deals"
    assert api(owner).get(f"/api/v1/{noun}?{asked}").status_code == 200


def test_there_are_some_to_try():
    assert {"amount[gte]=100", "company.industry=Glass", "expand=company.owner"} <= set(asked_as_told())


def test_limits_are_as_told(api, owner):
    client = api(owner)
    for _number in range(51):
        factories.company(owner)
    assert len(client.get("/api/v1/companies").json()["data"]) == 50
    assert client.get("/api/v1/companies?limit=500").status_code == 200
    assert client.get("/api/v1/companies?limit=501").status_code == 400
    assert client.get("/api/v1/companies?sort=name,created_at,updated_at,-industry").status_code == 200
    assert client.get("/api/v1/companies?sort=name,created_at,updated_at,industry,country").status_code == 400
    assert client.get("/api/v1/deals?expand=company.owner.team").status_code == 400


def test_the_size_of_a_body_is_as_told(api, owner):
    size = int(first(r"(\d+) MB at most", README))
    assert re.search(rf"larger than {size} MB", ERRORS)
    assert size * 1024 * 1024 == settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    within = json.dumps({"name": "x" * (size * 1024 * 1024 - 100)})
    assert api(owner).raw("POST", "/api/v1/companies", within.encode(), "application/json").status_code == 422
    beyond = json.dumps({"name": "x" * (size * 1024 * 1024)})
    assert api(owner).raw("POST", "/api/v1/companies", beyond.encode(), "application/json").status_code == 413


def test_types_list_the_operators_of_every_field_one_can_filter_by(api, owner):
    client = api(owner)
    types = {one["slug"]: one for one in client.get("/api/v1/types").json()["data"]}
    for noun in ("company", "deal"):
        fields = {one["slug"]: one for one in types[noun]["fields"]}
        assert {"id", "created_at", "updated_at", "created_by", "deleted_at", "is_sample"} <= fields.keys()
        row = client.get(f"/api/v1/{types[noun]['plural']}/{getattr(factories, noun)(owner).pk}").json()
        assert row.keys() == fields.keys()


def test_an_error_has_the_shape_that_is_shown(api, owner):
    shown = json.loads(first(r"(?s)```json\n(.+?)```", ERRORS))["error"]
    answer = api(owner).post("/api/v1/deals", {"name": "x", "amount": "many", "expected_close": "soon"}).json()["error"]
    assert answer.keys() == shown.keys()
    assert answer["errors"][0].keys() == shown["errors"][0].keys()
    assert (answer["type"], answer["code"], answer["message"]) == (shown["type"], shown["code"], shown["message"])
    assert (answer["param"], answer["errors"][0]["code"]) == (shown["param"], shown["errors"][0]["code"])
    assert answer["doc_url"] == shown["doc_url"]
    assert {one["param"] for one in answer["errors"]} == {"amount", "expected_close"}


def test_every_answer_has_its_number_and_a_good_keys_its_allowance(api, owner, public_client):
    client = api(owner)
    for answer in (client.get("/api/v1/deals"), client.get("/api/v1/none"), client.post("/api/v1/deals", {"x": 1})):
        assert {"Request-Id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} <= answer.headers.keys()
    refused = public_client.get("/api/v1/deals", headers={"host": f"api.{settings.BASE_DOMAIN}"})
    assert refused.status_code == 401
    assert refused.headers["Request-Id"]


def provoked(api, owner, seller, monkeypatch):
    """A request for each code."""
    client = api(owner)
    deal = factories.deal(owner)
    address = f"/api/v1/deals/{deal.pk}"

    def raw(body, content_type="application/json"):
        return lambda: client.raw("POST", "/api/v1/deals", body, content_type)

    def asked(query):
        return lambda: client.get(f"/api/v1/deals?{query}")

    def queried(tree):
        return lambda: client.post("/api/v1/deals/query", {"filter": tree})

    def with_key(key):
        return lambda: client.get("/api/v1/deals", headers={"authorization": key})

    def failing(problem):
        def fail(*_args, **_kwargs):
            raise problem

        def ask():
            with monkeypatch.context() as patch:
                patch.setattr("api.authentication.api_key_authenticate", fail)
                return client.get("/api/v1/deals")

        return ask

    def sleeping():
        key = api(seller)
        Member.objects.filter(pk=seller.member_id).update(state=Member.State.DEACTIVATED)
        return key.get("/api/v1/deals")

    def expired():
        from datetime import timedelta

        from django.utils import timezone

        from tenants.db.scopes import shared
        from tenants.models import ApiKey

        key = api(owner)
        with shared():
            ApiKey.objects.update(expires_at=timezone.now() - timedelta(days=1))
        answer = key.get("/api/v1/deals")
        with shared():
            ApiKey.objects.update(expires_at=None)
        return answer

    def undone_too_late():
        made = client.post("/api/v1/companies", {"name": "Acme"}).json()
        drain(owner.tenant)
        rows = client.get("/api/v1/events?limit=500").json()["data"]
        change = next(row["change_set"] for row in rows if row["record_id"] == made["id"])
        client.patch(f"/api/v1/companies/{made['id']}", {"name": "Beta"})
        return client.post(f"/api/v1/change-sets/{change}/undo")

    deep: dict[str, Any] = {"field": "name", "op": "eq", "value": "x"}
    for _level in range(6):
        deep = {"not": deep}
    return {
        "invalid_json": raw(b"{"),
        "invalid_body": raw(b"[]"),
        "empty_body": raw(b""),
        "unsupported_media_type": raw(b"name=x", "application/x-www-form-urlencoded"),
        "body_too_large": raw(b" " * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)),
        "invalid_parameter": asked("limit=many"),
        "unknown_parameter": asked("nam=x"),
        "unknown_field": asked("fields=nam"),
        "unknown_operator": asked("name[like]=x"),
        "unknown_choice": asked("source=nowhere"),
        "bad_value": asked("amount[gte]=many"),
        "bad_cursor": asked("cursor=x"),
        "nul_byte": asked("name=%00"),
        "bad_tree": queried({"some": []}),
        "too_deep": queried(deep),
        "invalid_filter": queried([]),
        "invalid_selection": lambda: client.post("/api/v1/deals/bulk", {"values": {"name": "x"}}),
        "invalid_if_match": lambda: client.patch(address, {"name": "x"}, headers={"if-match": "x"}),
        "plan_limit": lambda: under_plan(
            api, owner, lambda key: key.post("/api/v1/contacts", {"name": "Ada"}), limits={"contacts": 0}
        ),
        "plan_feature": lambda: under_plan(
            api, owner, lambda key: key.post("/api/v1/teams", {"name": "North"}), features=[]
        ),
        "workspace_read_only": lambda: under_plan(
            api, owner, lambda key: key.post("/api/v1/contacts", {"name": "Ada"}), state="read_only"
        ),
        "workspace_suspended": lambda: under_plan(
            api, owner, lambda _key: client.get("/api/v1/deals"), state="suspended"
        ),
        "missing_key": with_key(""),
        "invalid_key": with_key("Bearer rpt_live_x"),
        "expired_key": expired,
        "missing_scope": lambda: api(owner, scopes=[]).get("/api/v1/deals"),
        "forbidden": lambda: api(seller).post("/api/v1/pipelines", {"name": "x"}),
        "not_found": lambda: client.get(f"/api/v1/deals/{NOBODY}"),
        "method_not_allowed": lambda: client.put(address, {}),
        "undo_conflict": undone_too_late,
        "version_conflict": lambda: client.patch(address, {"name": "x"}, headers={"if-match": '"99"'}),
        "invalid": lambda: client.post("/api/v1/deals", {}),
        "rate_limited": lambda: limited(api, owner),
        "internal_error": failing(RuntimeError("our fault")),
        "unavailable": failing(OperationalError("the database is away")),
        "sleeping_key": sleeping,
    }


def under_plan(api, owner, ask, **plan):
    """What is answered under a plan, as in a workspace of its own."""
    with shared():
        Tenant.objects.filter(id=owner.tenant.id).update(**plan)
    answer = ask(api(owner))
    with shared():
        Tenant.objects.filter(id=owner.tenant.id).update(limits={}, features=None, state="active")
    return answer


def limited(api, owner):
    client = api(owner, limits={"api_reads_per_minute": 0})
    answer = client.get("/api/v1/deals")
    api(owner, limits={})
    return answer


def test_every_code_is_what_is_answered(api, owner, seller, monkeypatch):
    told = {code: status for status, code in told_codes()}
    requests = provoked(api, owner, seller, monkeypatch)
    # What a release says while it comes is tried where releases are.
    assert told.keys() - {"being_updated"} == requests.keys()
    for code, ask in requests.items():
        answer = ask()
        assert (answer.status_code, answer.json()["error"]["code"]) == (told[code], code), answer.content


def test_every_status_in_use_is_told_of():
    from api.errors import TYPES

    told = {int(one) for row in re.findall(r"^\| ([\d, ]+) \|", ERRORS, re.MULTILINE) for one in row.split(",")}
    assert told == TYPES.keys()
