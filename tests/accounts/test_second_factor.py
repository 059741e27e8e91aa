"""The second factor: an app's codes, codes on paper, and every way into a session that must not get round it."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pyotp
import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.utils import timezone

from tenants.accounts import encryption, two_factor
from tenants.accounts.browsers import Visit
from tenants.accounts.two_factor import FactorRefused, totp_begin, totp_check, totp_confirm
from tenants.db.scopes import shared
from tenants.models import AccountEvent, KnownBrowser, Membership, RecoveryCode, Session, Tenant, Totp, User
from tenants.sessions import METHOD
from tests.accounts.conftest import Browser, link_in
from tests.cast import PASSWORD
from tests.records.conftest import PATIENCE, elsewhere

PUBLIC = "http://localhost"
HERE = Visit("192.0.2.7", "Firefox · Linux")
OWNER = "owner@example.com"


def of(email: str = OWNER) -> User:
    with shared():
        return User.objects.get(email=email)


class App:
    """An authenticator app that was set up for somebody, and the ten codes they got."""

    def __init__(self, user: User) -> None:
        with shared():
            self.user = user
            self.secret = totp_begin(user)
            self.recovery = totp_confirm(user, self.code(-1), HERE) or []

    def code(self, steps: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(timezone.now(), counter_offset=steps)


@pytest.fixture
def app(db: None, tenant_a: Any) -> App:
    return App(of())


def forwarded(address: str) -> Any:
    return {"X-Forwarded-For": address}


def sign_in(browser: Browser, email: str = OWNER, **more: str) -> Any:
    return browser.post(f"{PUBLIC}/signin/", {"email": email, "password": PASSWORD} | more)


def second(browser: Browser, code: str, how: str = "totp", **more: str) -> Any:
    return browser.post(f"{PUBLIC}/signin/second/", {"with": how, "code": code} | more)


def inside(browser: Browser) -> bool:
    browser.get("http://alder.localhost/")
    return browser.url == "http://alder.localhost/"


def method(browser: Browser, settings: Any, host: str = "localhost") -> str:
    key = browser.client(host).cookies[settings.SESSION_COOKIE_NAME].value
    with shared():
        return str(Session.objects.get(session_key=key).get_decoded()[METHOD])


class TestCodesOfTheApp:
    def test_the_app_counts_from_the_first_code_that_fits(self, db: None, tenant_a: Any) -> None:
        user = of()
        with shared():
            secret = totp_begin(user)
            assert totp_begin(user) == secret
            assert totp_confirm(user, "no code", HERE) is None
            assert not User.objects.get(pk=user.pk).has_second_factor
            codes = totp_confirm(user, pyotp.TOTP(secret).now(), HERE)
            assert codes is not None
            assert len(set(codes)) == 10
            assert User.objects.get(pk=user.pk).has_second_factor

    @pytest.mark.parametrize(("steps", "fits"), [(-2, False), (-1, False), (0, True), (1, True), (2, False)])
    def test_a_clock_may_be_half_a_minute_off(self, app: App, steps: int, fits: bool) -> None:
        """The step before was used up when the app was set up."""
        with shared():
            assert totp_check(app.user, app.code(steps)) is fits

    def test_the_step_before_fits_too(self, app: App) -> None:
        with shared():
            Totp.objects.update(last_step=0)
            assert totp_check(app.user, app.code(-1))
            assert not totp_check(app.user, app.code(-2))

    def test_a_code_is_good_once_and_ends_those_before_it(self, app: App) -> None:
        with shared():
            assert totp_check(app.user, app.code(1))
            assert not totp_check(app.user, app.code(1))
            assert not totp_check(app.user, app.code(0))

    @pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "\x00" * 6, "12 34 5x", "🪟" * 6])
    def test_nonsense_is_no_code(self, app: App, code: str) -> None:
        with shared():
            assert not totp_check(app.user, code)

    def test_spaces_in_a_code_do_not_matter(self, app: App) -> None:
        with shared():
            assert totp_check(app.user, f" {app.code()[:3]} {app.code()[3:]} ")

    def test_the_secret_is_sealed_and_moves_to_the_new_key_with_the_next_code(self, app: App, settings: Any) -> None:
        with shared():
            sealed = Totp.objects.get().secret
            assert app.secret not in sealed
            settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
            settings.SECRET_KEY = "another-secret-key-of-fifty-letters-or-so-0123456789"
            assert totp_check(app.user, app.code())
            assert Totp.objects.get().secret != sealed
            settings.SECRET_KEY_FALLBACKS = []
            assert totp_check(app.user, app.code(1))

    def test_the_picture_scales_and_needs_no_inline_style(self, app: App) -> None:
        picture = two_factor.totp_picture(app.user, app.secret)
        assert re.match(r'<svg viewBox="0 0 \d+ \d+"', picture)
        assert "style=" not in picture

    def test_what_is_sealed_for_one_opens_for_no_other(self) -> None:
        sealed = encryption.seal("secret", "totp:1")
        assert encryption.unseal(sealed, "totp:1") == "secret"
        with pytest.raises(encryption.Unreadable):
            encryption.unseal(sealed, "totp:2")

    def test_an_address_that_is_not_proven_gets_no_factor(self, db: None, tenant_a: Any) -> None:
        """Whoever signs up with somebody else's address could lock its owner out."""
        with shared(), pytest.raises(FactorRefused):
            totp_begin(User.objects.create_user("stranger@example.com", PASSWORD))


class TestRecoveryCodes:
    def test_each_is_good_once(self, app: App, browser: Browser, other_browser: Browser) -> None:
        sign_in(browser)
        second(browser, app.recovery[0].upper().replace("-", " "), "recovery")
        assert inside(browser)
        sign_in(other_browser)
        assert second(other_browser, app.recovery[0], "recovery").status_code == 422
        assert not inside(other_browser)

    def test_only_hashes_are_kept(self, app: App) -> None:
        with shared():
            kept = " ".join(RecoveryCode.objects.values_list("code_hash", flat=True))
        assert all(code not in kept and code.replace("-", "") not in kept for code in app.recovery)

    def test_somebody_elses_code_is_none(self, app: App) -> None:
        other = App(of("admin@example.com"))
        with shared():
            assert not two_factor.code_use(other.user, app.recovery[0], HERE)

    def test_new_ones_end_the_old(self, app: App) -> None:
        with shared():
            fresh = two_factor.codes_renew(app.user, HERE)
            assert not two_factor.code_use(app.user, app.recovery[0], HERE)
            assert two_factor.code_use(app.user, fresh[0], HERE)

    def test_the_page_warns_of_the_last_three(self, app: App, browser: Browser) -> None:
        with shared():
            for code in app.recovery[:6]:
                assert two_factor.code_use(app.user, code, HERE)
        sign_in(browser)
        second(browser, app.code())
        assert "4 recovery codes left" not in browser.get(f"{PUBLIC}/account/").content.decode()
        with shared():
            two_factor.code_use(app.user, app.recovery[6], HERE)
        assert "3 recovery codes left" in browser.get(f"{PUBLIC}/account/").content.decode()


class TestTheSecondStep:
    def test_the_password_alone_lets_nobody_in(self, app: App, browser: Browser, settings: Any) -> None:
        page = sign_in(browser)
        assert browser.url == f"{PUBLIC}/signin/second/"
        assert "One more step" in page.content.decode()
        assert not inside(browser)
        second(browser, app.code())
        assert inside(browser)
        assert method(browser, settings) == "password+totp"
        assert method(browser, settings, "alder.localhost") == "password+totp"

    def test_it_leads_to_the_page_that_was_asked_for(self, app: App, browser: Browser) -> None:
        sign_in(browser, next="/workspaces/?choose=1")
        second(browser, app.code())
        assert browser.url == f"{PUBLIC}/workspaces/?choose=1"

    def test_the_session_has_a_new_key_after_each_step(self, app: App, browser: Browser, settings: Any) -> None:
        def key() -> str:
            return str(browser.client("localhost").cookies[settings.SESSION_COOKIE_NAME].value)

        sign_in(browser)
        between = key()
        second(browser, app.code())
        assert key() != between
        with shared():
            assert not Session.objects.filter(session_key=between).exists()

    def test_it_waits_ten_minutes(self, app: App, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
        sign_in(browser)
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 601)
        page = second(browser, app.code())
        assert browser.url == f"{PUBLIC}/signin/"
        assert "That took too long" in page.content.decode()

    def test_a_password_changed_meanwhile_ends_it(self, app: App, browser: Browser) -> None:
        sign_in(browser)
        with shared():
            app.user.set_password("another long password")
            app.user.save()
        second(browser, app.code())
        assert not inside(browser)

    def test_without_a_password_there_is_no_second_step(self, app: App, browser: Browser) -> None:
        second(browser, app.code())
        assert browser.url == f"{PUBLIC}/signin/"
        assert not inside(browser)

    def test_guessing_ends_and_is_told_to_the_owner(
        self, app: App, browser: Browser, mails: list[Any], committing: Any
    ) -> None:
        with committing():
            sign_in(browser)
            for _try in range(10):
                assert second(browser, "000000").status_code == 422
            assert second(browser, app.code()).status_code == 429
        assert not inside(browser)
        with shared():
            assert AccountEvent.objects.filter(kind="second_failed").count() == 10
        assert [one.subject for one in mails].count("Your Rapport account: Second step failed") == 1

    @pytest.mark.parametrize("namesake", [False, True], ids=["a stranger", "who signed up with the address"])
    @pytest.mark.usefixtures("owner_alias")
    def test_those_who_guess_elsewhere_do_not_lock_out_a_known_browser(
        self, app: App, browser: Browser, other_browser: Browser, settings: Any, mails: list[Any], namesake: bool
    ) -> None:
        settings.TRUSTED_PROXIES = 1
        sign_in(browser)
        second(browser, app.code())
        browser.post(f"{PUBLIC}/signout/")
        stranger = other_browser
        if namesake:
            form = {"email": OWNER, "company": "Namesake", "subdomain": "namesake", "password": "a password of mine"}
            stranger.post(f"{PUBLIC}/signup/", form)
            assert stranger.url == "http://namesake.localhost/"
            stranger.post(f"{PUBLIC}/signout/")
        for number in range(4):
            client = f"192.0.2.{number}"
            stranger.post(f"{PUBLIC}/signin/", {"email": OWNER, "password": PASSWORD}, **forwarded(client))
            for _try in range(9):
                answer = stranger.post(
                    f"{PUBLIC}/signin/second/", {"with": "totp", "code": "000000"}, **forwarded(client)
                )
        assert answer.status_code == 429
        sign_in(browser)
        second(browser, app.code(1))
        assert inside(browser)

    def test_a_browser_may_be_remembered_for_thirty_days(self, app: App, browser: Browser, settings: Any) -> None:
        sign_in(browser)
        second(browser, app.code(), remember="1")
        browser.post(f"{PUBLIC}/signout/")
        sign_in(browser)
        assert inside(browser)
        assert method(browser, settings) == "password+device"
        with shared():
            known = KnownBrowser.objects.get(user=app.user)
            assert known.trusted_until is not None
            assert timedelta(days=29) < known.trusted_until - timezone.now() <= timedelta(days=30)
            KnownBrowser.objects.update(trusted_until=timezone.now())
        browser.post(f"{PUBLIC}/signout/")
        sign_in(browser)
        assert not inside(browser)

    def test_remembering_is_for_one_person_and_can_be_ended(self, app: App, browser: Browser) -> None:
        admin = App(of("admin@example.com"))
        sign_in(browser)
        second(browser, app.code(), remember="1")
        browser.post(f"{PUBLIC}/signout/")
        sign_in(browser, "admin@example.com")
        assert not inside(browser)
        second(browser, admin.code())
        browser.post(f"{PUBLIC}/signout/")
        sign_in(browser)
        assert inside(browser)
        browser.post(f"{PUBLIC}/account/browsers/forget/")
        browser.post(f"{PUBLIC}/signout/")
        sign_in(browser)
        assert not inside(browser)

    def test_a_recovery_code_remembers_no_browser(self, app: App, browser: Browser) -> None:
        sign_in(browser)
        second(browser, app.recovery[0], "recovery", remember="1")
        with shared():
            assert not KnownBrowser.objects.filter(trusted_until__isnull=False).exists()

    @pytest.mark.parametrize("how", ["", "password", "sms", "passkey", "\x00"])
    def test_other_ways_are_none(self, app: App, browser: Browser, how: str) -> None:
        sign_in(browser)
        browser.post(f"{PUBLIC}/signin/second/", {"with": how, "code": app.code(), "password": PASSWORD})
        assert not inside(browser)


class TestNothingGetsRoundIt:
    """Each way that leads to a session or near one, by somebody who has no second factor to show."""

    def test_a_password_reset_asks_for_it(
        self, app: App, browser: Browser, mails: list[Any], committing: Callable[[], Any]
    ) -> None:
        with committing():
            browser.post(f"{PUBLIC}/password/", {"email": OWNER})
        browser.get(link_in(mails[0]))
        browser.post(f"{PUBLIC}/password/new/", {"password": "an entirely new one"})
        assert not inside(browser)
        browser.post(f"{PUBLIC}/signin/", {"email": OWNER, "password": "an entirely new one"})
        assert browser.url == f"{PUBLIC}/signin/second/"
        assert not inside(browser)

    def test_a_password_reset_forgets_remembered_browsers(
        self, app: App, browser: Browser, mails: list[Any], committing: Callable[[], Any]
    ) -> None:
        sign_in(browser)
        second(browser, app.code(), remember="1")
        browser.post(f"{PUBLIC}/signout/")
        mails.clear()
        with committing():
            browser.post(f"{PUBLIC}/password/", {"email": OWNER})
        browser.get(link_in(mails[-1]))
        browser.post(f"{PUBLIC}/password/new/", {"password": "an entirely new one"})
        browser.post(f"{PUBLIC}/signin/", {"email": OWNER, "password": "an entirely new one"})
        assert not inside(browser)

    def test_the_hand_over_gives_no_token_between_the_steps(self, app: App, browser: Browser, tenant_a: Any) -> None:
        sign_in(browser)
        answer = browser.get(f"{PUBLIC}/handover/{tenant_a.id}/?nonce={'a' * 64}", follow=False)
        assert "/signin/?next=" in answer["Location"]
        assert "token" not in answer["Location"]

    def test_an_old_session_without_it_is_none_any_more(self, app: App, browser: Browser, tenant_a: Any) -> None:
        """A sign-in that raced with the setting up of the factor, or one from before."""
        with shared():
            User.objects.filter(pk=app.user.pk).update(has_second_factor=False)
        sign_in(browser)
        assert inside(browser)
        with shared():
            User.objects.filter(pk=app.user.pk).update(has_second_factor=True)
        assert not inside(browser)
        assert browser.url == f"{PUBLIC}/signin/second/"
        browser.get(f"{PUBLIC}/account/")
        assert browser.url == f"{PUBLIC}/signin/?next=/account/"

    def test_an_invitation_to_another_workspace_asks_for_it(
        self, app: App, browser: Browser, tenant_b: Any, the_cast: Any, as_tenant: Any
    ) -> None:
        from crm.workspace.actors import actor_for_user
        from crm.workspace.people.invitation_services import invitation_send

        with as_tenant(tenant_b):
            actor = actor_for_user(tenant_b, the_cast.users["outsider"])
            assert actor is not None
            invited = invitation_send(actor, email=OWNER, role="member")
        browser.get(f"{PUBLIC}/invitations/{invited.token}/")
        assert browser.url.startswith(f"{PUBLIC}/signin/")
        sign_in(browser, next=f"/invitations/{invited.token}/")
        browser.post(f"{PUBLIC}/invitations/{invited.token}/")
        with shared():
            assert not Membership.objects.filter(user=app.user, tenant_id=tenant_b.id).exists()
        sign_in(browser, next=f"/invitations/{invited.token}/")
        second(browser, app.code())
        assert browser.url == f"{PUBLIC}/invitations/{invited.token}/"

    def test_a_take_over_asks_for_it(self, app: App, browser: Browser, tenant_a: Any) -> None:
        from tenants.accounts.signup import take_over_token

        with shared():
            duplicate = User.objects.create_user(OWNER, "another password")
            token = take_over_token(duplicate)
        sign_in(browser)
        browser.post(f"{PUBLIC}/take-over/{token}/")
        assert browser.url.startswith(f"{PUBLIC}/signin/")
        with shared():
            assert User.objects.filter(pk=duplicate.pk).exists()

    def test_proving_an_address_signs_nobody_in(self, app: App, browser: Browser) -> None:
        from allauth.account.models import EmailConfirmationHMAC

        from tenants.accounts.services import address_of

        with shared():
            key = EmailConfirmationHMAC(address_of(app.user)).key
        sign_in(browser)
        browser.get(f"{PUBLIC}/verify/{key}/")
        assert browser.url.startswith(f"{PUBLIC}/signin/")
        assert not inside(browser)

    def test_account_pages_are_shut_between_the_steps(self, app: App, browser: Browser) -> None:
        sign_in(browser)
        for path in ("account/", "account/confirm/", "account/app/remove/", "account/codes/", "account/password/"):
            browser.get(f"{PUBLIC}/{path}")
            assert browser.url.startswith(f"{PUBLIC}/signin/"), path


class TestAWorkspaceThatAsksForIt:
    @pytest.fixture
    def asks(self, db: None, tenant_a: Any) -> Callable[[int], None]:
        def ask(days: int) -> None:
            with shared():
                Tenant.objects.filter(id=tenant_a.id).update(
                    requires_second_factor=True, second_factor_from=timezone.now() + timedelta(days=days)
                )

        return ask

    def test_members_are_told_at_the_hand_over_and_may_put_it_off(
        self, asks: Callable[[int], None], browser: Browser
    ) -> None:
        asks(7)
        page = sign_in(browser).content.decode()
        assert "Alder Windows asks for a second factor" in page
        later = re.search(r'href="(\?[^"]*later=1[^"]*)"', page)
        assert later is not None
        page = browser.get(browser.url.partition("?")[0] + later[1].replace("&amp;", "&")).content.decode()
        assert browser.url == "http://alder.localhost/"
        assert "This workspace asks for a second factor" in page

    def test_after_the_days_of_grace_nobody_enters_without(
        self, asks: Callable[[int], None], browser: Browser, tenant_a: Any
    ) -> None:
        sign_in(browser)
        assert inside(browser)
        asks(-1)
        page = browser.get("http://alder.localhost/")
        assert browser.url.startswith(f"{PUBLIC}/handover/")
        assert page.status_code == 403
        assert "Later" not in page.content.decode()
        browser.get(browser.url + "&later=1")
        assert not inside(browser)

    def test_who_has_one_enters(self, asks: Callable[[int], None], app: App, browser: Browser) -> None:
        asks(-1)
        sign_in(browser)
        second(browser, app.code())
        assert inside(browser)

    def test_setting_one_up_leads_back_to_the_workspace(self, asks: Callable[[int], None], browser: Browser) -> None:
        asks(-1)
        sign_in(browser)
        browser.get(f"{PUBLIC}/account/app/")
        with shared():
            secret = encryption.unseal(Totp.objects.get().secret, f"totp:{of().pk}")
        page = browser.post(f"{PUBLIC}/account/app/", {"code": pyotp.TOTP(secret).now()}).content.decode()
        assert "go on to Alder Windows" in page
        assert inside(browser)

    def test_the_last_factor_stays(self, asks: Callable[[int], None], app: App, browser: Browser) -> None:
        asks(7)
        sign_in(browser)
        second(browser, app.code())
        page = browser.post(f"{PUBLIC}/account/app/remove/").content.decode()
        assert "Alder Windows asks for a second factor. Add another one" in page
        assert of().has_second_factor

    def test_keys_of_programs_go_on(self, asks: Callable[[int], None], api: Any, owner: Any) -> None:
        asks(-1)
        assert api(owner).get("/api/v1/companies").status_code == 200


class TestTheSetting:
    def test_the_admin_must_have_one_himself(self, browser_client: Any, admin: Any) -> None:
        page = browser_client(admin).post("/settings/security/", {"days": "7"})
        assert page.status_code == 422
        assert "Set up a second factor of your own first" in page.content.decode()

    def test_it_is_switched_on_and_off_and_told_to_the_audit(
        self, browser: Browser, tenant_a: Any, as_tenant: Any
    ) -> None:
        from crm.records.models import Event

        app = App(of("admin@example.com"))
        sign_in(browser, "admin@example.com")
        second(browser, app.code())
        inside(browser)
        page = browser.post("http://alder.localhost/settings/security/", {"days": "7"}).content.decode()
        assert "5 of 6 have no second factor yet" in page
        assert "Seller Two" in page
        with shared():
            tenant = Tenant.objects.get(id=tenant_a.id)
        assert tenant.requires_second_factor
        browser.post("http://alder.localhost/settings/security/", {"release": "1"})
        with shared():
            assert not Tenant.objects.get(id=tenant_a.id).requires_second_factor
        with as_tenant(tenant_a):
            told = list(
                Event.objects.filter(type="settings.updated").order_by("position").values_list("after", flat=True)
            )
            came = Event.objects.filter(type="session.started").last()
        assert [one["requires_second_factor"] for one in told] == [True, False]
        assert came is not None
        assert came.after["method"] == "password+totp"

    @pytest.mark.parametrize("who", ["manager", "seller", "reader"])
    def test_others_may_not(self, browser_client: Any, actor_named: Any, who: str) -> None:
        client = browser_client(actor_named(who))
        assert client.get("/settings/security/").status_code in (403, 404)
        assert client.post("/settings/security/", {"days": "0"}).status_code in (403, 404)

    @pytest.mark.parametrize("days", ["", "-1", "8", "x", "\x00", "9" * 400])
    def test_other_days_are_refused(self, browser_client: Any, owner: Any, days: str) -> None:
        assert browser_client(owner).post("/settings/security/", {"days": days}).status_code == 422


def test_the_operator_can_take_all_factors_off(app: App, browser: Browser) -> None:
    sign_in(browser)
    second(browser, app.code())
    call_command("second_factor_reset", OWNER)
    assert not inside(browser)
    sign_in(browser)
    assert inside(browser)
    with shared():
        assert not RecoveryCode.objects.exists()
    with pytest.raises(CommandError):
        call_command("second_factor_reset", "nobody@example.com")


class TestTwoAtOnce:
    """Committed rows and threads, since only then can two meet."""

    @pytest.fixture
    def someone(self, django_db_blocker: Any, the_cast: Any) -> Iterator[User]:
        def make() -> User:
            with shared():
                made = User.objects.create_user(f"{uuid4().hex}@example.com", PASSWORD)
                EmailAddress.objects.create(user=made, email=made.email, primary=True, verified=True)
            return made

        def forget() -> None:
            with shared():
                EmailAddress.objects.filter(user=user).delete()
                User.objects.filter(pk=user.pk).delete()

        with django_db_blocker.unblock():
            user = elsewhere(make)()
            yield user
            elsewhere(forget)()

    def race(self, work: Callable[[], bool]) -> list[bool]:
        start = threading.Barrier(4)

        def run() -> bool:
            start.wait(PATIENCE)
            with shared():
                return work()

        return sorted(wait() for wait in [elsewhere(run) for _thread in range(4)])

    def test_one_code_lets_one_in(self, someone: User) -> None:
        app = elsewhere(lambda: App(someone))()
        code = app.code()
        assert self.race(lambda: totp_check(someone, code)) == [False, False, False, True]

    def test_one_recovery_code_lets_one_in(self, someone: User) -> None:
        app = elsewhere(lambda: App(someone))()
        assert self.race(lambda: two_factor.code_use(someone, app.recovery[0], HERE)) == [False, False, False, True]

    def test_confirming_twice_gives_one_set_of_codes(self, someone: User) -> None:
        def begin() -> str:
            with shared():
                return totp_begin(someone)

        code = pyotp.TOTP(elsewhere(begin)()).now()
        assert self.race(lambda: bool(totp_confirm(someone, code, HERE))) == [False, False, False, True]


def test_what_happens_to_an_account_is_told_to_its_workspaces(app: App, tenant_a: Any, as_tenant: Any) -> None:
    from crm.records.models import Event

    with as_tenant(tenant_a):
        told = Event.objects.get(type="session.totp_added")
        assert told.after == {"address": HERE.address, "device": HERE.device}
        assert isinstance(told.record_id, UUID)
