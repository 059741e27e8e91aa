"""Who gets in: keys, scopes, roles, hosts."""

import pytest
from django.test import Client

from tenants.workspaces.hosts import tenant_host
from tests import factories

pytestmark = pytest.mark.django_db


def test_without_a_key_the_answer_says_how_to_authenticate(tenant_a):
    response = Client(headers={"host": tenant_host(tenant_a)}).get("/api/v1/deals")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert response.json()["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer x",
        "Basic abc",
        "Bearer rpt_live_nobody_wrong",
        "Bearer rpt_live_\x00_x",
        "Bearer " + "x" * 5000,
    ],
)
def test_a_wrong_key_is_refused(tenant_a, header):
    client = Client(headers={"host": tenant_host(tenant_a), "authorization": header})
    assert client.get("/api/v1/deals").status_code == 401


def test_a_key_works_on_the_api_host_too(api, owner):
    company = factories.company(owner, name="Acme")
    client = api(owner, host="api.localhost")
    assert client.get(f"/api/v1/companies/{company.id}").json()["name"] == "Acme"


def test_a_key_is_nothing_on_another_tenants_host(api, owner, tenant_b):
    assert api(owner, host=tenant_host(tenant_b)).get("/api/v1/companies").status_code == 401


def test_a_missing_scope_is_named(api, owner):
    response = api(owner, scopes=["deal:read"]).get("/api/v1/companies")
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "missing_scope"
    assert "company:read" in response.json()["error"]["message"]


def test_write_does_not_imply_read(api, owner):
    client = api(owner, scopes=["company:write"])
    made = client.post("/api/v1/companies", {"name": "Acme"})
    assert made.status_code == 201
    assert set(made.json()) == {"id"}
    assert client.get(f"/api/v1/companies/{made.json()['id']}").status_code == 403


def test_what_a_key_may_not_read_is_left_out_of_what_it_may(api, owner):
    links = [{"id": factories.contact(owner).pk, "role": "buyer"}]
    deal = factories.deal(owner, company=factories.company(owner).pk, contacts=links)
    key = api(owner, scopes=["deal:read"])
    for path in (f"deals/{deal.pk}", "deals", "deals?sort=name"):
        answer = key.get(f"/api/v1/{path}")
        assert answer.status_code == 200
        row = answer.json() if "/" in path else answer.json()["data"][0]
        assert "contacts" not in row
        assert b"Acme" not in answer.content
    refused = key.get(f"/api/v1/deals/{deal.pk}?expand=company,contacts,owner")
    assert (refused.status_code, refused.json()["error"]["param"]) == (403, "company:read")


def test_an_empty_list_of_scopes_allows_nothing(api, owner):
    client = api(owner, scopes=[])
    assert client.get("/api/v1/companies").status_code == 403
    assert client.get("/api/v1/types").json() == {"data": []}


def test_a_key_never_does_more_than_its_makers_role(api, reader):
    response = api(reader).post("/api/v1/companies", {"name": "Acme"})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "forbidden"


def test_another_tenants_record_is_not_found(api, owner, outsider):
    company = factories.company(owner, name="Acme")
    client = api(outsider)
    for response in (
        client.get(f"/api/v1/companies/{company.id}"),
        client.patch(f"/api/v1/companies/{company.id}", {"name": "Mine"}),
        client.delete(f"/api/v1/companies/{company.id}"),
    ):
        assert response.status_code == 404
        assert response.json()["error"]["type"] == "not_found"


def test_what_is_not_there_and_what_is_hidden_look_the_same(api, owner, outsider):
    company = factories.company(owner, name="Acme")
    client = api(outsider)
    hidden = client.get(f"/api/v1/companies/{company.id}").json()["error"]
    missing = client.get("/api/v1/companies/01890000-0000-7000-8000-000000000000").json()["error"]
    assert hidden | {"request_id": ""} == missing | {"request_id": ""}


def test_every_answer_has_a_request_id(api, owner):
    response = api(owner).get("/api/v1/companies")
    assert response.headers["Request-Id"]


def test_what_the_plan_allows_is_for_all_keys_of_a_workspace_together_and_writes_are_apart(api, owner, outsider):
    limits = {"api_reads_per_minute": 2, "api_writes_per_minute": 1}
    first, second = api(owner, limits=limits), api(owner, limits=limits)
    left = [client.get("/api/v1/companies").headers["RateLimit-Remaining"] for client in (first, second)]
    assert left in (["1", "0"], ["1", "1"])
    assert 429 in [client.get("/api/v1/companies").status_code for client in (first, second, first)]
    written = [client.post("/api/v1/companies", {"name": "One"}).status_code for client in (first, second, first)]
    assert written[0] == 201
    assert 429 in written
    assert api(outsider, limits=limits).get("/api/v1/companies").status_code == 200


def test_used_up_allowance_is_429_with_a_wait(api, owner, settings):
    client = api(owner, limits={"api_reads_per_minute": 2})
    answers = [client.get("/api/v1/companies") for _ in range(4)]
    assert 429 in [answer.status_code for answer in answers]
    last = answers[-1]
    assert 1 <= int(last.headers["Retry-After"]) <= 60
    assert last.json()["error"]["type"] == "rate_limit"
