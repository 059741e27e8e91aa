"""Whatever happens to a workspace in whatever order, it ends with what the plain rules say.

Each life has a Stripe of its own and is forgotten afterwards. ``make test-deep`` lives many, ``make test`` a few, which
takes some seconds: a life is weeks of days.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given
from hypothesis import settings as property_settings
from hypothesis import strategies as st

from billing import clock
from billing.models import BillingAccount
from billing.plans.catalog import plans_load
from tenants.db.scopes import shared
from tests.billing.a_workspace import PayingWorkspace
from tests.billing.paying import stock
from tests.billing.plain_rules import Rules
from tests.billing.standin_server import StripeServer
from tests.depth import DEEP, examples

PLANS = ("starter", "team", "business")
STEPS = st.one_of(
    st.tuples(st.sampled_from(["join", "leave", "cancel", "reactivate", "card breaks", "card works", "away"])),
    st.tuples(st.just("buy"), st.sampled_from(PLANS), st.integers(1, 7)),
    st.tuples(st.just("change"), st.sampled_from(PLANS), st.integers(1, 7)),
    st.tuples(st.just("days"), st.integers(1, 12)),
)
type Step = tuple[Any, ...]


def lived(steps: list[Step], real: PayingWorkspace, rules: Rules) -> None:
    """Do the same to both; what the rules forget to allow is not tried."""
    for step in steps:
        act = ACTS[step[0]]
        act(real, rules, *step[1:])
        if step[0] not in ("away", "days"):
            real.settle()
            rules.settle()


def join(real: PayingWorkspace, rules: Rules) -> None:
    if rules.has_room():
        real.join()
        rules.join()


def leave(real: PayingWorkspace, rules: Rules) -> None:
    if rules.members > 1:
        real.leave()
        rules.leave()


def buy(real: PayingWorkspace, rules: Rules, plan: str, seats: int) -> None:
    if rules.may_buy(plan, seats):
        real.buy(plan, seats)
        rules.now = clock.now()
        rules.buy(plan, seats)
        rules.card_works = True


def change(real: PayingWorkspace, rules: Rules, plan: str, seats: int) -> None:
    if rules.may_change(plan, seats):
        real.change(plan, seats)
        rules.change(plan, seats)


def cancel(real: PayingWorkspace, rules: Rules) -> None:
    if rules.live is not None and not rules.live.cancelled:
        real.cancel()
        rules.live.cancelled = True


def reactivate(real: PayingWorkspace, rules: Rules) -> None:
    if rules.live is not None and rules.live.cancelled:
        real.reactivate()
        rules.live.cancelled = False


def card(works: bool) -> Callable[[PayingWorkspace, Rules], None]:
    def act(real: PayingWorkspace, rules: Rules) -> None:
        if rules.bought is not None:
            real.card(works=works)
            rules.card_works = works

    return act


def days(real: PayingWorkspace, rules: Rules, number: int) -> None:
    for _one in range(number):
        real.day()
        rules.day()
        rules.settle()


def away(real: PayingWorkspace, rules: Rules) -> None:
    """Stripe does not answer while a member goes and comes: it is told afterwards."""
    real.server.fault("drop", times=1000)
    leave(real, rules)
    real.settle()
    join(real, rules)
    real.settle()
    real.server.heal()


ACTS: dict[str, Callable[..., None]] = {
    "join": join,
    "leave": leave,
    "buy": buy,
    "change": change,
    "cancel": cancel,
    "reactivate": reactivate,
    "card breaks": card(False),
    "card works": card(True),
    "away": away,
    "days": days,
}


@contextmanager
def stripe_of_its_own(folder: Path, given: Any) -> Iterator[StripeServer]:
    """A stand-in that nobody has used, our settings pointed at it; what is written meanwhile is taken back."""
    server = StripeServer(Path(mkdtemp(dir=folder)))
    given.STRIPE_API_URL, given.STRIPE_SECRET_KEY = server.url, server.key
    before = transaction.savepoint_create()
    with shared():
        BillingAccount.objects.all().delete()
        plans_load()
    stock(server)
    yield server
    transaction.savepoint_rollback(before)
    server.close()
    assert server.problems == []


@pytest.mark.slow("lives some lives of a year from sign-up to end")
@example(steps=[("buy", "team", 3), ("join",), ("card breaks",), ("days", 12), ("days", 12), ("days", 12)])
@example(steps=[("join",), ("buy", "starter", 4), ("leave",), ("days", 12), ("days", 12), ("days", 8), ("join",)])
@example(steps=[("days", 12), ("days", 12), ("days", 12), ("days", 10), ("buy", "business", 2)])
@property_settings(max_examples=examples(4), suppress_health_check=list(HealthCheck), derandomize=not DEEP)
@given(steps=st.lists(STEPS, max_size=12))
def test_any_life_ends_as_the_rules_say(db: None, tmp_path: Path, settings: Any, steps: list[Step]) -> None:
    with stripe_of_its_own(tmp_path, settings) as server:
        real = PayingWorkspace(server)
        rules = Rules(clock.now())
        lived(steps, real, rules)
        real.day()
        rules.day()
        rules.settle()
        assert (real.state, real.billed, real.seats) == (
            rules.state,
            rules.live.billed if rules.live is not None else None,
            rules.seats,
        )
