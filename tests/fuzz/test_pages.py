"""Whatever a browser, or somebody who pretends to be one, sends to any page: it gets an answer, never 5xx."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from crm.records.schema.registry import registry
from tests.depth import ROUNDS
from tests.fuzz.values import TEXTS, dice, names_in_code
from tests.isolation.routes import Route, routes
from tests.isolation.test_canary import Planted

pytestmark = [pytest.mark.django_db, pytest.mark.deep]
NAMES = names_in_code()
SIGNED_OUT_BY = ("/signout", "account/delete")
FORM_NAME = re.compile(r'\sname="([^"]+)"')
HEADERS: list[dict[str, str]] = [
    {},
    {"HTTP_HX_REQUEST": "true"},
    {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "results", "HTTP_HX_CURRENT_URL": "http://["},
    {"HTTP_REFERER": "http://["},
    {"HTTP_ACCEPT_LANGUAGE": "x" * 3000},
    {"HTTP_COOKIE_THEME": "\x00"},
]


def places(planted: Planted, urlconf: str) -> Iterator[tuple[Route, str]]:
    for route in routes(urlconf):
        if route.path.startswith("api/") or any(one.strip("/") in route.path for one in SIGNED_OUT_BY):
            continue
        for path in planted.paths(route):
            yield route, path


def answered(client: Any, method: str, path: str, **options: Any) -> Any:
    cache.clear()
    with transaction.atomic():
        answer = client.generic(method, path, **options)
        if answer.streaming:
            b"".join(answer.streaming_content)
        transaction.set_rollback(True)
    return answer


def wrong_pairs(chance: Any, names: list[str]) -> list[tuple[str, str]]:
    """A form or an address in which some of these names hold something wrong."""
    chosen = chance.sample(names, min(len(names), chance.randint(1, 6)))
    return [(name, chance.choice(TEXTS)[:4000]) for name in chosen]


def failures(client: Any, planted: Planted, urlconf: str, share: float = 1.0) -> list[str]:
    failed: list[str] = []
    for route, path in places(planted, urlconf):
        chance = dice(route.path, re.sub(r"[0-9a-f-]{36}", "", path))
        if chance.random() > share * ROUNDS:
            continue
        page = answered(client, "GET", path)
        names = sorted(
            {
                *FORM_NAME.findall(page.content.decode(errors="replace") if not page.streaming else ""),
                *field_names(path),
            }
        )
        tries: list[tuple[str, Any, list[tuple[str, str]]]] = [("GET", page, [])]
        for _turn in range(ROUNDS):
            asked, sent = wrong_pairs(chance, [*names, *NAMES]), wrong_pairs(chance, names or NAMES)
            headers = chance.choice(HEADERS)
            address = f"{path}?{urlencode(asked)}"
            tries.append(("GET", answered(client, "GET", address, **headers), asked))
            kind = "application/x-www-form-urlencoded"
            body = urlencode(sent).encode()
            tries.append(("POST", answered(client, "POST", path, data=body, content_type=kind, **headers), sent))
        failed += [f"{method} {path} {pairs!r}"[:600] for method, answer, pairs in tries if answer.status_code >= 500]
    return failed


def field_names(path: str) -> list[str]:
    """The fields of the noun that stands in the path, as forms send them."""
    noun = path.strip("/").split("/")[0]
    found = next((record_type for record_type in registry.all() if record_type.plural == noun), None)
    if found is None:
        return []
    slugs = [one.slug for one in found.fields]
    return [*slugs, *(f"{slug}.{part}" for slug in slugs for part in ("day", "time", "label", "role", "mark", "city"))]


@pytest.mark.slow("sends nonsense to a quarter of all pages")
def test_no_page_of_a_workspace_ends_in_an_error_of_ours(owner: Any, browser_client: Any) -> None:
    client = browser_client(owner)
    client.raise_request_exception = False
    assert failures(client, Planted(owner), settings.TENANT_URLCONF, 0.25) == []


def test_no_page_of_the_public_host_ends_in_an_error_of_ours(owner: Any, public_client: Any) -> None:
    public_client.raise_request_exception = False
    assert failures(public_client, Planted(owner), settings.ROOT_URLCONF) == []


@pytest.mark.parametrize("value", ['"a\\000b"', "x" * 5000, "é", "{}", "../", '"\\777"'])
@pytest.mark.parametrize(
    "name", [settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, "theme", "messages", "browser"]
)
def test_no_cookie_ends_in_an_error_of_ours(owner: Any, browser_client: Any, name: str, value: str) -> None:
    client = browser_client(owner)
    client.raise_request_exception = False
    others = "; ".join(f"{key}={one.value}" for key, one in client.cookies.items() if key != name)
    client.cookies.clear()
    assert answered(client, "GET", "/companies/", HTTP_COOKIE=f"{others}; {name}={value}").status_code < 500
