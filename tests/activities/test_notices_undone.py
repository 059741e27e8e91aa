"""What was told of a change goes when the change is undone, from the inbox and from mails that wait."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from crm.activities.services import meeting_reply
from crm.records.events.dispatch import drain
from crm.records.schema.registry import registry
from crm.records.write import gate, undo
from crm.workspace.models import NotificationMail
from crm.workspace.notifications.mailing import claimed
from crm.workspace.notifications.selectors import notifications_of, unread_count
from tenants.actors import Actor
from tests import factories

MEETING, TASK = registry.get("meeting"), registry.get("task")


def titles(actor: Actor) -> list[str]:
    drain(actor.tenant)
    return list(notifications_of(actor).order_by("created_at").values_list("title", flat=True))


def inbox(actor: Actor) -> set[UUID]:
    drain(actor.tenant)
    return set(notifications_of(actor).values_list("id", flat=True))


def invite(by: Actor, guest: Actor) -> UUID:
    start = timezone.now() + timedelta(days=2)
    guests = [{"type": "member", "id": str(guest.member_id)}]
    return gate.create(by, MEETING, {"name": "Offer", "starts_at": start, "guests": guests}).id


def given(owner: Actor, seller: Actor) -> Any:
    return gate.update(owner, TASK, factories.task(owner).pk, {"assignee": seller.member_id})


def mentioned(owner: Actor, seller: Actor) -> Any:
    text = f"Ask @[Seller](member:{seller.member_id})"
    return gate.update(owner, TASK, factories.task(owner).pk, {"description": text})


def moved(owner: Actor, seller: Actor) -> Any:
    meeting = invite(owner, seller)
    drain(owner.tenant)
    notifications_of(seller).delete()
    return gate.update(owner, MEETING, meeting, {"starts_at": timezone.now() + timedelta(days=3)})


def added(owner: Actor, seller: Actor) -> Any:
    meeting = gate.create(owner, MEETING, {"name": "Offer", "starts_at": timezone.now() + timedelta(days=2)}).id
    guests = [{"type": "member", "id": str(seller.member_id)}]
    return gate.update(owner, MEETING, meeting, {"guests": guests})


def replied(owner: Actor, seller: Actor) -> Any:
    return meeting_reply(owner, id=invite(seller, owner), reply="declined")


def called_off(owner: Actor, seller: Actor) -> Any:
    meeting = invite(owner, seller)
    drain(owner.tenant)
    notifications_of(seller).delete()
    return gate.trash(owner, MEETING, meeting)


@pytest.mark.parametrize("act", [given, mentioned, moved, added, replied, called_off])
def test_a_notice_goes_with_its_change_and_comes_back_with_it(owner: Actor, seller: Actor, act: Any) -> None:
    change = act(owner, seller)
    (said,) = inbox(seller)
    undone = undo.undo(owner, change.change_set.pk)
    assert said not in inbox(seller)
    again = undo.undo(owner, undone.change_set.pk)
    assert said in inbox(seller)
    undo.undo(owner, again.change_set.pk)
    assert said not in inbox(seller)


@pytest.mark.parametrize("act", [given, mentioned, added, replied])
def test_what_is_undone_before_it_was_told_is_not_told(owner: Actor, seller: Actor, act: Any) -> None:
    change = act(owner, seller)
    undo.undo(owner, change.change_set.pk)
    assert titles(seller) == []
    assert unread_count(seller) == 0


def test_who_is_mentioned_again_after_an_undo_is_told_again(owner: Actor, seller: Actor) -> None:
    change = mentioned(owner, seller)
    assert len(titles(seller)) == 1
    undo.undo(owner, change.change_set.pk)
    gate.update(owner, TASK, change.id, {"description": f"Now @[Seller](member:{seller.member_id})"})
    assert len(titles(seller)) == 1


def test_a_mail_that_waits_does_not_tell_of_what_was_undone(owner: Actor, seller: Actor) -> None:
    change = added(owner, seller)
    assert len(titles(seller)) == 1
    mail = NotificationMail.objects.get(member_id=seller.member_id)  # type: ignore[misc]
    undo.undo(owner, change.change_set.pk)
    assert claimed(seller.tenant, mail) is None


def test_who_has_a_record_back_by_an_undo_is_not_told_that_it_was_made_his(owner: Actor, seller: Actor) -> None:
    task = factories.task(owner, assignee=seller.member_id)
    assert len(titles(seller)) == 1
    change = gate.update(owner, TASK, task.pk, {"assignee": owner.member_id})
    undo.undo(owner, change.change_set.pk)
    assert len(titles(seller)) == 1
