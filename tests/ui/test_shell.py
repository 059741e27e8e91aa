"""What the shell shows to whom: navigation, palette, inbox, theme, and pages for what went wrong."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from crm.workspace.models import Notification
from crm.workspace.notifications.notify import notify
from tenants.actors import Actor
from tests import factories

BrowserClient = Callable[..., Client]


def tell(actor: Actor, key: str, title: str, record: Any = None) -> Notification:
    assert actor.member_id is not None
    notify(
        [actor.member_id],
        key=key,
        kind="task_overdue",
        title=title,
        body="",
        record_type="company" if record else "",
        record_id=record.id if record else None,
    )
    return Notification.objects.get(member_id=actor.member_id, key=key)


def test_the_theme_is_rendered_by_the_server(owner: Actor, browser_client: BrowserClient) -> None:
    client = browser_client(owner)
    assert "data-theme" not in client.get("/inbox/").content.decode().split(">", 2)[1]
    client.post("/appearance/", {"theme": "dark"})
    assert 'data-theme="dark"' in client.get("/inbox/").content.decode()
    client.post("/appearance/", {"theme": "purple"})
    assert 'data-theme="dark"' in client.get("/inbox/").content.decode()
    client.post("/appearance/", {"theme": ""})
    assert 'data-theme="' not in client.get("/inbox/").content.decode()


def test_the_appearance_form_goes_back_only_to_its_own_host(owner: Actor, browser_client: BrowserClient) -> None:
    answer = browser_client(owner).post(
        "/appearance/", {"theme": "dark"}, headers={"referer": "https://evil.example/x"}
    )
    assert answer["Location"] == "/"


def test_what_one_may_not_do_is_not_offered(reader: Actor, owner: Actor, browser_client: BrowserClient) -> None:
    page = browser_client(owner).get("/inbox/").content.decode()
    assert "/deals/new/" in page
    page = browser_client(reader).get("/inbox/").content.decode()
    assert "/deals/" in page
    assert "/deals/new/" not in page


def test_the_palette_finds_records_commands_and_pages(owner: Actor, browser_client: BrowserClient) -> None:
    company = factories.company(owner, name="Hotel Seeblick")
    client = browser_client(owner)
    htmx = {"HX-Request": "true"}
    found = client.get("/palette/", {"q": "seeb"}, headers=htmx).content.decode()
    assert f"/companies/{company.id}/" in found
    assert 'href="/deals/new/"' in client.get("/palette/", {"q": "new de"}, headers=htmx).content.decode()
    assert 'href="/inbox/"' in client.get("/palette/", headers=htmx).content.decode()
    assert client.get("/palette/", {"q": "seeb\0"}, headers=htmx).status_code == 200
    assert client.get("/palette/", {"q": "x" * 10_000}, headers=htmx).status_code == 200
    assert client.get("/palette/", {"q": "seeb"})["Location"] == "/search/?q=seeb"


def test_the_palette_shows_nothing_of_another_workspace(
    owner: Actor, outsider: Actor, browser_client: BrowserClient
) -> None:
    factories.company(owner, name="Hotel Seeblick")
    found = browser_client(outsider).get("/palette/", {"q": "seeblick"}, headers={"HX-Request": "true"})
    assert "Hotel Seeblick" not in found.content.decode()


def test_a_notification_is_read_by_opening_it(seller: Actor, browser_client: BrowserClient) -> None:
    company = factories.company(seller, name="Hotel Seeblick")
    told = tell(seller, "late:1", "Overdue: call back", company)
    client = browser_client(seller)
    assert "Overdue: call back" in client.get("/inbox/").content.decode()
    assert ">1<" in client.get("/inbox/badge/").content.decode()
    answer = client.get(f"/inbox/{told.id}/")
    assert answer["Location"] == f"/companies/{company.id}/"
    assert ">1<" not in client.get("/inbox/badge/").content.decode()
    assert "Overdue: call back" not in client.get("/inbox/", {"show": "unread"}).content.decode()


def test_nobody_reads_or_opens_what_another_was_told(
    seller: Actor, seller_two: Actor, browser_client: BrowserClient
) -> None:
    told = tell(seller, "late:1", "Overdue: call back")
    other = browser_client(seller_two)
    assert "Overdue: call back" not in other.get("/inbox/").content.decode()
    assert other.get(f"/inbox/{told.id}/").status_code == 404
    other.post("/inbox/read/", {"id": str(told.id)})
    other.post("/inbox/read/")
    told.refresh_from_db()
    assert told.read_at is None


def test_one_or_all_are_marked_as_read(seller: Actor, browser_client: BrowserClient) -> None:
    first, second, third = (tell(seller, f"late:{n}", f"Overdue {n}") for n in range(3))
    client = browser_client(seller)
    client.post("/inbox/read/", {"id": str(first.id)})
    assert [bool(Notification.objects.get(id=one.id).read_at) for one in (first, second)] == [True, False]
    client.post("/inbox/read/", {"id": "nonsense"})
    assert Notification.objects.get(id=second.id).read_at is None
    client.post("/inbox/read/")
    assert Notification.objects.get(id=third.id).read_at is not None


def test_the_inbox_pages_through_everything_once(seller: Actor, browser_client: BrowserClient) -> None:
    titles = {tell(seller, f"late:{n}", f"Overdue number {n}.").title for n in range(45)}
    client = browser_client(seller)
    first = client.get("/inbox/")
    rest = client.get("/inbox/", {"before": first.context["next"]}, headers={"HX-Request": "true"})
    shown = [one.head.title for page in (first, rest) for _, day in page.context["days"] for one in day]
    assert len(shown) == 45
    assert set(shown) == titles
    assert "<html" not in rest.content.decode()
    assert client.get("/inbox/", {"before": "nonsense"}).status_code == 200


def test_polling_stops_when_the_session_has_ended(owner: Actor, browser_client: BrowserClient, settings: Any) -> None:
    client = browser_client(owner)
    assert client.get("/inbox/badge/").status_code == 200
    client.cookies.pop(settings.SESSION_COOKIE_NAME)
    assert client.get("/inbox/badge/").status_code == 286


@pytest.mark.parametrize("path", ["/nothing/here/", "/companies/01890000-0000-7000-8000-000000000000/"])
def test_what_is_not_there_says_so_inside_the_workspace(path: str, owner: Actor, browser_client: BrowserClient) -> None:
    answer = browser_client(owner).get(path)
    assert answer.status_code == 404
    assert 'id="sidebar"' in answer.content.decode()


def test_the_landing_page_leads_to_sign_up(public_client: Client) -> None:
    page = public_client.get("/").content.decode()
    assert 'href="/signup/"' in page
    assert 'href="/signin/"' in page
