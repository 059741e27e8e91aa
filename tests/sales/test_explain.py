"""A list of deals by amount or by closing day reads no more than it shows, however many there are."""

from typing import Any

import pytest
from django.db import connection

from crm.records.query import paging
from crm.records.read import reading
from crm.records.schema.registry import registry
from tenants.actors import Actor
from tests import factories
from tests.activities.test_explain import explained

COPIES = """
INSERT INTO sales_deal (name, stage_id, pipeline_id, owner_id, stage_entered_at, created_at, updated_at, version,
                        is_sample, amount, currency, expected_close, source, search_text, sort_name)
SELECT name, stage_id, pipeline_id, owner_id, now(), now(), now(), 1, false, CASE WHEN i %% 5 > 0 THEN i %% 900 END,
       'EUR', CASE WHEN i %% 7 > 0 THEN current_date + i %% 400 END, '', '', name
FROM sales_deal, generate_series(1, 20000) AS i WHERE id = %s
"""


@pytest.mark.parametrize("slug", ["amount", "expected_close"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_sorted_list_reads_one_page(owner: Actor, slug: str, direction: str) -> None:
    record_type, deal = registry.get("deal"), factories.deal(owner)
    with connection.cursor() as cursor:
        cursor.execute(COPIES, [deal.pk])
        # Statistics are the owner role's to take; without them the planner takes every table for a small one.
        cursor.execute("SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
    keys = paging.sort_keys(record_type, [f"-{slug}" if direction == "down" else slug])
    rows: Any = paging.ordered(reading.visible(owner, record_type), keys, None)[:51]
    found = explained(rows)
    assert f"deal_{slug}_{direction}" in {one.get("Index Name") for one in found}
    assert max(one["Actual Rows"] for one in found) <= 51
    assert all("Sort" not in one["Node Type"] for one in found)
