"""Account and security: where somebody is signed in, a new password, a new address, and what must be confirmed."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pyotp
import pytest
from django.utils import timezone

from tenants import rate_limits
from tenants.accounts.api_keys import api_key_create
from tenants.accounts.encryption import seal
from tenants.accounts.two_factor import totp_begin
from tenants.actors import Actor
from tenants.db.scopes import shared, tenant_scope
from tenants.models import AccountEvent, ApiKey, EmailChange, KnownBrowser, Passkey, RecoveryCode, Session, Totp, User
from tenants.sessions import METHOD, SessionStore
from tests.accounts.conftest import Browser, link_in
from tests.cast import PASSWORD

PUBLIC = "http://localhost"
HOSTS = ("localhost", "alder.localhost")
OWNER = "owner@example.com"
NEW = "new.owner@example.com"


def forwarded(address: str) -> Any:
    return {"X-Forwarded-For": address}


def sign_in(browser: Browser, email: str = OWNER, password: str = PASSWORD) -> Any:
    return browser.post(f"{PUBLIC}/signin/", {"email": email, "password": password})


def signed_up(browser: Browser) -> None:
    """A stranger signs up with the owner's address and a password of their own, and out again."""
    form = {"email": OWNER, "company": "Namesake", "subdomain": "namesake", "password": "the namesake's own"}
    browser.post(f"{PUBLIC}/signup/", form)
    assert browser.url == "http://namesake.localhost/"
    browser.post(f"{PUBLIC}/signout/")


def later(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seconds)


def of(email: str = OWNER) -> User:
    with shared():
        return User.objects.get(email=email)


GUARDED = ["app/", "passkeys/", "codes/", "password/", "email/"]


@pytest.mark.parametrize("page", ["", "confirm/", "app/remove/", *GUARDED])
def test_strangers_are_sent_to_sign_in(browser: Browser, tenant_a: Any, page: str) -> None:
    browser.get(f"{PUBLIC}/account/{page}")
    assert browser.url == f"{PUBLIC}/signin/?next=/account/{page}"


@pytest.mark.parametrize("page", GUARDED)
def test_what_guards_the_account_is_changed_after_showing_the_password_again(
    browser: Browser, tenant_a: Any, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    sign_in(browser)
    assert browser.get(f"{PUBLIC}/account/{page}").status_code == 200
    assert browser.url == f"{PUBLIC}/account/{page}"
    later(monkeypatch, 601)
    browser.post(f"{PUBLIC}/account/{page}", {"password": "x", "email": NEW})
    assert browser.url == f"{PUBLIC}/account/confirm/?next=/account/{page}"
    wrong = browser.post(f"{PUBLIC}/account/confirm/", {"with": "password", "password": "wrong", "next": "/account/"})
    assert wrong.status_code == 422
    browser.post(f"{PUBLIC}/account/confirm/", {"with": "password", "password": PASSWORD, "next": f"/account/{page}"})
    assert browser.url == f"{PUBLIC}/account/{page}"


def test_guessing_the_password_there_ends_too(browser: Browser, tenant_a: Any) -> None:
    sign_in(browser)
    for _try in range(10):
        browser.post(f"{PUBLIC}/account/confirm/", {"with": "password", "password": "wrong"})
    answer = browser.post(f"{PUBLIC}/account/confirm/", {"with": "password", "password": PASSWORD})
    assert answer.status_code == 429


def test_confirming_leads_nowhere_else(browser: Browser, tenant_a: Any) -> None:
    sign_in(browser)
    browser.post(
        f"{PUBLIC}/account/confirm/", {"with": "password", "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert browser.url == f"{PUBLIC}/account/"


class TestPasskeysOfOthers:
    @pytest.fixture
    def theirs(self, db: None, tenant_a: Any) -> Passkey:
        with shared():
            return Passkey.objects.create(user=of("admin@example.com"), name="Mine", credential_id="x", public_key=b"")

    @pytest.mark.parametrize("ending", ["", "remove/"])
    def test_are_not_there(self, browser: Browser, theirs: Passkey, ending: str) -> None:
        sign_in(browser)
        for passkey_id in (theirs.pk, uuid4()):
            url = f"{PUBLIC}/account/passkeys/{passkey_id}/{ending}"
            assert browser.get(url).status_code == 404
            assert browser.post(url, {"name": "Stolen"}).status_code == 404
        with shared():
            assert Passkey.objects.get().name == "Mine"


@pytest.mark.parametrize("way", ["public", "workspace", "everywhere", "others"])
def test_who_goes_is_noted_where_he_had_come_in(
    browser: Browser, other_browser: Browser, tenant_a: Any, way: str
) -> None:
    from crm.records.models import Event

    sign_in(browser)
    browser.get("http://alder.localhost/")
    if way == "others":
        sign_in(other_browser)
        other_browser.post(f"{PUBLIC}/account/sessions/others/end/")
    else:
        at = {"public": f"{PUBLIC}/signout/", "workspace": "http://alder.localhost/signout/"}
        browser.post(at.get(way, f"{PUBLIC}/signout/everywhere/"))
    with tenant_scope(tenant_a):
        came = Event.objects.filter(type="session.started").first()
        (went,) = Event.objects.filter(type="session.ended")
    assert came is not None
    assert went.record_id == came.record_id
    assert went.after["address"] == came.after["address"] == "127.0.0.1"


class TestBrowsers:
    def test_the_list_says_which_is_this_one(self, browser: Browser, other_browser: Browser, tenant_a: Any) -> None:
        headers: Any = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
        other_browser.post(f"{PUBLIC}/signin/", {"email": OWNER, "password": PASSWORD}, **headers)
        sign_in(browser)
        page = browser.get(f"{PUBLIC}/account/").content.decode()
        assert page.count("This browser") == 1
        assert "Firefox · Linux" in page
        assert "127.0.0.1" in page

    def test_one_is_ended_with_its_workspaces(self, browser: Browser, other_browser: Browser, tenant_a: Any) -> None:
        sign_in(other_browser)
        assert other_browser.get("http://alder.localhost/").status_code == 200
        sign_in(browser)
        ends = re.findall(
            r'action="(/account/sessions/[0-9a-f]{32}/end/)"', browser.get(f"{PUBLIC}/account/").content.decode()
        )
        assert len(ends) == 1
        browser.post(PUBLIC + ends[0])
        other_browser.get("http://alder.localhost/")
        assert "/signin/" in other_browser.url
        assert browser.post(PUBLIC + ends[0]).status_code == 404

    def test_nobody_ends_somebody_elses(
        self, browser: Browser, other_browser: Browser, tenant_a: Any, settings: Any
    ) -> None:
        from tenants.accounts.sign_in import _public_id

        sign_in(other_browser, "admin@example.com")
        sign_in(browser)
        key = other_browser.client("localhost").cookies[settings.SESSION_COOKIE_NAME].value
        for wanted in (_public_id(key), key, "x", "0" * 32):
            assert browser.post(f"{PUBLIC}/account/sessions/{wanted}/end/").status_code == 404
        assert other_browser.get("http://alder.localhost/").status_code == 200

    def test_the_page_holds_no_sessions_key(self, browser: Browser, tenant_a: Any, settings: Any) -> None:
        sign_in(browser)
        key = browser.client("localhost").cookies[settings.SESSION_COOKIE_NAME].value
        assert key not in browser.get(f"{PUBLIC}/account/").content.decode()

    def test_all_others_are_ended(self, browser: Browser, other_browser: Browser, tenant_a: Any) -> None:
        sign_in(other_browser)
        sign_in(browser)
        browser.post(f"{PUBLIC}/account/sessions/others/end/")
        other_browser.get("http://alder.localhost/")
        assert "/signin/" in other_browser.url
        browser.get("http://alder.localhost/")
        assert browser.url == "http://alder.localhost/"

    def test_a_new_one_is_told_to_the_owner(
        self, browser: Browser, other_browser: Browser, tenant_a: Any, mails: list[Any], committing: Any
    ) -> None:
        with committing():
            sign_in(browser)
            browser.post(f"{PUBLIC}/signout/")
            sign_in(browser)
        assert mails == []
        with committing():
            sign_in(other_browser)
        assert [one.subject for one in mails] == ["Your Rapport account: Signed in on a new device"]

    def test_being_in_use_is_noted_every_ten_minutes(self, browser: Browser, tenant_a: Any) -> None:
        from tenants.models import Session

        sign_in(browser)
        with shared():
            old = timezone.now() - timedelta(minutes=11)
            Session.objects.update(last_seen_at=old)
        browser.get("http://alder.localhost/")
        with shared():
            assert Session.objects.filter(last_seen_at__gt=old).count() == Session.objects.count()


class TestPassword:
    def test_a_new_one_ends_all_other_browsers(
        self, browser: Browser, other_browser: Browser, tenant_a: Any, mails: list[Any], committing: Any
    ) -> None:
        sign_in(other_browser)
        sign_in(browser)
        mails.clear()
        with committing():
            browser.post(f"{PUBLIC}/account/password/", {"password": "an entirely new one"})
        assert browser.url == f"{PUBLIC}/account/"
        assert [one.subject for one in mails] == ["Your Rapport account: Password changed"]
        other_browser.get("http://alder.localhost/")
        assert "/signin/" in other_browser.url
        assert browser.get("http://alder.localhost/").status_code == 200
        assert browser.url == "http://alder.localhost/"

    @pytest.mark.parametrize("password", ["short", "1234567890", "owner@example.com", "password123", ""])
    def test_the_rules_are_those_of_sign_up(self, browser: Browser, tenant_a: Any, password: str) -> None:
        sign_in(browser)
        assert browser.post(f"{PUBLIC}/account/password/", {"password": password}).status_code == 422
        assert of().check_password(PASSWORD)


class TestAddress:
    @pytest.fixture
    def asked(self, browser: Browser, tenant_a: Any, mails: list[Any], committing: Callable[[], Any]) -> str:
        """The link in the new mailbox."""
        sign_in(browser)
        mails.clear()
        with committing():
            browser.post(f"{PUBLIC}/account/email/", {"email": NEW.upper()})
        assert [one.to for one in mails] == [[NEW]]
        return link_in(mails[0])

    def confirm(self, browser: Browser, url: str, mails: list[Any], committing: Any) -> str:
        """Confirm, and give the link that undoes it."""
        mails.clear()
        with committing():
            browser.post(url)
        (told,) = [one for one in mails if one.to == [OWNER]]
        return link_in(told).rstrip(")")

    def test_nothing_changes_before_the_link(self, browser: Browser, asked: str) -> None:
        assert of().email == OWNER
        browser.get(asked)
        assert of().email == OWNER

    def test_it_is_for_who_asked(self, other_browser: Browser, asked: str) -> None:
        other_browser.post(asked)
        assert other_browser.url.startswith(f"{PUBLIC}/signin/?next=")
        sign_in(other_browser, "admin@example.com")
        assert other_browser.post(asked).status_code == 403
        assert of().email == OWNER

    def test_members_follow_in_every_workspace(
        self, browser: Browser, asked: str, mails: list[Any], committing: Any, tenant_a: Any
    ) -> None:
        from crm.records.models import Event
        from crm.workspace.models import Member

        self.confirm(browser, asked, mails, committing)
        user = of(NEW)
        with tenant_scope(tenant_a):
            assert Member.objects.get(user_id=user.pk).email == NEW
            assert Event.objects.filter(type="member.updated", after__email=NEW).exists()
        browser.post(f"{PUBLIC}/signout/")
        sign_in(browser, NEW)
        assert browser.url == "http://alder.localhost/"

    def test_the_link_is_good_once(self, browser: Browser, asked: str, mails: list[Any], committing: Any) -> None:
        self.confirm(browser, asked, mails, committing)
        assert browser.post(asked).status_code == 410

    def test_a_later_one_ends_it_and_so_does_taking_it_back(self, browser: Browser, asked: str) -> None:
        browser.post(f"{PUBLIC}/account/email/", {"email": "third@example.com"})
        assert browser.post(asked).status_code == 410
        browser.post(f"{PUBLIC}/account/email/cancel/")
        with shared():
            assert not EmailChange.objects.filter(ended_at=None).exists()

    def test_it_is_good_for_a_day(self, browser: Browser, asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 24 * 3600 + 5)
        assert browser.post(asked).status_code == 410

    def test_the_old_address_can_undo_it(
        self, browser: Browser, other_browser: Browser, asked: str, mails: list[Any], committing: Any
    ) -> None:
        undo = self.confirm(browser, asked, mails, committing)
        assert other_browser.get(undo).status_code == 200
        assert of(NEW)
        other_browser.post(undo)
        assert other_browser.url == f"{PUBLIC}/password/new/"
        assert of(OWNER)
        browser.get(f"{PUBLIC}/account/")
        assert "/signin/" in browser.url
        other_browser.post(f"{PUBLIC}/password/new/", {"password": "an entirely new one"})
        sign_in(other_browser, OWNER, "an entirely new one")
        assert other_browser.url == "http://alder.localhost/"
        assert other_browser.post(undo).status_code == 410

    def test_with_it_go_the_factors_that_were_added_since(
        self, browser: Browser, other_browser: Browser, asked: str, mails: list[Any], committing: Any
    ) -> None:
        """Somebody else who had the account comes back by none of their own, and keeps its owner not out."""
        with shared():
            user = of(OWNER)
            Passkey.objects.create(user=user, name="Mine", credential_id="mine", public_key=b"")
            Passkey.objects.filter(user=user).update(created_at=timezone.now() - timedelta(days=2))
        undo = self.confirm(browser, asked, mails, committing)
        with shared():
            Passkey.objects.create(user=user, name="Theirs", credential_id="theirs", public_key=b"")
            Totp.objects.create(user=user, secret="", confirmed_at=timezone.now())
            RecoveryCode.objects.create(user=user, code_hash="theirs")
            KnownBrowser.objects.create(user=user, token_hash="t", trusted_until=timezone.now() + timedelta(days=9))
            User.objects.filter(pk=user.pk).update(has_second_factor=True)
        other_browser.post(undo)
        with shared():
            assert list(Passkey.objects.filter(user=user).values_list("name", flat=True)) == ["Mine"]
            assert not Totp.objects.filter(user=user).exists()
            assert not RecoveryCode.objects.filter(user=user).exists()
            assert not KnownBrowser.objects.filter(user=user, token_hash="t").exists()
            assert of(OWNER).has_second_factor
            Passkey.objects.filter(user=user).delete()

    def test_with_it_go_the_keys_and_the_calendar_address_that_were_made_since(
        self,
        browser: Browser,
        other_browser: Browser,
        asked: str,
        mails: list[Any],
        committing: Any,
        tenant_a: Any,
        actor_named: Callable[..., Actor],
    ) -> None:
        from crm.activities.calendar.feeds import feed_make, feed_read
        from crm.records.models import Event

        owner, admin = actor_named("owner"), actor_named("admin")
        with tenant_scope(tenant_a):
            mine, others = (api_key_create(one, name="Before", scopes=["deal:read"])[0] for one in (owner, admin))
            kept = feed_make(admin)
        with shared():
            ApiKey.objects.filter(pk=mine.pk).update(created_at=timezone.now() - timedelta(days=2))
        undo = self.confirm(browser, asked, mails, committing)
        with tenant_scope(tenant_a):
            theirs, _secret = api_key_create(owner, name="Theirs", scopes=["deal:read"])
            address = feed_make(owner)
        mails.clear()
        with committing():
            other_browser.post(undo)
        with shared():
            revoked = set(ApiKey.objects.filter(revoked_at__isnull=False).values_list("pk", flat=True))
        assert theirs.pk in revoked
        assert not revoked & {mine.pk, others.pk}
        with tenant_scope(tenant_a):
            assert feed_read(tenant_a, address) is None
            assert feed_read(tenant_a, kept) is not None
            assert Event.objects.filter(type="api_key.revoked", record_id=theirs.pk).exists()
            assert Event.objects.filter(type="member.calendar_feed_stopped", record_id=str(owner.member_id)).exists()
        (told,) = [one for one in mails if one.to == [OWNER]]
        assert "API keys and calendar addresses" in told.body

    def test_whoever_took_it_cannot_undo_in_turn(
        self, browser: Browser, other_browser: Browser, asked: str, mails: list[Any], committing: Any
    ) -> None:
        first = self.confirm(browser, asked, mails, committing)
        mails.clear()
        with committing():
            browser.post(f"{PUBLIC}/account/email/", {"email": "third@example.com"})
        with committing():
            browser.post(link_in(mails[0]))
        second = next(link_in(one) for one in mails if one.to == [NEW])
        other_browser.post(first)
        assert of(OWNER)
        assert browser.post(second).status_code == 410
        assert of(OWNER)

    def test_an_address_that_somebody_has_proven_is_told_by_mail_only(
        self, browser: Browser, tenant_a: Any, mails: list[Any], committing: Any
    ) -> None:
        sign_in(browser)
        with committing():
            page = browser.post(f"{PUBLIC}/account/email/", {"email": "admin@example.com"}).content.decode()
        assert "Open the link that we mailed to admin@example.com" in page
        assert mails[-1].subject == "This address has a Rapport account already"
        assert "http" not in mails[-1].body

    def test_one_that_was_proven_meanwhile_is_not_taken(self, browser: Browser, asked: str) -> None:
        from allauth.account.models import EmailAddress

        with shared():
            user = User.objects.create_user(NEW, PASSWORD)
            EmailAddress.objects.create(user=user, email=NEW, primary=True, verified=True)
        assert browser.post(asked).status_code == 410
        assert of(OWNER)

    @pytest.mark.parametrize("email", ["", "x", OWNER, "a@b@c", "\x00@example.com", "a" * 300 + "@example.com"])
    def test_nonsense_is_answered_as_such(self, browser: Browser, tenant_a: Any, email: str) -> None:
        sign_in(browser)
        assert browser.post(f"{PUBLIC}/account/email/", {"email": email}).status_code == 422

    @pytest.mark.parametrize("what", ["confirm", "undo"])
    @pytest.mark.parametrize("token", ["x", "a:b:c", "é", "a" * 3000])
    def test_forged_links_are_closed(self, browser: Browser, tenant_a: Any, what: str, token: str) -> None:
        assert browser.get(f"{PUBLIC}/account/email/{what}/{token}/").status_code == 410

    def test_a_link_of_one_kind_does_not_do_the_other(self, browser: Browser, asked: str) -> None:
        assert browser.post(asked.replace("/confirm/", "/undo/")).status_code == 410


class TestKeysOfSessions:
    """Whoever has a copy of a session's key is shut out by each change of what the session may do or what guards it."""

    @pytest.fixture
    def stolen(self, browser: Browser, tenant_a: Any, settings: Any) -> Callable[[], dict[str, bool]]:
        """On which hosts a copy of the cookies that were there before still is somebody."""
        sign_in(browser)
        copied = {host: browser.client(host).cookies[settings.SESSION_COOKIE_NAME].value for host in HOSTS}

        def works() -> dict[str, bool]:
            thief = Browser()
            for host, key in copied.items():
                thief.client(host).cookies[settings.SESSION_COOKIE_NAME] = key
            return {
                "public": thief.get(f"{PUBLIC}/account/", follow=False).status_code == 200,
                "workspace": thief.get("http://alder.localhost/", follow=False).status_code == 200,
            }

        return works

    def inside(self, browser: Browser) -> bool:
        browser.get("http://alder.localhost/")
        return browser.url == "http://alder.localhost/"

    def test_a_copy_is_as_good_until_then(self, stolen: Callable[[], dict[str, bool]]) -> None:
        assert stolen() == {"public": True, "workspace": True}

    def test_confirming_is_no_gift_to_the_copy(self, browser: Browser, stolen: Callable[[], dict[str, bool]]) -> None:
        """The workspaces that are open go on, so that nothing typed there is lost."""
        browser.post(f"{PUBLIC}/account/confirm/", {"with": "password", "password": PASSWORD})
        assert browser.url == f"{PUBLIC}/account/"
        assert stolen() == {"public": False, "workspace": True}
        assert browser.get("http://alder.localhost/", follow=False).status_code == 200
        browser.post(f"{PUBLIC}/signout/")
        assert stolen() == {"public": False, "workspace": False}

    def test_adding_and_removing_an_app(self, browser: Browser, stolen: Callable[[], dict[str, bool]]) -> None:
        with shared():
            secret = totp_begin(of())
        page = browser.post(f"{PUBLIC}/account/app/", {"code": pyotp.TOTP(secret).now()})
        assert page.status_code == 200
        assert stolen() == {"public": False, "workspace": False}
        assert self.inside(browser)

    @pytest.mark.parametrize("change", ["app/remove/", "codes/", "password/"])
    def test_each_other_change_of_what_guards_the_account(
        self, browser: Browser, stolen: Callable[[], dict[str, bool]], change: str
    ) -> None:
        with shared():
            Totp.objects.create(user=of(), secret=seal("x", f"totp:{of().pk}"), confirmed_at=timezone.now())
            User.objects.filter(email=OWNER).update(has_second_factor=True)
            for row in Session.objects.filter(user_id=of().pk):
                store = SessionStore(row.session_key, row.tenant_id)
                store[METHOD] = "password+totp"
                store.save()
        assert stolen() == {"public": True, "workspace": True}
        browser.post(f"{PUBLIC}/account/{change}", {"password": "an entirely new one"})
        assert stolen() == {"public": False, "workspace": False}
        assert self.inside(browser)

    def test_another_address(
        self, browser: Browser, stolen: Callable[[], dict[str, bool]], mails: list[Any], committing: Any
    ) -> None:
        with committing():
            browser.post(f"{PUBLIC}/account/email/", {"email": NEW})
        browser.post(link_in(mails[-1]))
        assert of(NEW)
        assert stolen() == {"public": False, "workspace": False}
        assert self.inside(browser)


@pytest.mark.usefixtures("owner_alias")
class TestFairLimits:
    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
            ("192.0.2.1", "192.0.2.2", False),
            ("::ffff:192.0.2.1", "192.0.2.1", True),
            ("fe80::1%eth0", "fe80::2", True),
            ("nonsense", "nonsense", True),
        ],
    )
    def test_an_ipv6_customer_is_one_visitor(self, rf: Any, one: str, other: str, same: bool) -> None:
        assert (
            rate_limits.client_network(rf.get("/", REMOTE_ADDR=one))
            == rate_limits.client_network(rf.get("/", REMOTE_ADDR=other))
        ) is same

    def test_strangers_slow_each_other_but_lock_nobody_out(
        self, browser: Browser, tenant_a: Any, settings: Any
    ) -> None:
        """Sixty wrong tries from many networks; whoever signed in here before does not notice."""
        settings.TRUSTED_PROXIES = 1
        sign_in(browser)
        browser.post(f"{PUBLIC}/signout/")
        stranger = Browser()
        wrong = {"email": OWNER, "password": "wrong"}
        for number in range(62):
            answer = stranger.post(f"{PUBLIC}/signin/", wrong, **forwarded(f"192.0.2.{number}"))
        assert answer.status_code == 429
        assert answer["Retry-After"] == "5"
        sign_in(browser)
        assert browser.url == "http://alder.localhost/"

    def test_who_signs_up_with_somebodys_address_is_a_stranger_to_the_account(
        self, browser: Browser, tenant_a: Any, mails: list[Any], settings: Any
    ) -> None:
        settings.TRUSTED_PROXIES = 1
        signed_up(browser)
        wrong = {"email": OWNER, "password": "wrong"}
        answers = {
            browser.post(f"{PUBLIC}/signin/", wrong, **forwarded(f"192.0.2.{number}")).status_code
            for number in range(62)
        }
        assert answers == {422, 429}

    def test_signing_in_as_a_namesake_takes_no_guess_back(
        self, browser: Browser, tenant_a: Any, mails: list[Any]
    ) -> None:
        signed_up(browser)
        for _try in range(9):
            sign_in(browser, OWNER, "wrong")
        sign_in(browser, OWNER, "the namesake's own")
        assert browser.url.startswith("http://namesake.localhost/")
        browser.post(f"{PUBLIC}/signout/")
        assert sign_in(browser, OWNER, "wrong").status_code == 429

    def test_a_known_browser_may_not_guess_for_ever_either(
        self, browser: Browser, other_browser: Browser, tenant_a: Any, settings: Any
    ) -> None:
        """It counts by itself: whoever guesses from a borrowed one locks no other out."""
        settings.TRUSTED_PROXIES = 1
        for one in (browser, other_browser):
            sign_in(one)
            one.post(f"{PUBLIC}/signout/")
        wrong = {"email": OWNER, "password": "wrong"}
        for number in range(62):
            answer = browser.post(f"{PUBLIC}/signin/", wrong, **forwarded(f"192.0.2.{number}"))
        assert answer.status_code == 429
        sign_in(other_browser)
        assert other_browser.url == "http://alder.localhost/"


def test_events_are_the_persons_own(browser: Browser, tenant_a: Any) -> None:
    with shared():
        AccountEvent.objects.create(user=of("admin@example.com"), kind="password_changed", detail="canary")
    sign_in(browser)
    assert "canary" not in browser.get(f"{PUBLIC}/account/").content.decode()


def test_the_account_page_asks_a_bounded_number_of_queries(
    browser: Browser, tenant_a: Any, django_assert_max_num_queries: Any
) -> None:
    for _session in range(5):
        sign_in(Browser())
    sign_in(browser)
    with django_assert_max_num_queries(14):
        browser.get(f"{PUBLIC}/account/")


@pytest.mark.parametrize(
    ("forwarded", "seen"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("6.6.6.6,203.0.113.7:51234", "203.0.113.7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("6.6.6.6, unknown", "10.0.0.1"),
        ("<script>", "10.0.0.1"),
        ("203.0.113.7, ", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_behind_a_proxy_a_visitor_is_who_the_proxy_saw(rf: Any, settings: Any, forwarded: str, seen: str) -> None:
    """What stands left of it, anybody may have sent; what is no address is nobody's."""
    settings.TRUSTED_PROXIES = 1
    asked = rf.get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert rate_limits.client_address(asked) == seen


def test_with_two_proxies_the_outer_one_is_asked(rf: Any, settings: Any) -> None:
    settings.TRUSTED_PROXIES = 2
    asked = rf.get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6, 203.0.113.7, 10.0.0.2")
    assert rate_limits.client_address(asked) == "203.0.113.7"
    one_only = rf.get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.7")
    assert rate_limits.client_address(one_only) == "10.0.0.1"


def test_without_proxies_nobody_says_where_they_are(rf: Any, settings: Any) -> None:
    settings.TRUSTED_PROXIES = 0
    asked = rf.get("/", REMOTE_ADDR="203.0.113.7", HTTP_X_FORWARDED_FOR="6.6.6.6")
    assert rate_limits.client_address(asked) == "203.0.113.7"
