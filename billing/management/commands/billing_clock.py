"""Move the clock by which trials and periods end, where payments are a test."""

import re
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing import clock
from billing.errors import StripeAway
from billing.sweeps.lifecycle import lifecycle_sweep

STEP = re.compile(r"\+?(\d{1,4})([dhm])\Z")
UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class Command(BaseCommand):
    help = (
        "Moves billing's clock and that of the Stripe stand-in forward, for example by +14d, +6h or +30m, and does "
        "what falls due. Without a step it tells the time. Refused where payments go through Stripe itself."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("step", nargs="?", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        step = options["step"]
        if step:
            found = STEP.match(step)
            if found is None:
                raise CommandError(f"{step!r} is no step; say for example +14d, +6h or +30m.")
            try:
                clock.move(timedelta(**{UNITS[found[2]]: int(found[1])}))
                lifecycle_sweep()
            except (clock.ClockFixed, StripeAway, ValueError) as problem:
                raise CommandError(str(problem)) from problem
        self.stdout.write(clock.now().isoformat(timespec="seconds"))
