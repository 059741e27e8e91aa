"""Names that somebody chose, in mails to people who do not know yet who writes to them: never an address in them."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from crm.workspace.models import Member, Role, Team
from crm.workspace.people import invitation_services
from tenants.actors import Actor
from tenants.db.scopes import shared
from tenants.models import Tenant
from tenants.names import NameRefused, name_mailed, name_read
from tests.accounts.conftest import Browser

BAIT = [
    "evil.example",
    "Win at http://evil.example/now",
    "e\u200bvil.example",
    "\u202eEvil\u202c evil。example",
    "evil．example",
]
LINK = re.compile(r"evil\W?example|https?:|www\.|[\u202a-\u202e\u2066-\u2069\u200b\x00-\x08]")
"""What must stand nowhere but in our own link; a blank after the dot is two characters."""


def told(message: Any) -> str:
    """All that a mail says besides our own addresses."""
    html = message.alternatives[0][0]
    words = f"{message.subject}\n{message.from_email}\n{message.body}\n{re.sub(r'<[^>]+>', ' ', html)}"
    return re.sub(r"http://localhost\S*", "", words)


@pytest.mark.parametrize("name", BAIT)
def test_an_invitation_holds_no_address_but_our_own(
    name: str, admin: Actor, mails: list[Any], committing: Any, api: Callable[..., Any]
) -> None:
    """Not by the name of the workspace, the inviter, the role or the team, nor by that of a key."""
    with shared():
        Tenant.objects.filter(id=admin.tenant.id).update(name=name)
    Member.objects.filter(id=str(admin.member_id)).update(name=name)
    role = Role.objects.create(slug="bait", name=name, permissions={"*": {"view": "own"}})
    team = Team.objects.create(name=name)
    with committing():
        body = {"email": "new@example.com", "role": role.slug, "team": str(team.id)}
        assert api(admin).post("/api/v1/invitations", body).status_code == 201
    assert not LINK.search(told(mails[-1]))
    assert "\n" not in mails[-1].subject


def test_an_invitation_by_a_key_is_signed_by_the_member_behind_it(
    admin: Actor, mails: list[Any], committing: Any, api: Callable[..., Any]
) -> None:
    with committing():
        assert api(admin).post("/api/v1/invitations", {"email": "new@example.com"}).status_code == 201
    assert mails[-1].subject == "Admin invites you to Alder Windows"
    assert "Test" not in told(mails[-1])


def test_a_long_name_is_cut(admin: Actor, mails: list[Any], committing: Any) -> None:
    with shared():
        Tenant.objects.filter(id=admin.tenant.id).update(name="Very long " * 12)
    with committing():
        invitation_services.invitation_send(admin, email="new@example.com", role="member")
    assert len(mails[-1].subject) < 100


@pytest.mark.usefixtures("owner_alias")
@pytest.mark.parametrize("email", ["stranger@example.com", "owner@example.com"], ids=["new", "has an account"])
@pytest.mark.parametrize("company", [*BAIT, "Ada Windows"])
def test_a_sign_up_mails_nothing_that_was_typed_but_the_address(
    browser: Browser, mails: list[Any], committing: Any, tenant_a: Any, email: str, company: str
) -> None:
    form = {"email": email, "company": company, "subdomain": "ada-windows", "password": "correct horse battery"}
    with committing():
        browser.post("http://localhost/signup/", form)
    for message in mails:
        assert not LINK.search(told(message))
        assert "Ada" not in told(message)
        assert message.to == [email]


@pytest.mark.usefixtures("owner_alias")
def test_an_address_that_nobody_has_proven_gets_no_other_mail_of_ours(
    browser: Browser, other_browser: Browser, mails: list[Any], committing: Any
) -> None:
    """Not of new devices, not of a new password, not with names of workspaces that read like an address."""
    form = {"email": "stranger@example.com", "company": "Go to evil.example", "subdomain": "baits"}
    password = "correct horse battery"
    with committing():
        browser.post("http://localhost/signup/", form | {"password": password})
        again = {**form, "subdomain": "baits-too", "password": password}
        other_browser.post("http://localhost/signup/", again)
    mails.clear()
    with committing():
        third = Browser()
        third.post("http://localhost/signin/", {"email": form["email"], "password": password})
        third.post("http://localhost/account/confirm/", {"with": "password", "password": password})
        third.post("http://localhost/account/password/", {"password": "another horse battery"})
    assert mails == []
    with committing():
        third.post("http://localhost/password/", {"email": form["email"]})
    assert len(mails) == 1
    assert "Go to evil" in told(mails[0])
    assert not LINK.search(told(mails[0]))


class TestNames:
    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("  Ada \t Windows \n", "Ada Windows"),
            ("Booking.com", "Booking.com"),
            ("Novo Nordisk A/S", "Novo Nordisk A/S"),
            ("Re:Form?", "Re:Form?"),
            ("St.Gallen: Süd", "St.Gallen: Süd"),
            ("👩\u200d💻 Studio", "👩\u200d💻 Studio"),
            ("می\u200cخواهم", "می\u200cخواهم"),
            ("\u2068Ada\u2069", "Ada"),
            ("\u202egnp.exe", "gnp.exe"),
            ("A\u200bd\u00ada\ufeff\x07", "Ada"),
        ],
    )
    def test_what_is_seen_is_kept_and_what_is_not_seen_is_not(self, typed: str, kept: str) -> None:
        assert name_read(typed, longest=120) == kept

    @pytest.mark.parametrize(
        ("typed", "code"),
        [
            ("", "required"),
            ("\u200b\u202e \x00", "required"),
            ("x" * 81, "too_long"),
            ("https://evil.example", "web_address"),
            ("See HTTP://1.2.3.4", "web_address"),
            ("www.evil.example", "web_address"),
            ("evil.example/claim", "web_address"),
            ("evil。example/claim", "web_address"),
            ("evil．example:8080", "web_address"),
        ],
    )
    def test_what_can_be_no_name_is_refused(self, typed: str, code: str) -> None:
        with pytest.raises(NameRefused) as refused:
            name_read(typed, longest=80)
        assert refused.value.code == code

    @pytest.mark.parametrize(
        ("name", "mailed"),
        [
            ("Alder Windows", "Alder Windows"),
            ("Booking.com", "Booking. com"),
            ("Web 2.0", "Web 2.0"),
            ("Dr. Müller & Co.", "Dr. Müller & Co."),
            ("ada@evil.example", "ada @ evil. example"),
            ("ftp://evil.example", "evil. example"),
        ],
    )
    def test_a_mail_program_makes_no_link_of_it(self, name: str, mailed: str) -> None:
        assert name_mailed(name) == mailed
