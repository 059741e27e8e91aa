"""Take the second factors off an account whose owner lost them all, once the operator has made sure who asks."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from tenants.accounts import services
from tenants.accounts.browsers import Visit
from tenants.accounts.security_log import Kind, account_event
from tenants.accounts.two_factor import factors_drop
from tenants.db.scopes import shared


class Command(BaseCommand):
    help = "Removes all second factors of the account that has proven EMAIL, signs it out everywhere and mails it so."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        with shared(), transaction.atomic():
            user = services.verified_user(options["email"])
            if user is None:
                raise CommandError(f"No account has proven {options['email']}.")
            factors_drop(user)
            services.sessions_end(user_id=user.pk)
            account_event(user, Kind.FACTORS_RESET, Visit())
        self.stdout.write(f"{user.email} signs in with the password alone from now on.")
