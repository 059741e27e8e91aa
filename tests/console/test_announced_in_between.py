"""Something is announced to a plan at the very moment at which a workspace comes into it or leaves it."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from tenants.db.scopes import shared
from tenants.models import Announcement, Tenant
from tenants.workspaces.announcements import announce, audience_of
from tenants.workspaces.entitlements import Entitlements, entitlements_write
from tests.records.conftest import elsewhere, until_waited_for

PLAN, OTHER = "Team in between", "Another in between"


@pytest.fixture
def moving(django_db_setup: None, django_db_blocker: Any) -> Iterator[Tenant]:
    """A workspace whose row is committed, so that others see it."""
    with django_db_blocker.unblock():
        with shared():
            made = Tenant.objects.create(name="Moving", state=Tenant.State.ACTIVE, access_state="active")
        yield made
        with shared():
            Announcement.objects.filter(texts__en=PLAN).delete()
            made.delete()


def move_to(tenant: Tenant, plan: str) -> None:
    entitlements_write(tenant.id, Entitlements("active", "active", None, plan, {}, None))


def announce_to_the_plan() -> None:
    chosen: dict[str, Any] = {"plans": [PLAN], "states": [], "ids": []}
    until = timezone.now() + timedelta(hours=1)
    announce(
        texts={"en": PLAN}, language="en", until=until, to=audience_of(**chosen), audience=chosen, author="Operator"
    )


@pytest.mark.parametrize("comes", [True, False], ids=["comes into it", "leaves it"])
@pytest.mark.parametrize("is_first", ["the move", "the announcement"])
def test_whoever_is_in_the_plan_afterwards_is_told_once_and_nobody_else(
    moving: Tenant, comes: bool, is_first: str
) -> None:
    before, after = (OTHER, PLAN) if comes else (PLAN, OTHER)
    move_to(moving, before)
    ended = threading.Event()

    def second() -> None:
        try:
            with shared():
                if is_first == "the move":
                    announce_to_the_plan()
                else:
                    move_to(moving, after)
        finally:
            ended.set()

    with shared(), transaction.atomic():
        if is_first == "the move":
            move_to(moving, after)
        else:
            announce_to_the_plan()
        end = elsewhere(second)
        until_waited_for(ended)
    end()
    with shared():
        made = Announcement.objects.get(texts__en=PLAN)
        assert made.recipients.filter(tenant=moving).count() == comes
        assert (Tenant.objects.get(id=moving.id).announced_until is not None) is comes
