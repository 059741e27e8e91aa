"""The operator of a copy that runs on one machine, with secrets of its own for every copy."""

import secrets
from collections.abc import Mapping
from typing import Any

import pyotp
from django.db import transaction
from django.utils import timezone

from tenants.accounts import services
from tenants.accounts.browsers import Visit
from tenants.accounts.two_factor import factors_drop, totp_begin, totp_confirm
from tenants.db.scopes import shared
from tenants.models import User
from tenants.workspaces.hosts import public_url

EMAIL = "operator@rapport.example"
NAME = "Operator"


def demo_operator_ensure(known: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Make an operator if there is none, and say how to sign in.

    ``known`` is what an earlier call returned; where that is lost, password and second factor are made anew.
    """
    password, secret = (str((known or {}).get(name) or "") for name in ("operator_password", "operator_totp"))
    with shared(), transaction.atomic():
        user = services.verified_user(EMAIL)
        if user is None or not password or not secret:
            password = secrets.token_urlsafe(15)
            user, secret = _made(user, password)
    return {
        "console_url": public_url("/console/"),
        "operator_email": EMAIL,
        "operator_password": password,
        "operator_totp": secret,
    }


def _made(user: User | None, password: str) -> tuple[User, str]:
    if user is None:
        user = services.account_create(email=EMAIL, password=password, name=NAME, verified=True)
    factors_drop(user)
    user.set_password(password)
    user.is_staff = True
    user.save(update_fields=["password", "is_staff"])
    secret = totp_begin(user)
    totp_confirm(user, pyotp.TOTP(secret).at(timezone.now(), counter_offset=-1), Visit())
    return user, secret
