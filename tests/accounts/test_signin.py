"""Signing in and out, and what a stranger learns from it: nothing."""

import re
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client

from tenants.db.scopes import shared
from tenants.models import Membership, Session, User
from tests.accounts.conftest import Browser
from tests.cast import PASSWORD

OWNER = {"email": "owner@example.com", "password": PASSWORD}


def sign_in(browser: Browser, email: str = "owner@example.com", password: str = PASSWORD, **more: str) -> Any:
    return browser.post("http://localhost/signin/", {"email": email, "password": password} | more)


def test_one_workspace_is_entered_straight_away(browser: Browser, tenant_a: Any) -> None:
    page = sign_in(browser)
    assert page.status_code == 200
    assert browser.url == "http://alder.localhost/"


def test_whoever_asks_for_a_page_gets_it_after_signing_in(browser: Browser, tenant_a: Any) -> None:
    page = browser.get("http://alder.localhost/settings/members/")
    assert browser.url.startswith("http://localhost/signin/?next=")
    back = re.search(r'name="next" value="([^"]+)"', page.content.decode())
    assert back is not None
    page = sign_in(browser, next=back[1].replace("&amp;", "&"))
    assert browser.url == "http://alder.localhost/settings/members/"
    assert page.status_code == 200


def test_an_outsider_is_told_that_he_is_not_in_this_workspace(browser: Browser, tenant_a: Any) -> None:
    sign_in(browser, "outsider@example.com")
    page = browser.get("http://alder.localhost/")
    assert page.status_code == 403
    assert "You are not in this workspace" in page.content.decode()
    assert "Alder" not in page.content.decode()


def test_a_signed_in_session_of_one_workspace_is_none_in_another(
    browser: Browser, tenant_a: Any, settings: Any
) -> None:
    sign_in(browser)
    cookie = browser.client("alder.localhost").cookies[settings.SESSION_COOKIE_NAME].value
    browser.client("birch.localhost").cookies[settings.SESSION_COOKIE_NAME] = cookie
    assert browser.get("http://birch.localhost/", follow=False)["Location"].startswith("/handover/")


@pytest.mark.parametrize("known", [True, False], ids=["known address", "unknown address"])
def test_a_wrong_password_and_an_unknown_address_look_alike(public_client: Any, tenant_a: Any, known: bool) -> None:
    email = "owner@example.com" if known else "nobody@example.com"
    page = public_client.post("/signin/", {"email": email, "password": "wrong password"})
    assert page.status_code == 422
    assert "Email and password do not fit together" in page.content.decode()
    assert f'value="{email}"' in page.content.decode()
    assert "wrong password" not in page.content.decode()


def test_the_same_number_of_hashes_is_computed_whether_or_not_there_is_an_account(
    public_client: Any, tenant_a: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = {"hashes": 0}
    encode = MD5PasswordHasher.encode

    def counting(self: Any, password: str, salt: str) -> str:
        counted["hashes"] += 1
        return str(encode(self, password, salt))

    def hashes(email: str, password: str) -> int:
        counted["hashes"] = 0
        public_client.post("/signin/", {"email": email, "password": password})
        return counted["hashes"]

    with shared():
        User.objects.create_user("owner@example.com", "another password")
        User.objects.create_user("unproven@example.com", "another password")
    monkeypatch.setattr(MD5PasswordHasher, "encode", counting)
    assert hashes("nobody@example.com", "wrong") == 2
    assert hashes("owner@example.com", "wrong") == 2
    assert hashes("admin@example.com", "wrong") == 2
    assert hashes("unproven@example.com", "wrong") == 2


def test_a_proven_account_comes_before_one_that_only_says_the_address(browser: Browser, tenant_a: Any) -> None:
    with shared():
        User.objects.create_user("owner@example.com", PASSWORD)
    sign_in(browser)
    assert browser.url == "http://alder.localhost/"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example/", "///evil.example", "/\\evil.example", "http:evil.example",
        "javascript:alert(1)", "/\tevil", "\x00", "http://alder.localhost.evil.example/", "/%0d%0aSet-Cookie:x=1\r\n",
    ],
)  # fmt: skip
def test_sign_in_leads_nowhere_else(public_client: Any, tenant_a: Any, target: str) -> None:
    answer = public_client.post(f"/signin/?next={target.encode().hex()}", OWNER | {"next": target})
    assert answer.status_code == 302
    assert answer["Location"] == "/workspaces/"


@pytest.mark.parametrize("field", ["email", "password"])
@pytest.mark.parametrize("value", ["", "\x00", "a" * 100_000, "\u202egnp.exe@example.com", "🪟"])
def test_nonsense_is_answered_as_such(public_client: Any, field: str, value: str) -> None:
    page = public_client.post("/signin/", OWNER | {field: value})
    assert page.status_code == 422


def test_guessing_ends_after_ten_tries_for_an_address(public_client: Any, tenant_a: Any) -> None:
    for _try in range(10):
        public_client.post("/signin/", OWNER | {"password": "wrong"})
    page = public_client.post("/signin/", OWNER)
    assert page.status_code == 429
    assert page["Retry-After"] == "300"


def test_signing_out_of_a_workspace_ends_all_sessions_of_this_browser(browser: Browser, tenant_a: Any) -> None:
    sign_in(browser)
    page = browser.post("http://alder.localhost/signout/")
    assert "You are signed out" in page.content.decode()
    browser.get("http://localhost/workspaces/")
    assert "/signin/" in browser.url
    browser.get("http://alder.localhost/")
    assert "/signin/" in browser.url
    with shared():
        assert not Session.objects.exclude(user_id=None).exists()


def test_signing_out_on_the_public_host_ends_the_workspaces_too(
    browser: Browser, other_browser: Browser, tenant_a: Any
) -> None:
    sign_in(browser)
    sign_in(other_browser)
    browser.post("http://localhost/signout/")
    browser.get("http://alder.localhost/")
    assert "/signin/" in browser.url
    assert other_browser.get("http://alder.localhost/").status_code == 200
    assert other_browser.url == "http://alder.localhost/"


def test_signing_out_everywhere_ends_other_browsers_too(
    browser: Browser, other_browser: Browser, tenant_a: Any
) -> None:
    sign_in(browser)
    sign_in(other_browser)
    browser.post("http://localhost/signout/everywhere/")
    other_browser.get("http://alder.localhost/")
    assert "/signin/" in other_browser.url


def test_cookies_are_for_one_host_only(browser: Browser, tenant_a: Any) -> None:
    sign_in(browser)
    for host in ("localhost", "alder.localhost"):
        for cookie in browser.client(host).cookies.values():
            assert cookie["domain"] == ""
            assert cookie["samesite"] == "Lax"


def test_a_form_from_elsewhere_is_refused_with_a_word_of_what_to_do(db: None, tenant_a: Any) -> None:
    page = Client(enforce_csrf_checks=True, headers={"host": "localhost"}).post("/signin/", OWNER)
    assert page.status_code == 403
    assert "This form is out of date" in page.content.decode()


def test_several_workspaces_are_offered(browser: Browser, tenant_a: Any, tenant_b: Any, committing: Any) -> None:
    with shared():
        owner = User.objects.get(email="owner@example.com")
        Membership.objects.create(user=owner, tenant_id=tenant_b.id)
    page = sign_in(browser).content.decode()
    assert browser.url == "http://localhost/workspaces/"
    assert "Alder Windows" in page
    assert "Birch Doors" in page


def test_pages_with_forms_that_end_in_a_workspace_may_go_there(public_client: Any) -> None:
    policy = public_client.get("/signin/")["Content-Security-Policy"]
    assert re.search(r"form-action 'self' http://\*\.localhost(:\d+)?(;|$)", policy)
    assert "script-src 'self'" in policy
