"""The feed tells everything that happened, in order, and only what the reader may see now."""

from dataclasses import replace
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction

from crm.records.events import dispatch, feed
from crm.records.models import ChangeSet, Event
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate
from tenants.actors import Actor, Permissions, Scope
from tests import factories


def record_type(slug: str) -> RecordType:
    return registry.get(slug)


@pytest.fixture
def start(owner: Actor) -> int:
    dispatch.drain(owner.tenant)
    return feed.feed(owner, 0, 500).position


def test_the_feed_goes_on_where_it_stopped_and_skips_nothing(owner: Actor, start: int) -> None:
    for number in range(7):
        factories.company(owner, name=f"Company {number}")
    dispatch.drain(owner.tenant)

    seen, position = [], start
    while True:
        page = feed.feed(owner, position, 3)
        if not page.rows:
            break
        seen += [row["after"]["name"] for row in page.rows]
        position = page.position
    assert seen == [f"Company {number}" for number in range(7)]
    first = feed.feed(owner, start, 1).rows[0]
    assert (first["type"], first["actor"]["member"], first["request_id"], first["position"]) == (
        "company.created",
        str(owner.member_id),
        "test-request",
        start + 1,
    )


def test_what_was_not_drained_is_not_in_the_feed_yet(owner: Actor, start: int) -> None:
    factories.company(owner)
    assert feed.feed(owner, start, 10).rows == []


def test_events_of_what_the_reader_may_not_see_now_are_left_out(seller: Actor, seller_two: Actor, start: int) -> None:
    narrow = replace(seller, permissions=Permissions({"deal": {"view": Scope.OWN}}))
    mine, theirs = factories.deal(seller, name="Mine"), factories.deal(seller_two, name="Theirs")
    factories.company(seller)
    dispatch.drain(seller.tenant)

    page = feed.feed(narrow, start, 50)
    assert [row["after"]["name"] for row in page.rows] == ["Mine"]
    assert page.position == feed.feed(seller, start, 50).position

    gate.update(seller_two, record_type("deal"), theirs.pk, {"owner": seller.member_id})
    gate.update(seller, record_type("deal"), mine.pk, {"owner": seller_two.member_id})
    assert {row["record_id"] for row in feed.feed(narrow, start, 50).rows} == {str(theirs.pk)}


def test_members_events_are_for_those_who_may_see_members(owner: Actor, start: int) -> None:
    with transaction.atomic():
        note = feed.note(owner, type="member.updated", record_type="member", record_id=uuid4(), after={"role": "admin"})
    dispatch.drain(owner.tenant)
    blind = replace(owner, permissions=Permissions({"company": {"view": Scope.ALL}}))

    assert [row["id"] for row in feed.feed(owner, start, 50).rows] == [str(note.pk)]
    assert feed.feed(blind, start, 50).rows == []


def test_trashed_records_stay_in_the_feed(owner: Actor, start: int) -> None:
    company = factories.company(owner)
    gate.trash(owner, record_type("company"), company.pk)
    dispatch.drain(owner.tenant)
    assert [row["type"] for row in feed.feed(owner, start, 50).rows] == ["company.created", "company.trashed"]


@pytest.mark.parametrize(
    "tamper",
    [
        lambda: Event.objects.update(type="company.forged"),
        lambda: Event.objects.all()._raw_delete(using="default"),
        lambda: ChangeSet.objects.update(actor_label="Somebody else"),
        lambda: ChangeSet.objects.all()._raw_delete(using="default"),
    ],
)
def test_a_workspace_cannot_rewrite_what_happened(owner: Actor, tamper) -> None:
    factories.company(owner)
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        tamper()
