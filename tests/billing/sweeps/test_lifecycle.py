"""Time moves on: a workspace goes from its trial to its end, and back to life when somebody pays."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from billing import clock
from billing.access import State
from billing.accounts.services import account_make
from billing.errors import BillingRefused
from billing.mails.notices import Kind
from billing.models import BillingAccount, BillingNotice, CheckoutAttempt, InvoiceMirror
from billing.sweeps.lifecycle import NOTICE, lifecycle_sweep
from tenants.db.database_roles import role_of
from tenants.db.scopes import shared
from tenants.models import ApiKey, Membership, Session, Tenant, TenantStep, Wakeup
from tenants.workspaces.provisioning import tenant_state_set
from tests.billing.a_workspace import PayingWorkspace
from tests.billing.standin_server import StripeServer
from tests.conftest import session_key


@pytest.fixture
def workspace(billing: StripeServer, owner_alias: None) -> PayingWorkspace:
    return PayingWorkspace(billing)


def tenant_state(workspace: PayingWorkspace) -> str:
    with shared():
        return str(Tenant.objects.get(id=workspace.tenant.id).state)


def told(workspace: PayingWorkspace, kind: Kind) -> int:
    with shared():
        return BillingNotice.objects.filter(account=workspace.account, kind=kind).count()


def pass_days(number: int) -> None:
    """Days without any sweep: our machines were down."""
    clock.move(timedelta(days=number))


def later(number: int) -> None:
    """Days, and a sweep at their end."""
    pass_days(number)
    lifecycle_sweep()


# --- the trial --------------------------------------------------------------------------------------------------------


def test_a_trial_ends_in_read_only_and_is_told_three_days_and_one_day_before(workspace: PayingWorkspace) -> None:
    later(10)
    assert told(workspace, Kind.TRIAL_ENDING_3) == 0
    later(1)
    assert (told(workspace, Kind.TRIAL_ENDING_3), told(workspace, Kind.TRIAL_ENDING_1)) == (1, 0)
    later(2)
    assert (told(workspace, Kind.TRIAL_ENDING_3), told(workspace, Kind.TRIAL_ENDING_1)) == (1, 1)
    assert (workspace.state, tenant_state(workspace)) == (State.TRIALING, "active")
    later(1)
    assert (workspace.state, tenant_state(workspace)) == (State.READ_ONLY, "read_only")
    assert told(workspace, Kind.TRIAL_ENDED) == 1


def test_a_read_only_workspace_is_suspended_after_thirty_days_and_dropped_after_ninety(
    workspace: PayingWorkspace,
) -> None:
    later(14 + 29)
    assert tenant_state(workspace) == "read_only"
    later(1)
    assert (workspace.state, tenant_state(workspace)) == (State.RETENTION, "suspended")
    later(59)
    assert tenant_state(workspace) == "suspended"
    later(1)
    assert (workspace.state, tenant_state(workspace)) == (State.DELETED, "deleted")
    assert told(workspace, Kind.DELETED) == 1


def test_deletion_is_told_fourteen_seven_and_one_days_before(workspace: PayingWorkspace) -> None:
    later(14 + 30)
    begun = told(workspace, Kind.DELETION_AHEAD)
    found = {}
    passed = 30
    for before in (15, 14, 13, 8, 7, 6, 2, 1):
        later(90 - before - passed)
        passed = 90 - before
        found[before] = told(workspace, Kind.DELETION_AHEAD) - begun
    assert found == {15: 0, 14: 1, 13: 1, 8: 1, 7: 2, 6: 2, 2: 2, 1: 3}


# --- who does not pay, pays, cancels ----------------------------------------------------------------------------------


def test_a_payment_that_fails_is_forgiven_when_it_is_made(workspace: PayingWorkspace) -> None:
    workspace.buy("team", 1)
    workspace.card(works=False)
    later(workspace.days_left + 2)
    workspace.sync()
    assert (workspace.state, tenant_state(workspace)) == (State.PAST_DUE, "active")
    workspace.card(works=True)
    later(3)
    workspace.sync()
    assert (workspace.state, tenant_state(workspace)) == (State.ACTIVE, "active")


def test_one_that_is_never_made_ends_in_read_only_and_a_new_subscription_opens_all(
    workspace: PayingWorkspace,
) -> None:
    workspace.buy("team", 1)
    workspace.card(works=False)
    later(workspace.days_left + 1 + 8)
    assert tenant_state(workspace) == "read_only"
    workspace.buy("team", 1)
    assert (workspace.state, tenant_state(workspace)) == (State.ACTIVE, "active")
    with shared():
        assert workspace.account.access_lost_at is None


def test_who_cancels_has_all_to_the_paid_end_then_loses_it_step_by_step(workspace: PayingWorkspace) -> None:
    workspace.buy("team", 1)
    workspace.cancel()
    later(workspace.days_left)
    assert (workspace.state, tenant_state(workspace)) == (State.CANCELING, "active")
    later(1)
    assert (workspace.state, tenant_state(workspace)) == (State.CANCELED, "read_only")
    later(30)
    assert (workspace.state, tenant_state(workspace)) == (State.RETENTION, "suspended")
    later(60)
    assert (workspace.state, tenant_state(workspace)) == (State.DELETED, "deleted")
    with shared():
        assert InvoiceMirror.objects.filter(account=workspace.account).count() == 1


# --- never dropped by mistake -----------------------------------------------------------------------------------------


def in_retention(workspace: PayingWorkspace) -> None:
    """Cancelled long ago; all announcements are sent, and tomorrow it is to be dropped."""
    workspace.buy("team", 1)
    workspace.cancel()
    for days in (workspace.days_left + 1, 30, 30, 15, 14):
        later(days)
    assert tenant_state(workspace) == "suspended"


def test_without_having_been_told_a_week_before_nothing_is_dropped(workspace: PayingWorkspace) -> None:
    pass_days(14 + 100)
    lifecycle_sweep()
    assert (workspace.state, tenant_state(workspace)) == (State.RETENTION, "suspended")
    assert told(workspace, Kind.DELETION_AHEAD) >= 1
    pass_days(NOTICE.days - 1)
    lifecycle_sweep()
    assert tenant_state(workspace) == "suspended"
    pass_days(1)
    lifecycle_sweep()
    assert tenant_state(workspace) == "deleted"


def test_who_paid_a_second_ago_is_not_dropped(workspace: PayingWorkspace) -> None:
    """And no webhook has told so yet."""
    in_retention(workspace)
    pass_days(2)
    workspace.buy("team", 1, told=False)
    lifecycle_sweep()
    assert (workspace.state, tenant_state(workspace)) == (State.ACTIVE, "active")


def test_who_has_a_subscription_at_stripe_that_we_know_nothing_of_is_not_dropped(workspace: PayingWorkspace) -> None:
    in_retention(workspace)
    pass_days(2)
    workspace.card(works=True)
    wanted = {"price": workspace.price("team").stripe_price_id, "quantity": 1}
    customer = str(workspace.account.customer_id)
    workspace.server.client.v1.subscriptions.create({"customer": customer, "items": [wanted]})  # type: ignore[arg-type]
    lifecycle_sweep()
    assert (workspace.state, tenant_state(workspace)) == (State.ACTIVE, "active")


def test_a_checkout_that_is_open_is_shut_before(workspace: PayingWorkspace) -> None:
    in_retention(workspace)
    pass_days(2)
    session = workspace.checkout("team", 1)
    lifecycle_sweep()
    assert tenant_state(workspace) == "deleted"
    with shared():
        assert not CheckoutAttempt.objects.filter(account=workspace.account, state="open").exists()
    assert workspace.server.client.v1.checkout.sessions.retrieve(session).status == "expired"


def test_nothing_is_dropped_while_stripe_does_not_answer(workspace: PayingWorkspace) -> None:
    in_retention(workspace)
    pass_days(2)
    workspace.server.fault("drop", times=1000)
    lifecycle_sweep()
    assert tenant_state(workspace) == "suspended"
    workspace.server.heal()
    lifecycle_sweep()
    assert tenant_state(workspace) == "deleted"


def test_what_is_paid_after_the_end_is_paid_back(workspace: PayingWorkspace) -> None:
    """A subscription that is made in Stripe's own dashboard for a workspace that is gone."""
    in_retention(workspace)
    pass_days(2)
    lifecycle_sweep()
    assert tenant_state(workspace) == "deleted"
    client = workspace.server.client
    workspace.card(works=True)
    customer = str(workspace.account.customer_id)
    price = workspace.price("team").stripe_price_id
    made = client.v1.subscriptions.create({"customer": customer, "items": [{"price": price, "quantity": 1}]})
    workspace.sync()
    assert client.v1.subscriptions.retrieve(made.id).status == "canceled"
    charges = client.v1.charges.list({"customer": customer}).data
    assert charges[0].amount_refunded == charges[0].amount > 0
    assert workspace.state == State.DELETED
    with pytest.raises(BillingRefused, match="being deleted"):
        workspace.checkout("team", 1)


def owing(workspace: PayingWorkspace) -> str:
    """Paid for one month and never again; Stripe keeps the subscription, and in a few days all is to go. Gives the
    invoice that is open."""
    workspace.server.after_retries("unpaid")
    workspace.buy("team", 1)
    workspace.card(works=False)
    for days in (workspace.days_left + 2, 8, 30, 30, 15, 10):
        later(days)
    assert tenant_state(workspace) == "suspended"
    with shared():
        return str(workspace.account.invoices.get(status="open").stripe_id)


@pytest.mark.parametrize("is_written_off", [False, True], ids=["left open", "marked uncollectible"])
def test_what_was_never_paid_for_it_can_be_paid_by_nobody_then(
    workspace: PayingWorkspace, is_written_off: bool
) -> None:
    """Without any webhook: none may come, and of what is gone no sweep asks again."""
    invoice = owing(workspace)
    invoices = workspace.server.client.v1.invoices
    if is_written_off:
        invoices.mark_uncollectible(invoice)
    later(4)
    assert tenant_state(workspace) == "deleted"
    assert invoices.retrieve(invoice).status == "void"
    with shared():
        assert InvoiceMirror.objects.get(stripe_id=invoice).status == "void"


def test_it_is_not_gone_before_what_it_owed_is_void(workspace: PayingWorkspace) -> None:
    invoice = owing(workspace)
    pass_days(4)
    workspace.server.fault("drop", f"POST /v1/invoices/{invoice}/void", times=1000)
    lifecycle_sweep()
    assert tenant_state(workspace) == "deleting"
    workspace.server.heal()
    lifecycle_sweep()
    assert tenant_state(workspace) == "deleted"
    assert workspace.server.client.v1.invoices.retrieve(invoice).status == "void"


def test_a_sweep_that_was_killed_in_the_middle_is_taken_up(workspace: PayingWorkspace) -> None:
    in_retention(workspace)
    pass_days(2)
    with shared():
        tenant_state_set(workspace.tenant, Tenant.State.DELETING)
        BillingAccount.objects.filter(tenant=workspace.tenant).update(deleted_at=clock.now())
    lifecycle_sweep()
    assert (workspace.state, tenant_state(workspace)) == (State.DELETED, "deleted")
    assert told(workspace, Kind.DELETED) == 1


def test_one_account_that_fails_does_not_keep_the_others(workspace: PayingWorkspace, billing: StripeServer) -> None:
    other = PayingWorkspace(billing)
    with shared():
        BillingAccount.objects.filter(tenant=workspace.tenant).update(access_state="nonsense")
    pass_days(15)
    lifecycle_sweep()
    assert tenant_state(other) == "read_only"


def test_one_that_an_operator_suspended_is_not_dropped(workspace: PayingWorkspace) -> None:
    with shared():
        BillingAccount.objects.filter(tenant=workspace.tenant).update(suspended_at=clock.now())
        account_make(workspace.tenant.id)
    for _one in range(5):
        pass_days(30)
        lifecycle_sweep()
    assert (workspace.state, tenant_state(workspace)) == (State.SUSPENDED, "suspended")


# --- what goes, and what stays ----------------------------------------------------------------------------------------


def test_with_a_workspace_goes_all_that_it_had_and_a_receipt_stays(
    workspace: PayingWorkspace, settings: Any, tmp_path: Path, api_key_of: Callable[[Tenant], None]
) -> None:
    settings.MEDIA_ROOT = tmp_path
    tenant = workspace.tenant
    kept = tmp_path / "tenants" / str(tenant.id) / "exports"
    kept.mkdir(parents=True)
    (kept / "all.csv").write_text("secret")
    other = tmp_path / "tenants" / "another"
    other.mkdir()
    api_key_of(tenant)
    with shared():
        session_key(workspace.owner.id, tenant.ref())
        Wakeup.objects.create(role=role_of(tenant.schema_name), due_at=clock.now(), work="timers")
    in_retention(workspace)
    pass_days(2)
    lifecycle_sweep()
    with shared():
        for rows in (
            Membership.objects.filter(tenant=tenant),
            ApiKey.objects.filter(tenant=tenant),
            Session.objects.filter(tenant_id=tenant.id),
            Wakeup.objects.filter(role=role_of(tenant.schema_name)),
        ):
            assert not rows.exists(), rows.model
        steps = list(
            TenantStep.objects.filter(tenant=tenant, kind="state").order_by("id").values_list("name", flat=True)
        )
        assert steps[-2:] == ["suspended → deleting", "deleting → deleted"]
        assert InvoiceMirror.objects.filter(account=workspace.account).exists()
    assert not kept.parent.exists()
    assert other.exists()


@pytest.fixture
def api_key_of() -> Callable[[Tenant], None]:
    def made(tenant: Tenant) -> None:
        with shared():
            ApiKey.objects.create(public_id="gone", secret_hash="-", tenant=tenant, member_id=tenant.id, name="Key")

    return made
