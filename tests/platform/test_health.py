"""/readyz says yes only while somebody could sign in, and on every host; /healthz says that the process lives."""

import pytest
from django.core.cache import caches
from django.test import Client
from django.test.utils import override_settings

from tenants.actors import TenantRef
from tenants.models import User
from tenants.web import health
from tenants.workspaces.hosts import tenant_host

DEAD_CACHE = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/1",
        "OPTIONS": {"socket_connect_timeout": 0.2},
    }
}


@pytest.mark.parametrize("host", ["public", "workspace", "unknown.example"])
def test_both_answer_on_every_host(public_client: Client, tenant_a: TenantRef, host: str) -> None:
    headers = {"public": {}, "workspace": {"host": tenant_host(tenant_a)}}.get(host, {"host": host})
    assert public_client.get("/healthz", headers=headers).json() == {"status": "ok"}
    ready = public_client.get("/readyz", headers=headers)
    assert (ready.status_code, set(ready.json()["checks"].values())) == (200, {"ok"})


def test_not_ready_without_the_cache_but_alive(public_client: Client) -> None:
    with override_settings(CACHES=DEAD_CACHE):
        answer = public_client.get("/readyz")
        assert public_client.get("/healthz").status_code == 200
    caches["default"].clear()
    assert (answer.status_code, answer.json()["checks"]["cache"]) == (503, "unreachable")


def test_not_ready_before_a_release_is_migrated(public_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ("tenants", "0001_initial") in health.expected_migrations()
    ahead = health.expected_migrations() | {("tenants", "9999_of_the_next_release")}
    monkeypatch.setattr(health, "expected_migrations", lambda: ahead)
    answer = public_client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["migrations"]) == (503, "1 not applied")


def test_not_ready_where_users_cannot_be_read(public_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(User._meta, "db_table", "no_such_table")
    answer = public_client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "unreachable"
    assert "no_such_table" not in answer.content.decode()
