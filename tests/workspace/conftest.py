"""The browsers and mails of the tests of accounts."""

from tests.accounts.conftest import browser, committing, mails, other_browser

__all__ = ["browser", "committing", "mails", "other_browser"]
