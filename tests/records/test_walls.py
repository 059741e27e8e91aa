"""One wall at a time: what a narrow reader would learn if that one alone were missing. Each was seen red without it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from crm.activities.handlers import mentions_told
from crm.activities.selectors import agenda
from crm.records.errors import UndoConflict
from crm.records.events import feed, history
from crm.records.events.dispatch import drain
from crm.records.jobs import jobs
from crm.records.lists.grouping import groups
from crm.records.models import Event, Job
from crm.records.read import reading
from crm.records.read.access_explanation import why
from crm.records.read.reading import Query
from crm.records.read.search import search_all
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.undo import undo
from crm.sales.models import Stage
from crm.sales.my_day import my_numbers
from crm.workspace.actors import actor_for_member
from crm.workspace.models import Member, Notification, Role
from crm.workspace.permissions import ACTIONS, ACTIVITY_NOUNS
from tenants.actors import Actor, Permissions
from tests import factories

DEAL, COMPANY = registry.get("deal"), registry.get("company")
SHARED = ("pipeline", "stage", "lost_reason", "member")


@pytest.fixture
def trainee(seller: Actor) -> Actor:
    """Sees deals, companies and contacts of their own, and no amounts; may do what they like with these."""
    own = dict.fromkeys(ACTIONS, "own")
    rights = dict.fromkeys(("deal", "company", "contact", *ACTIVITY_NOUNS), own)
    rights |= {noun: {"view": "all"} for noun in SHARED} | {"workspace": {"api_keys": "all"}}
    role = Role.objects.create(
        slug="trainee", name="Trainee", permissions=rights, fields={"deal": {"amount": "hidden", "source": "hidden"}}
    )
    Member.objects.filter(pk=str(seller.member_id)).update(role=role)
    actor = actor_for_member(seller.tenant, UUID(str(seller.member_id)))
    assert actor is not None
    return replace(actor, details=seller.details)


def test_a_change_of_hidden_fields_alone_is_no_event_and_no_history(owner: Actor, trainee: Actor) -> None:
    deal = factories.deal(owner, name="Mine", owner=trainee.member_id)
    gate.update(owner, DEAL, deal.pk, {"amount": "7777"})
    gate.update(owner, DEAL, deal.pk, {"source": "referral", "name": "Still mine"})
    drain(owner.tenant)
    told = [row for row in feed.feed(trainee, limit=500).rows if row["record_id"] == str(deal.pk)]
    assert [row["type"] for row in told] == ["deal.created", "deal.updated"]
    assert told[1]["after"] == {"name": "Still mine"}
    entries = history.record_history(trainee, DEAL, deal.pk)
    assert [[change.slug for change in entry.changes] for entry in entries if entry.action == "updated"] == [["name"]]
    recent = [entry for entry in history.recent(trainee, 50) if entry.record_id == deal.pk]
    assert [entry.action for entry in recent] == ["updated", "created"]


def test_links_to_what_is_out_of_sight_satisfy_no_condition(owner: Actor, trainee: Actor) -> None:
    """Neither by its id nor by there being one at all."""
    theirs = factories.contact(owner, name="Theirs")
    deal = factories.deal(owner, name="Mine", owner=trainee.member_id, contacts=[{"id": theirs.pk}])
    for condition in (
        {"field": "contacts", "op": "has_any", "value": [str(theirs.pk)]},
        {"field": "contacts", "op": "is_not_empty"},
        {"field": "contacts.name", "op": "eq", "value": "Theirs"},
    ):
        assert {row["id"] for row in reading.page(owner, DEAL, Query(filter=condition)).rows} == {deal.pk}
        assert not reading.page(trainee, DEAL, Query(filter=condition)).rows


def test_whom_one_may_mention_tells_nothing_of_a_record_out_of_sight(
    owner: Actor, trainee: Actor, reader: Actor, browser_client: Any
) -> None:
    """Marked is who could not see a note on the record; of one that oneself does not see nobody is marked."""
    mine, theirs = factories.company(owner, owner=trainee.member_id), factories.company(owner, name="Theirs")
    narrow = Role.objects.get(slug="trainee")
    Member.objects.filter(pk=str(reader.member_id)).update(role=narrow)

    def marked(company: Any) -> bool:
        page = browser_client(trainee).get(f"/mentions/?q=Reader&noun=company&id={company.pk}").content.decode()
        assert "Reader" in page
        return "cannot see" in page

    assert marked(mine)
    assert not marked(theirs)


def test_why_somebody_else_sees_it_does_not_name_what_one_does_not_see(
    owner: Actor, trainee: Actor, manager: Actor
) -> None:
    company = factories.company(owner, name="Theirs")
    about = {"type": "company", "id": company.pk}
    task = factories.task(owner, name="Call", about=about, assignee=trainee.member_id)
    asked = UUID(str(manager.member_id))
    wide, narrow = (why(one, registry.get("task"), task.pk, of=asked) for one in (owner, trainee))
    assert wide is not None
    assert narrow is not None
    assert wide.answer.why == "It is on “Theirs”, which they may see."
    assert narrow.answer.why == "It is on a record that they may see, and you may not."


@pytest.fixture
def keeper(trainee: Actor) -> Actor:
    """The same with the settings, by which one sees what others have at work; and with no contacts at all."""
    role = Role.objects.get(slug="trainee")
    role.permissions = {**role.permissions, "workspace": {"settings": "all"}, "contact": {}}
    role.save()
    actor = actor_for_member(trainee.tenant, UUID(str(trainee.member_id)))
    assert actor is not None
    return replace(actor, details=trainee.details)


def test_the_work_of_others_names_no_record_out_of_sight(owner: Actor, keeper: Actor, browser_client: Any) -> None:
    seen, unseen = factories.deal(owner, name="Mine", owner=keeper.member_id), factories.deal(owner, name="Theirs")
    lost = {"code": "forbidden", "message": "No.", "noun": "deal"}
    job = jobs.job_start(owner, "bulk", {}, title="Change Owner of deals", noun="deal")
    Job.objects.filter(pk=job.pk).update(problems=[{**lost, "id": str(one.pk)} for one in (seen, unseen)])
    page = browser_client(keeper).get(f"/jobs/{job.pk}/").content.decode()
    assert "Mine" in page
    assert "Theirs" not in page


def test_the_work_of_others_on_what_the_role_does_not_show_is_not_there(
    owner: Actor, keeper: Actor, browser_client: Any
) -> None:
    shown, hidden = (
        jobs.job_start(owner, "bulk", {}, title=f"Change {noun}", noun=noun) for noun in ("deal", "contact")
    )
    client = browser_client(keeper)
    page = client.get("/jobs/").content.decode()
    assert (shown.title in page, hidden.title in page) == (True, False)
    assert client.get(f"/jobs/{hidden.pk}/").status_code == 404
    assert client.post(f"/jobs/{hidden.pk}/cancel/").status_code == 404


def test_an_undo_that_is_refused_names_no_hidden_field_and_no_value(owner: Actor, trainee: Actor) -> None:
    """Their own change set the amount too, before their role hid it; somebody changed that since."""
    wide = replace(trainee, permissions=Permissions(trainee.permissions.matrix))
    deal = factories.deal(owner, name="Mine", owner=trainee.member_id)
    change = gate.update(wide, DEAL, deal.pk, {"amount": "5"})
    gate.update(owner, DEAL, deal.pk, {"amount": "7777"})
    with pytest.raises(UndoConflict) as caught:
        undo(trainee, change.change_set.pk)
    (problem,) = caught.value.conflicts
    assert problem.field == ""
    assert (problem.expected, problem.found) == (None, None)
    assert "Amount" not in str(problem.message)


def test_a_mention_in_a_text_that_the_role_hides_is_not_told(owner: Actor, trainee: Actor) -> None:
    Role.objects.filter(slug="trainee").update(fields={"task": {"description": "hidden"}})
    text = f"@[{trainee.label}](member:{trainee.member_id}) it is worth 7777"
    task = factories.task(owner, name="Call", description=text, assignee=trainee.member_id)
    for event in Event.objects.filter(record_id=task.pk).select_related("change_set"):
        mentions_told(owner.tenant, event)
    assert not Notification.objects.filter(kind="mentioned").exists()


def test_ones_own_numbers_are_nothing_without_amounts(owner: Actor, trainee: Actor) -> None:
    factories.deal(owner, name="Mine", amount="7777", currency="EUR", owner=trainee.member_id)
    wide = replace(trainee, permissions=Permissions(trainee.permissions.matrix))
    assert "7777" in repr(my_numbers(wide))
    assert my_numbers(trainee) == []


@pytest.mark.parametrize("hides", [{}, {"deal": {"company": "hidden"}}], ids=["out of sight", "hidden"])
def test_the_second_line_of_what_is_found_names_no_company_of_others(
    owner: Actor, trainee: Actor, browser_client: Any, hides: dict[str, dict[str, str]]
) -> None:
    """In the palette and where a record is chosen: neither one out of sight, nor any if the role hides the field."""
    role = Role.objects.get(slug="trainee")
    Role.objects.filter(pk=role.pk).update(fields=hides)
    holder = trainee.member_id if hides else owner.member_id
    company = factories.company(owner, name="Glasshouse", owner=holder)
    factories.deal(owner, name="Mine", owner=trainee.member_id, company=company.pk)
    reader = actor_for_member(trainee.tenant, UUID(str(trainee.member_id)))
    assert reader is not None
    for one, told in ((owner, True), (reader, False)):
        (hit,) = (hit for hit in search_all(one, "Mine") if hit.type == "deal")
        assert ("Glasshouse" in hit.subtitle) is told
    for one, told in ((owner, True), (trainee, False)):
        page = browser_client(one).get("/deals/options/?q=Mine").content.decode()
        assert "Mine" in page
        assert ("Glasshouse" in page) is told


def test_groups_are_not_named_after_what_is_out_of_sight(owner: Actor, trainee: Actor) -> None:
    company = factories.company(owner, name="Theirs")
    factories.deal(owner, name="Mine", owner=trainee.member_id, company=company.pk)
    assert [one.label for one in groups(owner, DEAL, Query(), "company").groups] == ["Theirs"]
    assert [str(one.label) for one in groups(trainee, DEAL, Query(), "company").groups] == ["not visible to you"]


def test_a_record_page_lists_nothing_by_a_field_that_the_role_hides(
    owner: Actor, trainee: Actor, browser_client: Any
) -> None:
    person = factories.contact(owner, name="Ada Hushed", owner=trainee.member_id)
    deal = factories.deal(owner, name="Mine", owner=trainee.member_id, contacts=[{"id": person.pk}])
    assert "Ada Hushed" in browser_client(trainee).get(f"/deals/{deal.pk}/").content.decode()
    Role.objects.filter(slug="trainee").update(fields={"deal": {"contacts": "hidden"}})
    assert "Ada Hushed" not in browser_client(trainee).get(f"/deals/{deal.pk}/").content.decode()


def test_the_api_describes_no_field_that_the_role_hides(owner: Actor, trainee: Actor, api: Any) -> None:
    for one, told in ((owner, True), (trainee, False)):
        types = api(one, ["deal:read"]).get("/api/v1/types").json()["data"]
        fields = {field["slug"] for row in types if row["slug"] == "deal" for field in row["fields"]}
        assert ("amount" in fields) is told
        document = api(one, ["deal:read"]).get("/api/v1/openapi.json").json()
        listed = document["paths"]["/api/v1/deals"]["get"]["parameters"]
        assert any(parameter["name"] == "amount" for parameter in listed) is told
        assert ("amount" in document["components"]["schemas"]["Deal"]["properties"]) is told


def test_a_board_tells_no_currency_of_a_hidden_amount_and_no_month_of_a_hidden_closing_day(
    owner: Actor, trainee: Actor, browser_client: Any, api: Any
) -> None:
    """Nor does an order by a hidden day say which comes first."""
    won = Stage.objects.get(kind="won")
    factories.deal(owner, name="Mine", amount="7777", currency="USD", owner=trainee.member_id)
    factories.deal(owner, name="Done", stage=won.pk, owner=trainee.member_id)
    path = f"/api/v1/pipelines/{won.pipeline_id}/board"
    wide, narrow = (api(one).get(path) for one in (owner, trainee))
    assert '"USD"' in wide.content.decode()
    assert '"USD"' not in narrow.content.decode()
    assert [one["deals"][0]["currency"] for one in narrow.json()["stages"] if one["deals"]] == [None, None]
    assert "1 deal this month" in browser_client(trainee).get("/deals/board/").content.decode()
    Role.objects.filter(slug="trainee").update(fields={"deal": {"closed_on": "hidden"}})
    page = browser_client(trainee).get("/deals/board/").content.decode()
    assert "this month" not in page.replace("Closing this month", "")
    assert "Won this month" not in browser_client(trainee).get("/").content.decode()


def test_what_a_hidden_link_leads_to_lists_no_activity(owner: Actor, trainee: Actor, browser_client: Any) -> None:
    """Neither what is planned nor what was done; on the record it is about it stands."""
    deal = factories.deal(owner, name="Mine", owner=trainee.member_id)
    company = factories.company(owner, name="Also", owner=trainee.member_id)
    values = {"about": {"type": "deal", "id": deal.pk}, "also": [{"type": "company", "id": company.pk}]}
    for name, done in (("Call the glazier", False), ("Was at the glazier", True)):
        factories.task(owner, name=name, done=done, assignee=trainee.member_id, **values)

    def pages(place: str) -> str:
        return str(browser_client(trainee).get(place).content.decode())

    for hides in ({}, {"task": {"also": "hidden"}}):
        Role.objects.filter(slug="trainee").update(fields=hides)
        for name in ("Call the glazier", "Was at the glazier"):
            assert (name in pages(f"/companies/{company.pk}/")) is not bool(hides)
            assert name in pages(f"/deals/{deal.pk}/")


def test_a_colleagues_calendar_tells_no_guests_that_the_role_hides(owner: Actor, trainee: Actor, reader: Actor) -> None:
    start = timezone.now() + timedelta(hours=3)
    values = {"name": "Visit", "starts_at": start, "assignee": trainee.member_id}
    factories.make(owner, "meeting", values | {"guests": [{"type": "member", "id": reader.member_id}]})
    assert reader.member_id is not None
    for hides, told in (({}, 1), ({"meeting": {"guests": "hidden"}}, 0)):
        Role.objects.filter(slug="trainee").update(fields=hides)
        actor = actor_for_member(trainee.tenant, UUID(str(trainee.member_id)))
        assert actor is not None
        assert len(agenda(actor, start - timedelta(days=1), start + timedelta(days=1), [reader.member_id])) == told


def test_why_somebody_sees_it_names_neither_hidden_guests_nor_hidden_links(
    owner: Actor, trainee: Actor, reader: Actor
) -> None:
    company = factories.company(owner, name="Also", owner=trainee.member_id)
    about = {"about": {"type": "deal", "id": factories.deal(owner, owner=trainee.member_id).pk}}
    guests = [{"type": "member", "id": reader.member_id}]
    also = [{"type": "company", "id": company.pk}]
    meeting = factories.make(
        owner,
        "meeting",
        {"name": "Visit", "starts_at": timezone.now(), "assignee": trainee.member_id, "guests": guests, "also": also}
        | about,
    )
    Role.objects.filter(slug="trainee").update(fields={"meeting": {"guests": "hidden", "also": "hidden"}})
    narrow = actor_for_member(trainee.tenant, UUID(str(trainee.member_id)))
    assert narrow is not None
    asked = UUID(str(reader.member_id))
    for one, words in ((owner, "invited"), (narrow, "your role does not show")):
        told = why(one, registry.get("meeting"), meeting.pk, of=asked)
        assert told is not None
        assert words in told.answer.why
