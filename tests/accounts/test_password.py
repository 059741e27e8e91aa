"""A forgotten password, set anew by mail."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from tenants.db.scopes import shared
from tenants.models import User
from tests.accounts.conftest import Browser, link_in
from tests.cast import PASSWORD

NEW = "a new and better password"


@pytest.fixture
def ask(browser: Browser, committing: Any, mails: list[Any], tenant_a: Any) -> Any:
    def asked(email: str = "owner@example.com") -> Any:
        with committing():
            return browser.post("http://localhost/password/", {"email": email})

    return asked


def test_the_mailed_link_sets_a_new_password_and_ends_all_sessions(
    ask: Any, browser: Browser, other_browser: Browser, mails: list[Any]
) -> None:
    other_browser.post("http://localhost/signin/", {"email": "owner@example.com", "password": PASSWORD})
    ask()
    link = link_in(mails[0])
    assert browser.get(link).status_code == 200
    assert browser.url == "http://localhost/password/new/"
    page = browser.post(browser.url, {"password": NEW})
    assert "Your new password holds" in page.content.decode()
    other_browser.get("http://alder.localhost/")
    assert "/signin/" in other_browser.url
    browser.post("http://localhost/signin/", {"email": "owner@example.com", "password": NEW})
    assert browser.url == "http://alder.localhost/"
    assert browser.get(link).status_code == 410


def test_the_page_says_the_same_whether_or_not_there_is_an_account(ask: Any, mails: list[Any]) -> None:
    known = ask().content.decode()
    unknown = ask("nobody@example.com").content.decode()
    strip = lambda text, email: text.replace(email, "EMAIL")  # noqa: E731
    import re

    plain = lambda text: re.sub(r"\b[A-Za-z0-9]{64}\b|[0-9a-f]{32}", "*", text)  # noqa: E731
    assert plain(strip(known, "owner@example.com")) == plain(strip(unknown, "nobody@example.com"))
    assert [message.subject for message in mails] == [
        "Set a new password for Rapport",
        "No account at Rapport with this address",
    ]


def test_a_weak_password_is_refused_and_the_link_still_works(ask: Any, browser: Browser, mails: list[Any]) -> None:
    ask()
    browser.get(link_in(mails[0]))
    page = browser.post(browser.url, {"password": "short"})
    assert page.status_code == 422
    assert "short" not in page.content.decode().replace("too short", "").replace("shortcut", "")
    assert browser.post(browser.url, {"password": NEW}).status_code == 200


def test_an_old_link_is_refused(ask: Any, browser: Browser, mails: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    ask()
    later = timezone.now() + timedelta(hours=5)
    monkeypatch.setattr(
        "django.contrib.auth.tokens.PasswordResetTokenGenerator._now", lambda self: later.replace(tzinfo=None)
    )
    page = browser.get(link_in(mails[0]))
    assert page.status_code == 410
    assert "no longer works" in page.content.decode()


@pytest.mark.parametrize("path", ["x/y", "00000000-0000-0000-0000-000000000000/abc-def", "\u202e/🪟", "a" * 400 + "/b"])
def test_a_forged_link_is_refused(public_client: Any, path: str) -> None:
    assert public_client.get(f"/password/{path}/").status_code == 410


def test_a_reset_proves_the_address(ask: Any, browser: Browser, mails: list[Any]) -> None:
    from tenants.accounts.services import account_create, is_verified

    with shared():
        user = account_create(email="new@example.com", password=PASSWORD)
    ask("new@example.com")
    browser.get(link_in(mails[0]))
    browser.post(browser.url, {"password": NEW})
    with shared():
        assert is_verified(user.pk)
        assert EmailAddress.objects.filter(user=user, verified=True).exists()
        assert User.objects.get(pk=user.pk).check_password(NEW)


def test_a_reset_that_proves_the_address_ends_the_keys_that_were_made_without_it(
    ask: Any, browser: Browser, mails: list[Any], tenant_a: Any
) -> None:
    from tenants.accounts.services import account_create
    from tenants.models import ApiKey
    from tenants.workspaces.memberships import membership_set

    member = UUID(int=7)
    with shared():
        user = account_create(email="new@example.com", password=PASSWORD)
        membership_set(tenant_id=tenant_a.id, user_id=user.pk, active=True, member_id=member)
        for number in (7, 8):
            ApiKey.objects.create(
                public_id=f"k{number}", secret_hash="x", tenant_id=tenant_a.id, member_id=UUID(int=number), name="Key"
            )
    for left in (["k8"], ["k7", "k8"]):
        ask("new@example.com")
        browser.get(link_in(mails[-1]))
        browser.post(browser.url, {"password": NEW})
        with shared():
            good = ApiKey.objects.filter(revoked_at=None)
            assert sorted(good.values_list("public_id", flat=True)) == left
            ApiKey.objects.filter(public_id="k7").update(revoked_at=None)


def test_only_so_many_mails_go_to_one_address(ask: Any, mails: list[Any]) -> None:
    answers = [ask("nobody@example.com").status_code for _try in range(6)]
    assert answers == [200, 200, 200, 200, 429, 429]
    assert len(mails) == 4
