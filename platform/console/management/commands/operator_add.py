"""Make somebody an operator of this installation, or end it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from console.models import AuditEntry
from tenants.accounts import services
from tenants.db.scopes import shared


class Command(BaseCommand):
    help = (
        "Opens the console to the account that has proven EMAIL, once it has a second factor. "
        "With --remove the console is closed to it, and it is signed out everywhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--remove", action="store_true", help="close the console to the account")

    def handle(self, *args: Any, **options: Any) -> None:
        is_added = not options["remove"]
        action = AuditEntry.Action.OPERATOR_ADDED if is_added else AuditEntry.Action.OPERATOR_REMOVED
        with shared(), transaction.atomic():
            user = services.verified_user(options["email"])
            if user is None:
                raise CommandError(f"No account has proven {options['email']}: sign up and confirm the address first.")
            if user.is_staff != is_added:
                user.is_staff = is_added
                user.save(update_fields=["is_staff"])
                services.sessions_end(user_id=user.pk)
                AuditEntry.objects.create(operator_email="manage.py", action=action, about=user.email)
        if not is_added:
            self.stdout.write(f"The console is closed to {user.email}.")
        elif user.has_second_factor:
            self.stdout.write(f"The console is open to {user.email}: sign in, and go to /console/.")
        else:
            self.stdout.write(
                f"{user.email} is an operator. Sign in, and set up a second factor: then /console/ opens."
            )
