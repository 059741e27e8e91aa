"""The board: columns, moving deals, what a stage asks for."""

import re
from typing import Any

import pytest

from tests import factories
from tests.screens.conftest import HTMX, filtered

BOARD = {**HTMX, "HX-Target": "board"}


def column(page: str, stage: Any) -> str:
    return page.split(f'data-stage="{stage.pk}"')[1].split("</section>")[0]


def test_columns_hold_their_deals_with_count_and_sums(owner: Any, stages: Any, browser_client: Any) -> None:
    factories.deal(owner, name="One", amount="1000", currency="EUR", stage=stages["first"].pk)
    factories.deal(owner, name="Two", amount="3000", currency="EUR", stage=stages["first"].pk, probability="50")
    page = browser_client(owner).get("/deals/board/").content.decode()
    first = column(page, stages["first"])
    assert "One" in first
    assert "Two" in first
    assert "€4,000" in first
    assert "2 deals" in first
    assert "One" not in column(page, stages["second"])


def test_columns_show_25_cards_and_more_when_asked(owner: Any, stages: Any, browser_client: Any) -> None:
    from crm.records import writing
    from crm.records.types import registry

    rows = [{"name": f"Deal {number}", "stage": stages["first"].pk} for number in range(40)]
    writing.create_many(owner, registry.get("deal"), rows)
    client = browser_client(owner)
    page = client.get("/deals/board/").content.decode()
    seen = re.findall(r'data-card="([^"]+)"', page)
    assert len(seen) == 25
    more = re.search(r'hx-get="(/deals/board/[^"]+cursor=[^"]+)"', page)
    assert more
    rest = client.get(more[1].replace("&amp;", "&"), headers=HTMX).content.decode()
    seen += re.findall(r'data-card="([^"]+)"', rest)
    assert len(set(seen)) == 40


def test_card_is_moved_and_columns_are_told(owner: Any, stages: Any, browser_client: Any) -> None:
    deal = factories.deal(owner, amount="1000", currency="EUR")
    answer = browser_client(owner).post(
        f"/deals/{deal.id}/move/", {"stage": str(stages["second"].pk), "on": "board"}, headers=BOARD
    )
    assert answer.status_code == 200
    text = answer.content.decode()
    assert f'id="card-{deal.id}"' in text
    assert f'id="head-{stages["second"].pk}"' in text
    assert "deal:moved" in answer["HX-Trigger-After-Settle"]
    assert "undo_url" in answer["HX-Trigger"]
    deal.refresh_from_db()
    assert deal.stage_id == stages["second"].pk


def test_losing_a_deal_asks_why(owner: Any, stages: Any, browser_client: Any) -> None:
    from crm.sales.models import LostReason

    reason = LostReason.objects.filter(deleted_at=None).first()
    assert reason
    deal = factories.deal(owner)
    client = browser_client(owner)
    move = {"stage": str(stages["lost"].pk), "on": "board"}
    asked = client.post(f"/deals/{deal.id}/move/", move, headers=BOARD)
    assert asked.status_code == 422
    assert asked["HX-Retarget"] == "#dialog-content"
    assert "Why was" in asked.content.decode()
    assert re.findall(r'name="asked" value="([^"]+)"', asked.content.decode()) == ["lost_reason"]
    again = client.post(f"/deals/{deal.id}/move/", {**move, "asked": "lost_reason", "lost_reason": ""}, headers=BOARD)
    assert again.status_code == 422
    assert "field-errors" in again.content.decode()
    done = client.post(
        f"/deals/{deal.id}/move/", {**move, "asked": "lost_reason", "lost_reason": str(reason.pk)}, headers=BOARD
    )
    assert done.status_code == 200
    deal.refresh_from_db()
    assert deal.lost_reason_id == reason.pk


def test_stage_asks_only_for_what_is_missing(owner: Any, stages: Any, browser_client: Any) -> None:
    from crm.records import writing
    from crm.records.types import registry

    writing.update(
        owner, registry.get("stage"), stages["second"].pk, {"required_fields": ["amount", "expected_close", "source"]}
    )
    deal = factories.deal(owner, source="web" if False else None, amount="5", currency="EUR")
    client = browser_client(owner)
    asked = client.post(f"/deals/{deal.id}/move/", {"stage": str(stages["second"].pk)})
    assert asked.status_code == 422
    assert re.findall(r'name="asked" value="([^"]+)"', asked.content.decode()) == ["expected_close", "source"]
    wrong = client.post(
        f"/deals/{deal.id}/move/",
        {"stage": str(stages["second"].pk), "asked": ["expected_close", "source"], "expected_close": "2027-01-31"},
    )
    assert 'value="2027-01-31"' in wrong.content.decode()
    deal.refresh_from_db()
    assert deal.stage_id == stages["first"].pk


@pytest.mark.parametrize("stage", ["", "x", "00000000-0000-0000-0000-000000000000", "\x00"])
def test_nowhere_to_move_is_a_404(stage: str, owner: Any, browser_client: Any) -> None:
    deal = factories.deal(owner)
    assert browser_client(owner).post(f"/deals/{deal.id}/move/", {"stage": stage}).status_code == 404


def test_stage_of_another_workspace_is_not_found(
    owner: Any, outsider: Any, as_tenant: Any, browser_client: Any
) -> None:
    from crm.sales.models import Stage

    deal = factories.deal(owner)
    with as_tenant(outsider.tenant):
        foreign = Stage.objects.values_list("pk", flat=True)[0]
    assert browser_client(owner).post(f"/deals/{deal.id}/move/", {"stage": str(foreign)}).status_code == 404


def test_board_is_filtered_and_searched(owner: Any, seller: Any, browser_client: Any) -> None:
    factories.deal(owner, name="Oak door", amount="100", currency="EUR")
    factories.deal(seller, name="Glass roof", amount="9000", currency="EUR")
    client = browser_client(owner)
    tree = {"field": "amount", "op": "gte", "value": "1000"}
    for query, shown, hidden in (
        (filtered(tree), "Glass roof", "Oak door"),
        ("?q=oak", "Oak door", "Glass roof"),
        ("?mine=1", "Oak door", "Glass roof"),
    ):
        page = client.get(f"/deals/board/{query}").content.decode()
        assert f'data-name="{shown}"' in page
        assert f'data-name="{hidden}"' not in page
    broken = client.get("/deals/board/?filter={")
    assert broken.status_code == 400
    assert 'data-name="Oak door"' in broken.content.decode()


def test_unknown_pipeline_is_a_404(owner: Any, browser_client: Any) -> None:
    assert browser_client(owner).get("/deals/board/?pipeline=nonsense").status_code == 404


def test_second_pipeline_has_its_own_board(owner: Any, browser_client: Any) -> None:
    from crm.sales.services import pipeline_create

    made = pipeline_create(owner, name="Service contracts")
    client = browser_client(owner)
    assert "Service contracts" in client.get("/deals/board/").content.decode()
    form = client.get(f"/deals/new/?pipeline={made.id}").content.decode()
    stages = form.split('name="stage"')[1].split("</select>")[0]
    own = client.get(f"/deals/board/?pipeline={made.id}").content.decode()
    for stage in re.findall(r'value="([0-9a-f-]{36})"', stages):
        assert f'data-stage="{stage}"' in own
