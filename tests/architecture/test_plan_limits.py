"""Every limit that a plan sells is asked by somebody, from the day on which what it limits exists."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.apps import apps

from billing.plans.catalog import PLANS
from crm.records.models import Record
from tenants.workspaces.limits import counters

ROOT = Path(__file__).parents[2]
ASKED_IN = {
    "api_reads_per_minute": "api/limits.py",
    "api_writes_per_minute": "api/limits.py",
    "history_days": "tenants/workspaces/limits.py",
}
"""What is a rate or a reach, not a number of things: where it is read."""
NOT_THERE_YET: dict[str, Callable[[], bool]] = {
    "custom_fields": lambda: any(field.name == "custom" for field in Record._meta.get_fields()),
    "record_types": lambda: any("recordtype" in model.__name__.lower() for model in apps.get_models()),
    "automations": lambda: apps.is_installed("crm.automation") or (ROOT / "crm" / "automation").exists(),
}
"""What is sold before it exists, and how its coming shows."""


def test_what_is_sold_is_counted_read_or_not_there_yet() -> None:
    sold = {limit for offer in PLANS for limit in offer.limits}
    assert sold == (counters.keys() | ASKED_IN.keys() | NOT_THERE_YET.keys()) & sold
    assert not counters.keys() & (ASKED_IN.keys() | NOT_THERE_YET.keys()), "said twice"


@pytest.mark.parametrize(("limit", "path"), ASKED_IN.items())
def test_a_rate_or_reach_is_read(limit: str, path: str) -> None:
    assert f'"{limit}"' in (ROOT / path).read_text()


@pytest.mark.parametrize("limit", NOT_THERE_YET)
def test_what_comes_into_being_is_counted(limit: str) -> None:
    assert not NOT_THERE_YET[limit](), f"Count {limit} with usage_register and take it off this list."
