"""The board: columns, moving deals, what a stage asks for."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from crm.sales.services import stage_remove
from crm.workspace.models import ExchangeRate
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
    from crm.records.schema.registry import registry
    from crm.records.write import gate

    rows = [{"name": f"Deal {number}", "stage": stages["first"].pk} for number in range(40)]
    gate.create_many(owner, registry.get("deal"), rows)
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
    from crm.records.schema.registry import registry
    from crm.records.write import gate

    gate.update(
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


def together(client: Any, action: str, deals: list[Any], **values: Any) -> Any:
    data = {"action": action, "id": [str(deal.pk) for deal in deals], **values}
    return client.post("/deals/board/together/", data, headers=BOARD)


def test_several_deals_are_moved_in_one_change_and_undone(owner: Any, stages: Any, browser_client: Any) -> None:
    from crm.records.models import ChangeSet

    deals = [factories.deal(owner, name=f"Deal {number}") for number in range(3)]
    client = browser_client(owner)
    before = ChangeSet.objects.count()
    moved = together(client, "move", deals, stage=str(stages["second"].pk))
    assert moved.status_code == 200
    assert moved["HX-Retarget"] == "#board"
    assert "3 deals moved" in moved["HX-Trigger"]
    assert column(moved.content.decode(), stages["second"]).count('data-card="') == 3
    assert ChangeSet.objects.count() == before + 1
    undo = re.search(r'"undo_url": "([^"]+)"', moved["HX-Trigger"])
    assert undo
    assert client.post(undo[1], {"told": ""}).status_code == 302
    assert {deal.__class__.objects.get(pk=deal.pk).stage_id for deal in deals} == {stages["first"].pk}


def test_what_stands_in_the_way_is_told_of_each_deal_and_nothing_moves(
    owner: Any, stages: Any, browser_client: Any
) -> None:
    from crm.records.schema.registry import registry
    from crm.records.write import gate

    stage = stages["second"]
    gate.update(owner, registry.get("stage"), stage.pk, {"required_fields": ["expected_close"]})
    ready = factories.deal(owner, name="Ready", expected_close="2027-01-01")
    lacking = [factories.deal(owner, name="Lacking one"), factories.deal(owner, name="Lacking two")]
    client, deals = browser_client(owner), [ready, *lacking]
    asked = together(client, "move", deals, stage=str(stage.pk))
    page = asked.content.decode()
    assert asked.status_code == 422
    assert asked["HX-Retarget"] == "#dialog-content"
    assert re.findall(r"<strong>([^<]+)</strong>", page) == ["Lacking one", "Lacking two"]
    assert re.findall(r'name="asked" value="([^"]+)"', page) == ["expected_close"]
    assert not type(ready).objects.filter(stage=stage).exists()
    done = together(client, "move", deals, stage=str(stage.pk), asked="expected_close", expected_close="2027-03-31")
    assert done.status_code == 200
    dates = dict(type(ready).objects.filter(stage=stage).values_list("name", "expected_close"))
    assert {name: str(day) for name, day in dates.items()} == {
        "Ready": "2027-01-01",
        "Lacking one": "2027-03-31",
        "Lacking two": "2027-03-31",
    }


def test_losing_several_asks_why_once(owner: Any, stages: Any, browser_client: Any) -> None:
    from crm.sales.models import LostReason

    deals = [factories.deal(owner), factories.deal(owner)]
    client, reason = browser_client(owner), LostReason.objects.filter(deleted_at=None)[0]
    lost = str(stages["lost"].pk)
    asked = together(client, "move", deals, stage=lost)
    assert re.findall(r'name="asked" value="([^"]+)"', asked.content.decode()) == ["lost_reason"]
    assert (
        together(client, "move", deals, stage=lost, asked="lost_reason", lost_reason=str(reason.pk)).status_code == 200
    )
    assert type(deals[0]).objects.filter(lost_reason=reason).count() == 2


def test_several_are_assigned_and_trashed(owner: Any, seller: Any, browser_client: Any) -> None:
    deals = [factories.deal(owner), factories.deal(owner)]
    client = browser_client(owner)
    assert together(client, "assign", deals, owner=str(seller.member_id)).status_code == 200
    assert type(deals[0]).objects.filter(owner=seller.member_id).count() == 2
    assert together(client, "trash", deals).status_code == 200
    assert not type(deals[0]).objects.filter(deleted_at=None).exists()
    assert together(client, "trash", []).status_code == 422
    assert client.post("/deals/board/together/", {"action": "trash", "id": "nonsense"}).status_code == 404


def test_several_only_where_all_are_in_reach(
    owner: Any, seller: Any, reader: Any, outsider: Any, stages: Any, browser_client: Any
) -> None:
    mine, theirs = factories.deal(seller), factories.deal(owner)
    to = {"stage": str(stages["second"].pk)}
    assert together(browser_client(seller), "move", [mine, theirs], **to).status_code == 403
    assert together(browser_client(reader), "move", [theirs], **to).status_code == 403
    assert together(browser_client(outsider), "trash", [theirs]).status_code == 404
    assert together(browser_client(seller), "move", [mine], **to).status_code == 200
    assert "deal-check" not in browser_client(reader).get("/deals/board/").content.decode()


def test_quick_filters_and_views_stand_in_the_address(owner: Any, seller: Any, browser_client: Any) -> None:
    from crm.records.lists.view_services import view_create
    from crm.records.schema.registry import registry

    factories.deal(owner, name="Oak door", amount="100", source="website")
    factories.deal(seller, name="Glass roof", amount="9000")
    big = {"field": "amount", "op": "gte", "value": "1000"}
    saved = view_create(
        owner, registry.get("deal"), {"name": "Big ones", "layout": "board", "filter": big, "card_fields": ["source"]}
    )
    client = browser_client(owner)
    page = client.get("/deals/board/?quick=mine,idle").content.decode()
    assert 'data-name="Oak door"' in page
    assert 'data-name="Glass roof"' not in page
    assert re.search(r'href="\?quick=idle"|href="/deals/board/\?quick=idle"', page)
    viewed = client.get(f"/deals/board/?view={saved.pk}").content.decode()
    assert 'data-name="Glass roof"' in viewed
    assert 'data-name="Oak door"' not in viewed
    assert "Big ones</a>" in viewed
    assert "€9,000" not in viewed.split("data-cards")[1].split("</ul>")[0]
    assert client.get("/deals/board/?view=00000000-0000-0000-0000-000000000000").status_code == 404
    applied = client.get(
        "/deals/filter/?layout=board&quick=mine&match=all&row=0&c0.was=amount&c0.field=amount&c0.op=gt&c0.value=5&apply=1"
    )
    assert "quick=mine" in applied["Location"]


def test_guidance_stands_on_the_column_and_on_the_deal(owner: Any, stages: Any, browser_client: Any) -> None:
    from crm.records.schema.registry import registry
    from crm.records.write import gate

    gate.update(owner, registry.get("stage"), stages["first"].pk, {"guidance": "Ask who decides."})
    deal = factories.deal(owner)
    client = browser_client(owner)
    assert "Ask who decides." in column(client.get("/deals/board/").content.decode(), stages["first"])
    assert "Ask who decides." in client.get(f"/deals/{deal.pk}/").content.decode()


def test_a_columns_sum_names_the_day_of_its_rates_in_plain_words(owner: Any, stages: Any, browser_client: Any) -> None:
    ExchangeRate.objects.create(currency="CHF", on=timezone.localdate(), rate=Decimal("1.1"))
    factories.deal(owner, name="One", amount="1000", currency="CHF", stage=stages["first"].pk)
    page = browser_client(owner).get("/deals/board/").content.decode()
    assert re.search(r'<span class="column-sum num" title="rates of [^"<>]+">≈ ', page)


@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
def test_a_stage_removed_while_a_card_is_dragged_into_it_is_named_and_the_board_shows_it_no_more(
    owner: Any, stages: Any, browser_client: Any, several: bool
) -> None:
    deal = factories.deal(owner, stage=stages["first"].pk)
    gone = stages["second"]
    stage_remove(owner, stage_id=gone.pk)
    sent = {"stage": str(gone.pk), "on": "board", "id": str(deal.pk), "action": "move"}
    path = "/deals/board/together/" if several else f"/deals/{deal.pk}/move/"
    answer = browser_client(owner).post(path, sent, headers=HTMX)
    assert answer.status_code == 422
    assert f"“{gone.name}” has been removed meanwhile" in json.loads(answer["HX-Trigger"])["toast"]["message"]
    assert answer["HX-Retarget"] == "#board"
    page = answer.content.decode()
    assert f'data-stage="{gone.pk}"' not in page
    assert f"card-{deal.pk}" in column(page, stages["first"])
