"""Operators, and the browsers they come in."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client

from tenants.accounts.browsers import Visit
from tenants.accounts.sign_in import CONFIRMED
from tenants.accounts.two_factor import totp_begin, totp_confirm
from tenants.db.scopes import shared
from tenants.models import User
from tenants.sessions import METHOD, SessionStore
from tenants.workspaces.hosts import public_url
from tests.cast import user as user_make
from tests.conftest import session_key

EMAIL = "operator@example.com"


def factor_give(user: User) -> None:
    """The user gets an authenticator app, as a person does."""
    import pyotp
    from django.utils import timezone

    with shared():
        secret = totp_begin(user)
        totp_confirm(user, pyotp.TOTP(secret).at(timezone.now()), Visit())


def client_of(user_id: UUID, *, method: str = "password+totp", confirmed: float = 0) -> Client:
    """A browser on the public host; its user showed ``method`` so many seconds ago."""
    key = session_key(user_id, None)
    with shared():
        session = SessionStore(key)
        session[METHOD] = method
        session[CONFIRMED] = int(time.time() - confirmed)
        session.save()
    client = Client(headers={"host": public_url("").partition("//")[2]})
    client.cookies[settings.SESSION_COOKIE_NAME] = key
    return client


@pytest.fixture
def operator(db: None, tenant_a: Any) -> User:
    """Somebody who is in no workspace, runs the installation, and has a second factor."""
    with shared():
        made = user_make("operator")
        User.objects.filter(pk=made.pk).update(is_staff=True)
    factor_give(made)
    with shared():
        return User.objects.get(pk=made.pk)


@pytest.fixture
def console(operator: User) -> Client:
    """The operator's browser, signed in with both factors a moment ago."""
    return client_of(operator.pk)


@pytest.fixture
def signed_in(db: None, the_cast: Any) -> Callable[[str], Client]:
    """A browser of a person of the cast on the public host."""
    return lambda name: client_of(the_cast.users[name])
