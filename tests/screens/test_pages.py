"""Every page of every noun: as its owner finds it, and closed to those it is not for."""

from typing import Any
from uuid import uuid4

import pytest

from crm.records.schema.registry import registry
from crm.records.write import gate
from tests.screens.conftest import HTMX

NOUNS = ("companies", "contacts", "deals", "tasks", "notes", "pipelines", "stages", "lost-reasons")
WITH_PAGE = ("companies", "contacts", "deals", "tasks", "notes")
PAGES = (
    "/",
    "/deals/board/",
    "/trash/",
    "/trash/?noun=tasks",
    "/search/",
    "/search/?q=Birke",
    "/references/?q=Birke",
    "/companies/board/",
    *(f"/{noun}/{part}" for noun in NOUNS for part in ("", "new/", "filter/", "options/", "totals/")),
)


@pytest.mark.parametrize("path", PAGES)
def test_owner_opens_every_page(path: str, owner: Any, filled: Any, browser_client: Any) -> None:
    answer = browser_client(owner).get(path)
    assert answer.status_code == (302 if path == "/companies/board/" else 200)


@pytest.mark.parametrize("noun", WITH_PAGE)
def test_list_and_page_show_the_record(noun: str, owner: Any, filled: Any, browser_client: Any) -> None:
    client = browser_client(owner)
    path = f"/{noun}/{filled[noun].id}/"
    assert path in client.get(f"/{noun}/").content.decode()
    assert "Properties" in client.get(path).content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_stranger_is_sent_to_sign_in(path: str, owner: Any, client: Any) -> None:
    from tenants.workspaces.hosts import tenant_host

    answer = client.get(path, headers={"host": tenant_host(owner.tenant)})
    assert answer.status_code == 302
    assert "/handover/" in answer["Location"]


@pytest.mark.parametrize("noun", WITH_PAGE)
@pytest.mark.parametrize("part", ["", "edit/name/", "edit/body/", "activity/"])
def test_outsider_and_bad_id_find_nothing(
    noun: str, part: str, owner: Any, outsider: Any, filled: Any, browser_client: Any
) -> None:
    assert browser_client(outsider).get(f"/{noun}/{filled[noun].id}/{part}").status_code == 404
    assert browser_client(owner).get(f"/{noun}/{uuid4()}/{part}").status_code == 404
    assert browser_client(owner).get(f"/{noun}/not-an-id/{part}").status_code == 404


@pytest.mark.parametrize("path", ["/nonsense/", "/nonsense/new/", "/companies/%00/", "/companies/x/", "/undo/x/"])
def test_unknown_path_is_a_404_page(path: str, owner: Any, browser_client: Any) -> None:
    assert browser_client(owner).get(path).status_code == 404


WRITES: tuple[tuple[str, dict[str, str]], ...] = (
    ("/companies/{companies}/edit/name/", {"name": "Taken over"}),
    ("/companies/{companies}/trash/", {}),
    ("/companies/bulk/", {"id": "{companies}", "action": "trash"}),
    ("/deals/{deals}/move/", {"stage": "{stage}"}),
    ("/deals/{deals}/notes/", {"body": "Mine"}),
    ("/deals/{deals}/tasks/", {"name": "Mine"}),
    ("/tasks/{tasks}/done/", {"done": "1"}),
)


def filled_in(text: str, filled: Any, stages: Any) -> str:
    return text.format(stage=stages["second"].pk, **{noun: record.id for noun, record in filled.items()})


@pytest.mark.parametrize(("path", "values"), WRITES)
def test_reader_and_outsider_write_nothing(
    path: str, values: dict[str, str], reader: Any, outsider: Any, filled: Any, stages: Any, browser_client: Any
) -> None:
    from crm.records.models import Event

    before = Event.objects.count()
    sent = {name: filled_in(value, filled, stages) for name, value in values.items()}
    url = filled_in(path, filled, stages)
    assert browser_client(reader).post(url, sent).status_code == 403
    assert browser_client(outsider).post(url, sent).status_code in {403, 404, 422}
    assert browser_client(outsider).post(url, sent, headers=HTMX).status_code in {403, 404, 422}
    assert Event.objects.count() == before


def test_seller_edits_his_own_deal_and_not_anothers(seller: Any, filled: Any, stages: Any, browser_client: Any) -> None:
    from tests import factories

    own = factories.deal(seller)
    client = browser_client(seller)
    move = {"stage": str(stages["second"].pk)}
    assert client.post(f"/deals/{own.id}/move/", move).status_code == 302
    assert client.post(f"/deals/{filled['deals'].id}/move/", move).status_code == 403
    page = client.get(f"/deals/{filled['deals'].id}/").content.decode()
    assert "data-edit=" not in page.split("record-centre")[0]
    assert client.get(f"/deals/{filled['deals'].id}/edit/name/").status_code == 403


@pytest.mark.parametrize("path", ["/companies/new/", "/deals/new/", "/tasks/new/"])
def test_reader_creates_nothing(path: str, reader: Any, browser_client: Any) -> None:
    client = browser_client(reader)
    assert client.get(path).status_code == 403
    assert client.post(path, {"name": "No"}).status_code == 403


def test_reading_only_shows_no_ways_to_change(reader: Any, filled: Any, browser_client: Any) -> None:
    client = browser_client(reader)
    for path in ("/deals/", f"/deals/{filled['deals'].id}/", "/deals/board/"):
        page = client.get(path).content.decode()
        assert "data-edit=" not in page
        assert "/trash/" not in page.split("<main")[1]
        assert "data-move-to" not in page


def test_what_one_change_did_to_many_is_one_piece_of_news(owner: Any, browser_client: Any) -> None:
    rows = [{"name": f"Branch {number}"} for number in range(8)]
    gate.create_many(owner, registry.get("company"), rows)
    page = browser_client(owner).get("/").content.decode()
    assert page.count(">Branch ") == 1
    assert "and others" in page
