"""Who is billed, how many can be taken; and that no change of members is forgotten."""

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from billing import clock
from billing.accounts import manual
from billing.models import BillingAccount, Plan, SeatChange, Subscription
from billing.plans.catalog import plans_load
from billing.seats import TRIAL_SEATS, renews_soon, seat_limit, seats_billable, seats_to_bill
from crm.workspace.people import invitation_services, member_services
from tenants.accounts import services
from tenants.accounts.signup import take_over, workspace_reserve
from tenants.actors import Actor, TenantRef
from tenants.db.scopes import shared
from tenants.models import Membership, User
from tests.billing.a_workspace import PayingWorkspace
from tests.billing.accounts import subscribed
from tests.billing.standin_server import StripeServer

NOW = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("members", "paid", "is_renewing", "billed"),
    [
        (3, 3, False, 3),
        (4, 3, False, 4),
        (2, 3, False, 3),
        (2, 3, True, 2),
        (5, 3, True, 5),
        (0, 1, True, 1),
    ],
    ids=["as many", "one came", "one left", "one left and it renews", "two came on the last day", "nobody"],
)
def test_what_is_billed_rises_at_once_and_falls_with_the_period(
    members: int, paid: int, is_renewing: bool, billed: int
) -> None:
    assert seats_to_bill(members=members, paid=paid, is_renewing=is_renewing) == billed


def test_who_is_active_counts_and_nobody_else(owner: Actor, seller: Actor, in_tenant: TenantRef) -> None:
    with shared():
        before = seats_billable(in_tenant.id)
    invitation_services.invitation_send(owner, email="guest@example.com", role="member")
    with shared():
        assert seats_billable(in_tenant.id) == before
    assert seller.member_id is not None
    member_services.member_deactivate(owner, member_id=seller.member_id)
    with shared():
        assert seats_billable(in_tenant.id) == before - 1


@pytest.fixture
def account(in_tenant: TenantRef) -> BillingAccount:
    with shared():
        plans_load()
        BillingAccount.objects.filter(tenant_id=in_tenant.id).delete()
        return BillingAccount.objects.create(tenant_id=in_tenant.id, trial_plan=Plan.objects.get(code="business"))


def test_a_trial_has_room_for_a_team(account: BillingAccount) -> None:
    with shared():
        assert seat_limit(account, NOW) == TRIAL_SEATS


def test_a_contract_says_how_many_while_it_lasts(account: BillingAccount) -> None:
    account.contract_plan, account.contract_seats = account.trial_plan, 70
    account.contract_until = NOW + timedelta(days=1)
    with shared():
        assert seat_limit(account, NOW) == 70
        assert seat_limit(account, NOW + timedelta(days=1)) == TRIAL_SEATS


def test_no_more_than_the_plan_sells_whatever_stripe_bills(account: BillingAccount) -> None:
    subscribed(account, quantity=60, paid_quantity=60)
    with shared():
        assert seat_limit(account, NOW) == 50


def test_what_ends_is_not_lowered_for_a_renewal() -> None:
    ends = Subscription(period_end=NOW + timedelta(hours=3))
    assert renews_soon(ends, NOW)
    ends.cancel_at = ends.period_end
    assert not renews_soon(ends, NOW)


def test_under_a_contract_stripe_is_told_of_nobody(billing: StripeServer) -> None:
    """What was bought before it runs out beside it."""
    workspace = PayingWorkspace(billing).full("team")
    workspace.cancel()
    with shared():
        manual.contract_grant(workspace.account, plan=Plan.objects.get(code="business"), until=None, seats=20)
    workspace.join(3)
    workspace.settle()
    assert (workspace.billed, workspace.seats) == (1, 20)


# --- each change is noted ---------------------------------------------------------------------------------------------


def noted(tenant: TenantRef) -> int:
    with shared():
        found = SeatChange.objects.filter(tenant_id=tenant.id).count()
        SeatChange.objects.all().delete()
    return found


def test_who_leaves_and_who_comes_back_is_noted(owner: Actor, seller: Actor, in_tenant: TenantRef) -> None:
    noted(in_tenant)
    assert seller.member_id is not None
    member_services.member_deactivate(owner, member_id=seller.member_id)
    assert noted(in_tenant) == 1
    member_services.member_reactivate(owner, member_id=seller.member_id)
    assert noted(in_tenant) == 1


def test_who_accepts_an_invitation_is_noted(owner: Actor, in_tenant: TenantRef) -> None:
    invitation = invitation_services.invitation_send(owner, email="guest@example.com", role="member")
    noted(in_tenant)
    with shared():
        user = services.account_create(email="guest@example.com", password="a long enough password", verified=True)
    invitation_services.invitation_accept(in_tenant, invitation.token, user)
    assert noted(in_tenant) == 1


def test_a_workspace_that_is_made_is_noted(owner: Actor) -> None:
    with shared():
        user = User.objects.get(id=owner.details["user_id"])
        tenant = workspace_reserve(
            owner=user, company="Cedar", subdomain="cedar-roofs", locale="en", currency="EUR", time_zone="UTC"
        )
        assert SeatChange.objects.filter(tenant=tenant).count() == 1


def test_an_account_that_ends_is_noted_where_it_worked(outsider: Actor, in_tenant: TenantRef, db: Any) -> None:
    with shared():
        other = services.account_create(email="outsider@example.com", password="a long enough password")
        Membership.objects.create(user=other, tenant_id=in_tenant.id)
        Membership.objects.create(user_id=outsider.details["user_id"], tenant_id=in_tenant.id)
        before = seats_billable(in_tenant.id)
    noted(in_tenant)
    with shared():
        take_over(duplicate=other, by=User.objects.get(id=outsider.details["user_id"]))
        assert seats_billable(in_tenant.id) == before - 1
    assert noted(in_tenant) == 1


WRITES = {"create", "update", "delete", "save", "update_or_create", "get_or_create", "bulk_create", "bulk_update"}


def functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def writes_membership(node: ast.AST) -> bool:
    """Whether something is done to the rows of Membership, as far as the words of the code say it."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in WRITES:
            words = {one.id for one in ast.walk(call.func) if isinstance(one, ast.Name)}
            if words & {"Membership", "membership"}:
                return True
    return False


def test_memberships_are_written_where_it_is_told_and_nowhere_else() -> None:
    root = Path(settings.ROOT)
    for folder in ("tenants", "billing", "crm", "api", "platform"):
        for path in sorted((root / folder).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            tree = ast.parse(path.read_text())
            if path != root / "tenants" / "workspaces" / "memberships.py":
                assert not writes_membership(tree), path
                continue
            for name, function in functions(tree).items():
                if writes_membership(function):
                    assert "members_changed" in ast.dump(function), name


@pytest.mark.parametrize("line", ["Membership.objects.filter(id=1).delete()", "membership.save()"])
def test_a_write_of_memberships_is_seen(line: str) -> None:
    assert writes_membership(ast.parse(line))


def test_an_account_is_deleted_where_its_memberships_are_told() -> None:
    """They go with it."""
    found = [
        path.name
        for path in sorted((Path(settings.ROOT) / "tenants").rglob("*.py"))
        if "user.delete()" in path.read_text() or "locked.delete()" in path.read_text()
    ]
    assert found == ["services.py"]


# --- what a renewal bills ---------------------------------------------------------------------------------------------


def test_seats_fewer_for_the_renewal_give_no_money_back_and_make_no_invoice(billing: StripeServer) -> None:
    workspace = PayingWorkspace(billing)
    workspace.join(2)
    workspace.full("team")
    workspace.leave()
    clock.move(timedelta(days=workspace.days_left, hours=1))
    workspace.settle()
    assert (workspace.billed, workspace.invoices) == (2, 1)
    clock.move(timedelta(days=1, hours=2))
    newest = workspace.newest_invoice
    assert (workspace.invoices, newest.total, newest.status) == (2, 2 * workspace.price("team").amount, "paid")
