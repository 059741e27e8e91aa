"""A small workspace to look at."""

from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from tests import factories


@pytest.fixture
def filled(owner: Any) -> dict[str, Any]:
    company = factories.company(owner, name="Birke & Söhne 🪟", phones=["+49 30 1234567"], address={"city": "Berlin"})
    contact = factories.contact(owner, name="Ada Byron", company=company.id, emails=["ada@birke.example"])
    buyer = [{"id": str(contact.id), "role": "Buyer"}]
    deal = factories.deal(owner, company=company.id, amount="12500.50", currency="EUR", contacts=buyer)
    task = factories.task(owner, about={"type": "deal", "id": deal.id}, due_at="2026-01-01T10:00:00Z")
    note = factories.note(owner, about={"type": "deal", "id": deal.id})
    return {"companies": company, "contacts": contact, "deals": deal, "tasks": task, "notes": note}


@pytest.fixture
def stages(owner: Any) -> dict[str, Any]:
    """The stages of the pipeline there is, by kind: the first open one, the second, won and lost."""
    from crm.sales.models import Stage

    found = list(Stage.objects.filter(pipeline__is_default=True, deleted_at=None).order_by("position"))
    opened = [one for one in found if one.kind == "open"]
    by_kind = {one.kind: one for one in found}
    return {"first": opened[0], "second": opened[1], "won": by_kind["won"], "lost": by_kind["lost"]}


def filtered(tree: Any, **more: str) -> str:
    """A query string with a filter."""
    return "?" + urlencode({"filter": tree if isinstance(tree, str) else orjson.dumps(tree).decode(), **more})


HTMX = {"HX-Request": "true"}
