"""Passkeys: keys that a browser or a device keeps for the public host, and what they sign (WebAuthn).

A challenge travels signed with the page, so that looking at the sign-in page leaves nothing in the database; it is
good for one purpose, once, and for a while.
"""

import hashlib
import secrets
from typing import Any
from urllib.parse import urlsplit

import webauthn
from django.conf import settings
from django.core import signing
from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext as _
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from tenants.accounts.browsers import Visit
from tenants.accounts.security_log import Kind, account_event
from tenants.models import Passkey, User
from tenants.strict_json import read_json
from tenants.workspaces.hosts import public_hosts

SALT = "passkey-challenge"
LIFETIME_SECONDS = 15 * 60
MAX_TEXT = 20_000
SIGN_IN = "sign-in"
BROKEN = (WebAuthnException, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
"""What the library raises at what is no credential at all."""


def rp_id() -> str:
    """The public host, for which all passkeys are made."""
    return urlsplit(settings.PUBLIC_ORIGIN).hostname or settings.BASE_DOMAIN


def origins() -> list[str]:
    """Where pages may ask for a passkey: the public hosts, never a workspace's."""
    parts = urlsplit(settings.PUBLIC_ORIGIN)
    port = f":{parts.port}" if parts.port else ""
    return sorted(f"{parts.scheme}://{host}{port}" for host in public_hosts())


def purpose_of(action: str, user: User) -> str:
    return f"{action}:{user.pk}"


def _challenge_make(purpose: str) -> tuple[bytes, str]:
    challenge = secrets.token_bytes(32)
    return challenge, signing.dumps([bytes_to_base64url(challenge), purpose], salt=SALT)


def _challenge_take(token: str, purpose: str) -> bytes | None:
    """The challenge of a page that was made for this; None for a forged, old or used one."""
    try:
        challenge, meant = signing.loads(token, salt=SALT, max_age=LIFETIME_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    spent = f"passkey:{hashlib.sha256(token.encode()).hexdigest()}"
    if meant != purpose or not cache.add(spent, 1, LIFETIME_SECONDS + 60):
        return None
    return base64url_to_bytes(challenge)


def _descriptors(user: User) -> list[PublicKeyCredentialDescriptor]:
    ids = Passkey.objects.filter(user=user).values_list("credential_id", flat=True)
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in ids]


def make_options(user: User) -> dict[str, Any]:
    """What a page hands to ``navigator.credentials.create``, and its ``challenge`` token."""
    challenge, token = _challenge_make(purpose_of("add", user))
    options = webauthn.generate_registration_options(
        rp_id=rp_id(),
        rp_name="Rapport",
        user_id=user.pk.bytes,
        user_name=user.email,
        user_display_name=user.get_full_name(),
        challenge=challenge,
        timeout=LIFETIME_SECONDS * 1000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_descriptors(user),
    )
    return {"options": options_to_json(options), "challenge": token}


def passkey_make(user: User, *, name: str, credential: str, challenge: str) -> Passkey | None:
    """Keep what ``navigator.credentials.create`` gave; None when it does not hold."""
    wanted = _challenge_take(challenge, purpose_of("add", user))
    if wanted is None or len(credential) > MAX_TEXT:
        return None
    try:
        said = read_json(credential)
        made = webauthn.verify_registration_response(
            credential=said,
            expected_challenge=wanted,
            expected_rp_id=rp_id(),
            expected_origin=origins(),
            require_user_verification=True,
        )
        transports = said["response"].get("transports") or []
    except BROKEN:
        return None
    return Passkey.objects.create(
        user=user,
        name=name or _("Passkey"),
        credential_id=bytes_to_base64url(made.credential_id),
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        transports=[str(one)[:20] for one in transports][:8] if isinstance(transports, list) else [],
        synced=made.credential_backed_up,
    )


def use_options(action: str, user: User | None = None) -> dict[str, Any]:
    """What a page hands to ``navigator.credentials.get``, and its ``challenge`` token; without a user, for anyone."""
    challenge, token = _challenge_make(SIGN_IN if user is None else purpose_of(action, user))
    options = webauthn.generate_authentication_options(
        rp_id=rp_id(),
        challenge=challenge,
        timeout=LIFETIME_SECONDS * 1000,
        user_verification=UserVerificationRequirement.REQUIRED,
        allow_credentials=_descriptors(user) if user is not None else None,
    )
    return {"options": options_to_json(options), "challenge": token}


def passkey_use(
    *, credential: str, challenge: str, visit: Visit, action: str = SIGN_IN, user: User | None = None
) -> User | None:
    """Whose passkey signed the challenge: anyone's, or only ``user``'s; None when it does not hold."""
    wanted = _challenge_take(challenge, SIGN_IN if user is None else purpose_of(action, user))
    if wanted is None or len(credential) > MAX_TEXT:
        return None
    try:
        said = read_json(credential)
        found = Passkey.objects.select_related("user").filter(credential_id=str(said["id"])[:1400]).first()
        if found is None or not found.user.is_active or (user is not None and found.user_id != user.pk):
            return None
        handle = said["response"].get("userHandle")
        if (handle or user is None) and base64url_to_bytes(str(handle)) != found.user_id.bytes:
            return None
        signed = webauthn.verify_authentication_response(
            credential=said,
            expected_challenge=wanted,
            expected_rp_id=rp_id(),
            expected_origin=origins(),
            credential_public_key=bytes(found.public_key),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except BROKEN:
        return None
    # A device that counts its signatures and does not go on from where it was may have a copy.
    if (signed.new_sign_count or found.sign_count) and signed.new_sign_count <= found.sign_count:
        account_event(found.user, Kind.PASSKEY_REFUSED, visit, detail=found.name)
        return None
    won = Passkey.objects.filter(pk=found.pk, sign_count=found.sign_count).update(
        sign_count=signed.new_sign_count, synced=signed.credential_backed_up, last_used_at=timezone.now()
    )
    return found.user if won else None
