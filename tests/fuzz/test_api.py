"""Whatever a program sends to any route of the API, it is told what is wrong: never 5xx."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import transaction

from api.params import LIST_PARAMETERS
from crm.records.query.operators import OPERATORS
from crm.records.schema.registry import registry
from tests.depth import ROUNDS
from tests.fuzz.values import BODIES, TEXTS, dice, wrong, wrong_tree
from tests.isolation.routes import Route, routes
from tests.isolation.test_canary import Planted

pytestmark = [pytest.mark.django_db, pytest.mark.deep]
METHODS = ("post", "patch", "put", "delete")


@pytest.fixture
def program(api: Any, owner: Any) -> Any:
    client = api(owner, limits={"api_reads_per_minute": 10**9, "api_writes_per_minute": 10**9}).client
    client.raise_request_exception = False
    return client


def places(planted: Planted) -> Iterator[tuple[Route, str]]:
    for route in routes(settings.API_URLCONF):
        for path in planted.paths(route)[:1]:
            yield route, path


def keys_of(document: Any, path: str, method: str) -> list[str]:
    """The names in a route's declared body."""
    for declared, operations in document["paths"].items():
        parts, given = declared.strip("/").split("/"), path.strip("/").split("/")
        fits = len(parts) == len(given) and all(
            one.startswith("{") or one == other for one, other in zip(parts, given, strict=True)
        )
        if fits and method in operations and "requestBody" in operations[method]:
            schema = operations[method]["requestBody"]["content"]["application/json"]["schema"]
            name = schema.get("$ref", "").rpartition("/")[2]
            return list(document["components"]["schemas"].get(name, schema).get("properties", {}))
    return []


def bodies(path: str, method: str, keys: list[str], noun: str) -> Iterator[bytes]:
    """A few broken ones, then objects in which one, two or all of the declared keys hold something wrong."""
    chance = dice(path, method)
    yield from chance.sample(BODIES, min(len(BODIES), 1 + ROUNDS))
    for turn in range(2 * ROUNDS):
        chosen = keys if turn % 4 == 1 else chance.sample(keys, min(len(keys), chance.randint(1, 2)))
        body = {name: wrong(chance) for name in chosen}
        if "filter" in keys and noun and chance.random() < 0.7:
            body["filter"] = wrong_tree(chance, registry.get(noun))
        yield json.dumps(body).encode()


def told(client: Any, method: str, path: str, **options: Any) -> Any:
    """The answer, with whatever was done taken back."""
    with transaction.atomic():
        answer = client.generic(method.upper(), path, **options)
        transaction.set_rollback(True)
    return answer


@pytest.mark.slow("sends what nobody should to every route")
def test_no_body_of_any_route_ends_in_an_error_of_ours(program: Any, owner: Any) -> None:
    planted = Planted(owner)
    document = program.get("/api/v1/openapi.json").json()
    failed: list[str] = []
    tried = 0
    for route, path in places(planted):
        view = route.view.cls
        for method in METHODS:
            if not hasattr(view, method):
                continue
            for body in bodies(path, method, keys_of(document, path, method), getattr(view, "noun", "")):
                tried += 1
                answer = told(program, method, path, data=body, content_type="application/json")
                if answer.status_code >= 500:
                    failed.append(f"{method} {route.path} {body[:300]!r}")
    assert failed == []
    assert tried > 200


def queries(route: Route, noun: str) -> Iterator[str]:
    chance = dice(route.path, "query")
    declared: frozenset[str] = getattr(route.view.cls, "parameters", frozenset())
    known = sorted((declared - {"*"}) | LIST_PARAMETERS)
    filters = ["id", "created_at[gte]"]
    if noun in registry:
        filters = [f"{one.slug}[{op}]" for one in registry.get(noun).fields for op in OPERATORS[one.kind]]
        filters += [f"{one.slug}.name[eq]" for one in registry.get(noun).fields]
    for _turn in range(ROUNDS):
        yield urlencode([(chance.choice(known), chance.choice(TEXTS)[:3000])])
        yield urlencode([(chance.choice(filters), chance.choice(TEXTS)[:3000]) for _one in range(chance.randint(1, 3))])
        yield chance.choice(["%00", "a=%FF", "[]=1", "=", "&&&", "sort=name&sort=name", "limit=%C2%B2", "x" * 5000])


def test_no_parameter_of_any_route_ends_in_an_error_of_ours(program: Any, owner: Any) -> None:
    planted = Planted(owner)
    failed: list[str] = []
    for route, path in places(planted):
        if not hasattr(route.view.cls, "get"):
            continue
        for query in queries(route, getattr(route.view.cls, "noun", "")):
            answer = told(program, "get", f"{path}?{query}")
            if answer.status_code >= 500:
                failed.append(f"GET {route.path}?{query[:300]}")
    assert failed == []


HEADERS = [
    {"authorization": "Bearer"},
    {"authorization": "Bearer rpt_live_\u00e9"},
    {"authorization": "Basic \x00"},
    {"if_match": '"' + "9" * 5000 + '"'},
    {"if_match": "\u0661"},
    {"idempotency_key": "x" * 5000},
    {"accept": "\x00"},
    {"x_request_id": "x" * 5000},
    {"cookie": 'session="a\\000b"; csrftoken=\x00'},
    {"content_encoding": "gzip, br"},
    {"transfer_encoding": "x"},
]


@pytest.mark.parametrize("headers", HEADERS)
def test_no_header_ends_in_an_error_of_ours(program: Any, owner: Any, headers: dict[str, str]) -> None:
    planted = Planted(owner)
    given = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    for method in ("GET", "PATCH", "DELETE"):
        path = f"/api/v1/{planted.things[0].plural}/{planted.things[0].id}"
        answer = told(program, method, path, data=b"{}", content_type="application/json", **given)
        assert answer.status_code < 500
