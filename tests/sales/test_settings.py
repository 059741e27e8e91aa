"""Settings → Pipelines and Sample data, as their readers find them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from crm.people.models import Company
from crm.records import writing
from crm.records.types import registry
from crm.sales.models import Deal, LostReason, Pipeline, Stage
from crm.sales.services import pipeline_create
from tenants.actors import Actor
from tests import factories

type Browser = Callable[[Actor], Client]


def stage(name: str) -> Stage:
    return Stage.objects.get(name=name, pipeline__is_default=True, deleted_at=None)


def page(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_page_shows_each_stage_with_its_deals(admin: Actor, browser_client: Browser) -> None:
    factories.deal(admin, stage=stage("Proposal").pk)
    answer = browser_client(admin).get("/settings/pipelines/")
    assert answer.status_code == 200
    for name in ("New", "Qualified", "Proposal", "Negotiation", "Won", "Lost", "Chose a competitor"):
        assert name in page(answer)


def test_a_stage_is_renamed_and_keeps_the_rest(admin: Actor, browser_client: Browser) -> None:
    client, proposal = browser_client(admin), stage("Proposal")
    assert "Proposal" in page(client.get(f"/settings/stages/{proposal.pk}/"))
    form = {"name": "Offer 🪟", "kind": "open", "probability": "55", "stale_days": "9", "color": "pink"}
    answer = client.post(f"/settings/stages/{proposal.pk}/", {**form, "required_fields": ["amount", "company"]})
    assert answer.status_code == 302
    changed = Stage.objects.get(pk=proposal.pk)
    assert (changed.name, changed.probability, changed.stale_days, changed.color) == (
        "Offer 🪟",
        Decimal(55),
        9,
        "pink",
    )
    assert changed.required_fields == ["amount", "company"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "This is needed."),
        ({"name": "x" * 5000}, "100"),
        ({"name": "a\x00b"}, "Null characters"),
        ({"name": "Qualified"}, "already has a stage of that name"),
        ({"probability": "101"}, "100"),
        ({"probability": "lots"}, "number"),
        ({"stale_days": "-3"}, "1"),
        ({"stale_days": "3.5"}, "whole number"),
        ({"color": "chartreuse"}, "chartreuse"),
        ({"kind": "perhaps"}, "perhaps"),
        ({"required_fields": ["stage"]}, "stage"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    admin: Actor, browser_client: Browser, wrong: dict[str, Any], said: str
) -> None:
    form = {"name": "Offer", "kind": "open", "probability": "55", "stale_days": "9", "color": "pink"}
    answer = browser_client(admin).post(f"/settings/stages/{stage('Proposal').pk}/", {**form, **wrong})
    assert answer.status_code == 422
    assert said in page(answer)
    assert stage("Proposal").stale_days == 14
    if "stale_days" not in wrong:
        assert 'value="9"' in page(answer)


def test_a_stage_is_added_and_shifted(admin: Actor, browser_client: Browser) -> None:
    client, pipeline = browser_client(admin), stage("New").pipeline
    added = client.post(
        f"/settings/pipelines/{pipeline.pk}/stages/",
        {"name": "Survey", "kind": "open", "probability": "30", "color": "teal"},
    )
    assert added.status_code == 302
    survey = stage("Survey")
    client.post(f"/settings/stages/{survey.pk}/shift/", {"to": "up"})
    board = page(client.get("/settings/pipelines/"))
    assert board.index("Survey") < board.index("Negotiation")
    client.post(f"/settings/stages/{survey.pk}/shift/", {"to": "down"})
    assert stage("Survey").position > stage("Negotiation").position


def test_removing_a_stage_shows_its_effect_and_asks_where_the_deals_go(admin: Actor, browser_client: Browser) -> None:
    client, proposal = browser_client(admin), stage("Proposal")
    deal = factories.deal(admin, stage=proposal.pk, amount="1234")
    path = f"/settings/stages/{proposal.pk}/remove/"
    effect = page(client.get(path))
    assert "1 deal stands in this stage." in effect
    assert "1,234" in effect
    refused = client.post(path)
    assert refused.status_code == 422
    assert "Say where the deals of this stage go." in page(refused)
    for nonsense in ("nonsense", str(uuid4()), str(proposal.pk)):
        assert client.post(path, {"move_to": nonsense}).status_code in {404, 422}
    assert client.post(path, {"move_to": str(stage("Qualified").pk)}).status_code == 302
    assert Deal.objects.get(pk=deal.pk).stage.name == "Qualified"
    assert client.get(path).status_code == 404


def test_the_last_stage_of_a_kind_says_why_it_stays(admin: Actor, browser_client: Browser) -> None:
    client, path = browser_client(admin), f"/settings/stages/{stage('Won').pk}/remove/"
    assert "This stage stays" in page(client.get(path))
    assert client.post(path).status_code == 422


def test_pipelines_are_added_renamed_made_default_and_removed(admin: Actor, browser_client: Browser) -> None:
    client = browser_client(admin)
    assert client.post("/settings/pipelines/", {"name": "Repairs"}).status_code == 302
    repairs = Pipeline.objects.get(name="Repairs")
    first = Pipeline.objects.get(is_default=True)
    client.post(f"/settings/pipelines/{repairs.pk}/", {"name": "Service"})
    client.post(f"/settings/pipelines/{repairs.pk}/", {"name": "Service", "make_default": "1"})
    assert Pipeline.objects.get(is_default=True).name == "Service"
    client.post(f"/settings/pipelines/{first.pk}/remove/")
    assert Pipeline.objects.get(pk=first.pk).deleted_at is not None
    assert client.post("/settings/pipelines/", {"name": ""}).status_code == 422


def test_lost_reasons_are_added_renamed_and_removed(admin: Actor, browser_client: Browser) -> None:
    client = browser_client(admin)
    assert client.post("/settings/lost-reasons/", {"name": "Moved away"}).status_code == 302
    reason = LostReason.objects.get(name="Moved away")
    client.post(f"/settings/lost-reasons/{reason.pk}/", {"name": "Left town"})
    assert "Left town" in page(client.get("/settings/pipelines/"))
    client.post(f"/settings/lost-reasons/{reason.pk}/remove/")
    assert "Left town" not in page(client.get("/settings/pipelines/"))


def test_sample_data_is_loaded_and_cleared_with_one_click_each(owner: Actor, browser_client: Browser) -> None:
    client = browser_client(owner)
    assert "Load sample data" in page(client.get("/settings/data/"))
    assert client.post("/settings/data/", {"do": "load"}).status_code == 302
    assert Company.objects.filter(deleted_at=None).count() == 60
    assert "Clear the sample data" in page(client.get("/settings/data/"))
    kept = Company.objects.order_by("pk").first()
    assert kept is not None
    factories.contact(owner, company=kept.pk)
    cleared = client.post("/settings/data/", {"do": "clear"})
    assert kept.name in page(cleared)
    assert list(Company.objects.filter(deleted_at=None)) == [kept]


PATHS = (
    "pipelines/",
    "pipelines/{pipeline}/",
    "pipelines/{pipeline}/stages/",
    "stages/{stage}/",
    "stages/{stage}/remove/",
)


@pytest.mark.parametrize("path", [*PATHS, "data/"])
def test_settings_are_for_who_may_change_them(
    manager: Actor, seller: Actor, reader: Actor, browser_client: Browser, path: str
) -> None:
    there = path.format(pipeline=stage("New").pipeline_id, stage=stage("New").pk)
    for actor in (manager, seller, reader):
        client = browser_client(actor)
        assert client.get(f"/settings/{there}").status_code == 403
        assert client.post(f"/settings/{there}", {"name": "Mine", "do": "clear"}).status_code == 403


@pytest.mark.parametrize("path", PATHS[1:])
def test_another_workspaces_pipeline_is_not_found(
    outsider: Actor, admin: Actor, browser_client: Browser, path: str
) -> None:
    there = path.format(pipeline=stage("New").pipeline_id, stage=stage("New").pk)
    client = browser_client(outsider)
    assert client.get(f"/settings/{there}").status_code == 404
    assert client.post(f"/settings/{there}", {"name": "Mine", "kind": "open"}).status_code == 404


def test_a_pipeline_in_use_says_so(admin: Actor, browser_client: Browser) -> None:
    repairs = pipeline_create(admin, name="Repairs").record
    writing.create(admin, registry.get("deal"), {"name": "Roof", "pipeline": repairs.pk})
    answer = browser_client(admin).post(f"/settings/pipelines/{repairs.pk}/remove/")
    assert answer.status_code == 422
    assert "Deals stand in this pipeline" in page(answer)
