"""What the tests of billing can ask for besides what every test can."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.billing.standin_server import StripeServer


@pytest.fixture
def stripe_server(tmp_path: Path) -> Iterator[StripeServer]:
    """Stripe's stand-in in a thread of this process, knowing nothing yet."""
    server = StripeServer(tmp_path / "stripe")
    yield server
    server.close()
