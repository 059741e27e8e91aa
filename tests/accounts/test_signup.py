"""A business signs up."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress

from crm.workspace.actors import actor_for_user
from tenants.accounts import services
from tenants.accounts.api_keys import ApiKeyRefused, api_key_authenticate, api_key_create
from tenants.accounts.signup import take_over
from tenants.actors import TenantRef
from tenants.db.scopes import shared, tenant_scope
from tenants.models import Domain, Membership, Tenant, TenantStep, User
from tenants.workspaces import provisioning
from tenants.workspaces.finishing import setup_finish
from tests.accounts.conftest import Browser, link_in
from tests.cast import PASSWORD
from tests.registrations import anew

pytestmark = pytest.mark.usefixtures("owner_alias")

FORM = {"email": "ada@windows.example", "company": "Ada Windows", "subdomain": "ada-windows", "password": PASSWORD}


@pytest.fixture
def sign_up(browser: Browser, committing: Callable[[], Any], mails: list[Any]) -> Callable[..., Any]:
    def done(**changes: Any) -> Any:
        with committing():
            return browser.post("http://localhost/signup/", FORM | changes)

    return done


def test_a_business_signs_up_and_stands_in_its_own_workspace_at_once(
    sign_up: Callable[..., Any], browser: Browser, mails: list[Any]
) -> None:
    page = sign_up()
    assert page.status_code == 200, browser.trail
    assert browser.url.startswith("http://ada-windows.localhost")
    assert "Ada Windows" in page.content.decode()
    assert "Please confirm ada@windows.example" in page.content.decode()
    assert [message.to for message in mails] == [["ada@windows.example"]]
    with shared():
        tenant = Tenant.objects.get(name="Ada Windows")
        assert tenant.state == Tenant.State.ACTIVE
        assert Membership.objects.get(tenant=tenant).user.email == "ada@windows.example"


def test_a_setup_that_stops_is_waited_for_at_the_new_address(
    sign_up: Callable[..., Any], browser: Browser, mails: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = dict(provisioning.provisioners)
    anew(monkeypatch, provisioning, "provisioners")
    provisioning.provisioner_register("fails", _no_space, order=10)
    page = sign_up(sample="on")
    assert (page.status_code, page["Refresh"]) == (503, "3")
    assert browser.url.startswith("http://ada-windows.localhost/handover/")
    assert "Your workspace is being set up" in page.content.decode()
    assert [message.to for message in mails] == [["ada@windows.example"]]
    with shared():
        tenant = Tenant.objects.get(name="Ada Windows")
        assert TenantStep.objects.get(tenant=tenant, kind="failed").detail == "OSError: No space left."
        monkeypatch.setattr(provisioning, "provisioners", whole)
        assert setup_finish(tenant) == ""
    page = browser.get(browser.url)
    assert page.status_code == 200, browser.trail
    assert "Ada Windows" in page.content.decode()


def _no_space(_ref: TenantRef, _owner: User | None) -> None:
    raise OSError("No space left.")


def test_the_mailed_link_confirms_the_address_and_the_reminder_goes(
    sign_up: Callable[..., Any], browser: Browser, mails: list[Any]
) -> None:
    sign_up()
    page = browser.get(link_in(mails[0]))
    assert "Your address is confirmed" in page.content.decode()
    with shared():
        assert EmailAddress.objects.get(email="ada@windows.example").verified
    assert "Please confirm" not in browser.get("http://ada-windows.localhost/").content.decode()


def test_the_mailed_link_alone_proves_nothing_in_a_browser_that_did_not_sign_up(
    sign_up: Callable[..., Any], other_browser: Browser, mails: list[Any]
) -> None:
    """Else the owner of a mailbox would, by a click, prove it for whoever signed up with it."""
    sign_up()
    page = other_browser.get(link_in(mails[0]))
    assert "/signin/" in other_browser.url
    assert "Sign in" in page.content.decode()
    with shared():
        assert not EmailAddress.objects.get(email="ada@windows.example").verified


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("email", "no address", "valid email"),
        ("email", "", "required"),
        ("email", f"{'a' * 250}@example.com", "254"),
        ("email", "a\x00@example.com", "Null characters"),
        ("company", "C" * 121, "120"),
        ("company", "Win\x00dows", "Null characters"),
        ("subdomain", "www", "reserved"),
        ("subdomain", "a--b", "hyphens"),
        ("subdomain", "ölwerk", "letters"),
        ("subdomain", "alder", "taken"),
        ("password", "short", "at least 10"),
        ("password", "1234567890", "too common"),
        ("password", "ada@windows.example", "too similar"),
        ("password", "x" * 5000, "200"),
        ("password", "correct\x00horse battery", "Null characters"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(
    sign_up: Callable[..., Any], tenant_a: Any, field: str, value: str, said: str
) -> None:
    page = sign_up(**{field: value})
    text = page.content.decode()
    assert page.status_code == 422
    assert said in text
    assert PASSWORD not in text
    assert 'value="Ada Windows"' in text or field == "company"
    with shared():
        assert not User.objects.filter(email="ada@windows.example").exists()


@pytest.mark.parametrize("company", ["شركة النوافذ", "Окна & Двери 🪟", "𝕎𝕚𝕟𝕕𝕠𝕨𝕤", "<b>Bold</b> & Sons", "O’Neil"])
def test_any_name_is_a_name(sign_up: Callable[..., Any], browser: Browser, company: str) -> None:
    page = sign_up(company=company)
    assert page.status_code == 200
    assert "<b>Bold" not in page.content.decode()
    with shared():
        assert Tenant.objects.get(name=company)


def test_an_address_is_proposed_and_said_to_be_free(public_client: Any, tenant_a: Any) -> None:
    proposed = public_client.get(
        "/signup/address/",
        {"company": "Müller & Söhne GmbH", "subdomain": "", "proposed": ""},
        headers={"HX-Request": "true", "HX-Trigger-Name": "company"},
    ).content.decode()
    assert 'value="muller-and-sohne-gmbh"' in proposed
    assert "is free" in proposed
    taken = public_client.get(
        "/signup/address/", {"subdomain": "alder"}, headers={"HX-Request": "true", "HX-Trigger-Name": "subdomain"}
    ).content.decode()
    assert "taken" in taken
    assert "<input" not in taken
    own = public_client.get(
        "/signup/address/",
        {"company": "Other Ltd", "subdomain": "mine", "proposed": "muller"},
        headers={"HX-Request": "true", "HX-Trigger-Name": "company"},
    ).content.decode()
    assert 'value="mine"' in own


class TestAnAddressThatHasAnAccount:
    """Nobody learns on the screen whether an address is known; its owner learns it by mail."""

    def test_the_screens_are_the_same(
        self, sign_up: Callable[..., Any], browser: Browser, tenant_a: Any, mails: list[Any]
    ) -> None:
        def screens(subdomain: str) -> list[str]:
            browser.forget()
            page = sign_up(email="owner@example.com", subdomain=subdomain)
            assert page.status_code == 200
            return [plain(line, subdomain) for line in [*browser.trail, *page.content.decode().splitlines()]]

        def plain(text: str, subdomain: str) -> str:
            """Without what chance or the clock put there."""
            ids = r"[0-9a-f]{32,}|[0-9a-f]{8}-[0-9a-f-]{27}|token=[^&]+|\b[A-Za-z0-9]{64}\b"
            chance = ids + r"|data-color=\S+|datetime=\"[^\"]+\" title=\"[^\"]+\""
            return re.sub(chance, "*", text.replace(subdomain, "SUBDOMAIN"))

        with shared():
            EmailAddress.objects.filter(email="owner@example.com").update(email="moved@example.com")
        unknown = screens("ada-windows")
        with shared():
            EmailAddress.objects.filter(email="moved@example.com").update(email="owner@example.com")
        known = screens("ada-doors")
        assert [both for both in zip(known, unknown, strict=True) if both[0] != both[1]] == []
        assert [message.subject for message in mails] == [
            "Confirm your address for Rapport",
            "You already have an account at Rapport",
        ]

    def test_both_may_sign_in_each_with_his_own_password(
        self, sign_up: Callable[..., Any], browser: Browser, tenant_a: Any
    ) -> None:
        """Else a failing sign-in would tell that the address was known."""
        sign_up(email="owner@example.com", password="another good password")
        browser.forget()
        browser.post("http://localhost/signin/", {"email": "owner@example.com", "password": "another good password"})
        assert browser.url.startswith("http://ada-windows.localhost")
        browser.forget()
        browser.post("http://localhost/signin/", {"email": "owner@example.com", "password": PASSWORD})
        assert browser.url.startswith("http://alder.localhost")

    def test_the_owner_takes_the_workspace_over_by_the_mailed_link(
        self, sign_up: Callable[..., Any], browser: Browser, other_browser: Browser, tenant_a: Any, mails: list[Any]
    ) -> None:
        sign_up(email="owner@example.com", password="another good password")
        link = link_in(mails[0])
        refused = browser.get(link)
        assert refused.status_code == 403
        other_browser.get(link)
        other_browser.post(
            other_browser.url,
            {
                "email": "owner@example.com",
                "password": PASSWORD,
                "next": link.partition("localhost")[2].lstrip(":0123456789"),
            },
        )
        assert "Ada Windows" in other_browser.get(link).content.decode()
        page = other_browser.post(link)
        assert page.status_code == 200
        assert other_browser.url.startswith("http://ada-windows.localhost")
        with shared():
            assert User.objects.filter(email="owner@example.com").count() == 1
        assert "/signin/" in (browser.get("http://ada-windows.localhost/"), browser.url)[1]
        assert other_browser.get(link).status_code == 410

    def test_a_key_made_before_the_take_over_ends_with_it(
        self, sign_up: Callable[..., Any], browser: Browser, tenant_a: Any
    ) -> None:
        """Whoever signed up with somebody else's address keeps no way in."""
        sign_up(email="owner@example.com")
        with shared():
            duplicate = User.objects.order_by("-created_at", "-id").filter(email="owner@example.com")[0]
            tenant = duplicate.memberships.get().tenant.ref()
        with tenant_scope(tenant):
            actor = actor_for_user(tenant, duplicate.pk)
            assert actor is not None
            _key, plain = api_key_create(actor, name="Left behind", scopes=["deal:read"])
        assert api_key_authenticate(f"Bearer {plain}")
        with shared():
            owner = services.verified_user("owner@example.com")
            assert owner is not None
            take_over(duplicate=duplicate, by=owner)
        with pytest.raises(ApiKeyRefused):
            api_key_authenticate(f"Bearer {plain}")

    def test_a_stranger_cannot_take_it_over(
        self, sign_up: Callable[..., Any], other_browser: Browser, tenant_a: Any, mails: list[Any]
    ) -> None:
        sign_up(email="owner@example.com")
        other_browser.post("http://localhost/signin/", {"email": "admin@example.com", "password": PASSWORD})
        assert other_browser.post(link_in(mails[0])).status_code == 403
        with shared():
            assert User.objects.filter(email="owner@example.com").count() == 2


def test_an_address_taken_in_the_meantime_is_said_in_the_form(
    sign_up: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tenant_a: Any
) -> None:
    monkeypatch.setattr("tenants.web.forms.subdomain_refusal", lambda name: None)
    page = sign_up(subdomain="alder")
    assert page.status_code == 422
    assert "took this address" in page.content.decode()
    with shared():
        assert not User.objects.filter(email=FORM["email"]).exists()
        assert Domain.objects.filter(domain="alder.localhost").count() == 1


def test_too_many_sign_ups_have_to_wait(sign_up: Callable[..., Any], browser: Browser) -> None:
    for _try in range(30):
        browser.post("http://localhost/signup/", {"email": "x"})
    page = browser.post("http://localhost/signup/", {"email": "x"})
    assert page.status_code == 429
    assert int(page["Retry-After"]) > 0
    assert "try again" in page.content.decode()
