"""Saved views as tabs, work in bulk and in the background, exports: as pages, for owner, narrow member and outsider."""

import json
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from crm.records.events.timers import Due
from crm.records.jobs import export, jobs
from crm.records.lists.saved_views import groupable
from crm.records.models import Event, Job, SavedView, ViewChoice
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.workspace.models import Member, Role, Team
from tests import factories

pytestmark = pytest.mark.django_db

RICH = json.dumps({"field": "amount", "op": "gte", "value": "100"})


def html(answer: Any) -> str:
    return str(answer.content.decode())


def run(actor: Any) -> Job:
    job = Job.objects.order_by("-id")[0]
    jobs.run(actor.tenant, job.pk)
    return Job.objects.get(pk=job.pk)


class TestTabs:
    def test_a_list_is_saved_as_a_view_and_opened_by_its_link(self, owner, browser_client):
        client = browser_client(owner)
        factories.deal(owner, name="Big", amount="500")
        factories.deal(owner, name="Small", amount="5")
        form = client.get("/deals/views/", {"filter": RICH, "sort": "-amount"})
        assert "Save as a view" in html(form)
        answer = client.post("/deals/views/", {"filter": RICH, "sort": "-amount", "name": "Rich", "sharing": "private"})
        saved = SavedView.objects.get()
        assert answer.headers["Location"] == f"/deals/?view={saved.pk}"
        page = html(client.get(f"/deals/?view={saved.pk}"))
        assert "Big" in page
        assert "Small" not in page
        assert "Not saved" not in page

    def test_its_link_names_it_also_where_it_opens_first(self, owner, browser_client):
        client = browser_client(owner)
        client.post("/deals/views/", {"filter": RICH, "name": "Rich", "sharing": "private"})
        saved = SavedView.objects.get()
        client.post(f"/deals/views/{saved.pk}/tab/", {"do": "first"})
        page = html(client.get("/deals/"))
        link = page.split('id="view-link" hidden>')[1].split("<")[0]
        assert link.endswith(f"/deals/?view={saved.pk}")
        assert "for you alone" in page

    def test_it_is_offered_to_the_team_by_name_and_only_where_there_is_one(self, owner, seller, browser_client):
        Member.objects.filter(pk=seller.member_id).update(team=Team.objects.create(name="North"))
        assert "The team North" in html(browser_client(seller).get("/deals/views/"))
        assert 'value="team"' not in html(browser_client(owner).get("/deals/views/"))

    def test_from_mine_it_keeps_that_they_are_mine(self, owner, browser_client):
        browser_client(owner).post("/deals/views/", {"view": "mine", "filter": RICH, "name": "My rich"})
        assert {"field": "owner", "op": "eq", "value": "me"} in SavedView.objects.get().filter["all"]

    def test_changes_are_shown_kept_and_reset(self, owner, browser_client):
        client = browser_client(owner)
        factories.deal(owner, name="Big", amount="500")
        client.post("/deals/views/", {"filter": RICH, "name": "Rich"})
        saved = SavedView.objects.get()
        changed = {"view": str(saved.pk), "filter": "{}", "group": "owner"}
        page = html(client.get("/deals/", changed))
        assert "Not saved" in page
        client.post(f"/deals/views/{saved.pk}/", changed | {"keep": "1"})
        saved.refresh_from_db()
        assert (saved.filter, saved.grouping, saved.name) == ({}, "owner", "Rich")

    def test_columns_of_a_built_in_view_follow_the_member_and_of_a_saved_one_the_view(self, owner, browser_client):
        client = browser_client(owner)
        factories.deal(owner)
        client.post("/deals/columns/", {"column": ["name", "source"]})
        assert ViewChoice.objects.get().columns == ["name", "source"]
        assert "Source" in html(browser_client(owner).get("/deals/"))
        client.post("/deals/views/", {"name": "Two"})
        saved = SavedView.objects.get()
        answer = client.post("/deals/columns/", {"view": str(saved.pk), "column": ["name", "amount"]})
        assert "columns=name.amount" in answer.headers["Location"]
        assert [one["field"] for one in SavedView.objects.get().columns] == ["name", "source"]

    def test_tabs_move_hide_and_open_first(self, owner, browser_client):
        client = browser_client(owner)
        client.post("/deals/views/mine/tab/", {"do": "left"})
        client.post("/deals/views/mine/tab/", {"do": "first"})
        choice = ViewChoice.objects.get()
        assert (choice.tabs[:2], choice.default) == (["mine", "all"], "mine")
        client.post("/deals/views/mine/tab/", {"do": "hide"})
        assert ViewChoice.objects.get().hidden == ["mine"]
        assert client.post("/deals/views/mine/tab/", {"do": "dance"}).status_code == 404
        assert client.post("/deals/views/nonsense/tab/", {"do": "left"}).status_code == 404

    def test_another_ones_private_view_is_not_there(self, owner, seller, browser_client):
        browser_client(owner).post("/deals/views/", {"name": "Secret plan"})
        saved = SavedView.objects.get()
        client = browser_client(seller)
        assert client.get(f"/deals/?view={saved.pk}").status_code == 404
        for path in (f"views/{saved.pk}/", f"views/{saved.pk}/duplicate/", f"views/{saved.pk}/delete/"):
            assert client.post(f"/deals/{path}", {"name": "x"}).status_code == 404
        assert client.get(f"/deals/?view={uuid4()}").status_code == 404
        assert "Secret plan" not in html(client.get("/deals/"))

    def test_old_addresses_still_lead_there(self, owner, browser_client):
        factories.deal(owner)
        for old, name in (("/deals/?mine=1", "Mine"), ("/tasks/?done=1", "Done")):
            assert f'aria-current="page">{name}' in html(browser_client(owner).get(old))


class TestBoards:
    """A board and a list of deals stand in one set of tabs."""

    def board(self, client: Any, address: str) -> str:
        answer = client.get(address)
        assert answer.status_code == 200, answer.headers
        return html(answer)

    def test_a_board_is_saved_with_its_filter_pipeline_quick_filters_and_cards(self, owner, seller, browser_client):
        client = browser_client(owner)
        factories.deal(owner, name="Big", amount="500", source="website")
        factories.deal(seller, name="Not mine", amount="500")
        factories.deal(owner, name="Small", amount="5")
        pipeline = str(registry.get("pipeline").rows.get().pk)
        state = {"layout": "board", "filter": RICH, "quick": "mine", "pipeline": pipeline, "cards": "source.amount"}
        answer = client.post("/deals/views/", state | {"name": "Rich", "sharing": "everyone"})
        saved = SavedView.objects.get()
        assert answer.headers["Location"] == f"/deals/board/?view={saved.pk}"
        assert (saved.layout, saved.quick, saved.card_fields) == ("board", ["mine"], ["source", "amount"])
        assert {"field": "pipeline", "op": "eq", "value": pipeline} in saved.filter["all"]
        page = self.board(client, f"/deals/board/?view={saved.pk}")
        assert 'data-name="Big"' in page
        assert "Website" in page
        assert 'data-name="Small"' not in page
        assert 'data-name="Not mine"' not in page
        assert "Not saved" not in page
        theirs = self.board(browser_client(seller), f"/deals/board/?view={saved.pk}")
        assert 'data-name="Not mine"' in theirs
        assert 'data-name="Big"' not in theirs

    def test_it_says_what_differs_keeps_it_and_goes_back(self, owner, browser_client):
        client = browser_client(owner)
        factories.deal(owner, name="Big", amount="500")
        client.post("/deals/views/", {"layout": "board", "filter": RICH, "quick": "mine", "name": "Rich"})
        saved = SavedView.objects.get()
        changed = {"view": str(saved.pk), "filter": "{}", "quick": "", "cards": "source"}
        page = html(client.get("/deals/board/", changed))
        assert "Not saved" in page
        assert f'href="/deals/board/?view={saved.pk}">Reset' in page
        client.post(f"/deals/views/{saved.pk}/", changed | {"keep": "1", "layout": "board"})
        saved.refresh_from_db()
        assert (saved.layout, saved.filter, saved.quick, saved.card_fields) == ("board", {}, [], ["source"])
        assert (saved.columns, saved.name) == ([], "Rich")

    def test_both_layouts_stand_in_one_set_of_tabs(self, owner, browser_client):
        client = browser_client(owner)
        factories.deal(owner)
        client.post("/deals/views/", {"layout": "board", "filter": RICH, "name": "As board"})
        client.post("/deals/views/", {"filter": RICH, "name": "As list"})
        board, as_list = (SavedView.objects.get(name=name) for name in ("As board", "As list"))
        for address, all_of_them in (("/deals/board/", "/deals/board/"), ("/deals/", "/deals/")):
            page = self.board(client, address)
            assert f'href="{all_of_them}" aria-current="page">All' in page
            assert f'href="/deals/board/?view={board.pk}"' in page
            assert f'href="/deals/?view={as_list.pk}"' in page
        assert f'href="/deals/?view={board.pk}"' in self.board(client, f"/deals/board/?view={board.pk}")
        assert "Not saved" not in self.board(client, f"/deals/?view={board.pk}")

    def test_one_who_opens_with_a_board_finds_the_list_all_the_same(self, owner, browser_client):
        client = browser_client(owner)
        factories.deal(owner, name="Small", amount="5")
        client.post("/deals/views/", {"layout": "board", "filter": RICH, "name": "Rich"})
        saved = SavedView.objects.get()
        client.post(f"/deals/views/{saved.pk}/tab/", {"do": "first"})
        assert client.get("/deals/").headers["Location"] == "/deals/board/"
        page = self.board(client, "/deals/board/")
        assert 'aria-current="page"' in page
        assert 'data-name="Small"' not in page
        assert 'href="/deals/board/?view=all"' in page
        listed = self.board(client, "/deals/?view=all")
        assert "Small" in listed
        assert f'href="/deals/?view={saved.pk}"' in page

    def test_another_pipeline_than_the_views_is_shown_and_told(self, owner, browser_client):
        client = browser_client(owner)
        first = str(registry.get("pipeline").rows.get().pk)
        client.post("/deals/views/", {"layout": "board", "pipeline": first, "name": "Of the first"})
        saved = SavedView.objects.get()
        page = self.board(client, f"/deals/board/?view={saved.pk}")
        assert "Not saved" not in page
        assert "Not saved" not in self.board(client, f"/deals/board/?pipeline={first}")
        second = str(factories.pipeline(owner, name="Partners").pk)
        factories.stage(owner, pipeline=second)
        page = self.board(client, f"/deals/board/?view={saved.pk}&pipeline={second}")
        assert "Not saved" in page
        assert 'aria-current="true"><span>Partners' in page

    def test_fields_of_cards_are_chosen_on_screen(self, owner, browser_client):
        client = browser_client(owner)
        factories.deal(owner, source="website")
        assert "Website" not in self.board(client, "/deals/board/").split("data-cards", 1)[1]
        answer = client.post("/deals/columns/", {"layout": "board", "column": ["source", "nonsense"]})
        assert answer.headers["Location"] == "/deals/board/?cards=source"
        assert "Website" in self.board(client, "/deals/board/?cards=source").split("data-cards", 1)[1]
        answer = client.post("/deals/columns/", {"layout": "board", "cards": "source", "reset": "1"})
        assert answer.headers["Location"] == "/deals/board/"

    def test_filter_form_of_a_board_comes_back_to_it(self, owner, browser_client):
        row = {"match": "all", "row": "0", "c0.was": "amount", "c0.field": "amount", "c0.op": "gt", "c0.value": "5"}
        answer = browser_client(owner).get("/deals/filter/", row | {"layout": "board", "quick": "mine", "apply": "1"})
        assert answer.headers["Location"].startswith("/deals/board/?filter=")
        assert "quick=mine" in answer.headers["Location"]


class TestGroups:
    def test_a_list_in_groups_shows_what_each_comes_to_and_pages_its_rows(self, owner, seller, browser_client):
        client = browser_client(owner)
        for place in range(3):
            factories.deal(owner, name=f"Mine {place}", amount="10", currency="EUR")
        factories.deal(owner, name="Theirs", owner=str(seller.member_id), amount="7", currency="EUR")
        page = html(client.get("/deals/?group=owner"))
        assert "Mine 1" not in page
        assert "€30" in page
        rows = client.get(
            f"/deals/?group=owner&in={seller.member_id}", headers={"HX-Request": "true", "HX-Target": "more-x"}
        )
        assert "Theirs" in html(rows)
        assert "Mine 1" not in html(rows)

    @pytest.mark.slow("opens each list in each of its groups")
    def test_every_list_opens_in_groups_of_all_that_it_may_be_grouped_by(self, owner, browser_client):
        company, contact = factories.company(owner), factories.contact(owner)
        factories.deal(owner, company=company.id)
        factories.task(owner, about={"type": "contact", "id": str(contact.id)}, due_at="2026-05-01T10:00:00Z")
        client = browser_client(owner)
        for record_type in registry.all():
            for one in groupable(owner, record_type):
                address = f"/{record_type.plural}/?group={one.slug}"
                page = client.get(address)
                assert page.status_code == 200 or not record_type.in_sidebar, address
                assert page.status_code < 500, address
                for rows in re.findall(r'hx-get="([^"]*[?&;]in=[^"]*)"', html(page)):
                    sent = {"HX-Request": "true", "HX-Target": "more-x"}
                    assert client.get(rows.replace("&amp;", "&"), headers=sent).status_code == 200, rows

    def test_bad_input_is_no_error(self, owner, browser_client):
        factories.deal(owner)
        for query in ("group=nonsense", "group=owner&in=nonsense", "group=expected_close&in=2026-99", "footers=x:y,:"):
            assert browser_client(owner).get(f"/deals/?{query}").status_code in {200, 400}, query
            assert browser_client(owner).get(f"/deals/totals/?{query}").status_code in {200, 400}, query


class TestBulk:
    def test_all_that_match_are_changed_in_the_background(self, owner, browser_client):
        client = browser_client(owner)
        for place in range(4):
            factories.deal(owner, name=f"Deal {place}", amount="500")
        factories.deal(owner, name="Small", amount="5")
        answer = client.post(
            "/deals/bulk/",
            {"all": "1", "filter": RICH, "action": "set", "field": "probability", "probability": "55"},
        )
        assert answer.status_code == 302
        assert client.cookies["work"].value == "1"
        assert "4 records are being changed" in html(client.get(answer.headers["Location"]))
        assert 'id="work"' in html(client.get("/deals/"))
        assert "Waiting" in html(client.get("/jobs/work/"))
        job = run(owner)
        assert (job.state, job.result["changed"]) == ("done", 4)
        assert registry.get("deal").rows.filter(probability=55).count() == 4
        page = html(client.get(f"/jobs/{job.pk}/"))
        assert "4 changed" in page
        assert "Undo" in page

    def test_skip_or_stop_is_chosen_and_what_was_refused_is_linked(self, owner, browser_client):
        client = browser_client(owner)
        reason, other = (str(factories.make(owner, "lost_reason", {"name": name}).pk) for name in ("Dear", "Late"))
        still_open, gone = factories.deal(owner, name="Open"), factories.deal(owner, name="Lost")
        lost = registry.get("stage").rows.get(kind="lost")
        gate.update(owner, registry.get("deal"), gone.pk, {"stage": str(lost.pk), "lost_reason": reason})
        assert "All or none" in html(client.get("/deals/"))
        change = {"all": "1", "action": "set", "field": "lost_reason", "lost_reason": other}
        client.post("/deals/bulk/", change | {"on_error": "stop"})
        assert run(owner).state == "failed"
        assert not registry.get("deal").rows.filter(lost_reason=other).exists()
        client.post("/deals/bulk/", change)
        job = run(owner)
        assert (job.state, job.skipped) == ("done", 1)
        assert registry.get("deal").rows.get(lost_reason=other).pk == gone.pk
        page = html(client.get(f"/jobs/{job.pk}/"))
        assert f'href="/deals/{still_open.pk}/"' in page
        assert "Left as they were" in page

    def test_the_corner_falls_silent(self, owner, browser_client):
        client = browser_client(owner)
        client.cookies["work"] = "1"
        answer = client.get("/jobs/work/")
        assert answer.status_code == 286
        assert not answer.cookies["work"].value

    def test_cancelled_and_undone_by_its_buttons(self, owner, browser_client, monkeypatch):
        monkeypatch.setattr(jobs, "CHUNK", 2)
        client = browser_client(owner)
        for _place in range(5):
            factories.deal(owner)
        client.post("/deals/bulk/", {"all": "1", "action": "trash"})
        job = Job.objects.get()
        jobs.step(owner.tenant, job.pk)
        client.post(f"/jobs/{job.pk}/cancel/")
        assert run(owner).state == "cancelled"
        assert registry.get("deal").rows.filter(deleted_at=None).count() == 3
        page = html(client.get("/jobs/"))
        assert "Cancelled" in page
        assert "2 changed · 3 not reached" in page
        client.post(f"/jobs/{job.pk}/undo/")
        assert "An undo runs to its end" in html(client.get("/jobs/"))
        assert run(owner).state == "done"
        assert "An undo runs to its end" not in html(client.get("/jobs/"))
        assert registry.get("deal").rows.filter(deleted_at=None).count() == 5
        assert "Undone" in html(client.get("/jobs/"))

    def test_a_big_change_is_undone_in_the_background(self, owner, browser_client, monkeypatch):
        from crm.records.jobs import bulk

        monkeypatch.setattr(bulk, "MAX_AT_ONCE", 2)
        client = browser_client(owner)
        ids = [str(factories.deal(owner).pk) for _place in range(4)]
        client.post("/deals/bulk/", {"id": ids, "action": "set", "field": "probability", "probability": "55"})
        run(owner)
        client.post("/undo/last/", {"shown": " ".join(ids)})
        assert Job.objects.filter(kind="undo").count() == 1
        assert run(owner).state == "done"
        assert registry.get("deal").rows.filter(probability=55).count() == 0

    def test_who_may_not_is_not_offered_it_and_refused(self, owner, reader, seller, browser_client):
        deal = factories.deal(owner)
        client = browser_client(reader)
        assert "data-check-all" not in html(client.get("/deals/"))
        assert client.post("/deals/bulk/", {"all": "1", "action": "trash"}).status_code == 403
        narrow = browser_client(seller)
        assert narrow.post("/deals/bulk/", {"id": [str(deal.pk)], "action": "trash"}).status_code == 403
        assert registry.get("deal").rows.filter(deleted_at=None).count() == 1

    def test_the_offer_counts_what_a_narrow_role_reaches(self, owner, seller, browser_client):
        factories.deal(owner)
        factories.deal(owner, owner=str(seller.member_id))
        assert 'data-count="1"' in html(browser_client(seller).get("/deals/totals/"))
        assert 'data-count="2"' in html(browser_client(owner).get("/deals/totals/"))

    def test_the_work_of_others_is_not_there(self, owner, seller, browser_client):
        factories.deal(owner)
        browser_client(owner).post("/deals/bulk/", {"all": "1", "action": "trash"})
        job = Job.objects.get()
        client = browser_client(seller)
        assert client.get(f"/jobs/{job.pk}/").status_code == 404
        assert client.post(f"/jobs/{job.pk}/cancel/").status_code == 404
        assert client.post(f"/jobs/{job.pk}/undo/").status_code == 404
        assert "to the trash" not in html(client.get("/jobs/"))


class TestExport:
    def export(self, actor: Any, client: Any, **state: str) -> Job:
        assert client.post("/deals/export/", state).status_code == 302
        return run(actor)

    def test_what_the_list_shows_is_in_the_file(self, owner, browser_client, settings, tmp_path, monkeypatch):
        settings.MEDIA_ROOT = tmp_path
        monkeypatch.setattr(export, "ROWS", 2)
        company = factories.company(owner, name="=HYPERLINK(1)")
        for place in range(5):
            factories.deal(owner, name=f"+Deal {place}", amount="500", currency="EUR", company=company.pk)
        factories.deal(owner, name="Small", amount="5")
        client = browser_client(owner)
        job = self.export(owner, client, filter=RICH, sort="name")
        assert (job.state, job.done) == ("done", 5)
        answer = client.get(f"/jobs/{job.pk}/file/")
        lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
        assert lines[0].startswith("Name,Company,Amount,Currency")
        assert lines[1].startswith("'+Deal 0,'=HYPERLINK(1),500")
        assert len(lines) == 6
        assert Event.objects.filter(type="export.finished", record_id=job.pk).exists()

    def test_a_page_that_is_written_again_stands_in_it_once(
        self, owner, settings, tmp_path, monkeypatch, browser_client
    ):
        settings.MEDIA_ROOT = tmp_path
        monkeypatch.setattr(export, "ROWS", 2)
        for place in range(5):
            factories.deal(owner, name=f"Deal {place}")
        browser_client(owner).post("/deals/export/", {"sort": "name"})
        job = Job.objects.get()
        jobs.step(owner.tenant, job.pk)
        real = export.append

        def killed(*arguments: Any) -> int:
            real(*arguments)
            raise RuntimeError("The worker was killed.")

        monkeypatch.setattr(export, "append", killed)
        jobs.step(owner.tenant, job.pk)
        monkeypatch.setattr(export, "append", real)
        jobs.run(owner.tenant, job.pk)
        lines = export.path_of(owner.tenant, job.pk).read_text().splitlines()
        assert [line.split(",")[0] for line in lines[1:]] == [f"Deal {place}" for place in range(5)]

    def test_only_its_maker_fetches_it_while_he_may_and_for_a_day(
        self, owner, admin, manager, browser_client, settings, tmp_path
    ):
        settings.MEDIA_ROOT = tmp_path
        factories.deal(owner)
        client = browser_client(manager)
        job = self.export(manager, client)
        assert browser_client(owner).get(f"/jobs/{job.pk}/file/").status_code == 404
        Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(hours=25))
        assert client.get(f"/jobs/{job.pk}/file/").status_code == 404
        Job.objects.filter(pk=job.pk).update(finished_at=timezone.now())
        Member.objects.filter(pk=manager.member_id).update(role=Role.objects.get(slug="read_only"))
        assert client.get(f"/jobs/{job.pk}/file/").status_code == 403
        export.export_expired(manager.tenant, [Due(job.pk, timezone.now())])
        assert not export.path_of(manager.tenant, job.pk).exists()

    def test_without_the_right_there_is_none(self, owner, seller, browser_client):
        factories.deal(owner)
        client = browser_client(seller)
        assert "/deals/export/" not in html(client.get("/deals/"))
        assert client.post("/deals/export/").status_code in {403, 404}
        assert not Job.objects.exists()
