"""A change is taken back whole, or it is said field by field why not."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.people.models import Company, Contact
from crm.records.errors import NotFound, UndoConflict
from crm.records.models import ChangeSet
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.undo import last_own, undo
from crm.sales.models import Deal, Stage
from tenants.actors import Actor, Permissions, Scope
from tests import factories
from tests.depth import examples


def record_type(slug: str) -> RecordType:
    return registry.get(slug)


def state(*models: Any) -> dict[Any, dict[str, Any]]:
    """All columns that people see of all live rows; LINKS too."""
    kept = {}
    for model in models:
        for row in model.objects.filter(deleted_at=None).values():
            for moving in ("version", "updated_at"):
                del row[moving]
            kept[row["id"]] = row
    for through in ("people.ContactCompany", "sales.DealContact"):
        for row in apps.get_model(through).objects.values():
            del row["id"]
            kept[tuple(row.values())] = row
    return kept


def test_undo_of_an_update_restores_every_field_and_is_a_change_of_its_own(seller: Actor) -> None:
    other = factories.company(seller, name="Other")
    contact = factories.contact(seller, phones=["030 901820"], companies=[{"id": other.pk, "role": "buyer"}])
    before = state(Contact, Company)
    change = gate.update(
        seller,
        record_type("contact"),
        contact.pk,
        {"phones": [], "emails": ["ada@example.com"], "companies": [], "birthday": "1985-12-10", "company": other.pk},
    )
    assert state(Contact, Company) != before

    back = undo(seller, change.change_set.pk)

    assert state(Contact, Company) == before
    kept = ChangeSet.objects.get(pk=back.change_set.pk)
    assert (kept.undo_of_id, kept.member_id) == (change.change_set.pk, seller.member_id)
    assert [event.type for event in back.events] == ["contact.updated"]
    assert Contact.objects.get().version == 3


def test_undo_of_an_undo_does_it_again(seller: Actor) -> None:
    company = factories.company(seller, name="Acme")
    change = gate.update(seller, record_type("company"), company.pk, {"name": "Acme Ltd", "industry": "Glass"})
    after = state(Company)

    first = undo(seller, change.change_set.pk)
    undo(seller, first.change_set.pk)

    assert state(Company) == after
    with pytest.raises(UndoConflict, match="already"):
        undo(seller, change.change_set.pk)
    with pytest.raises(UndoConflict, match="already"):
        undo(seller, first.change_set.pk)


def test_undo_of_a_new_record_puts_it_into_the_trash_and_back(seller: Actor) -> None:
    change = gate.create(seller, record_type("deal"), {"name": "Windows", "amount": "12.50", "currency": "EUR"})
    back = undo(seller, change.change_set.pk)
    assert Deal.objects.get().deleted_at is not None
    undo(seller, back.change_set.pk)
    assert Deal.objects.get().deleted_at is None


def test_undo_of_a_trash_restores(seller: Actor) -> None:
    deal = factories.deal(seller)
    change = gate.trash(seller, record_type("deal"), deal.pk)
    undo(seller, change.change_set.pk)
    deal.refresh_from_db()
    assert deal.deleted_at is None


def test_a_stage_move_goes_back_with_its_time(seller: Actor) -> None:
    deal = factories.deal(seller, amount="10", currency="EUR")
    other = Stage.objects.exclude(pk=deal.stage_id).filter(kind="open")[0]
    before = state(Deal)
    change = gate.update(seller, record_type("deal"), deal.pk, {"stage": other.pk})
    assert {event.type for event in change.events} == {"deal.updated", "deal.stage_changed"}

    back = undo(seller, change.change_set.pk)

    assert state(Deal) == before
    assert "deal.stage_changed" in {event.type for event in back.events}


def test_what_changed_since_is_listed_field_by_field_and_nothing_is_half_done(seller: Actor) -> None:
    one, two = factories.company(seller, name="One"), factories.company(seller, name="Two")
    change = gate.update(seller, record_type("company"), [one.pk, two.pk], {"industry": "Glass", "size": "1-10"})
    gate.update(seller, record_type("company"), two.pk, {"industry": "Steel"})
    before = state(Company)

    with pytest.raises(UndoConflict) as error:
        undo(seller, change.change_set.pk)

    assert [(one_.record_id, one_.field, one_.code, one_.expected, one_.found) for one_ in error.value.conflicts] == [
        (two.pk, "industry", "changed_since", "Glass", "Steel")
    ]
    assert error.value.conflicts[0].title == "Two"
    assert state(Company) == before


def test_a_new_record_that_somebody_worked_on_is_not_thrown_away(seller: Actor) -> None:
    change = gate.create(seller, record_type("company"), {"name": "Acme"})
    gate.update(seller, record_type("company"), change.id, {"description": "Two hours of notes"})

    with pytest.raises(UndoConflict) as error:
        undo(seller, change.change_set.pk)
    assert [(one.field, one.code) for one in error.value.conflicts] == [("description", "changed_since")]
    assert Company.objects.get().deleted_at is None


def test_a_record_trashed_or_restored_since_is_a_conflict(seller: Actor) -> None:
    company = factories.company(seller)
    changed = gate.update(seller, record_type("company"), company.pk, {"industry": "Glass"})
    trashed = gate.trash(seller, record_type("company"), company.pk)
    with pytest.raises(UndoConflict) as error:
        undo(seller, changed.change_set.pk)
    assert [one.code for one in error.value.conflicts] == ["trashed_since"]

    gate.restore(seller, record_type("company"), company.pk)
    with pytest.raises(UndoConflict) as error:
        undo(seller, trashed.change_set.pk)
    assert [one.code for one in error.value.conflicts] == ["restored_since"]


def test_a_former_value_that_lies_in_the_trash_is_a_conflict_of_that_field(seller: Actor) -> None:
    old = factories.company(seller)
    deal = factories.deal(seller, company=old.pk)
    change = gate.update(seller, record_type("deal"), deal.pk, {"company": None, "name": "Doors"})
    gate.trash(seller, record_type("company"), old.pk)

    with pytest.raises(UndoConflict) as error:
        undo(seller, change.change_set.pk)
    assert [(one.field, one.code) for one in error.value.conflicts] == [("company", "not_found")]
    deal.refresh_from_db()
    assert deal.name == "Doors"
    assert not ChangeSet.objects.filter(undo_of=change.change_set.pk).exists()


def test_undo_needs_the_permission_of_the_way_back(seller: Actor, seller_two: Actor, outsider: Actor) -> None:
    deal = factories.deal(seller)
    change = gate.update(seller, record_type("deal"), deal.pk, {"name": "Doors"})

    with pytest.raises(UndoConflict) as error:
        undo(seller_two, change.change_set.pk)
    assert [one.code for one in error.value.conflicts] == ["forbidden"]
    blind = replace(seller, permissions=Permissions({"deal": {"view": Scope.NONE, "edit": Scope.ALL}}))
    for actor, change_set in ((blind, change.change_set.pk), (seller, uuid4()), (seller, "nonsense")):
        with pytest.raises(NotFound):
            undo(actor, change_set)
    deal.refresh_from_db()
    assert deal.name == "Doors"


def test_a_change_of_several_records_goes_back_as_one(seller: Actor) -> None:
    before = state(Company, Contact, Deal)
    together = gate.change_set_new(seller, "ui")
    company = gate.create(seller, record_type("company"), {"name": "Acme"}, change_set=together).record
    contact = gate.create(
        seller, record_type("contact"), {"name": "Ada", "company": company.pk}, change_set=together
    ).record
    gate.update(seller, record_type("contact"), contact.pk, {"job": "Head"}, change_set=together)
    gate.create(seller, record_type("deal"), {"name": "Deal", "contacts": [contact.pk]}, change_set=together)

    back = undo(seller, together.pk)

    left = state(Company, Contact, Deal)
    assert {key: row for key, row in left.items() if isinstance(key, UUID)} == before
    assert {event.type for event in back.events} == {"company.trashed", "contact.trashed", "deal.trashed"}
    undo(seller, back.change_set.pk)
    assert Contact.objects.get().job == "Head"


def test_the_way_back_is_gone_in_reverse(seller: Actor) -> None:
    company = factories.company(seller)
    deal = factories.deal(seller, company=company.pk)
    together = gate.change_set_new(seller, "ui")
    gate.update(seller, record_type("deal"), deal.pk, {"company": None}, change_set=together)
    gate.trash(seller, record_type("company"), company.pk, change_set=together)

    undo(seller, together.pk)

    deal.refresh_from_db()
    company.refresh_from_db()
    assert (deal.company_id, company.deleted_at) == (company.pk, None)


def test_the_last_change_of_ones_own_is_found_until_it_is_undone(seller: Actor, seller_two: Actor) -> None:
    first = gate.create(seller, record_type("company"), {"name": "One"})
    second = gate.create(seller, record_type("company"), {"name": "Two"})
    gate.create(seller_two, record_type("company"), {"name": "Three"})

    assert last_own(seller) == second.change_set.pk
    undo(seller, second.change_set.pk)
    assert last_own(seller) == first.change_set.pk


texts = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=12).map(
    lambda text: f"N{text}"
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("create"), texts, st.sampled_from(["", "Glass"])),
        st.tuples(
            st.just("update"),
            st.integers(0, 5),
            st.fixed_dictionaries(
                {},
                optional={
                    "name": texts,
                    "emails": st.lists(st.sampled_from(["a@example.com", "b@example.com"]), max_size=2),
                    "phones": st.lists(st.sampled_from(["030 901820", "112", "+1 212 555 0100"]), max_size=2),
                    "birthday": st.one_of(st.none(), st.dates(max_value=date(2020, 1, 1))).map(
                        lambda day: day if day is None or day.year >= 1000 else None
                    ),
                    "companies": st.lists(st.integers(0, 1), max_size=2, unique=True),
                },
            ),
        ),
        st.tuples(st.just("trash"), st.integers(0, 5)),
        st.tuples(st.just("restore"), st.integers(0, 5)),
    ),
    max_size=8,
)


@pytest.mark.slow("plays dozens of changes and takes each back")
@settings(max_examples=examples(12))
@given(plan=steps)
def test_undone_in_reverse_everything_is_as_it_was(owner: Actor, plan: list[tuple[Any, ...]]) -> None:
    companies = [factories.company(owner, name=name).pk for name in ("One", "Two")]
    contacts = [factories.contact(owner, name="Ada Byron").pk]
    contact, start = record_type("contact"), state(Contact, Company)
    done: list[UUID] = []

    def note(change: gate.Change) -> None:
        if change.events:
            done.append(change.change_set.pk)

    for kind, *details in plan:
        if kind == "create":
            change = gate.create(owner, contact, {"name": details[0], "job": details[1]})
            contacts.append(change.id)
            note(change)
            continue
        target = contacts[details[0] % len(contacts)]
        trashed = Contact.objects.get(pk=target).deleted_at is not None
        if kind == "trash":
            note(gate.trash(owner, contact, target))
        elif kind == "restore":
            note(gate.restore(owner, contact, target))
        elif not trashed:
            values = dict(details[1])
            if "companies" in values:
                values["companies"] = [{"id": companies[one], "role": "x"} for one in values["companies"]]
            note(gate.update(owner, contact, target, values))

    for change_set in reversed(done):
        undo(owner, change_set)

    rows, links = state(Contact, Company), {key for key in state(Contact) if isinstance(key, tuple)}
    assert {key: row for key, row in rows.items() if isinstance(key, UUID)} == start
    assert not {key for key in links if contacts[0] in key}


def test_how_many_hidden_fields_changed_since_is_not_told(owner: Actor, seller: Actor) -> None:
    change = gate.create(seller, registry.get("deal"), {"name": "Windows", "owner": seller.member_id})
    gate.update(owner, registry.get("deal"), change.record.pk, {"amount": "7", "expected_close": "2027-01-01"})
    fields = {"deal": {"amount": "hidden", "expected_close": "hidden"}}
    narrow = replace(seller, permissions=replace(seller.permissions, fields=fields))
    with pytest.raises(UndoConflict) as refused:
        undo(narrow, change.change_set.pk)
    assert [one.field for one in refused.value.conflicts] == [""]
