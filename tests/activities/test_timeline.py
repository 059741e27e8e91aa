"""One timeline of a record: what happened, notes and tasks."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from crm.activities.models import Place
from crm.activities.page_sections import activity_context
from crm.activities.rules import places_mend
from crm.activities.selectors import Timeline, planned, timeline
from crm.activities.services import activity_done
from crm.records.errors import BadCursor, NotFound
from crm.records.schema.registry import registry
from crm.records.write import gate, undo
from tenants.actors import Actor
from tenants.db.scopes import tenant_scope
from tests import factories
from tests.activities.test_tasks import seeing_own

DEAL = registry.get("deal")


def told(found: Timeline) -> list[str]:
    return [
        item.entry.type if item.entry else item.activity.title or item.activity.text if item.activity else ""
        for item in found.items
    ]


def test_everything_about_a_deal_stands_in_one_order(seller: Actor) -> None:
    began = timezone.now() - timedelta(days=9)

    def on(days: int) -> dict[str, Any]:
        return {"source": "import", "at": began + timedelta(days=days)}

    deal = gate.create(seller, DEAL, {"name": "Attic"}, **on(0)).record
    about = {"type": "deal", "id": deal.pk}
    gate.create(seller, registry.get("note"), {"body": "Likes oak", "about": about}, **on(2))
    gate.update(seller, DEAL, deal.pk, {"amount": "100"}, **on(3))
    task = gate.create(seller, registry.get("task"), {"name": "Measure", "about": about}, **on(1)).record
    assert told(timeline(seller, DEAL, deal.pk)) == ["deal.updated", "Likes oak", "deal.created"]
    assert [one.title for one in planned(seller, "deal", deal.pk)] == ["Measure"]
    activity_done(seller, noun="task", id=task.pk)
    assert told(timeline(seller, DEAL, deal.pk)) == ["Measure", "deal.updated", "Likes oak", "deal.created"]
    assert told(timeline(seller, DEAL, deal.pk, kinds={"note"})) == ["Likes oak"]


def test_a_move_is_told_once(seller: Actor) -> None:
    deal = factories.deal(seller)
    qualified = deal.pipeline.stages.get(name="Qualified")
    gate.update(seller, DEAL, deal.pk, {"stage": qualified.pk})
    assert told(timeline(seller, DEAL, deal.pk)) == ["deal.updated", "deal.created"]


def test_what_was_taken_back_and_done_again_is_told_as_that(seller: Actor) -> None:
    deal = factories.deal(seller)
    made = gate.update(seller, DEAL, deal.pk, {"amount": "100"}).change_set.pk
    for _time in range(3):
        made = undo.undo(seller, made).change_set.pk
    shown = activity_context(seller, DEAL, deal.pk)["items"]
    assert [one.verb for one in shown[:3]] == ["undid a change", "did a change again", "undid a change"]


def test_pages_of_a_timeline_follow_each_other_without_gap_or_repeat(seller: Actor) -> None:
    deal = factories.deal(seller)
    about = {"type": "deal", "id": deal.pk}
    for number in range(4):
        factories.note(seller, body=f"Note {number}", about=about)
        factories.task(seller, name=f"Task {number}", about=about, done=True)
        gate.update(seller, DEAL, deal.pk, {"amount": number + 1})
    whole = timeline(seller, DEAL, deal.pk, limit=50)
    assert (len(whole.items), whole.next_cursor) == (13, None)
    paged, cursor = [], None
    while True:
        page = timeline(seller, DEAL, deal.pk, limit=3, cursor=cursor)
        paged += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [item.id for item in paged] == [item.id for item in whole.items]


def test_a_timeline_of_another_record_does_not_take_the_cursor(seller: Actor) -> None:
    deal, other = factories.deal(seller), factories.deal(seller)
    for number in range(3):
        gate.update(seller, DEAL, deal.pk, {"amount": number + 1})
    cursor = timeline(seller, DEAL, deal.pk, limit=1).next_cursor
    for bad in (cursor, "nonsense"):
        with pytest.raises(BadCursor):
            timeline(seller, DEAL, other.pk, cursor=bad)


def test_an_unseen_record_has_no_timeline(seller: Actor, seller_two: Actor, outsider: Actor) -> None:
    deal = factories.deal(seller)
    for actor in (seeing_own(seller_two, "deal"), outsider):
        with tenant_scope(actor.tenant), pytest.raises(NotFound):
            timeline(actor, DEAL, deal.pk)


def test_what_a_process_of_the_release_before_wrote_is_brought_onto_timelines(seller: Actor) -> None:
    """It writes the activities alone: one more, one done, one on another record, one in the trash."""
    deals = [factories.deal(seller, name=name) for name in ("Attic", "Cellar")]
    about = [{"type": "deal", "id": deal.pk} for deal in deals]
    names = ("New", "Done", "Moved", "Gone", "Kept")
    made = {
        name: factories.task(seller, name=name, about=about[0], also=about[1:] if name == "Kept" else []).pk
        for name in names
    }
    rows = registry.get("task").rows
    now = timezone.now()
    Place.objects.filter(activity_id=made["New"]).delete()
    rows.filter(pk=made["Done"]).update(done=True, done_at=now)
    rows.filter(pk=made["Moved"]).update(about_id=deals[1].pk)
    rows.filter(pk=made["Gone"]).update(deleted_at=now)
    call_command("places_mend")
    here, there = ({one.title for one in planned(seller, "deal", deal.pk)} for deal in deals)
    assert (here, there) == ({"New", "Kept"}, {"Moved", "Kept"})
    assert told(timeline(seller, DEAL, deals[0].pk)) == ["Done", "deal.created"]
    assert places_mend() == 0
