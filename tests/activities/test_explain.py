"""Timelines and what is planned stay one index range at a hundred thousand activities."""

import json
from typing import Any

from django.db import connection

from crm.activities.models import Place
from crm.activities.selectors import PLACE_KEYS, places, planned_places
from crm.activities.visibility import NOUNS
from crm.records.query import paging
from crm.sales.models import Deal
from tenants.actors import Actor
from tests import factories

FILL = """
INSERT INTO activities_place (noun, activity_id, about_type, about_id, at, planned_at)
SELECT (ARRAY['task', 'call', 'meeting', 'email', 'note'])[1 + i %% 5], uuidv7(), 'deal',
       CASE WHEN i %% 20 = 0 THEN %s::uuid ELSE uuidv7() END,
       CASE WHEN i %% 3 > 0 THEN now() - i * interval '1 minute' END,
       CASE WHEN i %% 3 = 0 THEN now() + i * interval '1 minute' END
FROM generate_series(1, 100000) AS i
"""


def scanned(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(one for inner in node.get("Plans", ()) for one in scanned(inner))]


def test_a_timeline_reads_no_more_than_it_shows(owner: Actor) -> None:
    deal: Deal = factories.deal(owner)
    with connection.cursor() as cursor:
        cursor.execute(FILL, [deal.pk])
        # Statistics are the owner role's to take; without them the planner takes every deal for a small one.
        cursor.execute("SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
    here = places(owner, NOUNS).filter(about_type="deal", about_id=deal.pk)
    shown = paging.ordered(here.filter(at__isnull=False), PLACE_KEYS, None)[:31]
    following = planned_places(owner).filter(about_type="deal", about_id=deal.pk)[:1]
    for rows, index, most in ((shown, "place_timeline", 31), (following, "place_planned", 1)):
        assert list(rows)
        found = explained(rows)
        names = {one.get("Index Name") for one in found}
        assert index in names
        assert max(one["Actual Rows"] for one in found) <= most
    assert Place.objects.filter(about_id=deal.pk).count() == 5000


def explained(rows: Any) -> list[dict[str, Any]]:
    return scanned(json.loads(rows.explain(analyze=True, format="json"))[0]["Plan"])
