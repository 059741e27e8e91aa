"""What a workspace may do, by what was paid, when. Day 0 is the beginning of each story."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.access import TENANT_STATE, Access, Facts, State, access_of
from tenants.models import Tenant
from tenants.workspaces.provisioning import MOVES

BEGIN = datetime(2028, 2, 20, 12, tzinfo=UTC)


def day(number: float) -> datetime:
    return BEGIN + timedelta(days=number)


TRIAL: dict[str, Any] = {"trial_ends_at": day(14)}
PAID: dict[str, Any] = TRIAL | {"status": "active", "period_end": day(40)}
FAILED: dict[str, Any] = TRIAL | {"status": "past_due", "period_end": day(70), "grace_until": day(47)}
ENDED: dict[str, Any] = TRIAL | {"status": "canceled", "period_end": day(40), "ended_at": day(40)}
STOPPED: dict[str, Any] = PAID | {"is_suspended": True}
CONTRACT: dict[str, Any] = TRIAL | {"has_contract": True, "contract_until": day(300)}
SECOND = timedelta(seconds=1)

STORIES: list[tuple[str, dict[str, Any], datetime, Access]] = [
    ("nothing is known yet", {}, day(0), Access(State.PENDING)),
    ("the trial runs", TRIAL, day(0), Access(State.TRIALING, day(14))),
    ("the trial's last second", TRIAL, day(14) - SECOND, Access(State.TRIALING, day(14))),
    ("the trial is over", TRIAL, day(14), Access(State.READ_ONLY, day(44), day(14))),
    ("a month after the trial", TRIAL, day(44), Access(State.RETENTION, day(104), day(14))),
    ("long after the trial", TRIAL, day(400), Access(State.RETENTION, day(104), day(14))),
    ("a first payment waits", TRIAL | {"status": "incomplete"}, day(3), Access(State.TRIALING, day(14))),
    (
        "a first payment came never",
        TRIAL | {"status": "incomplete_expired"},
        day(15),
        Access(State.READ_ONLY, day(44), day(14)),
    ),
    ("paid", PAID, day(20), Access(State.ACTIVE, day(40))),
    ("paid while the trial runs", PAID, day(2), Access(State.ACTIVE, day(40))),
    ("renewed, and not told yet", PAID, day(41), Access(State.ACTIVE, day(40))),
    (
        "a trial at Stripe",
        {"status": "trialing", "period_end": day(30)},
        day(2),
        Access(State.ACTIVE, day(30)),
    ),
    ("cancelled, paid to the end", PAID | {"cancel_at": day(40)}, day(20), Access(State.CANCELING, day(40))),
    ("paused by somebody at Stripe", PAID | {"is_paused": True}, day(20), Access(State.PAUSED)),
    ("paused at the end of a trial", PAID | {"status": "paused"}, day(20), Access(State.PAUSED)),
    ("a payment failed", FAILED, day(40), Access(State.PAST_DUE, day(47))),
    ("a payment failed, the last second", FAILED, day(47) - SECOND, Access(State.PAST_DUE, day(47))),
    ("a payment failed a week ago", FAILED, day(47), Access(State.READ_ONLY, day(77), day(47))),
    ("Stripe tries no more", FAILED | {"status": "unpaid"}, day(46), Access(State.PAST_DUE, day(47))),
    ("unpaid for a week", FAILED | {"status": "unpaid"}, day(50), Access(State.READ_ONLY, day(77), day(47))),
    ("unpaid for long", FAILED | {"status": "unpaid"}, day(80), Access(State.RETENTION, day(137), day(47))),
    ("unpaid, since when is not known", {"status": "unpaid"}, day(3), Access(State.READ_ONLY)),
    ("the paid end has come", ENDED, day(40), Access(State.CANCELED, day(70), day(40))),
    ("a month after the paid end", ENDED, day(70), Access(State.RETENTION, day(130), day(40))),
    (
        "Stripe gave up two weeks after the grace",
        FAILED | {"status": "canceled", "ended_at": day(61)},
        day(62),
        Access(State.CANCELED, day(77), day(47)),
    ),
    (
        "ended within the trial",
        TRIAL | {"status": "canceled", "ended_at": day(5)},
        day(6),
        Access(State.TRIALING, day(14)),
    ),
    ("an operator stopped it", STOPPED, day(20), Access(State.SUSPENDED)),
    ("by contract", CONTRACT, day(100), Access(State.ACTIVE, day(300))),
    ("by contract for good", TRIAL | {"has_contract": True}, day(900), Access(State.ACTIVE)),
    ("a contract before an old bill", CONTRACT | FAILED, day(60), Access(State.ACTIVE, day(300))),
    ("the contract is over", CONTRACT, day(300), Access(State.READ_ONLY, day(330), day(300))),
    ("a contract that an operator stopped", CONTRACT | {"is_suspended": True}, day(1), Access(State.SUSPENDED)),
    ("dropped", ENDED | {"is_deleted": True}, day(200), Access(State.DELETED)),
    ("dropped, whatever else is said", PAID | {"is_deleted": True}, day(20), Access(State.DELETED)),
    (
        "a word that nobody knows",
        PAID | {"status": "frozen", "last": State.PAST_DUE, "last_until": day(47)},
        day(20),
        Access(State.PAST_DUE, day(47), is_unknown=True),
    ),
]


@pytest.mark.parametrize(("facts", "now", "access"), [story[1:] for story in STORIES], ids=[one[0] for one in STORIES])
def test_what_follows_from_what_was_paid(facts: dict[str, Any], now: datetime, access: Access) -> None:
    assert access_of(Facts(**facts), now) == access


@pytest.mark.parametrize("state", list(State))
def test_each_state_is_one_of_a_workspace_and_leads_to_the_others(state: State) -> None:
    settled = {Tenant.State.ACTIVE, Tenant.State.READ_ONLY, Tenant.State.SUSPENDED}
    assert TENANT_STATE[state] in settled
    assert settled - {TENANT_STATE[state]} <= MOVES[TENANT_STATE[state]]


def test_all_of_a_workspace_works_until_the_grace_is_over() -> None:
    works = {state for state, tenant in TENANT_STATE.items() if tenant == Tenant.State.ACTIVE}
    assert works == {State.PENDING, State.TRIALING, State.ACTIVE, State.CANCELING, State.PAST_DUE}
