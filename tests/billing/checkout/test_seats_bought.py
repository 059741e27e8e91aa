"""A seat is missing, and is bought in the step that needs it."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from billing.models import SeatLedger
from crm.records.models import Event
from crm.workspace.models import Invitation, Member, Notification, Role
from crm.workspace.people import invitation_services, member_services
from tenants.actors import Actor, TenantRef
from tenants.db.scopes import shared
from tenants.models import Tenant, User
from tests.accounts.conftest import Browser, link_in
from tests.billing.a_workspace import PayingWorkspace
from tests.billing.standin_server import StripeServer

MEMBERS = "/settings/members/"
JOIN = {"name": "Gus Guest", "password": "a long enough password"}
FORM = {"emails": "guest@example.com", "role": "member", "team": "", "manager": ""}


@pytest.fixture
def paying(billing: StripeServer, in_tenant: TenantRef, owner: Actor) -> PayingWorkspace:
    """Workspace A pays for as many seats as it has members."""
    return PayingWorkspace(billing, tenant=in_tenant, owner_id=str(owner.details["user_id"])).full("team")


@pytest.fixture
def page(browser_client: Callable[..., Client], owner: Actor, paying: PayingWorkspace) -> Client:
    return browser_client(owner)


def sealed(answer: Any) -> str:
    found = re.search(r'name="seat_offer" value="([^"]+)"', answer.content.decode())
    assert found is not None
    return found[1]


def invited() -> list[str]:
    return list(Invitation.objects.values_list("email", flat=True))


def test_who_may_pay_is_shown_the_price_first(page: Client, paying: PayingWorkspace) -> None:
    answer = page.post(MEMBERS, FORM)
    assert answer.status_code == 402
    shown = answer.content.decode()
    assert "One more seat is needed" in shown
    assert "Not invited yet: guest@example.com" in shown
    assert re.search(r"€203(\.00)? a month", shown)
    assert invited() == []
    assert paying.billed == 6


def test_and_pays_and_invites_in_one_step(page: Client, paying: PayingWorkspace) -> None:
    offer = sealed(page.post(MEMBERS, FORM))
    answer = page.post(MEMBERS, FORM | {"seat_offer": offer})
    assert answer.status_code == 302
    assert invited() == ["guest@example.com"]
    assert (paying.billed, paying.seats) == (7, 7)
    invoice = paying.newest_invoice
    assert (invoice.status, invoice.total > 0) == ("paid", True)


def test_it_costs_to_the_cent_what_was_shown(page: Client, paying: PayingWorkspace) -> None:
    answer = page.post(MEMBERS, FORM)
    shown = re.search(r'<td class="num strong">€([0-9.]+)</td>', answer.content.decode())
    assert shown is not None
    page.post(MEMBERS, FORM | {"seat_offer": sealed(answer)})
    assert paying.newest_invoice.total == Decimal(shown[1])


def test_the_yes_sent_twice_pays_once(page: Client, paying: PayingWorkspace) -> None:
    offer = sealed(page.post(MEMBERS, FORM))
    page.post(MEMBERS, FORM | {"seat_offer": offer})
    page.post(MEMBERS, FORM | {"seat_offer": offer})
    assert paying.billed == 7
    assert invited() == ["guest@example.com"]


def test_three_are_bought_for_three(page: Client, paying: PayingWorkspace) -> None:
    three = FORM | {"emails": "a@example.com, b@example.com, c@example.com"}
    answer = page.post(MEMBERS, three)
    assert "3 more seats are needed" in answer.content.decode()
    page.post(MEMBERS, three | {"emails": "a@example.com\nb@example.com\nc@example.com", "seat_offer": sealed(answer)})
    assert paying.billed == 9
    assert sorted(invited()) == ["a@example.com", "b@example.com", "c@example.com"]


def test_a_declined_card_leaves_nothing_half_done(page: Client, paying: PayingWorkspace) -> None:
    paying.card(works=False)
    offer = sealed(page.post(MEMBERS, FORM))
    answer = page.post(MEMBERS, FORM | {"seat_offer": offer})
    assert answer.status_code == 402
    assert "did not go through" in answer.content.decode()
    assert invited() == []
    assert (paying.billed, paying.seats, paying.state) == (6, 6, "active")
    assert paying.newest_invoice.status == "paid"


def test_while_stripe_is_away_it_is_said_and_nobody_is_invited(page: Client, paying: PayingWorkspace) -> None:
    paying.server.fault("drop", times=100)
    answer = page.post(MEMBERS, FORM)
    assert answer.status_code == 402
    assert "does not answer at the moment" in answer.content.decode()
    assert invited() == []


def test_a_forged_or_anothers_offer_buys_nothing(
    page: Client, paying: PayingWorkspace, browser_client: Callable[..., Client], admin: Actor
) -> None:
    theirs = sealed(browser_client(admin).post(MEMBERS, FORM))
    for offer in ("x", "eyJ:1:2", theirs):
        answer = page.post(MEMBERS, FORM | {"seat_offer": offer})
        assert answer.status_code == 402
        assert "That price has lapsed" in answer.content.decode()
    assert paying.billed == 6


def test_who_may_not_pay_is_told_whom_to_ask(
    page: Client, paying: PayingWorkspace, without_billing: Client, owner: Actor
) -> None:
    answer = without_billing.post(MEMBERS, FORM)
    assert answer.status_code == 422
    assert owner.label in answer.content.decode()
    forced = without_billing.post(MEMBERS, FORM | {"seat_offer": sealed(page.post(MEMBERS, FORM))})
    assert forced.status_code == 403
    assert (paying.billed, invited()) == (6, [])


@pytest.fixture
def without_billing(browser_client: Callable[..., Client], manager: Actor) -> Client:
    """Somebody who may invite and may not pay."""
    row = dict.fromkeys(("view", "create", "edit", "delete", "export", "bulk"), "all")
    permissions = {"*": row, "member": row, "workspace": {"members": "all"}}
    role = Role.objects.create(slug="office", name="Office", permissions=permissions)
    Member.objects.filter(user_id=manager.details["user_id"]).update(role=role)
    return browser_client(manager)


def test_letting_in_again_asks_for_the_price_too(
    page: Client, paying: PayingWorkspace, owner: Actor, seller: Actor
) -> None:
    assert seller.member_id is not None
    member_services.member_deactivate(owner, member_id=seller.member_id)
    invitation_services.invitation_send(paying.refreshed(owner), email="guest@example.com", role="member")
    address = f"{MEMBERS}{seller.member_id}/reactivate/"
    answer = page.post(address)
    assert answer.status_code == 402
    assert page.post(address, {"seat_offer": sealed(answer)}).status_code == 302
    assert Member.objects.get(id=seller.member_id).is_active
    assert paying.billed == 7


def test_a_seat_that_somebody_left_is_free_and_costs_nothing(
    page: Client, paying: PayingWorkspace, owner: Actor, seller: Actor
) -> None:
    assert seller.member_id is not None
    member_services.member_deactivate(owner, member_id=seller.member_id)
    paying.settle()
    assert page.post(MEMBERS, FORM).status_code == 302
    assert (paying.billed, paying.invoices) == (6, 1)


def test_on_the_last_day_what_is_paid_is_not_paid_again(
    page: Client, paying: PayingWorkspace, owner: Actor, seller: Actor
) -> None:
    assert seller.member_id is not None
    member_services.member_deactivate(owner, member_id=seller.member_id)
    paying.day(paying.days_left)
    assert (paying.billed, paying.seats) == (5, 6)
    invitation_services.invitation_send(paying.refreshed(owner), email="one@example.com", role="member")
    answer = page.post(MEMBERS, FORM)
    page.post(MEMBERS, FORM | {"seat_offer": sealed(answer)})
    assert paying.billed == 7
    assert paying.newest_invoice.total <= Decimal("29.00") / 28


def test_on_the_last_day_the_plan_is_not_changed_under_seats_that_are_paid(
    page: Client, paying: PayingWorkspace, owner: Actor, seller: Actor
) -> None:
    assert seller.member_id is not None
    member_services.member_deactivate(owner, member_id=seller.member_id)
    paying.day(paying.days_left)
    answer = page.get("/settings/billing/change/business_month_eur/", {"seats": "6"})
    assert "Change it after that" in answer.content.decode()
    assert paying.billed == 5


def test_the_page_says_that_inviting_shows_the_price(page: Client, paying: PayingWorkspace) -> None:
    shown = page.get(MEMBERS).content.decode()
    assert "All 6 seats of your plan are taken." in shown
    assert "Invite all the same: the price of one more is shown before anything is paid or sent." in shown
    assert "Choose a plan" not in shown


def test_a_guest_without_a_seat_is_let_in_by_who_pays_for_one_more(
    page: Client,
    paying: PayingWorkspace,
    owner: Actor,
    browser: Browser,
    committing: Callable[..., Any],
    mails: list[Any],
) -> None:
    with shared():
        Tenant.objects.filter(id=paying.tenant.id).update(limits={"seats": 7})
    with committing():
        guest = invitation_services.invitation_send(paying.refreshed(owner), email="guest@example.com", role="member")
    with shared():
        Tenant.objects.filter(id=paying.tenant.id).update(limits={"seats": 6})
    for _again in range(2):
        refused = browser.post(link_in(mails[-1]), JOIN)
        assert refused.status_code == 410
        assert "All seats of this workspace are taken. We have told those who can add one" in refused.content.decode()
    with shared():
        assert not User.objects.filter(email="guest@example.com").exists()
    told = Notification.objects.get(kind="seat_missing")
    assert (told.member_id, told.title) == (
        owner.member_id,
        "guest@example.com wants to accept your invitation, and no seat is free.",
    )
    address = f"/settings/invitations/{guest.id}/resend/"
    answer = page.post(address)
    assert answer.status_code == 402
    with committing():
        assert page.post(address, {"seat_offer": sealed(answer)}).status_code == 302
    assert paying.billed == 7
    assert browser.post(link_in(mails[-1]), JOIN).status_code == 200
    assert Member.objects.get(email="guest@example.com").is_active


def test_guests_who_wait_without_a_seat_are_counted_in_what_is_missing(
    page: Client, paying: PayingWorkspace, owner: Actor
) -> None:
    with shared():
        Tenant.objects.filter(id=paying.tenant.id).update(limits={"seats": 7})
    invitation_services.invitation_send(paying.refreshed(owner), email="first@example.com", role="member")
    with shared():
        Tenant.objects.filter(id=paying.tenant.id).update(limits={"seats": 6})
    answer = page.post(MEMBERS, FORM | {"emails": "first@example.com guest@example.com"})
    shown = answer.content.decode()
    assert "2 more seats are needed" in shown
    assert "Not invited yet: guest@example.com" in shown
    assert "first@example.com: This address has an invitation already." in shown
    page.post(MEMBERS, FORM | {"seat_offer": sealed(answer)})
    assert paying.billed == 8
    assert sorted(invited()) == ["first@example.com", "guest@example.com"]


def test_a_plan_that_ends_at_its_seats_says_so(
    billing: StripeServer,
    in_tenant: TenantRef,
    owner: Actor,
    seller: Actor,
    browser_client: Callable[..., Client],
) -> None:
    assert seller.member_id is not None
    member_services.member_deactivate(owner, member_id=seller.member_id)
    paying = PayingWorkspace(billing, tenant=in_tenant, owner_id=str(owner.details["user_id"])).full("starter")
    answer = browser_client(owner).post(MEMBERS, FORM)
    assert "Starter has 5 seats at most" in answer.content.decode()
    assert paying.billed == 5


def test_in_the_trial_a_plan_is_to_be_chosen_first(
    billing: StripeServer, in_tenant: TenantRef, owner: Actor, browser_client: Callable[..., Client]
) -> None:
    PayingWorkspace(billing, tenant=in_tenant, owner_id=str(owner.details["user_id"]))
    with shared():
        Tenant.objects.filter(id=in_tenant.id).update(limits={"seats": 6})
    browser = browser_client(owner)
    assert "More seats come with a plan" in browser.get(MEMBERS).content.decode()
    answer = browser.post(MEMBERS, FORM)
    assert answer.status_code == 402
    assert "More seats come with a plan" in answer.content.decode()


def test_it_stands_in_the_ledger_and_in_the_audit(page: Client, paying: PayingWorkspace, owner: Actor) -> None:
    page.post(MEMBERS, FORM | {"seat_offer": sealed(page.post(MEMBERS, FORM))})
    with shared():
        line = SeatLedger.objects.filter(account=paying.account).first()
        assert line is not None
        assert (line.members, line.billed, line.reason) == (6, 7, f"bought by {owner.email}")
    event = Event.objects.get(type="billing.seats_changed")
    assert (event.before, event.after) == ({"seats": 6}, {"seats": 7})
