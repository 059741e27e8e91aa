"""Keys for programs: shown once, kept as a hash, found by their id."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils import timezone

from tenants.accounts.api_keys import (
    ApiKeyInvalid,
    ApiKeyRefused,
    api_key_authenticate,
    api_key_create,
    api_key_list,
    api_key_revoke,
)
from tenants.actors import Actor, TenantRef
from tenants.db.scopes import shared
from tenants.models import ApiKey, Tenant


def made(actor: Actor, **values: Any) -> tuple[ApiKey, str]:
    return api_key_create(actor, **({"name": "Script", "scopes": ["deal:read"]} | values))


def code(header: str, **options: Any) -> str:
    with pytest.raises(ApiKeyRefused) as refused:
        api_key_authenticate(header, **options)
    return refused.value.code


def test_a_key_finds_its_workspace(admin: Actor) -> None:
    key, plain = made(admin)
    assert plain.startswith("rpt_live_")
    found, tenant = api_key_authenticate(f"Bearer {plain}")
    assert found.id == key.id
    assert (tenant.id, tenant.subdomain) == (admin.tenant.id, "alder")


def test_the_secret_is_nowhere_in_the_database(admin: Actor) -> None:
    _key, plain = made(admin)
    with shared():
        row = ApiKey.objects.values().get()
    assert plain.rpartition("_")[2] not in str(row)


def test_one_wrong_letter_is_refused(admin: Actor) -> None:
    _key, plain = made(admin)
    other = "a" if plain[-1] != "a" else "b"
    assert code(f"Bearer {plain[:-1]}{other}") == "invalid_key"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "missing_key"),
        ("Bearer", "invalid_key"),
        ("Basic dXNlcjpwYXNz", "invalid_key"),
        ("Bearer rpt_live_x_y", "invalid_key"),
        ("Bearer " + "x" * 100_000, "invalid_key"),
        ("Bearer rpt_live_0123456789abcdef_" + "A" * 40, "invalid_key"),
        ("Bearer rpt_test_0123456789abcdef_" + "A" * 40, "invalid_key"),
        ("Bearer rpt_live_0123456789abcde\x00_" + "A" * 40, "invalid_key"),
    ],
)
def test_what_is_no_key_is_refused(db: None, header: str, expected: str) -> None:
    assert code(header) == expected


def test_a_revoked_key_is_refused_at_once(admin: Actor) -> None:
    key, plain = made(admin)
    api_key_revoke(admin, key_id=key.id)
    assert code(f"Bearer {plain}") == "invalid_key"
    assert api_key_list(admin) == []
    with pytest.raises(Http404):
        api_key_revoke(admin, key_id=key.id)


def test_an_expired_key_says_that_it_is(admin: Actor) -> None:
    key, plain = made(admin, expires_at=timezone.now() + timedelta(days=1))
    assert api_key_authenticate(f"Bearer {plain}")
    with shared():
        ApiKey.objects.filter(id=key.id).update(expires_at=timezone.now())
    assert code(f"Bearer {plain}") == "expired_key"


def test_on_another_workspaces_host_it_is_a_wrong_key(admin: Actor, tenant_a: TenantRef, tenant_b: TenantRef) -> None:
    _key, plain = made(admin)
    assert api_key_authenticate(f"Bearer {plain}", host=tenant_a)
    assert code(f"Bearer {plain}", host=tenant_b) == "invalid_key"


def test_keys_of_a_workspace_that_is_being_deleted_sleep(admin: Actor) -> None:
    _key, plain = made(admin)
    with shared():
        Tenant.objects.filter(id=admin.tenant.id).update(state="deleting")
    assert code(f"Bearer {plain}") == "sleeping_key"


def test_the_last_use_is_noted_once_a_minute(admin: Actor) -> None:
    key, plain = made(admin)

    def used() -> Any:
        with shared():
            return ApiKey.objects.get(id=key.id).last_used_at

    api_key_authenticate(f"Bearer {plain}")
    first = used()
    api_key_authenticate(f"Bearer {plain}")
    assert used() == first
    with shared():
        ApiKey.objects.filter(id=key.id).update(last_used_at=first - timedelta(seconds=61))
    api_key_authenticate(f"Bearer {plain}")
    assert used() > first


@pytest.mark.parametrize("who", ["manager", "seller", "reader"])
def test_only_those_with_the_power_make_see_or_end_keys(actor_named: Any, who: str) -> None:
    actor = actor_named(who)
    for work in (lambda: made(actor), lambda: api_key_list(actor), lambda: api_key_revoke(actor, key_id=uuid4())):
        with pytest.raises(PermissionDenied):
            work()


def test_keys_of_another_workspace_are_not_found(admin: Actor, outsider: Actor) -> None:
    key, _plain = made(admin)
    with pytest.raises(Http404):
        api_key_revoke(outsider, key_id=key.id)
    assert api_key_list(outsider) == []


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""},
        {"name": "\x00"},
        {"name": "x" * 121},
        {"scopes": ["deal"]},
        {"scopes": ["deal:own"]},
        {"scopes": ["*:write"]},
        {"expires_at": timezone.now() - timedelta(days=1)},
    ],
)
def test_a_key_that_makes_no_sense_is_refused(admin: Actor, values: dict[str, Any]) -> None:
    with pytest.raises(ApiKeyInvalid):
        made(admin, **values)
