"""Bring the tables of plans, and Stripe's products and prices, to what this release sells."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.accounts.services import accounts_make_missing
from billing.errors import StripeAway, StripeRefused
from billing.plans.catalog import plans_load
from billing.plans.prices import prices_sync


class Command(BaseCommand):
    help = (
        "Loads the plans into the tables, gives an account to each workspace that has none, and makes the products and "
        "prices that Stripe does not have yet, by lookup key. Safe to repeat; run it after each upgrade."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tables", action="store_true", help="leave Stripe alone")

    def handle(self, *args: Any, **options: Any) -> None:
        plans_load()
        made = accounts_make_missing()
        self.stdout.write(f"plans loaded, {made} accounts made")
        if options["tables"]:
            return
        try:
            count = prices_sync()
        except (StripeAway, StripeRefused) as problem:
            raise CommandError(f"Stripe was not brought up to date: {problem}. Run this again.") from problem
        self.stdout.write(f"{count} prices made at Stripe")
