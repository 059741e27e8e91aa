"""A table of registrations of a test's own, in place of what the apps have registered."""

from types import ModuleType

import pytest

from tenants.registration import Table


def anew(monkeypatch: pytest.MonkeyPatch, module: ModuleType, table: str) -> None:
    """Have a module's table hold nothing until the test has ended."""
    monkeypatch.setattr(module, table, Table(getattr(module, table).what))
