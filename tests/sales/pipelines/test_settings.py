"""Settings → Pipelines and Sample data, as their readers find them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from crm.people.models import Company
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.sales.models import Deal, LostReason, Pipeline, Stage
from crm.sales.services import pipeline_create
from tenants.actors import Actor
from tests import factories

type Browser = Callable[[Actor], Client]


def stage(name: str) -> Stage:
    return Stage.objects.get(name=name, pipeline__is_default=True, deleted_at=None)


def page(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_pages_show_pipelines_stages_and_reasons(admin: Actor, browser_client: Browser) -> None:
    factories.deal(admin, stage=stage("Proposal").pk)
    client = browser_client(admin)
    overview = page(client.get("/settings/pipelines/"))
    for told in ("Sales", "6 stages", "1 deal", "Chose a competitor"):
        assert told in overview
    shown = page(client.get(f"/settings/pipelines/{stage('New').pipeline_id}/"))
    for name in ("New", "Qualified", "Proposal", "Negotiation", "Won", "Lost", "stale after 14 days"):
        assert name in shown


def test_a_stage_is_renamed_and_keeps_the_rest(admin: Actor, browser_client: Browser) -> None:
    client, proposal = browser_client(admin), stage("Proposal")
    assert "Proposal" in page(client.get(f"/settings/pipelines/stages/{proposal.pk}/"))
    form: dict[str, Any] = {"name": "Offer 🪟", "kind": "open", "probability": "55", "stale_days": "9", "color": "pink"}
    answer = client.post(
        f"/settings/pipelines/stages/{proposal.pk}/", {**form, "required_fields": ["amount", "company"]}
    )
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
    answer = browser_client(admin).post(f"/settings/pipelines/stages/{stage('Proposal').pk}/", {**form, **wrong})
    assert answer.status_code == 422
    assert said in page(answer)
    assert stage("Proposal").stale_days == 14
    if "stale_days" not in wrong:
        assert 'value="9"' in page(answer)


def test_a_stage_is_added_and_put_elsewhere(admin: Actor, browser_client: Browser) -> None:
    client, pipeline = browser_client(admin), stage("New").pipeline
    added = client.post(
        f"/settings/pipelines/{pipeline.pk}/stages/",
        {"name": "Survey", "kind": "open", "probability": "30", "color": "teal"},
    )
    assert added.status_code == 302
    survey = stage("Survey")
    names = ("New", "Qualified", "Proposal", "Negotiation")
    there, ids = f"/settings/pipelines/{pipeline.pk}/order/", [str(stage(name).pk) for name in names]
    moved = client.post(there, {"id": [str(survey.pk), *ids]}, headers={"HX-Request": "true"})
    assert moved.status_code == 204
    assert "undo_url" in moved["HX-Trigger"]
    shown = page(client.get(f"/settings/pipelines/{pipeline.pk}/"))
    assert shown.index("Survey") < shown.index("Qualified")
    assert client.post(there, {"id": [str(survey.pk), *ids], "down": str(survey.pk)}).status_code == 302
    assert stage("New").position < stage("Survey").position < stage("Qualified").position
    assert client.post(there, {"id": ids}).status_code == 422


def test_a_rule_of_entry_is_filled_in_row_by_row(admin: Actor, browser_client: Browser) -> None:
    client, proposal = browser_client(admin), stage("Proposal")
    there = f"/settings/pipelines/stages/{proposal.pk}/"
    form = {"name": "Offer", "kind": "open", "probability": "55", "color": "pink", "match": "all"}
    added = client.post(there, {**form, "add": "1"})
    assert added.status_code == 200
    assert 'name="c0.field"' in page(added)
    assert 'value="Offer"' in page(added)
    assert stage("Proposal").entry_condition == {}
    row = {"row": "0", "c0.was": "amount", "c0.field": "amount", "c0.op": "gt"}
    empty = client.post(there, {**form, **row, "c0.value": ""})
    assert empty.status_code == 422
    assert "Choose a value." in page(empty)
    saved = {**form, **row, "c0.value": "0", "guidance": "Ask who decides.", "enter_from": "new"}
    assert client.post(there, saved).status_code == 302
    proposal.refresh_from_db()
    assert proposal.entry_condition == {"field": "amount", "op": "gt", "value": "0"}
    assert (proposal.guidance, proposal.enter_from) == ("Ask who decides.", ["new"])
    assert "Amount is more than 0" in page(client.get(f"/settings/pipelines/{proposal.pipeline_id}/"))
    dropped = client.post(there, {**form, **row, "c0.value": "0", "drop": "0"})
    assert 'name="c0.field"' not in page(dropped)


def test_who_was_slower_sees_both_values_and_chooses(admin: Actor, owner: Actor, browser_client: Browser) -> None:
    client, proposal = browser_client(admin), stage("Proposal")
    there = f"/settings/pipelines/stages/{proposal.pk}/"
    form = {"name": "Offer", "kind": "open", "probability": "50", "stale_days": "14", "color": "violet", "version": "1"}
    gate.update(owner, registry.get("stage"), proposal.pk, {"name": "Bid"})
    slower = client.post(there, form)
    assert slower.status_code == 412
    for told in ("Somebody changed this", "<td>Bid</td>", "<td>Offer</td>", 'name="version" value="2"'):
        assert told in page(slower)
    assert "<td>violet</td>" not in page(slower)
    proposal.refresh_from_db()
    assert proposal.name == "Bid"
    assert client.post(there, {**form, "version": "2"}).status_code == 302
    proposal.refresh_from_db()
    assert proposal.name == "Offer"


def test_what_another_admin_changed_beside_is_kept(admin: Actor, owner: Actor, browser_client: Browser) -> None:
    client, proposal = browser_client(admin), stage("Proposal")
    there = f"/settings/pipelines/stages/{proposal.pk}/"
    rule = {"field": "amount", "op": "gt", "value": "5"}
    form = {"name": proposal.name, "kind": "open", "probability": "50", "stale_days": "14", "color": "violet"}
    form = {**form, "color": proposal.color, "probability": f"{proposal.probability:f}", "version": "1"}
    form["stale_days"] = str(proposal.stale_days or "")
    gate.update(owner, registry.get("stage"), proposal.pk, {"guidance": "Ask.", "entry_condition": rule})
    assert client.post(there, {**form, "name": "Offer"}).status_code == 302
    proposal.refresh_from_db()
    assert (proposal.name, proposal.guidance, proposal.entry_condition) == ("Offer", "Ask.", rule)

    gate.update(owner, registry.get("stage"), proposal.pk, {"name": "Bid", "guidance": "Ask twice."})
    late = client.post(there, {**form, "name": "Tender", "guidance": "Ask.", "version": "3"})
    assert late.status_code == 412
    assert "<td>Bid</td><td>Tender</td>" in page(late)
    assert "Ask twice." in page(late)
    assert "<td>Ask twice.</td>" not in page(late)


def test_an_entry_rule_changed_by_two_is_told_in_words(admin: Actor, owner: Actor, browser_client: Browser) -> None:
    client, proposal = browser_client(admin), stage("Proposal")
    there = f"/settings/pipelines/stages/{proposal.pk}/"
    form = {"name": proposal.name, "kind": "open", "color": proposal.color, "version": "1", "match": "all"}
    form |= {"probability": f"{proposal.probability:f}", "stale_days": str(proposal.stale_days or "")}
    rule = {"field": "amount", "op": "gt", "value": "5"}
    gate.update(owner, registry.get("stage"), proposal.pk, {"entry_condition": rule})
    late = client.post(
        there, {**form, "row": "0", "c0.was": "amount", "c0.field": "amount", "c0.op": "gt", "c0.value": "7"}
    )
    assert late.status_code == 412
    assert "<td>Amount is more than 5</td><td>Amount is more than 7</td>" in page(late)


def test_a_pipelines_own_settings_are_kept_and_conflict_too(admin: Actor, browser_client: Browser) -> None:
    client, pipeline = browser_client(admin), stage("New").pipeline
    reason = LostReason.objects.get(name="Price")
    there = f"/settings/pipelines/{pipeline.pk}/"
    form = {"name": "Windows", "version": "1", "lost_reasons": str(reason.pk), "deal_fields": ["amount", "source"]}
    assert client.post(there, form).status_code == 302
    pipeline.refresh_from_db()
    assert (pipeline.name, pipeline.lost_reason_required, pipeline.deal_fields) == (
        "Windows",
        False,
        ["amount", "source"],
    )
    other = LostReason.objects.exclude(pk=reason.pk).first()
    assert other
    stale = {"name": "Doors", "version": "1", "lost_reason_required": "1", "lost_reasons": str(other.pk)}
    slower = client.post(there, {**stale, "deal_fields": "expected_close"})
    assert slower.status_code == 412
    for told in ("<td>Price</td>", f"<td>{other.name}</td>", "<td>Amount, Source</td>", "<td>Doors</td>"):
        assert told in page(slower)
    assert "<td>No</td>" not in page(slower)
    assert 'name="lost_reason_required" value="true" checked' not in page(slower)


def test_a_pipeline_is_archived_after_its_effect_was_shown(admin: Actor, browser_client: Browser) -> None:
    client = browser_client(admin)
    repairs = pipeline_create(admin, name="Repairs").record
    theirs = Stage.objects.get(pipeline=repairs, name="Proposal")
    deal = factories.deal(admin, stage=theirs.pk, amount="12")
    factories.deal(admin, stage=Stage.objects.get(pipeline=repairs, name="Won").pk)
    there = f"/settings/pipelines/{repairs.pk}/archive/"
    effect = page(client.get(there))
    assert f'name="to-{theirs.pk}"' in effect
    assert "1 deal moves." in effect
    gate.update(admin, registry.get("stage"), stage("Qualified").pk, {"required_fields": ["company"]})
    changed = client.get(there, {f"to-{theirs.pk}": str(stage("Qualified").pk)}, headers={"HX-Request": "true"})
    assert "1 of them would be refused there" in page(changed)
    assert "<html" not in page(changed)
    refused = client.post(there, {f"to-{theirs.pk}": str(stage("Qualified").pk)})
    assert refused.status_code == 422
    assert "needs “Company”" in page(refused)
    assert client.post(there, {f"to-{theirs.pk}": ""}).status_code == 422
    assert client.get(there, {"to-nonsense": "x"}).status_code == 404
    assert client.post(there, {f"to-{theirs.pk}": str(stage("New").pk)}).status_code == 302
    assert Deal.objects.get(pk=deal.pk).stage.name == "New"
    overview = page(client.get("/settings/pipelines/"))
    assert "Archived" in overview
    assert client.post(f"/settings/pipelines/{repairs.pk}/restore/").status_code == 302
    assert not Pipeline.objects.get(pk=repairs.pk).archived


def test_a_pipeline_is_copied(admin: Actor, browser_client: Browser) -> None:
    client, first = browser_client(admin), stage("New").pipeline
    made = client.post("/settings/pipelines/", {"name": "Service", "like": str(first.pk)})
    assert made.status_code == 302
    copy = Pipeline.objects.get(name="Service")
    assert made["Location"] == f"/settings/pipelines/{copy.pk}/"
    assert copy.stages.count() == first.stages.filter(deleted_at=None).count()
    assert client.post("/settings/pipelines/", {"name": "Service", "like": str(uuid4())}).status_code == 422


def test_pipelines_and_reasons_are_put_in_order(admin: Actor, browser_client: Browser) -> None:
    client = browser_client(admin)
    other = pipeline_create(admin, name="Repairs").record
    first = stage("New").pipeline_id
    assert client.post("/settings/pipelines/order/", {"id": [str(other.pk), str(first)]}).status_code == 302
    assert Pipeline.objects.get(pk=other.pk).position == 1
    ids = [str(pk) for pk in LostReason.objects.order_by("-position").values_list("pk", flat=True)]
    assert client.post("/settings/pipelines/lost-reasons/order/", {"id": ids}).status_code == 302
    assert str(LostReason.objects.get(position=1).pk) == ids[0]
    assert client.post("/settings/pipelines/lost-reasons/order/", {"id": ["nonsense"]}).status_code == 422


def test_removing_a_stage_shows_its_effect_and_asks_where_the_deals_go(admin: Actor, browser_client: Browser) -> None:
    client, proposal = browser_client(admin), stage("Proposal")
    deal = factories.deal(admin, stage=proposal.pk, amount="1234")
    path = f"/settings/pipelines/stages/{proposal.pk}/remove/"
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
    client, path = browser_client(admin), f"/settings/pipelines/stages/{stage('Won').pk}/remove/"
    assert "This stage stays" in page(client.get(path))
    assert client.post(path).status_code == 422


def test_pipelines_are_added_renamed_made_default_and_removed(admin: Actor, browser_client: Browser) -> None:
    client = browser_client(admin)
    assert client.post("/settings/pipelines/", {"name": "Repairs"}).status_code == 302
    repairs = Pipeline.objects.get(name="Repairs")
    first = Pipeline.objects.get(is_default=True)
    client.post(f"/settings/pipelines/{repairs.pk}/", {"name": "Service"})
    client.post(f"/settings/pipelines/{repairs.pk}/default/")
    assert Pipeline.objects.get(is_default=True).name == "Service"
    client.post(f"/settings/pipelines/{first.pk}/remove/")
    assert Pipeline.objects.get(pk=first.pk).deleted_at is not None
    assert client.post("/settings/pipelines/", {"name": ""}).status_code == 422


def test_lost_reasons_are_added_renamed_and_removed(admin: Actor, browser_client: Browser) -> None:
    client = browser_client(admin)
    assert client.post("/settings/pipelines/lost-reasons/", {"name": "Moved away"}).status_code == 302
    reason = LostReason.objects.get(name="Moved away")
    client.post(f"/settings/pipelines/lost-reasons/{reason.pk}/", {"name": "Left town"})
    assert "Left town" in page(client.get("/settings/pipelines/"))
    client.post(f"/settings/pipelines/lost-reasons/{reason.pk}/remove/")
    assert "Left town" not in page(client.get("/settings/pipelines/"))


@pytest.mark.slow("loads the sample of half a year")
def test_sample_data_is_loaded_and_cleared_with_one_click_each(owner: Actor, browser_client: Browser) -> None:
    client = browser_client(owner)
    assert "Load sample data" in page(client.get("/settings/data/"))
    assert client.post("/settings/data/", {"do": "load"}).status_code == 302
    assert Company.objects.filter(deleted_at=None).count() == 60
    assert "Clear the sample data" in page(client.get("/settings/data/"))
    client.post("/settings/data/", {"do": "load"})
    assert "The sample data is there already." in page(client.get("/settings/data/"))
    kept = Company.objects.order_by("pk").first()
    assert kept is not None
    factories.contact(owner, company=kept.pk)
    cleared = client.post("/settings/data/", {"do": "clear"})
    assert kept.name in page(cleared)
    assert list(Company.objects.filter(deleted_at=None)) == [kept]


PATHS = (
    "pipelines/",
    "pipelines/{pipeline}/",
    "pipelines/{pipeline}/archive/",
    "pipelines/{pipeline}/stages/",
    "pipelines/stages/{stage}/",
    "pipelines/stages/{stage}/remove/",
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
    gate.create(admin, registry.get("deal"), {"name": "Roof", "pipeline": repairs.pk})
    answer = browser_client(admin).post(f"/settings/pipelines/{repairs.pk}/remove/")
    assert answer.status_code == 422
    assert "Deals stand in this pipeline" in page(answer)


def test_deals_are_shown_with_the_fields_of_their_pipeline(admin: Actor, browser_client: Browser) -> None:
    pipeline = stage("New").pipeline
    gate.update(admin, registry.get("pipeline"), pipeline.pk, {"deal_fields": ["amount", "source"]})
    client = browser_client(admin)
    deal = factories.deal(admin)
    shown = page(client.get(f"/deals/{deal.pk}/"))
    assert 'data-field="source"' in shown
    assert 'data-field="expected_close"' not in shown
    gate.update(admin, registry.get("deal"), deal.pk, {"expected_close": "2027-01-01"})
    assert 'data-field="expected_close"' in page(client.get(f"/deals/{deal.pk}/"))
    form = page(client.get(f"/deals/new/?pipeline={pipeline.pk}"))
    assert 'name="source"' in form
    assert 'name="expected_close"' not in form
    assert 'name="closed_on"' not in form
