"""The write gate: who may write what, what is refused, and what is kept of it."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.people.models import Company, Contact, ContactCompany
from crm.records.errors import Forbidden, Invalid, MissingScope, NotFound, VersionConflict
from crm.records.models import ChangeSet, Event
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.undo import undo
from crm.sales.models import Deal
from tenants.actors import Actor, ActorKind, Permissions, Scope, TenantRef
from tenants.db.scopes import tenant_scope
from tenants.workspaces.entitlements import WorkspaceClosed
from tests import factories


def record_type(slug: str) -> RecordType:
    return registry.get(slug)


def narrowed(actor: Actor, **scopes: dict[str, str]) -> Actor:
    """The same person with another matrix: noun → action → scope."""
    matrix = {noun: {action: Scope[name.upper()] for action, name in row.items()} for noun, row in scopes.items()}
    return replace(actor, permissions=Permissions({**actor.permissions.matrix, **matrix}))


def refused(error: pytest.ExceptionInfo[Invalid]) -> set[tuple[int, str, str]]:
    return {(one.index, one.field, one.code) for one in error.value.errors}


def test_a_new_company_is_kept_with_its_owner_and_its_event(seller: Actor) -> None:
    change = gate.create(seller, record_type("company"), {"name": "  Müller & Söhne ", "phones": ["030 901820"]})

    company = Company.objects.get()
    assert (company.name, company.owner_id, company.created_by_id) == (
        "Müller & Söhne",
        seller.member_id,
        seller.member_id,
    )
    assert (company.version, company.deleted_at, company.is_sample) == (1, None, False)
    assert company.sort_name == "muller & sohne"
    assert "muller" in company.search_text
    (event,) = Event.objects.filter(record_id=company.pk)
    assert (event.type, event.before, event.position) == ("company.created", {}, None)
    assert event.after["name"] == "Müller & Söhne"
    assert event.after["owner"] == str(seller.member_id)
    assert "industry" not in event.after
    assert event.change_set_id == change.change_set.pk
    kept = ChangeSet.objects.get(pk=change.change_set.pk)
    assert (kept.actor_kind, kept.member_id, kept.source, kept.request_id) == (
        ActorKind.MEMBER,
        seller.member_id,
        "ui",
        "test-request",
    )


def test_the_event_of_an_update_holds_changed_fields_only(seller: Actor) -> None:
    company = factories.company(seller, name="Acme", industry="Glass")

    change = gate.update(seller, record_type("company"), company.pk, {"name": "Acme", "industry": "Steel"})

    assert [(event.type, event.before, event.after) for event in change.events] == [
        ("company.updated", {"industry": "Glass"}, {"industry": "Steel"})
    ]
    company.refresh_from_db()
    assert (company.industry, company.version) == ("Steel", 2)


def test_an_update_that_changes_nothing_writes_nothing(seller: Actor) -> None:
    deal = factories.deal(seller, amount="10.00", currency="EUR")
    before = (deal.version, Event.objects.count(), ChangeSet.objects.count())

    change = gate.update(seller, record_type("deal"), deal.pk, {"name": deal.name, "amount": "10", "owner": "me"})

    deal.refresh_from_db()
    assert (deal.version, Event.objects.count(), ChangeSet.objects.count()) == before
    assert (change.events, change.record.pk) == ([], deal.pk)


def test_all_that_is_wrong_is_told_at_once(seller: Actor) -> None:
    with pytest.raises(Invalid) as error:
        gate.create_many(
            seller,
            record_type("deal"),
            [
                {"name": "Good"},
                {"amount": "much", "currency": "EURO", "stge": 1, "version": 7, "probability": 101},
                {"name": "x" * 201, "owner": str(uuid4()), "company": "not-an-id"},
            ],
        )

    assert refused(error) >= {
        (1, "name", "required"),
        (1, "amount", "invalid"),
        (1, "currency", "unknown_choice"),
        (1, "stge", "unknown_field"),
        (1, "version", "read_only"),
        (1, "probability", "too_large"),
        (2, "name", "too_long"),
        (2, "owner", "not_found"),
        (2, "company", "invalid"),
    }
    assert "“stage”" in next(str(one.message) for one in error.value.errors if one.field == "stge")
    assert not any(one.index == 0 for one in error.value.errors)
    assert not Deal.objects.exists()
    assert not Event.objects.filter(record_type="deal").exists()


def test_a_required_field_can_be_filled_by_a_rule_but_not_emptied(seller: Actor) -> None:
    contact = gate.create(seller, record_type("contact"), {"first_name": "Ada", "last_name": "Byron"}).record
    assert contact.name == "Ada Byron"

    with pytest.raises(Invalid) as error:
        gate.update(seller, record_type("company"), factories.company(seller).pk, {"name": " "})
    assert refused(error) == {(0, "name", "required")}


def test_references_must_be_there_seen_and_out_of_the_trash(
    seller: Actor, seller_two: Actor, outsider: Actor, tenant_b: TenantRef
) -> None:
    trashed = factories.company(seller)
    gate.trash(seller, record_type("company"), trashed.pk)
    hidden = factories.company(seller_two)
    foreign = factories.company(outsider)
    narrow = narrowed(seller, company={"view": "own"})

    for wrong in (trashed.pk, foreign.pk, uuid4()):
        with pytest.raises(Invalid) as error:
            gate.create(seller, record_type("deal"), {"name": "Windows", "company": wrong})
        assert refused(error) == {(0, "company", "not_found")}
    with pytest.raises(Invalid):
        gate.create(narrow, record_type("deal"), {"name": "Windows", "company": hidden.pk})
    with pytest.raises(Invalid) as error:
        gate.create(seller, record_type("task"), {"name": "Call", "about": {"type": "company", "id": str(foreign.pk)}})
    assert refused(error) == {(0, "about", "not_found")}
    assert (
        gate.create(seller, record_type("deal"), {"name": "Windows", "company": hidden.pk}).record.company_id
        == hidden.pk
    )


def test_an_unchanged_reference_into_the_trash_does_not_block_other_fields(seller: Actor) -> None:
    company = factories.company(seller)
    deal = factories.deal(seller, company=company.pk)
    gate.trash(seller, record_type("company"), company.pk)

    gate.update(seller, record_type("deal"), deal.pk, {"name": "Thirteen windows", "company": str(company.pk)})

    deal.refresh_from_db()
    assert (deal.name, deal.company_id) == ("Thirteen windows", company.pk)


def test_a_member_edits_his_own_deals_only(seller: Actor, seller_two: Actor, reader: Actor) -> None:
    mine, theirs = factories.deal(seller), factories.deal(seller_two)

    gate.update(seller, record_type("deal"), mine.pk, {"name": "Mine"})
    with pytest.raises(Forbidden):
        gate.update(seller, record_type("deal"), [mine.pk, theirs.pk], {"name": "Both"})
    with pytest.raises(Forbidden):
        gate.trash(seller, record_type("deal"), theirs.pk)
    with pytest.raises(Forbidden):
        gate.update(reader, record_type("deal"), mine.pk, {"name": "Read"})
    with pytest.raises(Forbidden):
        gate.create(reader, record_type("deal"), {"name": "Read"})
    assert set(Deal.objects.values_list("name", flat=True)) == {"Mine", theirs.name}


def test_who_may_create_only_his_own_becomes_the_owner(seller: Actor, seller_two: Actor) -> None:
    own = narrowed(seller, company={"view": "all", "create": "own"})

    assert gate.create(own, record_type("company"), {"name": "Mine"}).record.owner_id == seller.member_id
    with pytest.raises(Invalid) as error:
        gate.create(own, record_type("company"), {"name": "Theirs", "owner": seller_two.member_id})
    assert refused(error) == {(0, "owner", "not_allowed")}


def test_what_cannot_be_seen_is_not_found_even_to_write(seller: Actor, seller_two: Actor, outsider: Actor) -> None:
    hidden, foreign = factories.deal(seller_two), factories.deal(outsider)
    narrow = narrowed(seller, deal={"view": "own", "edit": "all", "delete": "all"})
    blind = narrowed(seller, deal={})

    for actor, record in ((narrow, hidden), (seller, foreign), (blind, hidden)):
        for write in (
            lambda who, what: gate.update(who, record_type("deal"), what.pk, {"name": "Taken"}),
            lambda who, what: gate.trash(who, record_type("deal"), what.pk),
        ):
            with pytest.raises(NotFound):
                write(actor, record)
    hidden.refresh_from_db()
    assert (hidden.name, hidden.deleted_at) == ("Twelve windows", None)


def test_an_api_key_writes_no_further_than_its_scopes(seller: Actor) -> None:
    company = factories.company(seller)
    key = replace(seller, kind=ActorKind.API_KEY, scopes=frozenset({"company:read", "deal:write", "deal:read"}))

    gate.create(key, record_type("deal"), {"name": "By key", "company": company.pk})
    with pytest.raises(MissingScope):
        gate.update(key, record_type("company"), company.pk, {"name": "By key"})
    blind = replace(key, scopes=frozenset({"deal:write"}))
    with pytest.raises(MissingScope):
        gate.create(blind, record_type("deal"), {"name": "By key", "company": company.pk})


def test_a_read_only_workspace_takes_no_writes(owner: Actor) -> None:
    frozen = replace(owner, tenant=replace(owner.tenant, state="read_only"))
    with pytest.raises(WorkspaceClosed):
        gate.create(frozen, record_type("company"), {"name": "Late"})


def test_an_old_version_is_refused_and_all_of_a_batch_with_it(owner: Actor) -> None:
    one, two = factories.company(owner), factories.company(owner)
    gate.update(owner, record_type("company"), one.pk, {"industry": "Glass"}, if_version=1)

    with pytest.raises(VersionConflict):
        gate.update(owner, record_type("company"), [two.pk, one.pk], {"industry": "Steel"}, if_version=1)
    with pytest.raises(VersionConflict):
        gate.trash(owner, record_type("company"), one.pk, if_version=1)
    two.refresh_from_db()
    assert (two.industry, two.version) == ("", 1)


def test_two_people_may_change_different_fields(owner: Actor) -> None:
    deal = factories.deal(owner, name="Oak", amount="100.00", currency="EUR", source="website")
    gate.update(owner, record_type("deal"), deal.pk, {"amount": "200", "currency": "USD"})
    gate.update(owner, record_type("deal"), deal.pk, {"source": "event"})

    whole_form = {"name": "Elm", "amount": "100", "currency": "EUR", "source": "website"}
    gate.update(owner, record_type("deal"), deal.pk, whole_form, seen_version=1)
    deal.refresh_from_db()
    assert (deal.name, deal.amount, deal.currency, deal.source) == ("Elm", 200, "USD", "event")


def test_two_people_changing_one_field_are_told(owner: Actor) -> None:
    deal = factories.deal(owner, name="Oak", amount="100", currency="EUR", source="website")
    gate.update(owner, record_type("deal"), deal.pk, {"currency": "USD", "source": "event"})
    with pytest.raises(VersionConflict) as error:
        gate.update(
            owner,
            record_type("deal"),
            deal.pk,
            {"amount": "300", "currency": "EUR", "source": "website"},
            seen_version=1,
        )
    assert error.value.fields == ["amount", "currency"], "300 was meant in euros"
    assert error.value.kept == ["source"]
    assert error.value.by == owner.label or owner.email
    for wrong in (0, 7, 99_999):
        with pytest.raises(VersionConflict):
            gate.update(owner, record_type("deal"), deal.pk, {"name": "Ash"}, seen_version=wrong)
    deal.refresh_from_db()
    assert (deal.name, deal.amount, deal.currency, deal.version) == ("Oak", 100, "USD", 2)


def test_a_field_changed_and_changed_back_is_no_conflict(owner: Actor) -> None:
    company = factories.company(owner, name="Oak")
    for name in ("Elm", "Oak"):
        gate.update(owner, record_type("company"), company.pk, {"name": name})
    gate.trash(owner, record_type("company"), company.pk)
    gate.restore(owner, record_type("company"), company.pk)
    gate.update(owner, record_type("company"), company.pk, {"name": "Ash"}, seen_version=1)
    company.refresh_from_db()
    assert (company.name, company.version) == ("Ash", 6)


def test_one_bad_id_in_a_batch_leaves_all_as_they_were(owner: Actor) -> None:
    company = factories.company(owner)
    for bad in (uuid4(), "nonsense", "\x00"):
        with pytest.raises(NotFound):
            gate.update(owner, record_type("company"), [company.pk, bad], {"industry": "Steel"})
    company.refresh_from_db()
    assert company.version == 1


def test_trash_keeps_what_points_to_it_and_restore_brings_it_back(owner: Actor) -> None:
    company = factories.company(owner, name="Acme")
    contact = factories.contact(owner, company=company.pk)

    change = gate.trash(owner, record_type("company"), company.pk)

    company.refresh_from_db()
    contact.refresh_from_db()
    assert company.deleted_at is not None
    assert (contact.deleted_at, contact.company_id) == (None, company.pk)
    assert (change.events[0].type, change.events[0].before["name"], change.events[0].after) == (
        "company.trashed",
        "Acme",
        {},
    )
    with pytest.raises(NotFound):
        gate.update(owner, record_type("company"), company.pk, {"name": "Gone"})
    assert gate.trash(owner, record_type("company"), company.pk).events == []

    change = gate.restore(owner, record_type("company"), company.pk)
    company.refresh_from_db()
    assert (company.deleted_at, company.version, change.events[0].type) == (None, 3, "company.restored")


def test_links_are_brought_to_what_is_given(owner: Actor) -> None:
    one, two, three = (factories.company(owner, name=name) for name in ("One", "Two", "Three"))
    contact = factories.contact(owner, companies=[{"id": one.pk, "role": "buyer"}, str(two.pk)])
    kept = ContactCompany.objects.get(company=one)

    change = gate.update(
        owner,
        record_type("contact"),
        contact.pk,
        {"companies": [{"id": str(one.pk), "role": "boss"}, {"id": three.pk}]},
    )

    assert set(ContactCompany.objects.values_list("company__name", "role")) == {("One", "boss"), ("Three", "")}
    assert ContactCompany.objects.get(company=one).pk == kept.pk
    assert [link["role"] for link in change.events[0].after["companies"]].count("boss") == 1
    assert (
        gate.update(
            owner, record_type("contact"), contact.pk, {"companies": [three.pk, {"id": one.pk, "role": "boss"}]}
        ).events
        == []
    )


def test_emails_and_phones_get_keys_that_are_found_however_they_are_written(owner: Actor) -> None:
    contact = factories.contact(
        owner, emails=["Ada@Example.COM", {"value": "ada@example.com", "label": "again"}], phones="+49 30 901820"
    )

    contact.refresh_from_db()
    assert contact.emails == [{"value": "Ada@Example.COM", "label": ""}]
    assert contact.emails_keys == ["ada@example.com"]
    assert contact.phones_keys == ["+4930901820"]
    assert "ada@example.com" in contact.search_text
    assert "4930901820" in contact.search_text


def test_a_batch_takes_the_same_value_and_different_ones(owner: Actor) -> None:
    companies = [factories.company(owner, name=f"C{number}") for number in range(3)]
    ids = [company.pk for company in companies]

    gate.update(owner, record_type("company"), ids, {"industry": "Glass"})
    assert set(Company.objects.values_list("industry", "version")) == {("Glass", 2)}
    gate.update_many(owner, record_type("company"), {id_: {"name": f"D{number}"} for number, id_ in enumerate(ids)})
    assert list(Company.objects.order_by("name").values_list("name", "sort_name", "version")) == [
        (f"D{number}", f"d{number}", 3) for number in range(3)
    ]


def test_samples_and_imports_can_be_dated_and_others_not(owner: Actor) -> None:
    then = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
    sample = gate.create(owner, record_type("company"), {"name": "Old"}, source="sample", at=then)
    hand = gate.create(owner, record_type("company"), {"name": "New"}, source="ui", at=then)

    assert (sample.record.created_at, sample.events[0].at, sample.record.is_sample) == (then, then, True)
    assert sample.change_set.at == then
    assert hand.record.created_at != then
    assert not hand.record.is_sample


def test_several_writes_can_be_one_change(owner: Actor) -> None:
    together = gate.change_set_new(owner, "ui")
    company = gate.create(owner, record_type("company"), {"name": "Acme"}, change_set=together)
    gate.create(owner, record_type("deal"), {"name": "Deal", "company": company.id}, change_set=together)

    assert ChangeSet.objects.get(pk=together.pk).events.count() == 2


def test_a_hostile_value_is_told_and_never_stored(owner: Actor) -> None:
    for value in ("a\x00b", "\ud800", {"a": 1}, ["x"], 7, "\x1b[31m"):
        with pytest.raises(Invalid) as error:
            gate.create(owner, record_type("company"), {"name": value})
        assert refused(error) == {(0, "name", "invalid")}
    kept = gate.create(owner, record_type("company"), {"name": "שלום 🏗️ 'x'; DROP TABLE people_company"}).record
    assert Company.objects.get(pk=kept.pk).name == "שלום 🏗️ 'x'; DROP TABLE people_company"


def test_a_record_of_one_workspace_is_never_written_in_another(
    owner: Actor, tenant_b: TenantRef, outsider: Actor
) -> None:
    company = factories.company(owner)
    with tenant_scope(tenant_b):
        with pytest.raises(NotFound):
            gate.update(outsider, record_type("company"), company, {"name": "Stolen"})
        assert not Company.objects.exists()


def test_a_unique_value_is_taken_once(owner: Actor) -> None:
    company, contact = record_type("company"), record_type("contact")
    unique_domain = replace(company, fields=tuple(replace(f, unique=f.slug == "domain") for f in company.fields))
    unique_email = replace(contact, fields=tuple(replace(f, unique=f.slug == "emails") for f in contact.fields))
    acme = gate.create(owner, unique_domain, {"name": "Acme", "domain": "acme.com"}).record

    with pytest.raises(Invalid) as error:
        gate.create_many(
            owner,
            unique_domain,
            [{"name": name, "domain": domain} for name, domain in (("A", "acme.com"), ("B", "b.com"), ("C", "b.com"))],
        )
    assert refused(error) == {(0, "domain", "taken"), (2, "domain", "taken")}
    gate.update(owner, unique_domain, acme.pk, {"domain": "acme.com", "industry": "Glass"})
    gate.trash(owner, unique_domain, acme.pk)
    gate.create(owner, unique_domain, {"name": "New", "domain": "acme.com"})

    gate.create(owner, unique_email, {"name": "Ada", "emails": ["Ada@example.com", "b@example.com"]})
    with pytest.raises(Invalid) as error:
        gate.create(owner, unique_email, {"name": "Other", "emails": ["ada@EXAMPLE.com"]})
    assert refused(error) == {(0, "emails", "taken")}


def test_events_are_kept_in_the_order_of_the_rows(owner: Actor) -> None:
    change = gate.create_many(owner, record_type("company"), [{"name": f"Company {number}"} for number in range(30)])

    kept = Event.objects.filter(change_set=change.change_set).order_by("id")
    assert list(kept.values_list("id", "after__name")) == [
        (event.pk, f"Company {number}") for number, event in enumerate(change.events)
    ]
    assert [event.record_id for event in kept] == [record.pk for record in change.records]


def statements(work: Any) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        work()
    kept = [query["sql"] for query in captured.captured_queries]
    return [sql for sql in kept if "SAVEPOINT" not in sql]


def test_one_write_is_a_handful_of_statements(owner: Actor) -> None:
    other = factories.company(owner)
    company = factories.company(owner)

    made = statements(lambda: gate.create(owner, record_type("company"), {"name": "Acme", "parent": other.pk}))
    assert len(made) <= 4, made
    changed = statements(lambda: gate.update(owner, record_type("company"), company.pk, {"industry": "Glass"}))
    assert "FOR NO KEY UPDATE" in changed[0]
    assert len(changed) <= 4, changed


def test_a_thousand_rows_take_no_more_statements_than_ten(owner: Actor) -> None:
    company = factories.company(owner)

    def rows(count: int) -> list[dict[str, Any]]:
        return [{"name": f"Person {number}", "companies": [company.pk], "owner": "me"} for number in range(count)]

    ten = statements(lambda: gate.create_many(owner, record_type("contact"), rows(10)))
    thousand = statements(lambda: gate.create_many(owner, record_type("contact"), rows(1000)))
    assert len(thousand) == len(ten) <= 6, ten

    ids: list[UUID] = list(Contact.objects.values_list("pk", flat=True)[:1000])
    few = statements(
        lambda: gate.update_many(owner, record_type("contact"), {id_: {"job": f"Job {id_}"} for id_ in ids[:10]})
    )
    many = statements(
        lambda: gate.update_many(owner, record_type("contact"), {id_: {"job": f"Work {id_}"} for id_ in ids})
    )
    assert len(many) == len(few) <= 4, few
    assert 'ORDER BY "people_contact"."id" ASC FOR NO KEY UPDATE' in many[0]
    assert len(statements(lambda: gate.trash(owner, record_type("contact"), ids))) <= 4


def test_money_keeps_its_exact_value(owner: Actor) -> None:
    deal = factories.deal(owner, amount="1234567.89", currency="EUR")
    deal.refresh_from_db()
    assert deal.amount == Decimal("1234567.89")
    assert Event.objects.get(record_id=deal.pk, type="deal.created").after["amount"] == "1234567.89"


def test_a_members_id_is_no_company(owner: Actor) -> None:
    with pytest.raises(Invalid) as caught:
        gate.create(owner, record_type("deal"), {"name": "Windows", "company": owner.member_id})
    assert refused(caught) == {(0, "company", "not_found")}


def test_more_fields_than_any_record_has_are_refused_at_once(owner: Actor) -> None:
    with pytest.raises(Invalid) as caught:
        gate.create(owner, record_type("deal"), {"name": "Windows", **{f"nam{number}": "" for number in range(1000)}})
    assert {code for _index, _field, code in refused(caught)} == {"too_many", "required"}


def test_links_that_were_not_shown_stay(owner: Actor, seller: Actor) -> None:
    seen, thrown = (factories.contact(owner, name=name) for name in ("Seen", "Thrown"))
    hidden = factories.contact(seller, name="Hidden")
    deal = factories.deal(owner, contacts=[seen.pk, hidden.pk, thrown.pk])
    gate.trash(owner, record_type("contact"), thrown.pk)

    def linked() -> set[UUID]:
        return set(Contact.objects.filter(deal_links__deal=deal.pk).values_list("pk", flat=True))

    with pytest.raises(Invalid):
        gate.update(narrowed(owner, contact={"view": "none"}), record_type("deal"), deal.pk, {"contacts": []})
    clearing = gate.update(narrowed(owner, contact={"view": "own"}), record_type("deal"), deal.pk, {"contacts": []})
    assert linked() == {hidden.pk, thrown.pk}
    undo(owner, clearing.change_set.pk)
    assert linked() == {seen.pk, hidden.pk, thrown.pk}
    removing = gate.update(owner, record_type("deal"), deal.pk, {"contacts": [hidden.pk]})
    assert linked() == {hidden.pk, thrown.pk}
    undo(owner, removing.change_set.pk)
    assert linked() == {seen.pk, hidden.pk, thrown.pk}
