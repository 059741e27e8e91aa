"""Secrets that must be read again, encrypted at rest under keys that come from SECRET_KEY and its fallbacks."""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unreadable(Exception):
    """Sealed under a key that is neither SECRET_KEY nor one of its fallbacks, or for something else."""


def _keys(purpose: str) -> list[Fernet]:
    return [
        Fernet(urlsafe_b64encode(HKDF(SHA256(), 32, None, f"rapport:{purpose}".encode()).derive(key.encode())))
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]


def seal(text: str, purpose: str) -> str:
    """``purpose`` says what and whose it is: sealed for one, it opens for no other."""
    return MultiFernet(_keys(purpose)).encrypt(text.encode()).decode()


def unseal(sealed: str, purpose: str) -> str:
    try:
        return MultiFernet(_keys(purpose)).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable(purpose) from None


def resealed(sealed: str, purpose: str) -> str | None:
    """The same under today's key; None when it is under that already."""
    keys = _keys(purpose)
    try:
        keys[0].decrypt(sealed.encode())
    except InvalidToken:
        return MultiFernet(keys).rotate(sealed.encode()).decode()
    return None
