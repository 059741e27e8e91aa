"""Saved views: who may open and change which, what is left out for a reader, and lists in groups."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.records.errors import Forbidden, Invalid, NotFound
from crm.records.jobs.ownership_transfer import member_hand_over
from crm.records.lists import grouping, view_services
from crm.records.lists.footers import footers
from crm.records.lists.saved_views import Views, view_of
from crm.records.lists.view_services import view_create
from crm.records.models import SavedView
from crm.records.read import reading
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.workspace.models import Member, Team
from tenants.actors import Actor, Permissions
from tests import factories
from tests.depth import examples

pytestmark = pytest.mark.django_db

RICH = {"field": "amount", "op": "gte", "value": "100"}
MINE = {"field": "owner", "op": "eq", "value": "me"}


def save(actor: Actor, **values: Any) -> SavedView:
    return view_create(actor, registry.get("deal"), {"name": "Rich", "filter": RICH} | values)


def keys(actor: Actor) -> list[str]:
    return [Views(actor, registry.get("deal")).name(key) for key in Views(actor, registry.get("deal")).tabs]


def blind(actor: Actor, *fields: str) -> Actor:
    """The actor with fields of deals hidden from them."""
    matrix = actor.permissions.matrix
    return replace(actor, permissions=Permissions(matrix, {"deal": dict.fromkeys(fields, "hidden")}))


class TestWhoSees:
    def test_a_private_one_is_its_owners(self, seller, seller_two, owner):
        saved = save(seller)
        assert keys(seller) == ["All", "Mine", "Rich"]
        for other in (seller_two, owner):
            assert keys(other) == ["All", "Mine"]
            with pytest.raises(NotFound, match="Ask who sent you the link"):
                Views(other, registry.get("deal")).get(str(saved.pk))

    def test_one_for_everyone_is_everyones(self, seller, reader):
        save(seller, sharing="everyone")
        assert "Rich" in keys(reader)

    def test_one_for_the_team_is_that_teams(self, seller, seller_two, manager):
        team = Team.objects.create(name="South")
        Member.objects.filter(pk__in=[seller.member_id, seller_two.member_id]).update(team=team)
        save(seller, sharing="team")
        assert "Rich" in keys(seller_two)
        assert "Rich" not in keys(manager)

    def test_without_a_team_it_is_nobody_elses(self, seller, seller_two):
        save(seller, sharing="team")
        assert "Rich" not in keys(seller_two)

    def test_only_its_owner_changes_a_private_one_and_who_has_the_settings_a_shared_one(self, seller, reader, admin):
        deal = registry.get("deal")
        saved = save(seller, sharing="everyone")
        with pytest.raises(Forbidden):
            view_services.view_update(reader, deal, saved.pk, {"name": "Poor"})
        assert view_services.view_update(admin, deal, saved.pk, {"name": "Poor"}).name == "Poor"

    def test_of_who_leaves_the_shared_ones_go_on_and_all_go_to_who_takes_over(self, owner, seller, seller_two):
        save(seller)
        save(seller, name="Shared", sharing="everyone")
        Member.objects.filter(pk=seller.member_id).update(state=Member.State.DEACTIVATED)
        assert "Shared" in keys(owner)
        Member.objects.filter(pk=seller.member_id).update(state=Member.State.ACTIVE)
        member_hand_over(owner, member_id=seller.member_id, takers={"deal": seller_two.member_id})
        assert {"Rich", "Shared"} <= set(keys(seller_two))
        assert keys(owner) == ["All", "Mine", "Shared"]


class TestWhatAWriterDoesNotSee:
    @pytest.mark.parametrize(
        "values",
        [
            {"filter": RICH},
            {"filter": {"any": [MINE, RICH]}},
            {"sort": ["-amount"]},
            {"columns": ["name", "amount"]},
            {"columns": ["currency"]},
            {"card_fields": ["amount"]},
            {"footers": {"amount": "sum"}},
            {"grouping": "source"},
            {"quick": ["closing"]},
        ],
        ids=str,
    )
    def test_it_is_not_put_into_a_view(self, owner, values):
        writer = blind(owner, "amount", "source", "expected_close")
        with pytest.raises(Invalid):
            save(writer, **{"filter": {}, **values})

    def test_what_a_greater_colleague_put_there_stays(self, owner, admin):
        saved = save(
            owner,
            sharing="everyone",
            filter={"all": [RICH, MINE]},
            columns=["name", "amount", "owner"],
            sort=["-amount", "name"],
            footers={"amount": "sum"},
            card_fields=["amount", "owner"],
            grouping="source",
            quick=["closing", "mine"],
        )
        deal, narrow = registry.get("deal"), blind(admin, "amount", "source", "expected_close")
        shown = view_of(narrow, deal, saved)
        same: dict[str, Any] = {
            "filter": shown.filter,
            "sort": shown.sort,
            "columns": shown.columns,
            "footers": shown.footers,
        }
        same |= {"card_fields": shown.card_fields, "grouping": shown.grouping, "quick": shown.quick}
        before = {name: getattr(saved, name) for name in same}
        view_services.view_update(narrow, deal, saved.pk, same)
        saved.refresh_from_db()
        assert {name: getattr(saved, name) for name in same} == before

        other = {"field": "name", "op": "contains", "value": "attic"}
        view_services.view_update(
            narrow, deal, saved.pk, {"filter": other, "columns": ["name"], "sort": ["-name"], "quick": []}
        )
        saved.refresh_from_db()
        assert saved.filter == {"all": [other, RICH]}
        assert [one["field"] for one in saved.columns] == ["name", "amount"]
        assert (saved.sort, saved.quick) == (["-name", "-amount"], ["closing"])
        assert view_services.view_update(owner, deal, saved.pk, {"filter": {}}).filter == {}


class TestWhatIsLeftOut:
    def test_a_condition_on_a_hidden_field_is_dropped_and_said_so(self, owner, seller):
        saved = save(
            owner,
            sharing="everyone",
            filter={"all": [RICH, MINE]},
            columns=["name", "amount"],
            sort=["-amount", "name"],
            footers={"amount": "sum"},
            card_fields=["amount", "owner"],
        )
        reader = blind(seller, "amount")
        view = view_of(reader, registry.get("deal"), saved)
        assert view.filter == {"all": [MINE]}
        assert (view.columns, view.sort, view.footers, view.card_fields) == (("name",), ("name",), {}, ("owner",))
        assert len(view.dropped) == 3

    def test_a_field_that_is_gone_is_dropped(self, owner):
        saved = save(owner)
        SavedView.objects.filter(pk=saved.pk).update(
            filter={"any": [{"field": "gone", "op": "eq", "value": "1"}, RICH]}, grouping="gone", sort=["gone"]
        )
        view = Views(owner, registry.get("deal")).get(str(saved.pk))
        assert (view.filter, view.grouping, view.sort) == ({"any": [RICH]}, "", ())
        assert view.dropped

    def test_a_copy_holds_only_what_its_maker_sees(self, owner, seller):
        saved = save(owner, sharing="everyone")
        copy = view_services.view_duplicate(blind(seller, "amount"), registry.get("deal"), saved.pk)
        assert (copy.owner_id, copy.sharing, copy.filter) == (seller.member_id, "private", {})

    def test_sums_of_a_hidden_field_are_not_made(self, owner):
        factories.deal(owner, amount="10", currency="EUR")
        _count, found = footers(blind(owner, "amount"), registry.get("deal"), reading.Query(), {"amount": "sum"})
        assert found == {}


class TestSaving:
    @pytest.mark.parametrize(
        "values",
        [
            {"name": " "},
            {"name": "x" * 81},
            {"sharing": "world"},
            {"layout": "cube"},
            {"filter": {"field": "nonsense", "op": "eq", "value": 1}},
            {"sort": ["contacts"]},
            {"columns": ["nonsense"]},
            {"columns": [{"field": "name", "width": 5}]},
            {"grouping": "name"},
            {"footers": {"name": "sum"}},
            {"card_fields": ["nonsense"]},
        ],
    )
    def test_what_cannot_be_shown_is_refused(self, owner, values):
        with pytest.raises(Invalid):
            save(owner, **values)
        assert not SavedView.objects.exists()

    def test_there_is_an_end_to_their_number(self, owner, monkeypatch):
        monkeypatch.setattr(view_services, "MAX_VIEWS", 2)
        save(owner)
        save(owner)
        with pytest.raises(Invalid):
            save(owner)

    def test_tabs_are_in_the_order_one_likes(self, owner, seller):
        deal = registry.get("deal")
        saved = save(owner, sharing="everyone")
        view_services.choice_save(owner, deal, tabs=[str(saved.pk), "mine", "all"], hidden=["mine"], default="mine")
        assert keys(owner) == ["Rich", "All"]
        assert Views(owner, deal).get("").key == "mine"
        assert Views(seller, deal).get("").key == "all"

    def test_a_first_view_that_is_gone_is_not_opened(self, owner):
        deal = registry.get("deal")
        saved = save(owner)
        view_services.choice_save(owner, deal, default=str(saved.pk))
        view_services.view_delete(owner, deal, saved.pk)
        assert Views(owner, deal).get("").key == "all"

    def test_a_key_of_nothing_is_not_found(self, owner):
        for key in (str(uuid4()), "nonsense", "done"):
            with pytest.raises(NotFound):
                Views(owner, registry.get("deal")).get(key)


GROUPED = ("stage", "owner", "source", "expected_close", "created_at")


@settings(max_examples=examples(8))
@given(
    data=st.lists(
        st.tuples(
            st.sampled_from(["", "1", "25.50", "300"]),
            st.sampled_from(["EUR", "USD"]),
            st.booleans(),
            st.sampled_from([None, "2026-01-31", "2026-02-01", "2026-02-28", "2027-12-31"]),
        ),
        max_size=25,
    ),
    slug=st.sampled_from(GROUPED),
    limit=st.integers(1, 4),
)
def test_the_groups_of_a_list_are_the_list(data, slug, limit, owner, seller):
    """Paged through each group by keys, every row is found once; counts and sums are those of the rows."""
    deal = registry.get("deal")
    # Rows of the examples before lie in the trash, where no list looks.
    before = list(deal.rows.filter(deleted_at=None).values_list("pk", flat=True))
    if before:
        gate.trash(owner, deal, before)
    rows: list[dict[str, Any]] = [
        {
            "name": f"Deal {place}",
            "amount": amount,
            "currency": currency,
            "expected_close": closes,
            "owner": str(seller.member_id if sellers else owner.member_id),
        }
        for place, (amount, currency, sellers, closes) in enumerate(data)
    ]
    if rows:
        gate.create_many(owner, deal, rows)
    found = grouping.groups(owner, deal, reading.Query(), slug, deal.field("amount")).groups
    seen: Counter[UUID] = Counter()
    for group in found:
        condition = grouping.condition(deal.field(slug), group.key)
        sums: dict[str, Decimal] = {}
        number, cursor, going = 0, None, True
        while going:
            page = reading.page(
                owner, deal, reading.Query(filter=condition, sort=("-amount",), limit=limit, cursor=cursor)
            )
            number += len(page.rows)
            seen.update(row["id"] for row in page.rows)
            for row in page.rows:
                if row["amount"] is not None:
                    sums[row["currency"]] = sums.get(row["currency"], Decimal()) + row["amount"]
            cursor = page.next_cursor
            going = cursor is not None
        assert (number, sums) == (group.count, group.worth.sums), group.key
    assert seen == Counter(deal.rows.filter(deleted_at=None).values_list("pk", flat=True))


def test_footers_are_those_of_the_rows(owner):
    for amount, close in (("10", "2026-03-01"), ("20", "2026-01-01"), (None, None)):
        factories.deal(owner, amount=amount, currency="EUR", expected_close=close, probability=None)
    chosen = {"amount": "average", "expected_close": "min", "name": "count"}
    count, found = footers(owner, registry.get("deal"), reading.Query(), chosen)
    assert count == 3
    assert "15" in found["amount"].text
    assert "Jan" in found["expected_close"].text
    assert found["name"].text == "3"
    _count, found = footers(owner, registry.get("deal"), reading.Query(), {"amount": "empty", "owner": "count"})
    assert (found["amount"].text, found["owner"].text) == ("1", "3")
