"""People are invited by mail, and come in."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from crm.workspace.errors import Conflict, NotAllowed, WorkspaceError
from crm.workspace.models import Invitation, Member
from crm.workspace.people import invitation_services
from tenants.actors import Actor, TenantRef
from tenants.db.scopes import shared, tenant_scope
from tenants.models import Tenant, User
from tenants.workspaces.limits import LimitReached
from tests.accounts.conftest import Browser, link_in
from tests.cast import PASSWORD

JOIN = {"name": "Nora New", "password": "a long enough password"}


@pytest.fixture
def invite(admin: Actor, committing: Any, mails: list[Any]) -> Callable[..., str]:
    """Invites, and gives the link out of the mail."""

    def done(email: str = "new@example.com", **values: Any) -> str:
        with committing():
            invitation_services.invitation_send(admin, email=email, **({"role": "member"} | values))
        assert mails[-1].to == [email]
        return link_in(mails[-1])

    return done


def test_somebody_new_chooses_a_name_and_a_password_and_is_in(
    invite: Callable[..., str],
    browser: Browser,
    manager: Actor,
    mails: list[Any],
) -> None:
    link = invite(manager=manager.member_id)
    assert "invites you to Alder Windows" in mails[-1].subject
    page = browser.get(link)
    assert "Join Alder Windows" in page.content.decode()
    page = browser.post(link, JOIN)
    assert page.status_code == 200
    assert browser.url == "http://alder.localhost/"
    made = Member.objects.get(email="new@example.com")
    assert (made.name, made.role.slug, made.manager_id) == ("Nora New", "member", manager.member_id)
    with shared():
        assert EmailAddress.objects.get(email="new@example.com").verified
    assert "Please confirm" not in page.content.decode()
    again = browser.get(link)
    assert again.status_code == 410
    assert "accepted already" in again.content.decode()


def test_somebody_with_an_account_signs_in_and_accepts(
    invite: Callable[..., str],
    browser: Browser,
    outsider: Actor,
) -> None:
    link = invite("outsider@example.com")
    browser.get(link)
    assert browser.url.startswith("http://localhost/signin/")
    path = link.partition("//")[2].partition("/")[2]
    page = browser.post(
        "http://localhost/signin/", {"email": "outsider@example.com", "password": PASSWORD, "next": f"/{path}"}
    )
    assert "Join Alder Windows" in page.content.decode()
    browser.post(link)
    assert browser.url == "http://alder.localhost/"


def test_somebody_else_cannot_accept_it(invite: Callable[..., str], browser: Browser, outsider: Actor) -> None:
    link = invite("somebody@example.com")
    browser.post("http://localhost/signin/", {"email": "outsider@example.com", "password": PASSWORD})
    page = browser.post(link)
    assert page.status_code == 403
    assert "somebody@example.com" in page.content.decode()
    assert not Member.objects.filter(user_id=outsider.details["user_id"]).exists()


def test_it_expires_after_seven_days(invite: Callable[..., str], browser: Browser) -> None:
    link = invite()
    invitation = Invitation.objects.get()
    assert timedelta(days=6, hours=23) < invitation.expires_at - timezone.now() <= timedelta(days=7)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    page = browser.post(link, JOIN)
    assert page.status_code == 410
    assert "has expired" in page.content.decode()
    with shared():
        assert not User.objects.filter(email="new@example.com").exists()


def test_a_revoked_one_is_closed(invite: Callable[..., str], admin: Actor, browser: Browser) -> None:
    link = invite()
    invitation_services.invitation_revoke(admin, invitation_id=Invitation.objects.get().id)
    page = browser.post(link, JOIN)
    assert page.status_code == 410
    assert "was revoked" in page.content.decode()


def test_sent_again_only_the_newest_link_works(
    invite: Callable[..., str],
    admin: Actor,
    browser: Browser,
    committing: Any,
    mails: list[Any],
) -> None:
    old = invite()
    with committing():
        invitation_services.invitation_resend(admin, invitation_id=Invitation.objects.get().id)
    assert browser.get(old).status_code == 404
    assert browser.get(link_in(mails[-1])).status_code == 200


@pytest.mark.parametrize("token", ["x", "A" * 64, "🪟", "%00", "é" * 64, "A" * 5000])
def test_a_forged_link_is_told_from_nothing(public_client: Any, token: str) -> None:
    page = public_client.get(f"/invitations/{token}/")
    assert page.status_code == 404


def test_the_token_of_one_workspace_opens_no_other(
    invite: Callable[..., str],
    tenant_b: TenantRef,
    browser: Browser,
    outsider: Actor,
) -> None:
    from base64 import urlsafe_b64decode, urlsafe_b64encode

    link = invite()
    token = link.rstrip("/").rpartition("/")[2]
    forged = urlsafe_b64encode(tenant_b.id.bytes + urlsafe_b64decode(token)[16:]).decode()
    assert browser.get(link.replace(token, forged)).status_code == 404


def test_the_plain_token_is_nowhere_in_the_database(invite: Callable[..., str]) -> None:
    token = invite().rstrip("/").rpartition("/")[2]
    invitation = Invitation.objects.get()
    assert token not in str(vars(invitation))
    assert len(invitation.token_hash) == 64


def test_who_has_not_proven_his_own_address_invites_nobody(admin: Actor) -> None:
    with shared():
        EmailAddress.objects.filter(email=admin.email).update(verified=False)
    with pytest.raises(NotAllowed, match="Confirm your own email address first"):
        invitation_services.invitation_send(admin, email="new@example.com", role="member")


def test_nobody_invites_to_more_than_he_is(admin: Actor) -> None:
    with pytest.raises(NotAllowed, match="more than your own"):
        invitation_services.invitation_send(admin, email="new@example.com", role="owner")


def test_members_and_the_invited_are_not_invited_again(invite: Callable[..., str], admin: Actor) -> None:
    invite()
    with pytest.raises(Conflict, match="has an invitation already"):
        invitation_services.invitation_send(admin, email="NEW@example.com", role="member")
    with pytest.raises(Conflict, match="belongs to a member"):
        invitation_services.invitation_send(admin, email="seller@example.com", role="member")


def test_an_expired_one_makes_way_for_a_new_one(invite: Callable[..., str], admin: Actor) -> None:
    invite()
    Invitation.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert invitation_services.invitation_send(admin, email="new@example.com", role="member").token


def test_an_expired_one_is_sent_again_only_while_a_seat_is_free(invite: Callable[..., str], admin: Actor) -> None:
    from dataclasses import replace

    short = replace(admin, tenant=replace(admin.tenant, limits={"seats": 7}))
    invite()
    first = Invitation.objects.get().id
    assert invitation_services.invitation_resend(short, invitation_id=first).token
    Invitation.objects.update(expires_at=timezone.now() - timedelta(days=1))
    invitation_services.invitation_send(short, email="seventh@example.com", role="member")
    with pytest.raises(LimitReached, match="All 7 seats"):
        invitation_services.invitation_resend(short, invitation_id=first)


def test_seats_are_counted_with_the_invited(invite: Callable[..., str], admin: Actor) -> None:
    from dataclasses import replace

    short = replace(admin, tenant=replace(admin.tenant, limits={"seats": 7}))
    invitation_services.invitation_send(short, email="seventh@example.com", role="member")
    with pytest.raises(LimitReached, match="All 7 seats"):
        invitation_services.invitation_send(short, email="eighth@example.com", role="member")


@pytest.mark.parametrize(
    "email",
    ["", "x", "a b@example.com", "a\x00@example.com", "a@example.com\r\nBcc: b@example.com", f"{'a' * 300}@x.y"],
)
def test_nonsense_is_no_address(admin: Actor, email: str) -> None:
    with pytest.raises(WorkspaceError, match="not an email address"):
        invitation_services.invitation_send(admin, email=email, role="member")


def test_a_closed_workspace_lets_nobody_in(invite: Callable[..., str], admin: Actor, browser: Browser) -> None:
    link = invite()
    with shared():
        Tenant.objects.filter(id=admin.tenant.id).update(state="suspended")
    closed = browser.post(link, JOIN)
    assert closed.status_code == 410
    assert "takes nobody in at the moment" in closed.content.decode()


def test_the_joining_form_keeps_the_name_and_refuses_a_weak_password(
    invite: Callable[..., str],
    browser: Browser,
) -> None:
    page = browser.post(invite(), JOIN | {"password": "short"})
    assert page.status_code == 422
    assert 'value="Nora New"' in page.content.decode()
    with shared():
        assert not User.objects.filter(email="new@example.com").exists()


def test_the_page_invites_and_says_so(
    browser_client: Any,
    admin: Actor,
    committing: Any,
    mails: list[Any],
) -> None:
    client = browser_client(admin)
    with committing():
        answer = client.post("/settings/members/", {"emails": "page@example.com", "role": "read_only", "manager": ""})
    assert answer.status_code == 302
    assert mails[-1].to == ["page@example.com"]
    assert "page@example.com" in client.get("/settings/members/").content.decode()
    again = client.post("/settings/members/", {"emails": "page@example.com", "role": "read_only"})
    assert again.status_code == 422
    assert "has an invitation already" in again.content.decode()
    assert "page@example.com</textarea>" in again.content.decode()


def test_an_invitation_of_another_workspace_is_not_found(
    invite: Callable[..., str], browser_client: Any, outsider: Actor, tenant_b: TenantRef
) -> None:
    invite()
    invitation = Invitation.objects.get()
    client = browser_client(outsider)
    for what in ("resend", "revoke"):
        assert client.post(f"/settings/invitations/{invitation.id}/{what}/").status_code == 404
    with tenant_scope(tenant_b):
        assert "new@example.com" not in client.get("/settings/members/").content.decode()


def test_the_mail_says_who_invites_whom_to_what_and_until_when(
    invite: Callable[..., str], admin: Actor, mails: list[Any]
) -> None:
    from crm.workspace.people.team_services import team_create

    invite(team=team_create(admin, name="North").id)
    body = mails[-1].body
    assert "Admin invites you to work in Alder Windows at Rapport, as Member in the team North." in body
    assert "It is for new@example.com alone, works once, and holds until" in body


def test_who_invited_is_told_when_the_invited_came(invite: Callable[..., str], browser: Browser, admin: Actor) -> None:
    from crm.workspace.models import Notification

    browser.post(invite(), JOIN)
    told = Notification.objects.get(member=admin.member_id, kind="invitation_accepted")
    assert told.title == "Nora New accepted your invitation and works here now."


def test_a_role_that_somebody_is_invited_with_cannot_just_vanish(invite: Callable[..., str], browser: Browser) -> None:
    """Removing it gives the invitation another one first, so nobody comes in with none."""
    from django.db import IntegrityError, transaction
    from django.db.models import ProtectedError

    from crm.workspace.models import Role

    odd = Role.objects.create(slug="odd", name="Odd", permissions={"*": {"view": "all"}})
    link = invite(role=odd)
    with pytest.raises((ProtectedError, IntegrityError)), transaction.atomic():
        odd.delete()
    browser.post(link, JOIN)
    assert Member.objects.get(email="new@example.com").role_id == odd.id
