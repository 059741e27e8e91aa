"""What time it is for billing: the machine's and, with the Stripe stand-in alone, what its clock was moved by."""

import json
from datetime import datetime, timedelta
from urllib.error import URLError
from urllib.request import Request, build_opener

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing.errors import StripeAway
from billing.models import ClockShift
from tenants.db.scopes import shared


class ClockFixed(Exception):
    """The clock of the real Stripe cannot be moved."""


@shared()
def now() -> datetime:
    """The time by which trials, grace and periods end."""
    machine = timezone.now()
    if not settings.STRIPE_API_URL:
        return machine
    shift = ClockShift.objects.values_list("seconds", flat=True).first()
    return machine + timedelta(seconds=shift or 0)


def by_our_clock(at: datetime) -> datetime:
    """A moment of billing's time as far from now by the machine's."""
    return at - (now() - timezone.now())


@shared()
def move(by: timedelta) -> datetime:
    """Move the stand-in's clock and ours forward, and give the time it is then.

    Raises ClockFixed where Stripe is no stand-in, ValueError for a step back, and StripeAway.
    """
    if not settings.STRIPE_API_URL:
        raise ClockFixed("Payments go through Stripe itself: its clock cannot be moved.")
    if by <= timedelta(0):
        raise ValueError("The clock is moved forward only.")
    _standin_clock({"advance": int(by.total_seconds())})
    with transaction.atomic():
        shift, _made = ClockShift.objects.select_for_update().get_or_create(name="")
        shift.seconds += int(by.total_seconds())
        shift.save(update_fields=["seconds"])
    return now()


@shared()
def begin_behind(by: timedelta) -> bool:
    """Let a stand-in that was never used, and our clock with it, begin in the past; False where it was used or is none.

    Raises StripeAway.
    """
    if not settings.STRIPE_API_URL or ClockShift.objects.exists():
        return False
    _standin_clock({"behind": int(by.total_seconds())})
    ClockShift.objects.create(seconds=-int(by.total_seconds()))
    return True


def _standin_clock(change: dict[str, int]) -> None:
    asked = Request(  # noqa: S310
        f"{settings.STRIPE_API_URL}/_standin/clock",
        data=json.dumps(change).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with build_opener().open(asked, timeout=60):
            return
    except (URLError, OSError) as error:
        raise StripeAway(f"The stand-in's clock was not moved: {error}") from error
