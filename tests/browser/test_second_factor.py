"""Passkeys and codes in a real browser, with an authenticator that Chromium plays."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.browser.conftest import axe_problems
from tests.browser.hands import shown
from tests.chromium import open_page
from tests.stack import Stack

LOOKS: tuple[dict[str, Any], ...] = (
    {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True, "is_mobile": True},
)


class Authenticator:
    """A platform authenticator inside a page's browser."""

    def __init__(self, page: Page) -> None:
        self.session: CDPSession = page.context.new_cdp_session(page)
        self.session.send("WebAuthn.enable")
        made = self.session.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        self.id = made["authenticatorId"]

    def credentials(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})[
            "credentials"
        ]
        return found

    def put_back(self, credential: dict[str, Any], sign_count: int) -> None:
        """The same credential with another counter, as a copy would have."""
        self.session.send(
            "WebAuthn.removeCredential", {"authenticatorId": self.id, "credentialId": credential["credentialId"]}
        )
        self.session.send(
            "WebAuthn.addCredential",
            {"authenticatorId": self.id, "credential": credential | {"signCount": sign_count}},
        )


# The played authenticator answers at once to a page that only offers passkeys, so it offers them when the test says.
OFFERS = 'PublicKeyCredential.isConditionalMediationAvailable = async () => localStorage.getItem("offers") === "yes"'


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    problems: list[str] = []
    page = open_page(browser, problems, **LOOKS[0])
    page.context.add_init_script(OFFERS)
    yield page
    page.context.close()
    assert problems == []


def url(stack: Stack, path: str) -> str:
    return f"{stack.demo['base_url'].rstrip('/')}{path}"


def sign_in(page: Page, stack: Stack) -> None:
    page.goto(url(stack, "/signin/?next=/account/"))
    page.get_by_label("Email").fill(stack.demo["email"])
    page.get_by_label("Password").fill(stack.demo["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page, stack: Stack) -> None:
    page.goto(url(stack, "/signout/"))
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def keep(page: Page, name: str) -> None:
    """With SHOTS=<folder> pictures in light, dark and on a phone; and what axe and the width say in each."""
    problems = []
    for number, look in enumerate(LOOKS):
        page.set_viewport_size(look["viewport"])
        page.emulate_media(color_scheme=look["color_scheme"])
        seen_in_light = look["color_scheme"] == "dark"
        problems += axe_problems(page, rule="color-contrast" if seen_in_light else "")
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        problems += [f"{wider} px too wide"] if wider > 1 else []
        if os.environ.get("SHOTS"):
            look_name = ("light", "dark", "phone")[number]
            page.screenshot(path=Path(os.environ["SHOTS"]) / f"{name}-{look_name}.png", full_page=True)
    page.set_viewport_size(LOOKS[0]["viewport"])
    page.emulate_media(color_scheme="light")
    assert problems == [], name


def offers(page: Page, does: bool) -> None:
    page.evaluate("does => localStorage.setItem('offers', does ? 'yes' : '')", does)


def test_a_life_with_second_factors(page: Page, stack: Stack) -> None:
    """One story: an app, its codes, a passkey as the second step and alone, a copied one refused, and all removed."""
    authenticator = Authenticator(page)
    sign_in(page, stack)
    expect(page.get_by_role("heading", name="Account and security")).to_be_visible()
    keep(page, "account_none")

    # An app, confirmed by its code, gives the ten codes once.
    page.get_by_role("link", name="Set up an authenticator app").click()
    keep(page, "totp_new")
    secret = page.locator("#totp-secret").inner_text().replace(" ", "")
    page.get_by_label("Code that the app shows").fill("000000")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("That code does not fit.")).to_be_visible()
    page.get_by_label("Code that the app shows").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".codes li")).to_have_count(10)
    codes = page.locator(".codes code").all_inner_texts()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_text().split() == codes
    keep(page, "codes")
    page.get_by_role("link", name="I keep them safe").click()

    # The next sign-in takes a recovery code.
    sign_out(page, stack)
    keep(page, "signin")
    sign_in(page, stack)
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    keep(page, "second_step_totp")
    page.get_by_role("link", name="Use a recovery code").click()
    keep(page, "second_step_recovery")
    page.get_by_label("Recovery code").fill(codes[0])
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("9 of 10 left")).to_be_visible()

    # A passkey with a name.
    page.get_by_role("link", name="Add a passkey").click()
    keep(page, "passkey_new")
    page.get_by_label("Name").fill("My laptop")
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_text("My laptop").first).to_be_visible()
    assert len(authenticator.credentials()) == 1
    keep(page, "account_all")

    # The same device is not registered twice.
    page.get_by_role("link", name="Add a passkey").click()
    shown(page.get_by_role("button", name="Make the passkey")).click()
    expect(page.get_by_text("This device has a passkey for your account already.")).to_be_visible()

    # As the second step.
    sign_out(page, stack)
    sign_in(page, stack)
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    keep(page, "second_step_passkey")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Account and security")).to_be_visible()

    # Alone: by the button, then chosen from what the email field offers.
    sign_out(page, stack)
    page.goto(url(stack, "/signin/?next=/account/"))
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Account and security")).to_be_visible()
    sign_out(page, stack)
    offers(page, True)
    page.goto(url(stack, "/signin/?next=/account/"))
    expect(page.get_by_role("heading", name="Account and security")).to_be_visible()
    offers(page, False)

    # A copy whose counter did not go on is refused.
    (credential,) = authenticator.credentials()
    sign_out(page, stack)
    authenticator.put_back(credential, 1)
    page.goto(url(stack, "/signin/"))
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("That passkey did not work here.")).to_be_visible()
    keep(page, "signin_refused")
    page.get_by_label("Email").fill(stack.demo["email"])
    page.get_by_label("Password").fill(stack.demo["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("link", name="Use a recovery code").click()
    page.get_by_label("Recovery code").fill(codes[1])
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url(f"{stack.demo['workspace_url']}**")
    page.goto(url(stack, "/account/"))
    expect(page.get_by_text("Passkey refused: perhaps copied").first).to_be_visible()

    # Everything goes, and the password alone does again.
    page.get_by_role("link", name="Remove My laptop").click()
    keep(page, "factor_remove")
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("link", name="Remove the authenticator app").click()
    expect(page.get_by_text("It is your last second factor")).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Off", exact=True)).to_be_visible()
    for path in ("password/", "email/", "codes/"):
        page.goto(url(stack, f"/account/{path}"))
        keep(page, f"account_{path.strip('/')}")
    sign_out(page, stack)
    sign_in(page, stack)
    expect(page.get_by_role("heading", name="Account and security")).to_be_visible()
