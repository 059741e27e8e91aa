"""Mails about money: to whom, in which words, once each."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import TestCase

from billing.access import Access, State
from billing.mails.notices import Kind, access_changed, kind_of_change, notice
from billing.models import BillingNotice
from crm.workspace.models import Member, Role
from tenants.db.scopes import shared
from tenants.models import Tenant
from tests.billing.accounts import account_of, invoiced, standing, subscribed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("celery_eager")]
UNTIL = datetime(2027, 3, 1, 23, 30, tzinfo=UTC)


def told(account: Any, kind: Kind, key: str = "x", **context: Any) -> list[Any]:
    """The mails that a notice makes."""
    mail.outbox.clear()
    with TestCase.captureOnCommitCallbacks(execute=True):
        notice(account, kind, key, context)
    return list(mail.outbox)


@pytest.fixture
def account(owner: Any) -> Any:
    found = account_of(owner.tenant, currency="EUR", access_until=UNTIL, access_lost_at=UNTIL - timedelta(days=30))
    subscribed(found, period_end=UNTIL)
    return found


def test_the_contact_and_those_with_the_power_are_told(account, owner, admin, manager):
    account = account_of(owner.tenant, email="books@example.net")
    mails = told(account, Kind.PAYMENT_FAILED)
    assert sorted(one.to[0] for one in mails) == sorted(["books@example.net", owner.email, admin.email])


def test_who_is_contact_and_member_gets_one_mail(account, owner, admin):
    account = account_of(owner.tenant, email=owner.email.upper())
    assert len(told(account, Kind.READ_ONLY)) == 2


def test_a_member_by_a_role_with_the_power_is_told(account, seller):
    role = Role.objects.create(slug="books", name="Books", permissions={"workspace": {"billing": "all"}})
    Member.objects.filter(id=str(seller.member_id)).update(role=role)
    assert seller.email in [one.to[0] for one in told(account, Kind.READ_ONLY)]


def test_who_has_not_proven_their_address_is_not_told(account, owner):
    with shared():
        EmailAddress.objects.filter(email=owner.email).update(verified=False)
    assert owner.email not in [one.to[0] for one in told(account, Kind.READ_ONLY)]


def test_the_same_thing_is_told_once(account):
    assert told(account, Kind.PAYMENT_FAILED, "in_1")
    assert not told(account, Kind.PAYMENT_FAILED, "in_1")
    assert told(account, Kind.PAYMENT_FAILED, "in_2")


def test_what_is_rolled_back_is_not_told(account):
    mail.outbox.clear()
    with TestCase.captureOnCommitCallbacks() as waiting:
        notice(account, Kind.READ_ONLY, "x")
    assert waiting
    assert not mail.outbox


def test_it_is_kept_to_whom_it_went(account, owner, admin):
    told(account, Kind.DELETION_AHEAD)
    with shared():
        assert sorted(BillingNotice.objects.get().sent_to) == sorted([owner.email, admin.email])


def test_a_deleted_workspace_is_told_to_those_who_were_told_before(account, owner, admin):
    told(account, Kind.DELETION_AHEAD)
    with shared():
        Tenant.objects.filter(id=account.tenant_id).update(state=Tenant.State.DELETED)
    mails = told(account, Kind.DELETED)
    assert sorted(one.to[0] for one in mails) == sorted([owner.email, admin.email])
    assert "/settings/billing/" not in mails[0].body


def test_days_are_those_of_the_readers_zone(account, owner, admin):
    Member.objects.filter(id=str(owner.member_id)).update(time_zone="Pacific/Auckland")
    Member.objects.filter(id=str(admin.member_id)).update(time_zone="America/New_York")
    mails = {one.to[0]: one.body for one in told(account, Kind.CANCELLED)}
    assert "Mar 2, 2027" in mails[owner.email]
    assert "Mar 1, 2027" in mails[admin.email]


def test_days_and_amounts_are_written_as_the_reader_does(account, owner):
    Member.objects.filter(id=str(owner.member_id)).update(locale="en-gb")
    body = next(one.body for one in told(account, Kind.CANCELLED) if one.to == [owner.email])
    assert "1 Mar 2027" in body


def test_a_receipt_has_its_amounts_and_the_pdf(account):
    invoice = invoiced(account, "R-1", paid_at=datetime(2027, 2, 1, 12, tzinfo=UTC))
    sent = told(account, Kind.RECEIPT, invoice.stripe_id, invoice=invoice)[0]
    assert sent.subject == "Receipt for Alder Windows: €207.06"
    for words in (
        "R-1",
        "€174.00 net, €33.06 tax, €207.06 in all",
        "Feb 1, 2027",
        "https://pay.stripe.com/invoice/R-1/pdf",
    ):
        assert words in sent.body
        assert words in sent.alternatives[0][0]


def test_a_failed_payment_says_what_happens_when(account, owner):
    account = account_of(owner.tenant, card_last4="0002")
    invoiced(account, "R-2", status="open", next_attempt_at=UNTIL - timedelta(days=3))
    body = told(account, Kind.PAYMENT_FAILED)[0].body
    for words in ("R-2", "€207.06", "ends in 0002", "tried again on Feb 26, 2027", "until Mar 1, 2027"):
        assert words in body


def test_a_changed_plan_says_what_it_costs(account):
    body = told(account, Kind.PLAN_CHANGED)[0].body
    assert "Team with 6 seats at €29 a month: €174 a month" in body


def test_a_card_that_expires_is_named(account, owner):
    account = account_of(owner.tenant, card_last4="4242", card_expires_on=date(2027, 4, 30))
    body = told(account, Kind.CARD_EXPIRING)[0].body
    assert "4242" in body
    assert "April 2027" in body


@pytest.mark.parametrize(("kind", "days"), [(Kind.TRIAL_ENDING_3, "3 days"), (Kind.TRIAL_ENDING_1, "1 day")])
def test_the_end_of_a_trial_is_told_ahead(kind, days, account):
    assert told(account, kind)[0].subject == f"The trial of Alder Windows ends in {days}"


def test_a_name_that_looks_like_an_address_leads_nowhere(account):
    with shared():
        Tenant.objects.filter(id=account.tenant_id).update(name="evil.example")
    assert "evil.example" not in told(account, Kind.READ_ONLY)[0].subject


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_has_words(kind, account, owner):
    account = account_of(owner.tenant, card_last4="4242", card_expires_on=date(2027, 4, 30))
    invoice = invoiced(account, "R-3", paid_at=UNTIL, paid=Decimal("207.06"))
    sent = told(account, kind, invoice=invoice)[0]
    assert "Alder Windows" in sent.subject
    assert "None" not in sent.body
    assert len(sent.body) > 200


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (State.ACTIVE, State.PAST_DUE, Kind.PAYMENT_FAILED),
        (State.ACTIVE, State.CANCELING, Kind.CANCELLED),
        (State.CANCELING, State.ACTIVE, Kind.REACTIVATED),
        (State.TRIALING, State.READ_ONLY, Kind.TRIAL_ENDED),
        (State.PAST_DUE, State.READ_ONLY, Kind.READ_ONLY),
        (State.CANCELING, State.CANCELED, Kind.READ_ONLY),
        (State.READ_ONLY, State.CANCELED, None),
        (State.CANCELED, State.RETENTION, Kind.DELETION_AHEAD),
        (State.RETENTION, State.ACTIVE, Kind.REACTIVATED),
        (State.RETENTION, State.DELETED, Kind.DELETED),
        (State.TRIALING, State.ACTIVE, None),
        (State.PAST_DUE, State.ACTIVE, None),
        (State.ACTIVE, State.ACTIVE, None),
        (State.ACTIVE, State.SUSPENDED, None),
    ],
)
def test_what_a_change_of_access_is_told_as(before, after, kind):
    assert kind_of_change(before, after) is kind


def test_a_change_of_access_is_told_once(account, owner):
    change = Access(State.PAST_DUE, UNTIL)
    account = account_of(owner.tenant, access_changed_at=UNTIL)
    mail.outbox.clear()
    with TestCase.captureOnCommitCallbacks(execute=True):
        access_changed(account, State.ACTIVE, change)
        access_changed(account, State.ACTIVE, change)
    assert len(mail.outbox) == 2


def test_the_state_of_the_row_is_no_matter_to_a_workspace_that_is_only_closed(account, owner):
    standing(owner.tenant, "retention")
    with shared():
        Tenant.objects.filter(id=account.tenant_id).update(state=Tenant.State.SUSPENDED)
    assert owner.email in [one.to[0] for one in told(account, Kind.DELETION_AHEAD)]


def test_what_happens_again_is_told_again(account, owner):
    mail.outbox.clear()
    with TestCase.captureOnCommitCallbacks(execute=True):
        for day in (1, 2):
            again = account_of(owner.tenant, access_changed_at=UNTIL + timedelta(days=day))
            access_changed(again, State.ACTIVE, Access(State.CANCELING, UNTIL))
    assert len(mail.outbox) == 4


def test_a_subscription_that_ended_since_nobody_paid_says_so(owner):
    account = account_of(owner.tenant, access_until=UNTIL, access_lost_at=UNTIL - timedelta(days=30))
    subscribed(account, status="canceled", grace_until=UNTIL - timedelta(days=30), ended_at=UNTIL - timedelta(days=30))
    body = told(account, Kind.READ_ONLY)[0].body
    assert "A payment failed, and the week to mend it is over, so the subscription has ended." in body
    assert "Choose a plan" in body
    assert "Pay the open invoice" not in body


@pytest.mark.parametrize("kind", [Kind.DELETION_AHEAD, Kind.DELETED])
def test_invoices_are_named_where_there_are_any(kind, owner):
    account = account_of(owner.tenant, access_until=UNTIL, access_lost_at=UNTIL - timedelta(days=90))
    assert "invoice" not in told(account, kind)[0].body
    invoiced(account, "R-4")
    assert "invoices" in told(account, kind, "y")[0].body


def test_before_a_workspace_is_deleted_it_is_said_that_it_is_suspended_and_why(account):
    assert "It is suspended now, since nobody pays for it." in told(account, Kind.DELETION_AHEAD)[0].body
