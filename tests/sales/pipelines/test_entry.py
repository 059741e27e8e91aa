"""Rules of entry: what a stage asks of deals that come in, held for one and for many alike."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.records.errors import Invalid
from crm.records.events.dispatch import drain
from crm.records.events.feed import feed
from crm.records.schema.registry import registry
from crm.records.write import gate, undo
from crm.sales.models import Deal, LostReason, Pipeline, Stage
from crm.sales.pipelines.impact import stage_remove_preview
from crm.sales.services import deal_move, pipeline_copy, pipeline_create, stage_remove
from crm.workspace.actors import actor_for_member
from crm.workspace.people.member_services import member_update
from crm.workspace.people.role_services import role_create
from tenants.actors import Actor, Scope
from tests import factories

PIPELINE, STAGE, DEAL = registry.get("pipeline"), registry.get("stage"), registry.get("deal")


def stage(name: str) -> Stage:
    return Stage.objects.get(name=name, pipeline__is_default=True, deleted_at=None)


def asks(admin: Actor, name: str, **values: Any) -> Stage:
    gate.update(admin, STAGE, stage(name).pk, values)
    return stage(name)


def said(refused: pytest.ExceptionInfo[Invalid]) -> list[tuple[str, str, str]]:
    return [(one.field, one.code, str(one.message)) for one in refused.value.errors]


def test_a_deal_comes_in_only_when_the_condition_holds_after_the_write(admin: Actor) -> None:
    proposal = asks(admin, "Proposal", entry_condition={"field": "amount", "op": "gt", "value": "100"})
    deal = factories.deal(admin, amount="50")
    with pytest.raises(Invalid) as refused:
        deal_move(admin, deal_id=deal.pk, stage_id=proposal.pk)
    assert said(refused) == [("amount", "entry_rule", "“Proposal” takes only deals where: Amount is more than 100.")]
    deal_move(admin, deal_id=deal.pk, stage_id=proposal.pk, values={"amount": "101"})
    gate.update(admin, DEAL, deal.pk, {"amount": "5"})
    assert Deal.objects.get(pk=deal.pk).stage_id == proposal.pk


def test_each_part_of_a_condition_is_told_by_itself(admin: Actor) -> None:
    condition = {
        "all": [
            {"field": "contacts", "op": "is_not_empty"},
            {"field": "expected_close", "op": "gte", "value": "2026-01-01"},
            {
                "any": [
                    {"field": "source", "op": "eq", "value": "referral"},
                    {"field": "amount", "op": "gt", "value": 5},
                ]
            },
        ]
    }
    proposal = asks(admin, "Proposal", entry_condition=condition)
    with pytest.raises(Invalid) as refused:
        factories.deal(admin, stage=proposal.pk)
    assert [(slug, code) for slug, code, _text in said(refused)] == [
        ("contacts", "entry_rule"),
        ("expected_close", "entry_rule"),
        ("", "entry_rule"),
    ]
    contact = factories.contact(admin)
    values = {"contacts": [{"id": contact.pk}], "expected_close": date(2026, 5, 1), "amount": "6"}
    assert factories.deal(admin, stage=proposal.pk, **values).stage_id == proposal.pk


def test_a_condition_over_a_relation_is_judged_whoever_asks_in_one_query_for_all(admin: Actor) -> None:
    proposal = asks(admin, "Proposal", entry_condition={"field": "company.industry", "op": "eq", "value": "Glass"})
    glass = factories.company(admin, industry="Glass")
    deals = [factories.deal(admin, company=glass.pk).pk for _number in range(3)]
    wood = factories.deal(admin, company=factories.company(admin, industry="Wood").pk).pk
    nothing = factories.deal(admin).pk

    def queries(ids: list[Any]) -> int:
        with CaptureQueriesContext(connection) as caught:
            gate.update(admin, DEAL, ids, {"stage": proposal.pk})
        return len(caught)

    one, two = queries(deals[:1]), queries(deals[1:])
    assert two <= one + 2
    for deal, slug in ((wood, ""), (nothing, "company")):
        with pytest.raises(Invalid) as refused:
            deal_move(admin, deal_id=deal, stage_id=proposal.pk)
        assert [(field, code) for field, code, _text in said(refused)] == [(slug, "entry_rule")]


def test_a_bulk_move_is_refused_whole_with_the_errors_of_each_deal(admin: Actor) -> None:
    proposal = asks(admin, "Proposal", entry_condition={"field": "amount", "op": "gt", "value": "0"})
    deals = [factories.deal(admin, amount=amount).pk for amount in ("1", None, "2", None)]
    with pytest.raises(Invalid) as refused:
        gate.update(admin, DEAL, deals, {"stage": proposal.pk})
    assert {error.index for error in refused.value.errors} == {1, 3}
    assert not Deal.objects.filter(stage=proposal).exists()


def test_a_stage_may_say_where_deals_come_from(admin: Actor) -> None:
    new, qualified = stage("New"), stage("Qualified")
    proposal = asks(admin, "Proposal", enter_from=[str(qualified.pk)])
    deal = factories.deal(admin)
    with pytest.raises(Invalid) as refused:
        deal_move(admin, deal_id=deal.pk, stage_id=proposal.pk)
    assert said(refused) == [("stage", "entry_from", "Deals come into “Proposal” only from: “Qualified”.")]
    with pytest.raises(Invalid):
        factories.deal(admin, stage=proposal.pk)
    deal_move(admin, deal_id=deal.pk, stage_id=qualified.pk)
    deal_move(admin, deal_id=deal.pk, stage_id=proposal.pk)
    asks(admin, "Proposal", enter_from=["new", str(new.pk)])
    assert factories.deal(admin, stage=proposal.pk).stage_id == proposal.pk


def test_undo_goes_back_the_way_the_rules_forbid(admin: Actor) -> None:
    deal = factories.deal(admin)
    asks(admin, "New", enter_from=["new"], entry_condition={"field": "amount", "op": "gt", "value": 1})
    change = deal_move(admin, deal_id=deal.pk, stage_id=stage("Qualified").pk)
    undo.undo(admin, change.change_set.pk)
    assert Deal.objects.get(pk=deal.pk).stage.name == "New"


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "colour", "op": "eq", "value": "red"},
        {"field": "amount", "op": "like", "value": "red"},
        {"some": []},
        {"field": "company.contacts", "op": "is_empty"},
        {"all": [{"field": "amount", "op": "gt", "value": "x\x00"}]},
    ],
)
def test_what_cannot_be_judged_is_no_condition(admin: Actor, condition: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        asks(admin, "Proposal", entry_condition=condition)
    assert [(field, code) for field, code, _text in said(refused)] == [("entry_condition", "bad_condition")]


@pytest.mark.parametrize("source", ["nonsense", "00000000-0000-0000-0000-000000000000", "itself"])
def test_deals_come_from_another_stage_that_is_there(admin: Actor, source: str) -> None:
    with pytest.raises(Invalid) as refused:
        asks(admin, "Proposal", enter_from=[str(stage("Proposal").pk) if source == "itself" else source])
    assert [(field, code) for field, code, _text in said(refused)] == [("enter_from", "unknown_stage")]


def test_a_stage_that_goes_is_replaced_where_others_named_it(admin: Actor) -> None:
    asks(admin, "Negotiation", enter_from=[str(stage("Proposal").pk), "new"])
    factories.deal(admin, stage=stage("Proposal").pk)
    qualified = stage("Qualified")
    change = stage_remove(admin, stage_id=stage("Proposal").pk, move_to=qualified.pk)
    assert stage("Negotiation").enter_from == [str(qualified.pk), "new"]
    undo.undo(admin, change.change_set.pk)
    assert stage("Negotiation").enter_from == [str(stage("Proposal").pk), "new"]


def test_whether_a_lost_deal_needs_a_reason_and_which_is_the_pipelines_to_say(admin: Actor) -> None:
    lost, first = stage("Lost"), Pipeline.objects.get(is_default=True)
    deal = factories.deal(admin)
    with pytest.raises(Invalid) as refused:
        deal_move(admin, deal_id=deal.pk, stage_id=lost.pk)
    assert said(refused) == [("lost_reason", "required_in_stage", "Say why the deal was lost.")]
    price, rival = LostReason.objects.get(name="Price"), LostReason.objects.get(name="Chose a competitor")
    gate.update(admin, PIPELINE, first.pk, {"lost_reasons": [{"id": price.pk}]})
    with pytest.raises(Invalid) as refused:
        deal_move(admin, deal_id=deal.pk, stage_id=lost.pk, values={"lost_reason": rival.pk})
    assert [code for _field, code, _text in said(refused)] == ["reason_of_another_pipeline"]
    deal_move(admin, deal_id=deal.pk, stage_id=lost.pk, values={"lost_reason": price.pk})
    gate.update(admin, PIPELINE, first.pk, {"lost_reason_required": False})
    other = factories.deal(admin)
    assert deal_move(admin, deal_id=other.pk, stage_id=lost.pk).record.closed_on is not None


def test_a_reopened_deal_is_as_it_was_before_it_closed(admin: Actor) -> None:
    deal = factories.deal(admin, amount="10")
    reason = LostReason.objects.get(name="Price")
    deal_move(admin, deal_id=deal.pk, stage_id=stage("Lost").pk, values={"lost_reason": reason.pk})
    won = deal_move(admin, deal_id=deal.pk, stage_id=stage("Won").pk).record
    assert (won.lost_reason_id, won.probability, won.closed_on is None) == (None, 100, False)
    open_again = deal_move(admin, deal_id=deal.pk, stage_id=stage("Qualified").pk).record
    assert (open_again.lost_reason_id, open_again.probability, open_again.closed_on) == (None, 25, None)


def test_a_pipeline_chooses_fields_that_deals_have(admin: Actor) -> None:
    first = Pipeline.objects.get(is_default=True)
    gate.update(admin, PIPELINE, first.pk, {"deal_fields": ["amount", "company", "amount"]})
    assert Pipeline.objects.get(pk=first.pk).deal_fields == ["amount", "company"]
    with pytest.raises(Invalid) as refused:
        gate.update(admin, PIPELINE, first.pk, {"deal_fields": ["colour"]})
    assert [(field, code) for field, code, _text in said(refused)] == [("deal_fields", "unknown_field")]


def test_rules_hold_in_the_pipeline_they_were_made_in(admin: Actor) -> None:
    made = pipeline_create(admin, name="Service").record
    asks(admin, "Proposal", entry_condition={"field": "amount", "op": "gt", "value": "100"})
    theirs = Stage.objects.get(pipeline=made, name="Proposal")
    assert factories.deal(admin, stage=theirs.pk).pipeline_id == made.pk


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "amount", "op": "gt", "value": "100"},
        {
            "any": [
                {"field": "amount", "op": "gt", "value": "100"},
                {"field": "source", "op": "eq", "value": "referral"},
            ]
        },
        {"field": "company.industry", "op": "contains", "value": "x100"},
        {"field": "company.domain", "op": "contains", "value": "x100"},
    ],
)
def test_a_refusal_names_nothing_that_the_role_hides(admin: Actor, seller: Actor, condition: dict[str, Any]) -> None:
    """A hidden field, one of a company, or one that is shown of a company that is not."""
    proposal = asks(admin, "Proposal", entry_condition=condition)
    company = factories.company(seller, industry="Trade")
    deal = factories.deal(seller, amount="50", company=company.pk)
    hidden = {"deal": {"amount": "hidden"}, "company": {"industry": "hidden"}}
    if "domain" in str(condition):
        hidden["deal"]["company"] = "hidden"
    narrow = replace(seller, permissions=replace(seller.permissions, fields=hidden))
    with pytest.raises(Invalid) as refused:
        deal_move(narrow, deal_id=deal.pk, stage_id=proposal.pk)
    ((field, _code, message),) = said(refused)
    assert field == ""
    assert "does not show" in message
    assert "Amount" not in message
    assert "ndustry" not in message
    assert "omain" not in message
    assert "100" not in message


@pytest.mark.parametrize("wanted", [["amount"], ["amount", "expected_close"], ["amount", "expected_close", "source"]])
def test_how_many_hidden_fields_are_missing_is_not_told(admin: Actor, seller: Actor, wanted: list[str]) -> None:
    proposal = asks(admin, "Proposal", required_fields=wanted)
    deal = factories.deal(seller)
    hidden = {"deal": dict.fromkeys(("amount", "expected_close", "source"), "hidden")}
    narrow = replace(seller, permissions=replace(seller.permissions, fields=hidden))
    with pytest.raises(Invalid) as refused:
        deal_move(narrow, deal_id=deal.pk, stage_id=proposal.pk)
    assert len(refused.value.errors) == 1


@pytest.fixture
def narrow_admin(owner: Actor, seller: Actor) -> Actor:
    """Somebody who shapes pipelines and sees neither amounts nor industries."""
    everything = {"view": "all", "create": "all", "edit": "all", "delete": "all", "export": "all", "bulk": "all"}
    role = role_create(
        owner,
        name="Shaper",
        permissions={
            **dict.fromkeys(("deal", "company", "pipeline", "stage", "lost_reason"), everything),
            "workspace": {"settings": "all"},
        },
        fields={"deal": {"amount": "hidden"}, "company": {"industry": "hidden"}},
    )
    assert seller.member_id is not None
    member_update(owner, member_id=seller.member_id, role=role)
    found = actor_for_member(owner.tenant, seller.member_id)
    assert found is not None
    return replace(found, details=seller.details)


AMOUNT = {"field": "amount", "op": "gt", "value": "10077"}
SOURCE = {"field": "source", "op": "eq", "value": "referral"}
INDUSTRY = {"field": "company.industry", "op": "contains", "value": "10077"}


def test_nobody_reads_a_rule_of_a_field_that_his_role_hides(
    admin: Actor, narrow_admin: Actor, browser_client: Any, api: Any
) -> None:
    rule = {"all": [AMOUNT, SOURCE, {"not": INDUSTRY}]}
    proposal = asks(admin, "Proposal", entry_condition=rule, required_fields=["amount", "company"])
    gate.update(admin, PIPELINE, proposal.pipeline_id, {"deal_fields": ["amount", "source"]})

    program = api(narrow_admin)
    row = program.get(f"/api/v1/stages/{proposal.pk}").json()
    assert (row["entry_condition"], row["required_fields"]) == (SOURCE, ["company"])
    assert program.get(f"/api/v1/pipelines/{proposal.pipeline_id}").json()["deal_fields"] == ["source"]
    client = browser_client(narrow_admin)
    pages = [
        client.get(f"/settings/pipelines/{proposal.pipeline_id}/"),
        client.get(f"/settings/pipelines/stages/{proposal.pk}/"),
        program.get("/api/v1/stages?limit=100"),
    ]
    assert {page.status_code for page in pages} == {200}
    drain(admin.tenant)
    told = [one for one in feed(narrow_admin, limit=500).rows if one["record_type"] in ("stage", "pipeline")]
    for text in [*(page.content.decode() for page in pages), str(told)]:
        assert "10077" not in text
        assert "amount" not in text.lower()
        assert "company" in text.lower()
    assert api(admin).get(f"/api/v1/stages/{proposal.pk}").json()["entry_condition"] == rule


def test_who_changes_a_rule_leaves_what_he_does_not_see(admin: Actor, narrow_admin: Actor) -> None:
    proposal = asks(admin, "Proposal", entry_condition={"all": [SOURCE, AMOUNT]}, required_fields=["company", "amount"])
    gate.update(narrow_admin, STAGE, proposal.pk, {"entry_condition": SOURCE, "required_fields": ["company"]})
    assert stage("Proposal").version == proposal.version
    gate.update(narrow_admin, STAGE, proposal.pk, {"entry_condition": {}, "required_fields": ["source"]})
    assert stage("Proposal").entry_condition == AMOUNT
    assert stage("Proposal").required_fields == ["source", "amount"]


HIDDEN_PARTS = (
    AMOUNT,
    {"any": [SOURCE, AMOUNT]},
    {"not": AMOUNT},
    {"field": "currency", "op": "eq", "value": "EUR"},
    INDUSTRY,
)


@pytest.mark.parametrize("part", HIDDEN_PARTS, ids=str)
def test_nobody_adds_a_rule_of_what_his_role_hides(admin: Actor, narrow_admin: Actor, api: Any, part: Any) -> None:
    """Twenty such rules in turn would find an amount."""
    proposal = asks(admin, "Proposal", entry_condition=SOURCE)
    program = api(narrow_admin)
    for condition in (part, {"all": [SOURCE, part]}):
        answer = program.patch(f"/api/v1/stages/{proposal.pk}", {"entry_condition": condition})
        assert (answer.status_code, answer.json()["error"]["errors"][0]["code"]) == (422, "bad_condition")
        values = {"name": "Probe", "pipeline": proposal.pipeline_id, "entry_condition": condition}
        with pytest.raises(Invalid):
            gate.create(narrow_admin, STAGE, values)
    assert stage("Proposal").entry_condition == SOURCE


def test_nobody_demands_or_chooses_a_field_that_his_role_hides(admin: Actor, narrow_admin: Actor) -> None:
    proposal = stage("Proposal")
    for slug in ("amount", "currency"):
        with pytest.raises(Invalid) as refused:
            gate.update(narrow_admin, STAGE, proposal.pk, {"required_fields": ["source", slug]})
        assert [(one, code) for one, code, _text in said(refused)] == [("required_fields", "unknown_field")]
        with pytest.raises(Invalid) as refused:
            gate.update(narrow_admin, PIPELINE, proposal.pipeline_id, {"deal_fields": [slug]})
        assert [(one, code) for one, code, _text in said(refused)] == [("deal_fields", "unknown_field")]
    gate.update(narrow_admin, STAGE, proposal.pk, {"required_fields": ["source"], "entry_condition": SOURCE})


def test_a_rule_looks_at_related_records_only_if_its_writer_sees_them_all(admin: Actor, narrow_admin: Actor) -> None:
    city = {"field": "company.domain", "op": "eq", "value": "acme.example"}
    matrix = {**narrow_admin.permissions.matrix, "company": {"view": Scope.OWN}}
    near = replace(narrow_admin, permissions=replace(narrow_admin.permissions, matrix=matrix))
    with pytest.raises(Invalid) as refused:
        gate.update(near, STAGE, stage("Proposal").pk, {"entry_condition": city})
    assert "companies" in said(refused)[0][2]
    gate.update(narrow_admin, STAGE, stage("Proposal").pk, {"entry_condition": city})


def test_a_copy_and_an_undo_keep_what_a_greater_colleague_asks(admin: Actor, narrow_admin: Actor) -> None:
    proposal = asks(admin, "Proposal", entry_condition={"all": [SOURCE, AMOUNT]}, required_fields=["amount"])
    gate.update(admin, PIPELINE, proposal.pipeline_id, {"deal_fields": ["amount", "source"]})
    copy = pipeline_copy(narrow_admin, pipeline_id=proposal.pipeline_id, name="Again").record
    again = Stage.objects.get(name="Proposal", pipeline=copy.pk)
    assert (again.entry_condition, again.required_fields) == ({"all": [SOURCE, AMOUNT]}, ["amount"])
    assert copy.deal_fields == ["amount", "source"]

    eased = gate.update(admin, STAGE, proposal.pk, {"entry_condition": SOURCE, "required_fields": []})
    undo.undo(narrow_admin, eased.change_set.pk)
    assert stage("Proposal").entry_condition == {"all": [SOURCE, AMOUNT]}


def test_the_effect_of_a_removal_tells_nothing_of_deals_out_of_sight(admin: Actor, narrow_admin: Actor) -> None:
    factories.deal(admin, stage=stage("New").pk, source="website")
    asks(admin, "Proposal", entry_condition=SOURCE)
    matrix = {**narrow_admin.permissions.matrix, "deal": {"view": Scope.OWN, "edit": Scope.OWN}}
    near = replace(narrow_admin, permissions=replace(narrow_admin.permissions, matrix=matrix))
    lacking = stage_remove_preview(near, stage_id=stage("New").pk).lacking
    assert lacking[stage("Proposal").pk] == 0
    assert stage_remove_preview(admin, stage_id=stage("New").pk).lacking[stage("Proposal").pk] == 1
