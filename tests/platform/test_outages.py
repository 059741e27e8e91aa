"""The database or the cache is away: 503 with a time to try again, in the API's shape or as a page, never 500."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import override_settings

from tenants.workspaces.hosts import api_host, public_url, tenant_host

DEAD_CACHE = {
    "default": {
        "BACKEND": "tenants.db.caching.Cache",
        "LOCATION": "redis://127.0.0.1:1/1",
        "KEY_FUNCTION": "tenants.db.caching.cache_key",
    }
}
pytestmark = pytest.mark.django_db


def without_database(ask: Callable[[], Any]) -> Any:
    """What ``ask`` gives in a thread whose connections lead nowhere, as after the database went away."""
    found: list[Any] = []

    def run() -> None:
        for alias in ("default", "owner"):
            connections[alias].settings_dict = connections[alias].settings_dict | {"HOST": "127.0.0.1", "PORT": "1"}
        try:
            found.append(ask())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def hosts(tenant: Any) -> dict[str, str]:
    return {"workspace": tenant_host(tenant), "api": api_host(), "public": public_url("").partition("//")[2]}


@pytest.mark.parametrize(
    ("host", "method", "path", "json"),
    [
        ("workspace", "get", "/", False),
        ("workspace", "post", "/companies/new/", False),
        ("workspace", "get", "/api/v1/companies", True),
        ("workspace", "post", "/api/v1/companies", True),
        ("api", "get", "/api/v1/companies", True),
        ("api", "post", "/api/v1/companies/query", True),
        ("public", "get", "/workspaces/", False),
        ("public", "post", "/signup/", False),
    ],
)
def test_without_the_database(tenant_a: Any, host: str, method: str, path: str, json: bool) -> None:
    key = {"authorization": "Bearer rpt_live_0123456789abcdef_" + "x" * 40}
    client = Client(headers={"host": hosts(tenant_a)[host], **key}, raise_request_exception=False)
    client.cookies["session"] = "x" * 32
    client.cookies["session_8000"] = "x" * 32
    answer = without_database(lambda: getattr(client, method)(path))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    if json:
        assert answer.json()["error"]["code"] == "unavailable"
        assert answer.headers["Request-Id"] == answer.json()["error"]["request_id"]
    else:
        assert "We are away for a moment" in answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/companies/", "/deals/board/", "/settings/api/", "/calendar/", "/search/?q=a"])
def test_pages_go_on_without_the_cache(owner: Any, browser_client: Any, path: str) -> None:
    client = browser_client(owner)
    with override_settings(CACHES=DEAD_CACHE):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["companies", "types", "events"])
def test_the_api_goes_on_without_the_cache(owner: Any, api: Any, path: str) -> None:
    program = api(owner)
    with override_settings(CACHES=DEAD_CACHE):
        assert program.get(f"/api/v1/{path}").status_code == 200
        assert program.post("/api/v1/companies", {"name": "A"}).status_code == 201


def test_what_is_counted_waits_for_the_cache(public_client: Any) -> None:
    public_client.raise_request_exception = False
    with override_settings(CACHES=DEAD_CACHE):
        answer = public_client.post("/signin/", {"login": "a@example.com", "password": "x"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
