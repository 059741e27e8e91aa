"""A person's second factors: an authenticator app, passkeys, and codes on paper for when both are lost."""

import hashlib
import hmac
import io
import secrets
from dataclasses import dataclass
from datetime import datetime

import pyotp
import segno
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.accounts import services
from tenants.accounts.browsers import Visit, trust_end
from tenants.accounts.encryption import Unreadable, resealed, seal, unseal
from tenants.accounts.passkeys import passkey_make
from tenants.accounts.security_log import Kind, account_event
from tenants.models import KnownBrowser, Membership, Passkey, RecoveryCode, Tenant, Totp, User

STEP_SECONDS = 30
CODES = 10
FEW_CODES = 3
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
ISSUER = "Rapport"
MAX_PASSKEYS = 20


class FactorRefused(Exception):
    """A change of factors that cannot be; the text is for people."""


@dataclass(frozen=True, slots=True)
class Factors:
    totp: Totp | None
    passkeys: list[Passkey]
    codes: list[RecoveryCode]

    @property
    def codes_left(self) -> int:
        return sum(1 for code in self.codes if code.used_at is None)

    @property
    def codes_few(self) -> bool:
        return self.codes_left <= FEW_CODES

    @property
    def any(self) -> bool:
        return self.totp is not None or bool(self.passkeys)

    @property
    def is_last(self) -> bool:
        """Whether there is but one, so that with it all would go."""
        return len(self.passkeys) + (self.totp is not None) == 1


def factors_of(user: User) -> Factors:
    return Factors(
        totp=Totp.objects.filter(user=user, confirmed_at__isnull=False).first(),
        passkeys=list(Passkey.objects.filter(user=user)),
        codes=list(RecoveryCode.objects.filter(user=user).order_by("used_at", "id")),
    )


def _lock(user: User) -> User:
    """Changes of one person's factors go one after the other."""
    return User.objects.select_for_update().get(pk=user.pk)


def _settle(user: User) -> None:
    """Note on the account whether it has a factor; with the last one, all that goes with it ends."""
    found = Totp.objects.filter(user=user, confirmed_at__isnull=False).exists() or (
        Passkey.objects.filter(user=user).exists()
    )
    if not found:
        RecoveryCode.objects.filter(user=user).delete()
        trust_end(user)
    user.has_second_factor = found
    User.objects.filter(pk=user.pk).update(has_second_factor=found)


def _need_proven(user: User) -> None:
    """Whoever signed up with somebody else's address must not lock its owner out."""
    if not services.is_verified(user.pk):
        raise FactorRefused(_("Confirm your email address first, by the link in the mail we sent you."))


def requiring_workspaces(user: User) -> list[Tenant]:
    """The user's workspaces that ask for a second factor."""
    rows = (
        Membership.objects.select_related("tenant")
        .filter(user=user, state=Membership.State.ACTIVE, tenant__requires_second_factor=True)
        .exclude(tenant__state__in=(Tenant.State.DELETED, Tenant.State.DELETING))
    )
    return [one.tenant for one in rows.order_by("tenant__name", "id")]


def _need_none(user: User) -> None:
    if factors_of(user).is_last and (asking := requiring_workspaces(user)):
        raise FactorRefused(
            _("%(names)s asks for a second factor. Add another one before you remove the last.")
            % {"names": ", ".join(one.name for one in asking)}
        )


# The authenticator app


def _purpose(user: User) -> str:
    return f"totp:{user.pk}"


def totp_begin(user: User) -> str:
    """The secret to put into an app, the same until a code confirms it. Raises FactorRefused."""
    _need_proven(user)
    with transaction.atomic():
        _lock(user)
        row = Totp.objects.filter(user=user).first()
        if row is not None and row.confirmed_at is not None:
            raise FactorRefused(_("There is an authenticator app already. Remove it to set up another."))
        if row is not None:
            try:
                return unseal(row.secret, _purpose(user))
            except Unreadable:
                row.delete()
        secret = pyotp.random_base32()
        Totp.objects.create(user=user, secret=seal(secret, _purpose(user)))
    return secret


def totp_address(user: User, secret: str) -> str:
    return pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER)


def totp_picture(user: User, secret: str) -> str:
    """The address as a QR code, an SVG to put into a page."""
    out = io.BytesIO()
    segno.make(totp_address(user, secret), error="m").save(
        out, kind="svg", border=3, dark="#000", light="#fff", xmldecl=False, svgns=False, nl=False, omitsize=True
    )
    return out.getvalue().decode()


def _fitting_step(secret: str, code: str, at: float) -> int | None:
    """The time step, this one or a neighbour, whose code this is; takes as long whichever it is."""
    code = "".join(code.split())
    if len(code) != 6 or not code.isascii() or not code.isdigit():
        return None
    now, found = int(at) // STEP_SECONDS, None
    for step in (now - 1, now, now + 1):
        if hmac.compare_digest(pyotp.HOTP(secret).at(step), code):
            found = step
    return found


def totp_confirm(user: User, code: str, visit: Visit) -> list[str] | None:
    """Count the app from now on; None when the code does not fit. Gives recovery codes if there were none yet."""
    with transaction.atomic():
        _lock(user)
        row = Totp.objects.filter(user=user, confirmed_at=None).first()
        if row is None:
            return None
        step = _fitting_step(unseal(row.secret, _purpose(user)), code, timezone.now().timestamp())
        if step is None:
            return None
        Totp.objects.filter(user=user).update(confirmed_at=timezone.now(), last_step=step)
        _settle(user)
        account_event(user, Kind.TOTP_ADDED, visit)
        return codes_ensure(user)


def totp_check(user: User, code: str) -> bool:
    """Whether the code is the app's of now. Each is good once, also for two who come at the same moment."""
    row = Totp.objects.filter(user=user, confirmed_at__isnull=False).first()
    if row is None:
        return False
    now = timezone.now()
    step = _fitting_step(unseal(row.secret, _purpose(user)), code, now.timestamp())
    if step is None:
        return False
    won = Totp.objects.filter(user=user, last_step__lt=step).update(last_step=step, last_used_at=now)
    if won and (fresh := resealed(row.secret, _purpose(user))) is not None:
        Totp.objects.filter(user=user, secret=row.secret).update(secret=fresh)
    return won == 1


def totp_remove(user: User, visit: Visit) -> None:
    """Raises FactorRefused where a workspace asks for a factor and it is the last."""
    with transaction.atomic():
        _lock(user)
        row = Totp.objects.filter(user=user, confirmed_at__isnull=False)
        if not row.exists():
            return
        _need_none(user)
        row.delete()
        _settle(user)
        account_event(user, Kind.TOTP_REMOVED, visit)


# Passkeys


def passkey_add(user: User, *, name: str, credential: str, challenge: str, visit: Visit) -> list[str]:
    """Register what the browser made. Gives recovery codes if there were none yet. Raises FactorRefused."""
    _need_proven(user)
    with transaction.atomic():
        _lock(user)
        if Passkey.objects.filter(user=user).count() >= MAX_PASSKEYS:
            raise FactorRefused(_("%(most)s passkeys are the most. Remove one first.") % {"most": MAX_PASSKEYS})
        try:
            with transaction.atomic():
                made = passkey_make(user, name=name, credential=credential, challenge=challenge)
        except IntegrityError:
            made = None
        if made is None:
            raise FactorRefused(_("That did not work. Try again, and follow what your browser says."))
        _settle(user)
        account_event(user, Kind.PASSKEY_ADDED, visit, detail=made.name)
        return codes_ensure(user)


def passkey_remove(user: User, passkey: Passkey, visit: Visit) -> None:
    """Raises FactorRefused where a workspace asks for a factor and it is the last."""
    with transaction.atomic():
        _lock(user)
        row = Passkey.objects.filter(user=user, pk=passkey.pk)
        if not row.exists():
            return
        _need_none(user)
        row.delete()
        _settle(user)
        account_event(user, Kind.PASSKEY_REMOVED, visit, detail=passkey.name)


# Codes on paper


def _code_hash(user: User, code: str) -> str:
    """Eighty random bits need no slow hash; the account in it keeps two people's codes apart."""
    return hashlib.sha256(f"{user.pk}:{code}".encode()).hexdigest()


def _codes_new(user: User) -> list[str]:
    codes = ["".join(secrets.choice(ALPHABET) for _letter in range(16)) for _code in range(CODES)]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create([RecoveryCode(user=user, code_hash=_code_hash(user, code)) for code in codes])
    return ["-".join(code[start : start + 4] for start in range(0, 16, 4)) for code in codes]


def codes_ensure(user: User) -> list[str]:
    """Codes for an account that has none; empty when it has some."""
    return [] if RecoveryCode.objects.filter(user=user).exists() else _codes_new(user)


def codes_renew(user: User, visit: Visit) -> list[str]:
    """Ten new ones; the old end. Raises FactorRefused without a factor that they could stand in for."""
    with transaction.atomic():
        if not _lock(user).has_second_factor:
            raise FactorRefused(_("Set up an authenticator app or a passkey first."))
        codes = _codes_new(user)
        account_event(user, Kind.RECOVERY_MADE, visit)
    return codes


def code_use(user: User, code: str, visit: Visit) -> bool:
    """Whether it is one of the person's codes, not used yet; each is good once."""
    plain = "".join(letter for letter in code.lower() if letter in ALPHABET)
    if len(plain) != 16:
        return False
    with transaction.atomic():
        rows = RecoveryCode.objects.filter(user=user, code_hash=_code_hash(user, plain), used_at=None)
        if rows.update(used_at=timezone.now()) != 1:
            return False
        left = RecoveryCode.objects.filter(user=user, used_at=None).count()
        account_event(user, Kind.RECOVERY_USED, visit, detail=_("%(left)s left") % {"left": left})
    return True


def factors_drop_since(user: User, moment: datetime) -> None:
    """Take away what was added from a moment on, when somebody else had the account. What was there before stays."""
    with transaction.atomic():
        _lock(user)
        Totp.objects.filter(Q(confirmed_at=None) | Q(confirmed_at__gte=moment), user=user).delete()
        Passkey.objects.filter(user=user, created_at__gte=moment).delete()
        RecoveryCode.objects.filter(user=user, created_at__gte=moment).delete()
        KnownBrowser.objects.filter(user=user, created_at__gte=moment).delete()
        trust_end(user)
        _settle(user)


def factors_drop(user: User) -> None:
    """Take everything away: for the true owner of an address, and for an operator who was shown who asks."""
    with transaction.atomic():
        _lock(user)
        Totp.objects.filter(user=user).delete()
        Passkey.objects.filter(user=user).delete()
        KnownBrowser.objects.filter(user=user).delete()
        _settle(user)
