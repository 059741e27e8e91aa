"""A sign-in is carried from the public host to a workspace: once, for a minute, in the same browser."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from tenants.db.scopes import shared
from tenants.models import HandoverToken, Tenant
from tests.accounts.conftest import Browser
from tests.cast import PASSWORD


@pytest.fixture
def token_url(browser: Browser, tenant_a: Any) -> str:
    """The address with the token, not yet opened."""
    browser.post("http://localhost/signin/", {"email": "owner@example.com", "password": PASSWORD}, follow=False)
    door = browser.get("http://alder.localhost/handover/?next=/settings/personal/", follow=False)
    answer = browser.get(door["Location"], follow=False)
    assert answer.status_code == 302
    return str(answer["Location"])


def refused(browser: Browser, url: str) -> bool:
    page = browser.get(url)
    assert page.status_code == 410
    assert "This way in is closed" in page.content.decode()
    return True


def test_it_lets_in_and_leads_to_the_page_that_was_asked_for(browser: Browser, token_url: str) -> None:
    assert browser.get(token_url).status_code == 200
    assert browser.url == "http://alder.localhost/settings/personal/"


def test_it_is_good_once(browser: Browser, token_url: str, settings: Any) -> None:
    nonce = browser.client("alder.localhost").cookies.output(header="")
    browser.get(token_url, follow=False)
    jar = browser.client("alder.localhost").cookies
    jar.clear()
    jar.load(nonce.split(";")[0])
    assert refused(browser, token_url)


def test_it_is_good_for_sixty_seconds(browser: Browser, token_url: str) -> None:
    with shared():
        token = HandoverToken.objects.get()
        assert timedelta(seconds=55) < token.expires_at - timezone.now() <= timedelta(seconds=60)
        HandoverToken.objects.update(expires_at=timezone.now())
    assert refused(browser, token_url)


def test_in_another_browser_it_is_worth_nothing(browser: Browser, other_browser: Browser, token_url: str) -> None:
    """A forwarded link signs nobody in as its sender."""
    assert refused(other_browser, token_url)
    other_browser.get("http://alder.localhost/handover/", follow=False)
    assert refused(other_browser, token_url)
    assert browser.get(token_url).status_code == 200


def test_it_is_for_one_workspace(browser: Browser, token_url: str, tenant_b: Any) -> None:
    jar = browser.client("alder.localhost").cookies
    browser.client("birch.localhost").cookies.update(jar)
    assert refused(browser, token_url.replace("alder", "birch"))


@pytest.mark.parametrize("token", ["x", "\x00", "é", "a" * 5000, "%00", "' OR 1=1 --"])
def test_a_forged_one_is_refused(browser: Browser, tenant_a: Any, token: str) -> None:
    browser.get("http://alder.localhost/handover/", follow=False)
    answer = browser.client("alder.localhost").get("/handover/", {"token": token})
    assert answer.status_code == 410


def test_it_ends_with_the_public_session(browser: Browser, token_url: str) -> None:
    browser.post("http://localhost/signout/")
    assert refused(browser, token_url)


def test_without_the_nonce_no_token_is_given(browser: Browser, tenant_a: Any) -> None:
    browser.post("http://localhost/signin/", {"email": "owner@example.com", "password": PASSWORD}, follow=False)
    for nonce in ("", "x", "g" * 64, "a" * 63):
        assert browser.get(f"http://localhost/handover/{tenant_a.id}/?nonce={nonce}", follow=False).status_code == 404


def test_it_leads_only_to_pages_of_the_workspace(browser: Browser, tenant_a: Any) -> None:
    browser.post("http://localhost/signin/", {"email": "owner@example.com", "password": PASSWORD}, follow=False)
    door = browser.get("http://alder.localhost/handover/?next=https://evil.example/", follow=False)
    assert parse_qs(urlsplit(door["Location"]).query)["next"] == ["/"]
    changed = door["Location"].replace("next=/", "next=//evil.example/")
    answer = browser.get(changed, follow=False)
    assert parse_qs(urlsplit(answer["Location"]).query)["next"] == ["/"]
    assert urlsplit(answer["Location"]).hostname == "alder.localhost"


def test_the_workspace_session_hangs_on_the_public_one(browser: Browser, token_url: str) -> None:
    from tenants.models import Session

    browser.get(token_url)
    with shared():
        child = Session.objects.get(tenant_id__isnull=False)
        assert child.parent is not None
        assert child.parent.tenant_id is None
        assert child.parent.user_id == child.user_id


def test_two_tabs_at_once_both_come_in(browser: Browser, tenant_a: Any) -> None:
    browser.post("http://localhost/signin/", {"email": "owner@example.com", "password": PASSWORD}, follow=False)
    doors = [
        browser.get(f"http://alder.localhost/handover/?next=/settings/{page}/", follow=False)
        for page in ("personal", "members")
    ]
    urls = [browser.get(door["Location"], follow=False)["Location"] for door in doors]
    for url in urls:
        assert browser.get(url).status_code == 200


@pytest.mark.parametrize("state", ["deleting", "deleted"])
def test_nobody_is_let_into_a_workspace_that_is_deleted(
    browser: Browser, token_url: str, tenant_a: Any, state: str
) -> None:
    with shared():
        Tenant.objects.filter(id=tenant_a.id).update(state=state)
    assert browser.get(token_url, follow=False).status_code == (410 if state == "deleting" else 404)
    answer = browser.get(f"http://localhost/handover/{tenant_a.id}/?nonce={'0' * 64}&next=/", follow=False)
    assert answer.status_code == 403
    assert "token=" not in answer.headers.get("Location", "")


def test_a_member_is_let_into_a_suspended_one_and_reads_why(browser: Browser, token_url: str, tenant_a: Any) -> None:
    with shared():
        Tenant.objects.filter(id=tenant_a.id).update(state="suspended", access_note="Please call us.")
    page = browser.get(token_url)
    assert page.status_code == 403
    assert "Please call us." in page.content.decode()
