"""What the pages share that ask for a second factor: sign-in, and confirming before a change."""

from typing import Any

from django.utils.translation import gettext as _

from tenants.accounts.passkeys import use_options
from tenants.accounts.two_factor import factors_of
from tenants.http import Request
from tenants.models import User

SECOND_STEP = "second-step"
CONFIRM = "confirm"
GO_ON = "second_factor_for"
"""In the public session: the workspace that asked for a second factor, to go on to once there is one."""
WAYS = ("passkey", "totp", "recovery", "password")


def password_confirms(user: User) -> bool:
    """Whether the password alone is enough to confirm a change: not an operator's, who shows a second factor."""
    return not (user.is_staff and user.has_second_factor)


def factor_choices(request: Request, user: User, *, action: str) -> dict[str, Any]:
    """The ways open to the user, the one that the page shows, and what a passkey needs."""
    factors = factors_of(user)
    open_ways = {
        "passkey": bool(factors.passkeys),
        "totp": factors.totp is not None,
        "recovery": factors.codes_left > 0,
        "password": action == CONFIRM and password_confirms(user),
    }
    ways = [way for way in WAYS if open_ways[way]]
    wanted = request.POST.get("with") or request.GET.get("with")
    way = wanted if wanted in ways else ways[0]
    return {
        "way": way,
        "others": [one for one in ways if one != way],
        "passkey": use_options(action, user) if way == "passkey" else None,
    }


def not_fitting(request: Request) -> str:
    """Why what was shown did not do, for people."""
    match request.POST.get("with"):
        case "totp":
            return _("That code does not fit. Wait for the next one in your app, and check your device's clock.")
        case "recovery":
            return _("That is none of your recovery codes, or it was used already.")
        case "passkey":
            return _("That passkey did not work here. Try again, or use another way.")
    return _("That does not fit. Try again.")
