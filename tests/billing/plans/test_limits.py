"""What a plan holds: adding stops at its limits, and nothing else does."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from PIL import Image

from billing.plans.catalog import PLANS
from crm.records.models import ChangeSet
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.undo import undo
from crm.sales import services as sales
from crm.sales.models import Pipeline
from crm.workspace.models import Invitation, Member, Role, Team
from crm.workspace.people import invitation_services, member_services
from crm.workspace.people.leaving import member_leave
from crm.workspace.people.role_services import role_create, role_delete, role_update
from crm.workspace.people.team_services import team_create, team_delete, team_update
from crm.workspace.settings.logos import logo_set
from tenants.actors import Actor
from tenants.db.scopes import shared
from tenants.models import User
from tenants.workspaces.entitlements import LIMITS
from tenants.workspaces.limits import (
    FEATURES,
    LIMIT_LABELS,
    FeatureMissing,
    LimitReached,
    amount_text,
    history_from,
    plan_with,
    require_room,
    usage,
    usage_of,
    usage_register,
)
from tests import factories
from tests.billing.plans.under_plan import contacts, under

pytestmark = pytest.mark.django_db
NOTHING: dict[str, dict[str, str]] = {}


# --- words and numbers ----------------------------------------------------------------------------------------------


def test_every_limit_and_feature_that_is_sold_has_a_name() -> None:
    assert LIMIT_LABELS.keys() == LIMITS
    assert {feature for offer in PLANS for feature in offer.features} <= FEATURES.keys()


def test_the_refusal_names_limit_number_and_remedy(owner: Actor) -> None:
    contacts(owner, 2)
    with pytest.raises(LimitReached) as refused:
        factories.contact(under(owner, contacts=2))
    error = refused.value
    assert (error.limit, error.most, error.used, error.param, error.status) == ("contacts", 2, 2, "contacts", 402)
    assert error.where == "/settings/billing/"
    assert str(error) == (
        "Your plan holds 2 contacts, and this workspace has 2: no more can be added. "
        "Deleting some makes room; so does a larger plan."
    )


@pytest.mark.parametrize("limit", sorted(LIMITS))
def test_every_limit_can_say_that_it_is_reached(owner: Actor, limit: str) -> None:
    tenant = replace(owner.tenant, limits={limit: 1_000})
    require_room(tenant, limit, used=999)
    with pytest.raises(LimitReached, match=re.escape(amount_text(limit, 1_000))):
        require_room(tenant, limit, used=1_000)


def test_a_limit_that_is_not_named_is_none(owner: Actor) -> None:
    require_room(owner.tenant, "contacts", used=10**9, adding=10**6)


def test_a_missing_feature_names_the_plan_that_has_it(owner: Actor) -> None:
    with pytest.raises(FeatureMissing, match=r"“Audit” is not part of your plan. It comes with the plan Business"):
        raise FeatureMissing("audit_log")


@pytest.mark.parametrize(
    ("name", "used", "plan"),
    [
        ("custom_roles", None, "Team"),
        ("audit_log", None, "Business"),
        ("nonsense", None, ""),
        ("contacts", 1_999, "Starter"),
        ("contacts", 2_000, "Team"),
        ("history_days", 90, "Team"),
        ("history_days", 730, "Business"),
        ("contacts", 10**9, ""),
    ],
)
def test_the_smallest_plan_that_would_do(name: str, used: int | None, plan: str) -> None:
    assert plan_with(name, used) == plan


def test_a_counter_is_of_a_limit_there_is_and_there_is_one() -> None:
    with pytest.raises(ValueError, match="no limit named nonsense"):
        usage_register("nonsense", lambda _tenant: 0)
    with pytest.raises(ImproperlyConfigured, match="a counter named 'contacts' already"):
        usage_register("contacts", lambda _tenant: 0)


# --- pipelines ------------------------------------------------------------------------------------------------------


def test_a_pipeline_too_many_is_neither_made_nor_copied(owner: Actor) -> None:
    there = Pipeline.objects.get()
    limited = under(owner, pipelines=1)
    with pytest.raises(LimitReached, match="Your plan holds 1 pipeline, and"):
        sales.pipeline_create(limited, name="Repairs")
    with pytest.raises(LimitReached):
        sales.pipeline_copy(limited, pipeline_id=there.pk, name="Copy")
    assert Pipeline.objects.count() == 1


def test_an_archived_pipeline_makes_room_and_needs_it_to_come_back(owner: Actor) -> None:
    limited = under(owner, pipelines=2)
    old = sales.pipeline_create(limited, name="Repairs").id
    sales.pipeline_archive_start(limited, pipeline_id=old, moves={})
    sales.pipeline_create(limited, name="Service")
    with pytest.raises(LimitReached):
        sales.pipeline_restore(limited, pipeline_id=old)
    assert Pipeline.objects.get(pk=old).archived


def test_over_the_limit_pipelines_are_changed_archived_and_removed(owner: Actor) -> None:
    first = sales.pipeline_create(owner, name="Repairs").id
    second = sales.pipeline_create(owner, name="Service").id
    limited = under(owner, pipelines=1)
    record_type = registry.get("pipeline")
    gate.update(limited, record_type, first, {"name": "Mending"})
    sales.pipeline_archive_start(limited, pipeline_id=first, moves={})
    gate.trash(limited, record_type, second)
    assert usage_of(limited.tenant, "pipelines").used == 1


# --- seats ----------------------------------------------------------------------------------------------------------


def test_who_left_comes_back_only_to_a_free_seat(owner: Actor, seller: Actor) -> None:
    assert seller.member_id is not None
    taken = usage_of(owner.tenant, "seats").used
    member_services.member_deactivate(owner, member_id=seller.member_id)
    limited = under(owner, seats=taken - 1)
    with pytest.raises(LimitReached) as refused:
        member_services.member_reactivate(limited, member_id=seller.member_id)
    assert refused.value.limit == "seats"
    member_services.member_reactivate(under(owner, seats=taken), member_id=seller.member_id)


def test_undo_of_a_departure_needs_a_seat(owner: Actor, seller: Actor) -> None:
    assert seller.member_id is not None
    taken = usage_of(owner.tenant, "seats").used
    change_set = gate.change_set_new(owner, "ui")
    member_leave(owner, member_id=seller.member_id, change_set=change_set)
    with pytest.raises(LimitReached):
        undo(under(owner, seats=taken - 1), ChangeSet.objects.latest("id").pk)
    assert Member.objects.get(pk=seller.member_id).state == Member.State.DEACTIVATED


def test_an_invitation_holds_its_seat_until_its_guest_comes(owner: Actor) -> None:
    limited = under(owner, seats=usage_of(owner.tenant, "seats").used + 1)
    token = invitation_services.invitation_send(limited, email="guest@example.com", role="member").token
    with pytest.raises(LimitReached):
        invitation_services.invitation_send(limited, email="other@example.com", role="member")
    with shared():
        guest = User.objects.create_user("guest@example.com", "correct horse")
    assert invitation_services.invitation_accept(limited.tenant, token, guest).is_active
    assert usage_of(limited.tenant, "seats").used == limited.tenant.limits["seats"]


def test_under_fewer_seats_only_as_many_guests_come_as_there_are(owner: Actor) -> None:
    taken = usage_of(owner.tenant, "seats").used
    tokens = {
        email: invitation_services.invitation_send(owner, email=email, role="member").token
        for email in ("guest@example.com", "other@example.com")
    }
    fewer = under(owner, seats=taken + 1).tenant
    with shared():
        guests = [User.objects.create_user(email, "correct horse") for email in tokens]
    invitation_services.invitation_accept(fewer, tokens["guest@example.com"], guests[0])
    with pytest.raises(LimitReached):
        invitation_services.invitation_accept(fewer, tokens["other@example.com"], guests[1])
    assert Invitation.objects.get(email="other@example.com").accepted_at is None


def test_over_the_limit_members_are_changed_and_leave(owner: Actor, seller: Actor) -> None:
    limited = under(owner, seats=1)
    assert seller.member_id is not None
    member_services.member_update(limited, member_id=seller.member_id, role="manager")
    member_services.member_deactivate(limited, member_id=seller.member_id)


# --- files ----------------------------------------------------------------------------------------------------------


def picture(size: int = 32) -> BytesIO:
    out = BytesIO()
    Image.new("RGB", (size, size), "teal").save(out, "PNG")
    out.seek(0)
    return out


@pytest.fixture
def files(settings: Any, tmp_path: Path, owner: Actor) -> Path:
    """Where the workspace's files are, empty."""
    settings.MEDIA_ROOT = tmp_path
    place = tmp_path / "tenants" / str(owner.tenant.id)
    place.mkdir(parents=True)
    return place


def test_files_are_counted_in_whole_megabytes(owner: Actor, files: Path) -> None:
    assert usage_of(owner.tenant, "storage_mb").used == 0
    (files / "exports").mkdir()
    (files / "exports" / "a.csv").write_bytes(b"x" * (1024 * 1024 + 1))
    assert usage_of(owner.tenant, "storage_mb").used == 2


@pytest.mark.parametrize(
    ("megabytes", "words"),
    [(0, "0 MB"), (999, "999 MB"), (1000, "1 GB"), (1540, "1.5 GB"), (50_000, "50 GB"), (5_000_000, "5,000 GB")],
)
def test_sizes_are_told_in_the_unit_that_people_use(megabytes: int, words: str) -> None:
    assert amount_text("storage_mb", megabytes) == words


def test_a_full_store_is_told_as_on_the_page_of_plans(owner: Actor) -> None:
    with pytest.raises(LimitReached, match=r"holds 2 GB of files, and this workspace has 2\.3 GB: no more"):
        require_room(under(owner, storage_mb=2_000).tenant, "storage_mb", used=2_300)


def test_a_picture_needs_room_and_a_full_disk_can_be_cleared(owner: Actor, files: Path) -> None:
    logo_set(owner, upload=picture())
    full = under(owner, storage_mb=1)
    (files / "rest.csv").write_bytes(b"x" * 1024 * 1024)
    with pytest.raises(LimitReached, match="Your plan holds 1 MB of files, and this workspace has 2 MB"):
        logo_set(full, upload=picture())
    assert logo_set(full, upload=None) == ""


# --- features -------------------------------------------------------------------------------------------------------


def test_without_roles_of_ones_own_none_is_made_and_those_there_stay(owner: Actor) -> None:
    role = role_create(owner, name="Interns", permissions=NOTHING, fields=NOTHING)
    without = under(owner, features=frozenset())
    with pytest.raises(FeatureMissing):
        role_create(without, name="Temps", permissions=NOTHING, fields=NOTHING)
    role_update(without, role_id=role.id, name="Trainees", permissions=NOTHING, fields=NOTHING)
    role_delete(without, role_id=role.id)
    assert not Role.objects.filter(is_fixed=False).exists()


def test_without_teams_none_is_made_and_those_there_stay(owner: Actor) -> None:
    team = team_create(owner, name="North")
    without = under(owner, features=frozenset({"custom_roles"}))
    with pytest.raises(FeatureMissing):
        team_create(without, name="South")
    team_update(without, team_id=team.id, name="Northern")
    team_delete(without, team_id=team.id)
    assert not Team.objects.exists()


# --- usage ----------------------------------------------------------------------------------------------------------


def test_usage_says_all_that_is_counted_in_few_statements(
    owner: Actor, django_assert_num_queries: Callable[..., Any]
) -> None:
    contacts(owner, 2)
    limited = under(owner, contacts=1, seats=50).tenant
    with django_assert_num_queries(4):
        found = {one.limit: one for one in usage(limited)}
    assert list(found) == ["seats", "contacts", "pipelines", "storage_mb"]
    assert (found["contacts"].used, found["contacts"].most, found["contacts"].is_over) == (2, 1, True)
    assert (found["seats"].most, found["seats"].is_full) == (50, False)
    assert (found["pipelines"].used, found["pipelines"].most, found["pipelines"].is_full) == (1, None, False)


def test_days_of_history_begin_so_many_days_ago(owner: Actor) -> None:
    assert history_from(owner.tenant) is None
    since = history_from(under(owner, history_days=90).tenant)
    assert since is not None
    assert abs(timezone.now() - timedelta(days=90) - since) < timedelta(minutes=1)
