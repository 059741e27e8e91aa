"""Every service that changes something asks whether the workspace may be changed, or is on the list of those that work.

They are found by their first parameter, ``actor``, and by the words of their code, and called with what their
parameters are named after.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, time
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest

import api
import crm
import tenants
from crm.records.jobs.bulk import Selection
from crm.records.models import ChangeSet
from crm.records.schema.registry import registry
from crm.workspace.currencies.files import Line
from tenants.actors import Actor
from tenants.workspaces.entitlements import WorkspaceClosed
from tests import factories
from tests.billing.unpaid import changed, dump, put
from tests.isolation.test_canary import Planted

pytestmark = pytest.mark.django_db

WRITING = re.compile(
    r"atomic\(|retry_on_lock\(|\.save\(|\.create\(|\.delete\(|\.update\(|gate\.\w+\(|(bulk|get_or|or)_create|"
    r"_(start|create|update|order|set|deactivate|reactivate)\("
)
WRITE_UNPAID = {
    "announcement_dismiss": "one's own pages",
    "api_key_revoke": "what lets somebody in is taken back",
    "consent_give": "whether support may come in",
    "consent_withdraw": "whether support may come in",
    "export_start": "what is in the workspace belongs to those who work in it",
    "feed_drop_since": "what lets somebody in is taken back",
    "feed_stop": "what lets somebody in is taken back",
    "invitation_revoke": "what lets somebody in is taken back",
    "member_deactivate": "members leave",
    "member_hand_over": "members leave, and give nothing away",
    "member_leave": "members leave",
    "note": "what happened is noted",
    "notifications_mark_read": "one's own notices",
    "notifications_mark_unread": "one's own notices",
    "visits_end": "support is sent away",
}
"""What changes something in a read-only workspace, and why."""
PARTS = {
    "crm.activities.series.occurrences": {"make", "put"},
    "crm.records.jobs.ownership_transfer": {"records_to_transfer", "give", "hand_over_once", "later", "move_once"},
    "crm.records.write.undo": {"locked", "reverse"},
    "crm.records.write.gate": {"locked", "set_trashed"},
    "crm.workspace.people.leaving": {"people_undo"},
}
"""Steps of services, which have asked before."""
READ = {
    "crm.records.jobs.bulk": {"check_values"},
    "crm.records.lists.filtering": {"titles_of"},
    "crm.records.lists.grouping": {"groups"},
    "crm.records.events.history": {"entries"},
    "crm.records.read.currencies_used": {"currencies_used"},
    "crm.records.read.rows": {"references_fill", "relations_expand"},
    "crm.sales.board.columns": {"board_column"},
    "crm.sales.selectors": {"all_stages", "stages"},
}
"""What only looks as if it wrote."""


def services() -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Module, name and function of all that acts for somebody and writes."""
    for package in (crm, tenants, api):
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            if "migrations" in found.name or "management" in found.name:
                continue
            for name, one in vars(import_module(found.name)).items():
                if not inspect.isfunction(one) or one.__module__ != found.name or name.startswith("_"):
                    continue
                first = next(iter(inspect.signature(one).parameters), "")
                if first == "actor" and WRITING.search(inspect.getsource(one)):
                    yield found.name, name, one


def values_of(planted: Planted, owner: Actor) -> dict[str, Any]:
    """What a parameter of a name is given."""
    ids = {registry.by_plural(thing.plural).slug: thing.id for thing in planted.things}
    other = planted.others
    company = registry.get("company")
    return {
        "action": "edit",
        "ids": [ids["company"]],
        "change_set_id": other["change_set"],
        "channels": {},
        "country": "DE",
        "currency": "CHF",
        "day": date(2027, 1, 1),
        "days": [(date(2027, 1, 1), "New year")],
        "deal_id": ids["deal"],
        "deal_ids": [ids["deal"]],
        "digest_days": [1],
        "digest_hour": 8,
        "email": "late@example.com",
        "fields": {},
        "holiday_id": other["holiday_id"],
        "hours": {0: ((time(9), time(17)),)},
        "id": ids["task"],
        "invitation_id": other["invitation_id"],
        "job_id": other["job_id"],
        "kind": "bulk",
        "lines": [Line(1, "CHF", "2026-01-02", "1.1")],
        "member_id": other["member_id"],
        "moves": {},
        "name": "Late",
        "noun": "task",
        "on": date(2026, 1, 2),
        "only_mine": False,
        "owner_id": other["member_id"],
        "params": {},
        "permissions": {},
        "pipeline_id": ids["pipeline"],
        "pipeline_ids": [ids["pipeline"]],
        "quiet": False,
        "quiet_days_off": False,
        "quiet_from": time(20),
        "quiet_holidays": False,
        "quiet_until": time(7),
        "rate": 2,
        "rate_id": other["rate_id"],
        "reason_ids": [ids["lost_reason"]],
        "region": "",
        "reply": "accepted",
        "role": "member",
        "role_id": other["role_id"],
        "rows": [{"name": "Late"}],
        "record_type": company,
        "scopes": ["company:read"],
        "source": "ui",
        "stage_id": ids["stage"],
        "stage_ids": [ids["stage"]],
        "subdomain": "late-office",
        "takers": {},
        "team_id": other["team_id"],
        "title": "Late",
        "upload": None,
        "values": {"name": "Late"},
        "view_id": other["view_id"],
        "wanted": Selection(filter={}),
    }


def needed(service: Callable[..., Any], values: dict[str, Any]) -> dict[str, Any]:
    """What a service must be given; one whose parameter nobody knows fails by its name."""
    parameters = list(inspect.signature(service).parameters.values())[1:]
    return {
        one.name: values[one.name]
        for one in parameters
        if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    }


def test_every_service_refuses_or_is_on_the_list(owner: Actor) -> None:
    planted = Planted(owner)
    guests = [{"type": "member", "id": str(owner.member_id), "reply": "none"}]
    about = {"name": "Often", "starts_on": "2027-03-01", "repeat": "FREQ=WEEKLY", "guests": guests}
    series = factories.make(owner, "meeting", about)
    values = values_of(planted, owner)
    of_record = ChangeSet.objects.filter(events__record_type="company").first()
    assert of_record is not None
    values_for: dict[str, dict[str, Any]] = {
        "bulk_start": {"values": {"name": "Late"}},
        "escalation_set": {"hours": 5},
        "meeting_reply": {"id": series.pk},
        "series_follow": {"noun": "meeting", "id": series.pk, "values": {"name": "Late"}},
        "undo": {"change_set_id": of_record.pk},
    }
    put(owner.tenant, "read_only")
    actor = replace(owner, tenant=replace(owner.tenant, state="read_only"))
    before, wrong, called = dump(), [], set()
    for module, name, service in services():
        called.add(name)
        if name in WRITE_UNPAID or name in PARTS.get(module, ()) or name in READ.get(module, ()):
            continue
        given = needed(service, values) | values_for.get(name, {})
        try:
            service(actor, **given)
        except WorkspaceClosed:
            continue
        except Exception as problem:
            wrong.append((module, name, repr(problem)))
        else:
            wrong.append((module, name, "done"))
    assert wrong == []
    assert changed(before) == set()
    assert WRITE_UNPAID.keys() <= called
