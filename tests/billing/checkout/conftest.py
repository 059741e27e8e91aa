"""Whoever buys a seat by an invitation comes with a browser that nobody is signed in to."""

from tests.accounts.conftest import browser

__all__ = ["browser"]
