"""Keeping a copy by the API: ``updated_at[gte]`` with ``deleted=include``."""

import threading

import pytest
from django.db import transaction

from tests import factories
from tests.records.conftest import PATIENCE, elsewhere

pytestmark = pytest.mark.django_db
SINCE = "2020-01-01T00:00:00Z"


@pytest.fixture
def writer_at_work(owner):
    """Somebody who has written and not committed; they take it back in the end."""
    wrote, may_end = threading.Event(), threading.Event()

    def write():
        with transaction.atomic():
            factories.company(owner, name="Late")
            wrote.set()
            assert may_end.wait(PATIENCE)
            transaction.set_rollback(True)

    end = elsewhere(write, owner.tenant)
    assert wrote.wait(PATIENCE)
    yield
    may_end.set()
    end()


def asked(client):
    tree = {"any": [{"not": {"field": "updated_at", "op": "lt", "value": SINCE}}]}
    answers = [
        client.get(f"/api/v1/companies?deleted=include&updated_at[gte]={SINCE}"),
        client.get("/api/v1/companies?sort=updated_at"),
        client.get("/api/v1/companies?sort=-updated_at"),
        client.post("/api/v1/companies/query", {"filter": tree}),
        client.post("/api/v1/companies/query", {"sort": ["updated_at"]}),
    ]
    return [[row["name"] for row in answer.json()["data"]] for answer in answers]


def test_what_is_shown_never_goes_past_the_oldest_writer_at_work(api, owner, writer_at_work):
    client = api(owner)
    client.post("/api/v1/companies", {"name": "Acme"})
    assert asked(client) == [[]] * 5
    assert [row["name"] for row in client.get("/api/v1/companies").json()["data"]] == ["Acme"]


def test_with_nobody_else_at_work_what_one_wrote_is_there_at_once(api, owner):
    client = api(owner)
    client.post("/api/v1/companies", {"name": "Acme"})
    assert asked(client) == [["Acme"]] * 5


def test_a_cursor_of_such_a_list_is_good_for_it(api, owner):
    client = api(owner)
    for name in ("a", "b", "c"):
        client.post("/api/v1/companies", {"name": name})
    address = f"/api/v1/companies?limit=2&sort=updated_at&updated_at[gte]={SINCE}"
    first = client.get(address).json()
    second = client.get(f"{address}&cursor={first['next_cursor']}").json()
    assert [row["name"] for row in first["data"] + second["data"]] == ["a", "b", "c"]
    assert second["next_cursor"] is None
