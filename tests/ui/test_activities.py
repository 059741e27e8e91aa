"""Calls, tasks and invitations in a browser: at hand on a phone, and with the focus where it was."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Error, Route, expect

from crm.activities.handlers import invitation_told
from crm.activities.models import Call, Meeting, Task
from crm.records.models import Event
from crm.records.schema.registry import registry
from crm.records.write import gate
from tenants.actors import Actor
from tests import factories
from tests.browser.conftest import axe_problems
from tests.chromium import settled
from tests.ui.conftest import Screen


def test_on_a_phone_a_call_is_logged_at_once_and_the_details_are_one_touch_away(owner: Actor, screen: Screen) -> None:
    deal = factories.deal(owner, name="Attic windows")
    page = screen(owner, f"/deals/{deal.pk}/", width=390)
    page.get_by_role("tab", name="Call", exact=True).tap()
    page.get_by_role("button", name="Reached", exact=True).tap()
    expect(page.locator("#timeline")).to_contain_text("called")
    assert Call.objects.get().about_id == deal.pk
    assert axe_problems(page) == []
    expect(page.get_by_role("region", name="Properties")).to_be_hidden()
    page.get_by_text("Details", exact=True).tap()
    expect(page.get_by_role("region", name="Properties")).to_be_visible()
    expect(page.locator("#timeline")).to_be_hidden()
    assert axe_problems(page) == []
    page.get_by_role("button", name="Task", exact=True).tap()
    expect(page.locator("#task-form")).to_be_visible()


def test_after_planning_what_is_next_the_focus_is_where_it_was(owner: Actor, screen: Screen) -> None:
    company = factories.company(owner)
    task = factories.task(owner, name="Send samples", about={"type": "company", "id": company.pk})
    page = screen(owner, f"/companies/{company.pk}/")
    page.get_by_role("button", name="Done: Send samples").press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Task", exact=True).fill("Chase the quote")
    with page.expect_response("**/activity/"):
        dialog.get_by_role("button", name="Save and plan next").press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator(".planned-item", has_text="Chase the quote")).to_be_visible()
    expect(page.locator(f"#tick-{task.pk}")).to_be_focused()
    assert Task.objects.filter(done=False).count() == 1


def test_a_timeline_that_comes_late_does_not_bring_back_what_was_done_meanwhile(owner: Actor, screen: Screen) -> None:
    company = factories.company(owner)
    factories.task(owner, name="Send samples", about={"type": "company", "id": company.pk})
    page = screen(owner, f"/companies/{company.pk}/")
    timeline_before = page.locator("#timeline").evaluate("it => it.outerHTML")
    late: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if late:
            route.fallback()
        else:
            late.append(route)

    page.route("**/activity/", hold_the_first)
    page.evaluate("htmx.trigger(document.body, 'record:changed')")
    page.get_by_role("button", name="Done: Send samples").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    with suppress(Error):  # The page has given it up.
        late[0].fulfill(body=timeline_before, content_type="text/html")
    expect(page.get_by_role("button", name="Open again: Send samples").first).to_be_visible()
    settled(page)
    expect(page.get_by_role("button", name="Done: Send samples")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 390])
def test_an_invitation_is_answered_in_the_inbox(owner: Actor, reader: Actor, screen: Screen, width: int) -> None:
    guests = [{"type": "member", "id": str(reader.member_id), "reply": "none"}]
    values = {"name": "Offer", "starts_at": timezone.now() + timedelta(days=1), "guests": guests}
    meeting = gate.create(owner, registry.get("meeting"), values).record
    for event in Event.objects.filter(record_id=meeting.pk):
        invitation_told(owner.tenant, event)
    page = screen(reader, "/inbox/", width=width)
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("button", name="Accept", pressed=True)).to_be_visible()
    assert page.url.endswith("/inbox/")
    assert Meeting.objects.get().guests[0]["reply"] == "accepted"
    assert axe_problems(page) == []


@pytest.mark.parametrize("span", ["day", "week", "month"])
def test_a_calendar_on_a_phone_is_accessible(owner: Actor, screen: Screen, span: str) -> None:
    for days in range(-3, 6):
        factories.task(owner, name=f"Task {days}", due_at=timezone.now() + timedelta(days=days))
    page = screen(owner, f"/calendar/?span={span}", width=390)
    expect(page.locator("[data-entry] >> visible=true").first).to_be_visible()
    assert axe_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
