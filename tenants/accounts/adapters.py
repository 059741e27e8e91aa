"""How allauth signs people in here: by email, with the same work whether or not there is an account."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from tenants.accounts.services import sign_in_candidates
from tenants.accounts.session_handover import safe_path

BACKEND = "tenants.accounts.adapters.EmailBackend"


class EmailBackend(AuthenticationBackend):  # type: ignore[misc]
    """Tries the account that has proven the address, then the newest that has not; hashes twice in any case."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> AbstractBaseUser | None:
        email, password = credentials.get("email"), credentials.get("password")
        if not email or not password:
            return None
        found: AbstractBaseUser | None = None
        for user in sign_in_candidates(email):
            if user is None:
                make_password(password)
            elif user.check_password(password) and found is None:
                found = user
        return found


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_safe_url(self, url: str) -> bool:
        """Only paths on this host: ALLOWED_HOSTS is open here, so no host of an address can be trusted."""
        return bool(url) and safe_path(url, "") == url

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Our views say what there is to say."""
