"""Who did what, and when, as people read it."""

from dataclasses import replace

import pytest

from crm.records.errors import BadCursor, NotFound
from crm.records.events import history
from crm.records.schema.registry import registry
from crm.records.write import gate, undo
from tenants.actors import Actor, Permissions
from tests import factories


def test_a_change_names_fields_choices_and_people(owner: Actor, seller: Actor) -> None:
    record_type = registry.get("company")
    company = factories.company(owner, name="Miller", kind="prospect")
    change = gate.update(owner, record_type, company.pk, {"kind": "customer", "owner": seller.member_id})
    updated, created = history.record_history(owner, record_type, company.pk)
    assert (created.action, updated.action) == ("created", "updated")
    assert updated.actor_label == owner.label
    assert updated.change_set_id == change.change_set.pk
    assert updated.title == "Miller"
    by_slug = {one.slug: one for one in updated.changes}
    assert by_slug.keys() == {"kind", "owner"}
    assert str(by_slug["kind"].after_label) == "Customer"
    assert by_slug["owner"].after == seller.member_id
    assert by_slug["owner"].after_label == seller.label


def test_what_was_undone_says_so(owner: Actor) -> None:
    record_type = registry.get("company")
    company = factories.company(owner, name="Miller")
    change = gate.update(owner, record_type, company.pk, {"name": "Muller"})
    undo.undo(owner, change.change_set.pk)
    back, updated, created = history.record_history(owner, record_type, company.pk)
    assert (back.undone, updated.undone, created.undone) == (False, True, False)
    assert back.undo_of == change.change_set.pk


def test_history_goes_on_by_cursor(owner: Actor) -> None:
    record_type = registry.get("company")
    company = factories.company(owner, name="Name 0")
    for count in range(1, 8):
        gate.update(owner, record_type, company.pk, {"name": f"Name {count}"})
    whole = [entry.id for entry in history.record_history(owner, record_type, company.pk)]
    seen: list[object] = []
    cursor = None
    while page := history.record_history(owner, record_type, company.pk, limit=3, cursor=cursor):
        seen += [entry.id for entry in page]
        cursor = page[-1].cursor
    assert seen == whole
    assert len(whole) == 8
    other = factories.company(owner, name="Other")
    with pytest.raises(BadCursor):
        history.record_history(owner, record_type, other.pk, cursor=cursor)


def test_names_out_of_sight_are_not_told(owner: Actor) -> None:
    record_type = registry.get("deal")
    company = factories.company(owner, name="Secret")
    deal = factories.deal(owner, company=company.pk)
    blind = replace(owner, permissions=Permissions({**owner.permissions.matrix, "company": {}}))
    (entry,) = history.record_history(blind, record_type, deal.pk)
    label = next(one for one in entry.changes if one.slug == "company").after_label
    assert label is None
    assert all(entry.record_type != "company" for entry in history.recent(blind))
    with pytest.raises(NotFound):
        history.record_history(blind, registry.get("company"), company.pk)


def test_recent_shows_the_newest_first(owner: Actor) -> None:
    factories.company(owner, name="First")
    factories.contact(owner, name="Second")
    assert [entry.title for entry in history.recent(owner, limit=2)] == ["Second", "First"]
