"""The OpenAPI document says what the API does."""

import jsonschema
import pytest

from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def document(api, owner):
    return api(owner).get("/api/v1/openapi.json").json()


def test_it_is_openapi_3_1_and_lists_every_noun(document):
    assert document["openapi"].startswith("3.1")
    for noun in ("companies", "contacts", "deals", "tasks", "notes", "pipelines", "stages"):
        assert {"get", "post"} <= set(document["paths"][f"/api/v1/{noun}"])


def test_operation_ids_are_unique(document):
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere(document):
    def references(node):
        if isinstance(node, dict):
            if "$ref" in node:
                yield node["$ref"]
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"], reference


@pytest.mark.parametrize("noun", ["company", "contact", "deal", "task", "note", "pipeline", "stage"])
def test_real_answers_fit_the_schema(api, owner, document, noun):
    from crm.records.types import registry

    company = factories.company(owner)
    if noun in {"task", "note"}:
        getattr(factories, noun)(owner, about={"type": "company", "id": company.id})
    elif noun not in {"company", "pipeline", "stage"}:
        getattr(factories, noun)(owner)
    name = noun.title().replace("_", "")
    page = api(owner).get(f"/api/v1/{registry.get(noun).plural}").json()
    assert page["data"]
    schema = {"$ref": f"#/components/schemas/{name}Page", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(page)


def test_a_key_that_may_see_less_gets_a_shorter_document(api, owner):
    document = api(owner, scopes=["deal:read"]).get("/api/v1/openapi.json").json()
    assert "/api/v1/deals" in document["paths"]
    assert "/api/v1/companies" not in document["paths"]


@pytest.mark.parametrize("name", ["Member", "Team", "Invitation", "Role"])
def test_people_fit_their_schemas(api, admin, seller, document, name):
    client = api(admin)
    team = client.post("/api/v1/teams", {"name": "North", "head": str(seller.member_id)})
    invited = client.post("/api/v1/invitations", {"email": "new@example.com", "team": team.json()["id"]})
    assert (team.status_code, invited.status_code) == (201, 201)
    listed = client.get(f"/api/v1/{name.lower()}s").json()
    assert listed["data"]
    one = listed["data"][0]
    address = f"/api/v1/{name.lower()}s/{one['id']}"
    for schema, answer in ((f"{name}Page", listed), (name, client.get(address).json())):
        whole = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
        jsonschema.Draft202012Validator(whole).validate(answer)


def test_who_leaves_fits_its_schema(api, admin, seller, seller_two, document):
    body = {"to": str(seller_two.member_id)}
    answer = api(admin).post(f"/api/v1/members/{seller.member_id}/deactivate", body)
    for schema, found in (("HandOverNew", body), ("HandOver", answer.json())):
        whole = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
        jsonschema.Draft202012Validator(whole).validate(found)


def test_roles_are_read_by_who_looks_after_people(api, admin, seller):
    listed = {role["slug"]: role for role in api(admin).get("/api/v1/roles").json()["data"]}
    role = api(admin).get(f"/api/v1/roles/{listed['member']['id']}").json()
    assert (role["permissions"]["deal"]["edit"], role["fields"], role["is_fixed"]) == ("own", {}, True)
    assert api(admin).get(f"/api/v1/roles/{seller.member_id}").status_code == 404
    assert api(admin, scopes=["deal:read"]).get("/api/v1/roles").status_code == 403
    assert api(seller).get("/api/v1/roles").status_code == 403
