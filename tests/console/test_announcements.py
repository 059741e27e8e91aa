"""Announcements: to whom, how long, in which language, and taken off one's pages."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from console.models import AuditEntry
from tenants.db.scopes import shared
from tenants.models import Announcement, Tenant
from tenants.workspaces.announcements import announcements_provision
from tenants.workspaces.entitlements import Entitlements, entitlements_write
from tenants.workspaces.provisioning import provisioners

WORDS = "On Sunday we move to a new house"


@pytest.fixture
def said(console, tenant_a):
    """``said(plans=["Team"])``: the operator announces it; gives the last answer."""

    def announce(hours: int = 24, **values: Any) -> Any:
        until = f"{timezone.now() + timedelta(hours=hours):%Y-%m-%dT%H:%M}"
        form = {"text_en": WORDS, "until": until} | values
        first = console.post("/console/announcements/new/", form)
        counted = first.context["counted"] if first.context else ""
        return console.post("/console/announcements/new/", {**form, "counted": counted}) if counted else first

    return announce


def shown(client: Any) -> bool:
    return WORDS in client.get("/").content.decode()


def test_to_everybody(said, browser_client, owner, outsider):
    assert said().status_code == 302
    assert shown(browser_client(owner))
    assert shown(browser_client(outsider))


def test_first_it_is_said_how_many_will_see_it(console):
    until = f"{timezone.now() + timedelta(hours=1):%Y-%m-%dT%H:%M}"
    page = console.post("/console/announcements/new/", {"text_en": WORDS, "until": until})
    assert "It will be shown in 2 workspaces." in page.content.decode()
    with shared():
        assert not Announcement.objects.exists()


def test_another_audience_of_the_same_size_is_counted_anew(console, tenant_a, tenant_b):
    until = f"{timezone.now() + timedelta(hours=1):%Y-%m-%dT%H:%M}"
    form = {"text_en": WORDS, "until": until, "ids": str(tenant_a.id)}
    counted = console.post("/console/announcements/new/", form).context["counted"]
    changed = {**form, "ids": str(tenant_b.id), "counted": counted}
    assert "It will be shown in 1 workspace." in console.post("/console/announcements/new/", changed).content.decode()
    with shared():
        assert not Announcement.objects.exists()


def test_by_plan_and_state(said, browser_client, owner, outsider, tenant_a):
    with shared():
        Tenant.objects.filter(id=tenant_a.id).update(plan_name="Team", access_state="past_due")
    said(plans=["Team"], states=["past_due"])
    assert shown(browser_client(owner))
    assert not shown(browser_client(outsider))


def test_by_id(said, browser_client, owner, outsider, tenant_b):
    said(ids=str(tenant_b.id))
    assert not shown(browser_client(owner))
    assert shown(browser_client(outsider))


@pytest.mark.parametrize(
    ("values", "fits"),
    [({}, True), ({"states": ["trialing"]}, True), ({"states": ["past_due"]}, False), ({"plans": ["Old"]}, False)],
    ids=["to all", "its state", "another state", "another plan"],
)
def test_a_workspace_made_later_sees_what_fits_it(said, tenant_a, tenant_b, values, fits):
    with shared():
        Tenant.objects.filter(id=tenant_a.id).update(access_state="past_due", plan_name="Old")
        Tenant.objects.filter(id=tenant_b.id).update(access_state="trialing", plan_name="Team")
    assert said(**values).status_code == 302
    with shared():
        late = Tenant.objects.create(name="Late", state="provisioning", access_state="trialing", plan_name="Team").ref()
    for _time in range(2):
        announcements_provision(late, None)
    with shared():
        made = Tenant.objects.get(id=late.id)
        assert (made.announced_until is not None) is fits
        assert Announcement.objects.get().recipients.filter(tenant=made).count() == fits


@pytest.fixture
def move(db, tenant_a):
    """``move("Team", "active")``: billing gives workspace A another plan or state."""

    def to(plan: str, state: str) -> None:
        with shared():
            before = Tenant.objects.get(id=tenant_a.id)
        granted = Entitlements(
            "active", state, timezone.now() + timedelta(days=9), plan, before.limits, before.features
        )
        entitlements_write(tenant_a.id, granted)

    return to


class TestMoving:
    """While it is shown, what is announced to a plan or a state is announced to whoever is in it."""

    @pytest.fixture(autouse=True)
    def _in_the_old_plan(self, move, tenant_b):
        move("Old", "trialing")
        with shared():
            Tenant.objects.filter(id=tenant_b.id).update(plan_name="Team", access_state="past_due")

    @pytest.mark.parametrize("values", [{"plans": ["Team"]}, {"states": ["past_due"]}], ids=["its plan", "its state"])
    def test_who_comes_to_fit_sees_it(self, said, move, browser_client, owner, values):
        assert said(**values).status_code == 302
        assert not shown(browser_client(owner))
        move("Team", "past_due")
        assert shown(browser_client(owner))

    def test_who_fits_no_longer_does_not(self, said, move, browser_client, owner, tenant_a):
        move("Team", "past_due")
        said(states=["past_due"])
        move("Team", "active")
        assert not shown(browser_client(owner))
        with shared():
            assert Tenant.objects.get(id=tenant_a.id).announced_until is None

    def test_but_whoever_was_named_does(self, said, move, browser_client, owner, tenant_a):
        said(states=["past_due"], ids=str(tenant_a.id))
        move("Team", "active")
        assert shown(browser_client(owner))

    def test_what_is_over_is_not_begun_again(self, said, console, move, browser_client, owner):
        said(plans=["Team"])
        with shared():
            made = Announcement.objects.get()
        console.post(f"/console/announcements/{made.pk}/end/", {"why": "Over"})
        move("Team", "active")
        assert not shown(browser_client(owner))

    def test_a_plan_in_which_nobody_is_yet_can_be_chosen(self, console):
        assert 'value="Starter"' in console.get("/console/announcements/new/").content.decode()


def test_one_made_later_hears_nothing_of_what_was_named_or_is_over(said, console, tenant_b):
    said(ids=str(tenant_b.id))
    said()
    with shared():
        over = Announcement.objects.order_by("-id")[0]
    console.post(f"/console/announcements/{over.pk}/end/", {"why": "Over"})
    with shared():
        late = Tenant.objects.create(name="Late", state="provisioning").ref()
    announcements_provision(late, None)
    with shared():
        assert Tenant.objects.get(id=late.id).announced_until is None


def test_it_is_the_last_step_of_making_one():
    """Plan and state of billing are known by then."""
    assert max(provisioners, key=lambda name: provisioners[name].order) == "announcements"


def test_until_its_time(said, browser_client, owner):
    said()
    with shared():
        Announcement.objects.update(until=timezone.now())
    assert not shown(browser_client(owner))


def test_until_it_is_ended(said, console, browser_client, owner):
    said()
    with shared():
        made = Announcement.objects.get()
    console.post(f"/console/announcements/{made.pk}/end/", {"why": "Said twice"})
    assert not shown(browser_client(owner))
    with shared():
        assert Tenant.objects.filter(announced_until__isnull=False).count() == 0
        assert set(AuditEntry.objects.exclude(action="looked").values_list("action", flat=True)) == {
            "announced",
            "announcement_ended",
        }


def test_ending_one_leaves_the_other(said, console, browser_client, owner):
    said(text_en="Something else")
    said()
    with shared():
        other = Announcement.objects.order_by("id")[0]
    console.post(f"/console/announcements/{other.pk}/end/", {"why": "Said twice"})
    assert shown(browser_client(owner))


def test_each_takes_it_off_their_own_pages(said, browser_client, owner, seller):
    said()
    with shared():
        made = Announcement.objects.get()
    client = browser_client(owner)
    assert client.post(f"/announcements/{made.pk}/hide/", {"next": "/deals/"})["Location"] == "/deals/"
    client.post(f"/announcements/{made.pk}/hide/")
    assert not shown(client)
    assert not shown(browser_client(owner))
    assert shown(browser_client(seller))


def test_nobody_takes_off_what_is_none_of_theirs(said, browser_client, owner, tenant_b):
    said(ids=str(tenant_b.id))
    with shared():
        made = Announcement.objects.get()
    assert browser_client(owner).post(f"/announcements/{made.pk}/hide/").status_code == 404
    assert browser_client(owner).post(f"/announcements/{uuid4()}/hide/").status_code == 404


def test_in_the_members_language_as_far_as_it_was_written(said):
    said(**{"text_en-gb": "Cheerio"})
    with shared():
        made = Announcement.objects.get()
    assert [made.text_in(locale) for locale in ("en-gb", "en", "en-us", "de")] == ["Cheerio", WORDS, WORDS, WORDS]


def test_words_are_shown_as_they_are(said, browser_client, owner):
    said(text_en="<b>Bold</b>")
    page = browser_client(owner).get("/").content.decode()
    assert "&lt;b&gt;Bold&lt;/b&gt;" in page
    assert "<b>Bold" not in page


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"text_en": ""}, "required"),
        ({"hours": -1}, "time to come"),
        ({"ids": "alder"}, "ids of workspaces"),
        ({"ids": str(uuid4())}, "No workspace in service"),
        ({"plans": ["Gold"]}, "not one of the available choices"),
    ],
    ids=["no words", "the past", "no id", "an unknown id", "an unknown plan"],
)
def test_what_is_not_understood_is_refused(said, values, problem):
    answer = said(**values)
    assert answer.status_code == 422
    assert problem in answer.content.decode()


def test_without_any_a_page_asks_no_more_than_before(browser_client, owner, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = browser_client(owner)
    client.get("/")
    with CaptureQueriesContext(connection) as asked:
        client.get("/")
    assert not [one for one in asked.captured_queries if "announcement" in one["sql"] or "supportvisit" in one["sql"]]
