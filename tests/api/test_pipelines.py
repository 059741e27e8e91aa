"""Pipelines copied, archived, added up, and stages removed, by the API."""

import jsonschema
import pytest

from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.sales.models import Deal, Pipeline, Stage
from tests import factories

pytestmark = pytest.mark.django_db

SHAPES = ("pipeline", "stage", "lost_reason")


def stage(name, pipeline=None):
    where = {"pipeline": pipeline} if pipeline else {"pipeline__is_default": True}
    return Stage.objects.get(name=name, deleted_at=None, **where)


def test_a_pipeline_is_copied_and_archived_with_a_move_of_its_deals(api, admin):
    program = api(admin)
    first = Pipeline.objects.get(is_default=True)
    answer = program.post(f"/api/v1/pipelines/{first.pk}/copy", {"name": "Service"})
    assert answer.status_code == 201
    copied = answer.json()
    theirs = stage("Proposal", copied["id"])
    deal = factories.deal(admin, stage=theirs.pk)

    path = f"/api/v1/pipelines/{copied['id']}/archive"
    refused = program.post(path, {})
    assert (refused.status_code, refused.json()["error"]["errors"][0]["code"]) == (422, "move_to_needed")
    assert program.post(path, {"moves": {str(theirs.pk): "nowhere"}}).status_code == 400
    done = program.post(path, {"moves": {str(theirs.pk): str(stage("New").pk)}})
    assert (done.status_code, done.json()["archived"]) == (200, True)
    assert Deal.objects.get(pk=deal.pk).stage_id == stage("New").pk


def test_a_stage_is_removed_with_a_move_of_its_deals(api, admin):
    program, proposal = api(admin), stage("Proposal")
    deal = factories.deal(admin, stage=proposal.pk)
    path = f"/api/v1/stages/{proposal.pk}/remove"
    assert program.post(path).status_code == 422
    assert program.post(path, {"move_to": str(stage("Qualified").pk)}).status_code == 204
    assert Deal.objects.get(pk=deal.pk).stage_id == stage("Qualified").pk
    assert program.post(path).status_code == 404


def test_a_board_has_counts_sums_and_stale_marks(api, admin):
    program = api(admin)
    gate.update(admin, registry.get("stage"), stage("Proposal").pk, {"probability": "50"})
    for currency, amount in (("EUR", "100"), ("JPY", "900"), ("KWD", "1.250")):
        factories.deal(admin, stage=stage("Proposal").pk, amount=amount, currency=currency)
    path = f"/api/v1/pipelines/{stage('Proposal').pipeline_id}/board"
    found = program.get(path).json()
    (column,) = [one for one in found["stages"] if one["stage"] == str(stage("Proposal").pk)]
    assert column["count"] == 3
    assert column["sums"] == {"EUR": "100.00", "JPY": "900", "KWD": "1.250"}
    assert column["weighted"]["JPY"] == "450"
    assert column["total"]["currency"] == "EUR"
    assert {one["stale"] for one in column["deals"]} == {False}
    assert program.get(f"{path}?quick=stale").json()["stages"][2]["count"] == 0
    document = program.get("/api/v1/openapi.json").json()
    schema = {"$ref": "#/components/schemas/Board", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(found)


def test_who_may_not_shape_pipelines_only_looks(api, admin, seller, outsider):
    first = Pipeline.objects.get(is_default=True)
    assert api(seller).get(f"/api/v1/pipelines/{first.pk}/board").status_code == 200
    assert api(seller, scopes=["pipeline:read"]).get(f"/api/v1/pipelines/{first.pk}/board").status_code == 403
    assert api(outsider).get(f"/api/v1/pipelines/{first.pk}/board").status_code == 404
    for path in (f"pipelines/{first.pk}/copy", f"pipelines/{first.pk}/archive", f"stages/{stage('New').pk}/remove"):
        assert api(seller).post(f"/api/v1/{path}", {}).status_code == 403


@pytest.mark.parametrize(
    ("noun", "slug"),
    [
        (record_type.slug, one.slug)
        for record_type in registry.all()
        if record_type.slug in SHAPES
        for one in record_type.fields
    ],
)
def test_a_field_that_is_left_empty_is_taken_or_refused(api, admin, noun, slug):
    program, record_type = api(admin), registry.get(noun)
    first = program.get(f"/api/v1/{record_type.plural}?limit=1").json()["data"][0]
    new = {"name": "Another", "kind": "open", "pipeline": str(stage("New").pipeline_id)}
    given = {name: value for name, value in new.items() if record_type.has_field(name)} | {slug: None}
    assert program.post(f"/api/v1/{record_type.plural}", given).status_code in (201, 422)
    assert program.patch(f"/api/v1/{record_type.plural}/{first['id']}", {slug: None}).status_code in (200, 422)
