"""What the apps have registered, and a test's own in its place."""

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from tenants.registration import Hook, Table


def anew(monkeypatch: pytest.MonkeyPatch, module: ModuleType, table: str) -> None:
    """Have a module's table hold nothing until the test has ended."""
    monkeypatch.setattr(module, table, Table(getattr(module, table).what))


def registered() -> list[str]:
    """Every hook with what does its work and every table with its names, a line each."""
    return sorted(set(_lines()))


def _lines() -> Iterator[str]:
    ours = [
        one for name, one in sys.modules.items() if name.partition(".")[0] in {"billing", "console", "crm", "tenants"}
    ]
    for value in [value for module in ours for value in vars(module).values()]:
        if isinstance(value, Hook):
            yield f"{value.__module__}.{value.__name__}: {getattr(value._provided, '__qualname__', None)}"
        elif isinstance(value, Table):
            yield f"{value.what}: {', '.join(value)}"


if __name__ == "__main__":
    import django
    from django.conf import settings

    above = ("billing", "api", "console", "crm.")
    others = [one for one in settings.INSTALLED_APPS if not one.startswith(above)]
    settings.INSTALLED_APPS = [*others, *reversed([one for one in settings.INSTALLED_APPS if one not in others])]
    django.setup()
    sys.stdout.write("\n".join(registered()))
