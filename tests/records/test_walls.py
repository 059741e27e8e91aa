"""One wall at a time: what a narrow reader would learn if that one alone were missing. Each was seen red without it."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from crm.records import events, history, reading, writing
from crm.records.drainer import drain
from crm.records.reading import Query
from crm.records.types import registry
from crm.records.why import why
from crm.workspace.models import Member, Role
from crm.workspace.roles import ACTIONS, ACTIVITY_NOUNS
from crm.workspace.selectors import actor_for_member
from tenants.actors import Actor
from tests import factories

DEAL, COMPANY = registry.get("deal"), registry.get("company")
SHARED = ("pipeline", "stage", "lost_reason", "member")


@pytest.fixture
def trainee(seller: Actor) -> Actor:
    """Sees deals, companies and contacts of his own, and no amounts; may do what he likes with these."""
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
    writing.update(owner, DEAL, deal.pk, {"amount": "7777"})
    writing.update(owner, DEAL, deal.pk, {"source": "referral", "name": "Still mine"})
    drain(owner.tenant)
    told = [row for row in events.feed(trainee, limit=500).rows if row["record_id"] == str(deal.pk)]
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
