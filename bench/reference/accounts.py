"""Make the user and the token that the naive reference is asked with; run as a program."""

import sys

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    from django.contrib.auth.models import User
    from rest_framework.authtoken.models import Token

    call_command("migrate", verbosity=0)
    user, _made = User.objects.get_or_create(username="bench")
    Token.objects.update_or_create(user=user, defaults={"key": sys.argv[1]})


if __name__ == "__main__":
    main()
