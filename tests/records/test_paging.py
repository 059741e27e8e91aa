"""A list goes on where it stopped, whatever happens to other rows in between."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.records.errors import BadCursor, BadQuery
from crm.records.query import paging
from crm.records.read import reading
from crm.records.read.reading import Query
from crm.records.schema.registry import registry
from crm.records.write import gate
from tenants.actors import Actor, TenantRef
from tests import factories
from tests.depth import examples

SORTS = ["name", "amount", "expected_close", "created_at", "probability", "stage_entered_at"]


def all_pages(actor: Actor, noun: str, query: Query) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        page = reading.page(actor, registry.get(noun), query)
        rows += page.rows
        if page.next_cursor is None:
            return rows
        query = replace(query, cursor=page.next_cursor)


@pytest.fixture
def deals(owner: Actor) -> list[UUID]:
    day = date(2026, 5, 1)
    made = gate.create_many(
        owner,
        registry.get("deal"),
        [
            {
                "name": ["Öl", "oak", "Zinc", "oak"][place % 4],
                "amount": [None, "10", "2", "10"][(place // 2) % 4],
                "expected_close": [None, day, day + timedelta(days=1)][place % 3],
            }
            for place in range(23)
        ],
    )
    return [record.pk for record in made.records]


def test_no_unchanged_row_repeats_or_is_skipped(owner: Actor, deals: list[UUID]) -> None:
    record_type = registry.get("deal")
    everything = {row["id"]: row for row in all_pages(owner, "deal", Query(limit=500))}

    def plainly_sorted(sort: tuple[str, ...]) -> list[UUID]:
        order = list(everything.values())
        order.sort(key=lambda row: row["id"], reverse=sort[-1].startswith("-"))
        for one in reversed(sort):
            slug, down = one.removeprefix("-"), one.startswith("-")
            order.sort(key=lambda row: comparable(row[slug]), reverse=down)
            order.sort(key=lambda row: row[slug] is None)
        return [row["id"] for row in order]

    @settings(max_examples=examples(15), suppress_health_check=list(HealthCheck))
    @given(
        sort=st.lists(st.sampled_from(SORTS), min_size=1, max_size=3, unique=True).flatmap(
            lambda slugs: st.tuples(*(st.sampled_from([slug, f"-{slug}"]) for slug in slugs))
        ),
        limit=st.integers(1, 9),
        victims=st.lists(st.sampled_from(deals), min_size=1, max_size=12),
    )
    def holds(sort: tuple[str, ...], limit: int, victims: list[UUID]) -> None:
        expected = plainly_sorted(sort)
        query = Query(sort=sort, limit=limit)
        assert [row["id"] for row in all_pages(owner, "deal", query)] == expected

        seen: list[UUID] = []
        changed: set[UUID] = set()
        page = reading.page(owner, record_type, query)
        try:
            while page.next_cursor:
                seen += [row["id"] for row in page.rows]
                victim = victims[len(seen) % len(victims)]
                if victim not in changed:
                    changed.add(victim)
                    gate.trash(owner, record_type, victim)
                page = reading.page(owner, record_type, replace(query, cursor=page.next_cursor))
            seen += [row["id"] for row in page.rows]
        finally:
            if changed:
                gate.restore(owner, record_type, list(changed))
        assert [id for id in seen if id not in changed] == [id for id in expected if id not in changed]

    holds()


def comparable(value: Any) -> Any:
    return (0, "ol" if value == "Öl" else value.lower()) if isinstance(value, str) else (value is None, value or 0)


def test_a_row_added_meanwhile_disturbs_no_page(owner: Actor, deals: list[UUID]) -> None:
    first = reading.page(owner, registry.get("deal"), Query(sort=("-created_at",), limit=10))
    factories.deal(owner, name="Newest of all")
    rest = all_pages(owner, "deal", Query(sort=("-created_at",), limit=10, cursor=first.next_cursor))
    assert [row["id"] for row in first.rows + rest] == sorted(deals, reverse=True)


def test_names_sort_without_case_and_accents(owner: Actor) -> None:
    for name in ("Zebra", "äpfel", "Apple", "élan", "Eland"):
        factories.company(owner, name=name)
    names = [row["name"] for row in all_pages(owner, "company", Query(sort=("name",)))]
    assert names == ["äpfel", "Apple", "élan", "Eland", "Zebra"]


def test_choices_sort_in_their_own_order_and_empty_ones_last(owner: Actor) -> None:
    for size in ("1000+", "1-10", "", "201-1000", "11-50"):
        factories.company(owner, name=f"Size {size}", size=size)
    up = [row["size"] for row in all_pages(owner, "company", Query(sort=("size",), limit=2))]
    down = [row["size"] for row in all_pages(owner, "company", Query(sort=("-size",), limit=2))]
    assert up == ["1-10", "11-50", "201-1000", "1000+", ""]
    assert down == ["1000+", "201-1000", "11-50", "1-10", ""]


@pytest.mark.parametrize(
    "other",
    [
        {"sort": ("name",)},
        {"filter": {"field": "name", "op": "contains", "value": "o"}},
        {"search": "oak"},
        {"deleted": "include"},
    ],
)
def test_a_cursor_is_good_for_its_own_list_only(owner: Actor, deals: list[UUID], other: dict[str, Any]) -> None:
    cursor = reading.page(owner, registry.get("deal"), Query(limit=5)).next_cursor
    with pytest.raises(BadCursor):
        reading.page(owner, registry.get("deal"), Query(limit=5, cursor=cursor, **other))


def test_a_cursor_is_good_for_its_own_workspace_only(owner: Actor, deals: list[UUID], tenant_b: TenantRef) -> None:
    cursor = reading.page(owner, registry.get("deal"), Query(limit=5)).next_cursor
    with pytest.raises(BadCursor):
        reading.page(replace(owner, tenant=tenant_b), registry.get("deal"), Query(limit=5, cursor=cursor))


@pytest.mark.parametrize("forged", ["x", "%%%", "AAAA", "é", "A" * 5000, ""])
def test_a_forged_cursor_is_refused(owner: Actor, deals: list[UUID], forged: str) -> None:
    real = reading.page(owner, registry.get("deal"), Query(limit=5)).next_cursor
    assert real
    other = "B" if real[0] == "A" else "A"
    for cursor in (forged, real[:-2], other + real[1:], real + "AAAA"):
        if cursor:
            with pytest.raises(BadCursor):
                reading.page(owner, registry.get("deal"), Query(limit=5, cursor=cursor))


@pytest.mark.parametrize(("sort", "near"), [("nmae", "name"), ("search_text", ""), ("owner", ""), ("emails", "")])
def test_sorting_by_something_else_names_it(owner: Actor, sort: str, near: str) -> None:
    with pytest.raises(BadQuery) as caught:
        reading.page(owner, registry.get("contact"), Query(sort=(sort,)))
    assert sort in str(caught.value)
    assert caught.value.param == "sort"
    if near:
        assert caught.value.nearest == near


def test_the_usual_list_needs_no_offset_and_reads_only_its_page(owner: Actor, deals: list[UUID]) -> None:
    record_type = registry.get("deal")
    keys = paging.sort_keys(record_type, ("-created_at",))
    rows = paging.ordered(
        reading.visible(owner, record_type),
        keys,
        [reading.page(owner, record_type, Query()).rows[0]["created_at"], deals[0]],
    )
    assert "OFFSET" not in str(rows[:5].query)
    assert "created_at" in str(rows.query).partition("WHERE")[2].partition(",")[0]
