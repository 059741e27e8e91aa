"""What the tests of billing can ask for besides what every test can."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from billing.models import BillingAccount
from billing.plans.catalog import plans_load
from tenants.actors import Actor
from tenants.db.scopes import shared
from tests.accounts.conftest import committing, mails
from tests.billing.paying import Paying
from tests.billing.standin_server import StripeServer

__all__ = ["committing", "mails"]


@pytest.fixture
def stripe_server(tmp_path: Path) -> Iterator[StripeServer]:
    """Stripe's stand-in in a thread of this process, knowing nothing yet.

    All that is asked of it and all that it answers has to be as the installed ``stripe`` package declares it.
    """
    server = StripeServer(tmp_path / "stripe")
    yield server
    server.close()
    assert server.problems == []


@pytest.fixture
def paying(stripe_server: StripeServer, settings: Any, owner: Actor) -> Paying:
    """Workspace A in its trial, with prices at the stand-in; tests let it pay."""
    return Paying(stripe_server, settings, owner)


@pytest.fixture
def billing(db: None, stripe_server: StripeServer, settings: Any) -> StripeServer:
    """The stand-in with our settings pointed at it, and the plans in our tables; no workspace has an account yet.

    The workspaces of the cast have none either: time, when a test moves it, would drop them.
    """
    settings.STRIPE_API_URL, settings.STRIPE_SECRET_KEY = stripe_server.url, stripe_server.key
    with shared():
        BillingAccount.objects.all().delete()
        plans_load()
    return stripe_server
