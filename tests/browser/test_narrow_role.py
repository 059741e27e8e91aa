"""A role of one's own, shaped by an admin and lived by who has it: by keyboard alone, on every page and by
the API, only what it lets see is there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.hands import HANDS, LIVED_BY, Hand
from tests.browser.office import TIME_ZONE, Office
from tests.stack import Stack

pytestmark = pytest.mark.deep

OWNER, NEAR, FAR, NARROW = "Olga Bauer", "Nils Berg", "Sven Holm", "Tessa Moll"
SECRET = "7351"
FAR_WORD, SECRET_SHOWN = re.compile(r"\bFir\b"), re.compile(r"7[,.]?351")


@dataclass
class Narrow:
    """The admin's page, the page of who has the role, and the ids of what lies in and out of its reach."""

    office: Office
    admin: Page
    hand: Hand
    ids: dict[str, str]
    shared_view: str
    seen: list[Page] = field(default_factory=list)
    key: str = ""

    @property
    def page(self) -> Page:
        return self.seen[0]

    def go(self, path: str) -> None:
        self.page.goto(f"{self.office.url}{path}")

    def api(self, method: str, path: str, body: Any = None) -> Any:
        return self.office.api(method, path, body, key=self.key)


@pytest.fixture(scope="module", params=LIVED_BY)
def narrow(request: pytest.FixtureRequest, browser: Browser, stack: Stack) -> Iterator[Narrow]:
    office = Office(browser, stack)
    admin = office.open(OWNER)
    office.join(admin, NEAR, "Member")
    office.join(admin, FAR, "Member")
    now = datetime.now(ZoneInfo(TIME_ZONE))
    ids: dict[str, str] = {}
    for word, name in (("Pine", NEAR), ("Fir", FAR)):
        me = office.member_id(name)
        company = office.add("companies", name=f"{word} Hotel", owner=me)
        contact = office.add("contacts", name=f"{word} Sommer", company=company, owner=me)
        deal = office.add("deals", name=f"{word} windows", amount="100", owner=me, company=company, contacts=[contact])
        assert office.api("PATCH", f"/deals/{deal}", {"amount": SECRET, "source": "referral"}).status == 200
        about = {"type": "deal", "id": deal}
        task = office.add("tasks", name=f"{word} call back", about=about, assignee=me, due_at=now.isoformat())
        office.add("meetings", name=f"{word} visit", about=about, assignee=me, starts_at=now.isoformat())
        office.add("notes", body=f"{word} note", about=about)
        ids |= {f"{word} {noun}": id for noun, id in (("company", company), ("deal", deal), ("task", task))}
    view = office.api(
        "POST",
        "/deals/views",
        {
            "name": "Large",
            "sharing": "everyone",
            "sort": ["-amount"],
            "columns": ["name", "amount", "owner"],
            "footers": {"amount": "sum"},
            "filter": {"field": "amount", "op": "gt", "value": "50"},
        },
    )
    assert view.status == 201, view.body
    yield Narrow(office, admin, HANDS[request.param], ids, view.body["id"])
    office.close()


@pytest.fixture
def page(narrow: Narrow) -> Page:
    return narrow.page


@pytest.fixture
def hand(narrow: Narrow) -> Hand:
    return narrow.hand


def only_near(narrow: Narrow, name: str = "") -> None:
    """What belongs to the team stands on the page, and nothing of the others', nor what the role hides."""
    main = narrow.page.get_by_role("main")
    expect(main).to_contain_text("Pine")
    expect(main).not_to_contain_text(FAR_WORD)
    expect(main).not_to_contain_text(SECRET_SHOWN)
    narrow.office.looked_at(narrow.page, f"narrow-{name}" if name else "")


def test_1_the_admin_makes_a_team_with_a_member(narrow, hand):
    page = narrow.admin
    page.goto(f"{narrow.office.url}/settings/teams/")
    hand.write(page.locator("#new-team [name=name]"), "North")
    hand.choose(page.locator("#new-team [name=head]"), NEAR)
    hand.press(page.get_by_role("button", name="Add the team"))
    expect(page.get_by_role("heading", name="North")).to_be_visible()
    narrow.office.looked_at(page, "narrow-teams")
    page.goto(f"{narrow.office.url}/settings/members/")
    hand.press(page.get_by_role("link", name=NEAR))
    hand.choose(page.get_by_label("Team"), "North")
    hand.press(page.get_by_role("button", name="Save", exact=True))
    expect(page.get_by_role("link", name="North", exact=True).first).to_be_visible()


def test_2_the_admin_makes_the_role(narrow, hand):
    page = narrow.admin
    page.goto(f"{narrow.office.url}/settings/roles/")
    hand.press(page.get_by_role("link", name="Works in the team"))
    hand.write(page.get_by_role("textbox", name="Name", exact=True), "Trainee")
    hand.choose(page.get_by_role("combobox", name="Deals: Edit"), "Own")
    hand.choose(page.get_by_role("combobox", name="Deals: In bulk"), "Own")
    hand.choose(page.get_by_role("combobox", name="Notes: View"), "All")
    hand.tick(page.get_by_role("checkbox", name="API keys of their own"))
    fields = page.locator("details.role-fields", has=page.locator("summary", has_text="Deals"))
    hand.press(fields.locator("summary"))
    hand.choose(fields.get_by_label("Amount", exact=True), "Hidden")
    hand.choose(fields.get_by_label("Source", exact=True), "Read only")
    narrow.office.looked_at(page, "narrow-role")
    hand.press(page.get_by_role("button", name="Save the role"))
    expect(
        page.get_by_role("link", name="Trainee", exact=True).or_(page.get_by_role("heading", name="Trainee")).first
    ).to_be_visible()


def test_3_the_admin_invites_somebody_into_both(narrow, hand):
    page = narrow.admin
    page.goto(f"{narrow.office.url}/settings/members/")
    hand.write(page.get_by_label("Email addresses"), narrow.office.email(NARROW))
    hand.choose(page.locator("#invite [name=role]"), "Trainee")
    hand.choose(page.locator("#invite [name=team]"), "North")
    hand.press(page.get_by_role("button", name="Send the invitation"))
    expect(page.get_by_role("region", name="Invited")).to_contain_text(narrow.office.email(NARROW))
    narrow.office.looked_at(page, "narrow-members")
    narrow.seen.append(narrow.office.accept(NARROW))


@pytest.mark.parametrize("noun", ["companies", "contacts", "deals", "tasks", "meetings"])
def test_4_lists_and_their_counts(narrow, page, noun):
    narrow.go(f"/{noun}/")
    expect(page.locator("#totals")).to_contain_text("1 record")
    only_near(narrow, noun)
    expect(page.get_by_role("button", name="Export")).to_have_count(0)


def test_5_deals_have_no_amounts_to_show_sum_or_sort(narrow, page):
    narrow.go("/deals/")
    expect(page.get_by_role("columnheader", name="Amount")).to_have_count(0)
    for address in ("/deals/?sort=-amount", '/deals/?filter={"field":"amount","op":"gt","value":"50"}'):
        narrow.go(address)
        expect(page.get_by_role("main")).not_to_contain_text(FAR_WORD)
        expect(page.get_by_role("main")).not_to_contain_text(SECRET_SHOWN)


def test_6_a_shared_view_leaves_out_what_is_hidden(narrow, page, hand):
    narrow.go("/deals/")
    hand.press(page.get_by_role("link", name=re.compile("^Large")))
    expect(page.get_by_role("main")).to_contain_text("Left out")
    only_near(narrow, "view")


def test_7_the_board_has_cards_without_amounts_and_columns_without_sums(narrow, page):
    narrow.go("/deals/board/")
    expect(page.locator("[data-card]")).to_have_count(1)
    expect(page.locator(".column-sum")).to_have_count(0)
    only_near(narrow, "board")


def test_8_search_and_palette_find_nothing_else(narrow, page, hand):
    narrow.go("/search/")
    field = page.get_by_role("searchbox", name="Search everything")
    hand.write(field, "windows")
    expect(page.locator("#results")).to_contain_text("Pine windows")
    only_near(narrow, "search")
    for nothing in ("Fir windows", SECRET):
        hand.write(field, nothing)
        expect(page.locator("#results")).to_contain_text("Nothing found")
    page.keyboard.press("ControlOrMeta+k")
    palette = page.get_by_role("dialog")
    palette.get_by_role("combobox").fill("windows")
    expect(palette.get_by_role("option", name=re.compile("Pine windows"))).to_be_visible()
    expect(palette.get_by_role("option", name=re.compile("Fir windows"))).to_have_count(0)
    page.keyboard.press("Escape")


def test_9_the_calendar_of_everyone_is_that_of_the_team(narrow, page, hand):
    narrow.go("/calendar/")
    hand.choose(page.get_by_role("combobox", name="Whose"), "Everyone")
    expect(page.locator("[data-entry]", has_text="Pine visit")).to_be_visible()
    only_near(narrow, "calendar")


def test_10_a_record_says_why_it_is_seen_and_hides_its_history(narrow, page, hand):
    narrow.go(f"/deals/{narrow.ids['Pine deal']}/")
    expect(page.locator("#timeline")).to_contain_text("Pine note")
    expect(page.locator('[data-field="amount"]')).to_have_count(0)
    expect(page.locator('[data-field="source"]')).to_be_visible()
    expect(page.locator('[data-field="source"][data-edit]')).to_have_count(0)
    only_near(narrow, "record")
    hand.pick(
        page.get_by_role("button", name="More", exact=True),
        page.locator("#record-menu .menu-item", has_text="Why can I see this?"),
    )
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"It is {NEAR}'s, who is in their team “North”")
    expect(dialog).to_contain_text("1 field")
    narrow.office.looked_at(page, "narrow-why")


def test_11_what_is_out_of_reach_is_not_there(narrow, page):
    for noun, word in (("deals", "deal"), ("companies", "company"), ("tasks", "task")):
        answer = page.goto(f"{narrow.office.url}/{noun}/{narrow.ids[f'Fir {word}']}/")
        assert answer is not None
        assert answer.status == 404
        expect(page.locator("body")).not_to_contain_text(FAR_WORD)
    for path in ("/settings/roles/", "/settings/audit/", "/settings/members/"):
        answer = page.goto(f"{narrow.office.url}{path}")
        assert answer is not None
        assert answer.status in {200, 403, 404}
        expect(page.get_by_role("button", name=re.compile("Save|Send the invitation"))).to_have_count(0)


def test_12_is_told_of_nothing_that_is_not_there(narrow, page):
    me = narrow.office.member_id(NARROW)
    fir = {"type": "deal", "id": narrow.ids["Fir deal"]}
    pine = {"type": "deal", "id": narrow.ids["Pine deal"]}
    for about in (fir, pine):
        narrow.office.add("notes", body=f"Look, @[{NARROW}](member:{me}), at {about['id'][-4:]}", about=about)
    expect(narrow.office.told(page, pine["id"][-4:])).to_be_visible()
    expect(page.locator(".inbox-item")).to_have_count(1)
    narrow.office.looked_at(page, "narrow-inbox")


def test_13_a_key_of_theirs_sees_no_more(narrow):
    narrow.key = narrow.office.new_key(narrow.page)
    listed = narrow.api("GET", "/deals?include=count")
    assert [one["name"] for one in listed.body["data"]] == ["Pine windows"]
    assert listed.body["count"] == 1
    assert not {"amount", "currency"} & listed.body["data"][0].keys()
    assert narrow.api("GET", f"/deals/{narrow.ids['Fir deal']}").status == 404
    assert narrow.api("PATCH", f"/deals/{narrow.ids['Fir deal']}", {"name": "Mine"}).status == 404
    assert narrow.api("PATCH", f"/deals/{narrow.ids['Pine deal']}", {"name": "Mine"}).status == 403
    assert narrow.api("GET", "/deals?sort=amount").status == 400
    told = narrow.api("GET", "/events?limit=500").body["data"]
    assert any(row["record_id"] == listed.body["data"][0]["id"] for row in told)
    assert not [
        row for row in told if row["record_type"] == "deal" and {"amount", "currency"} & {*row["before"], *row["after"]}
    ]
    assert "Fir " not in str(told)
    own = narrow.api("POST", "/deals", {"name": "Own windows"})
    assert own.status == 201, own.body
    assert narrow.api("PATCH", f"/deals/{own.body['id']}", {"source": "phone"}).status in {400, 403, 422}


def test_14_neither_exports_nor_changes_in_bulk_what_is_not_theirs(narrow, page, hand):
    narrow.go("/deals/")
    expect(page.locator("#totals")).to_contain_text("2 records")
    for name in ("Pine windows", "Own windows"):
        hand.tick(page.get_by_role("checkbox", name=f"Select {name}"))
    bar = page.locator("#bulk")
    with page.expect_response("**/bulk/") as answered:
        hand.press(bar.get_by_role("button", name="Trash"))
    narrow.office.looked_at(page, "narrow-bulk")
    assert narrow.api("GET", f"/deals/{narrow.ids['Pine deal']}").status == 200, answered.value.status
    exported = page.evaluate("""() => fetch("/deals/export/", {
        method: "POST", headers: {"X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value},
    }).then((answer) => answer.status)""")
    assert exported == 403


def test_15_nothing_broke_on_the_way(narrow):
    assert narrow.office.problems == []
