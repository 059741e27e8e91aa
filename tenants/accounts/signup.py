"""Sign-up: an account, a workspace of its own, and the mail that proves the address."""

import re
import unicodedata
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from allauth.account import app_settings as account_settings
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.core import signing
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from tenants.accounts.api_keys import EVER, secrets_drop_since
from tenants.accounts.services import account_create, account_end, address_of, sessions_end, verified_user
from tenants.actors import TenantRef
from tenants.db.scopes import shared, tenant_scope
from tenants.hooks import member_user_change, sample_request
from tenants.models import Domain, Membership, Tenant, User
from tenants.work.mail import mail_queue
from tenants.workspaces.finishing import setup_finish
from tenants.workspaces.hosts import public_url, subdomain_host
from tenants.workspaces.memberships import membership_add, membership_move
from tenants.workspaces.subdomains import SubdomainTaken, subdomain_claim, subdomain_refusal

TAKE_OVER_SALT = "take-over"
TAKE_OVER_SECONDS = 3 * 24 * 3600


@dataclass(frozen=True, slots=True)
class SignUp:
    user: User
    tenant: TenantRef


def subdomain_propose(company: str) -> str:
    """A free address made of a company's name; empty when the name gives none."""
    plain = unicodedata.normalize("NFKD", company.replace("ß", "ss").replace("&", " and "))
    words = re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode().lower()).strip("-")
    base = words[:34].strip("-")
    if not base:
        return ""
    for ending in ("", "-team", "-hq", *(f"-{number}" for number in range(2, 30))):
        if subdomain_refusal(base + ending) is None:
            return base + ending
    return ""


def workspace_reserve(
    *, owner: User, company: str, subdomain: str, locale: str, currency: str, time_zone: str
) -> Tenant:
    """Reserve a workspace and its address for ``owner``. Raises SubdomainTaken."""
    try:
        with transaction.atomic():
            subdomain_claim(subdomain)
            tenant: Tenant = Tenant.objects.create(name=company, locale=locale, currency=currency, time_zone=time_zone)
            Domain.objects.create(tenant=tenant, domain=subdomain_host(subdomain), is_primary=True)
            membership_add(user=owner, tenant=tenant)
    except IntegrityError:
        raise SubdomainTaken(_("This address is taken.")) from None
    return tenant


def workspace_make(
    *,
    owner: User,
    company: str,
    subdomain: str,
    locale: str = "en",
    currency: str = "EUR",
    time_zone: str = "UTC",
    sample: bool = False,
) -> TenantRef:
    """One more workspace for an account. Raises SubdomainTaken."""
    tenant = workspace_reserve(
        owner=owner, company=company, subdomain=subdomain, locale=locale, currency=currency, time_zone=time_zone
    )
    return _finish_signup(tenant, owner, sample=sample)


def sign_up(
    *,
    email: str,
    password: str,
    company: str,
    subdomain: str,
    locale: str = "en",
    currency: str = "EUR",
    time_zone: str = "UTC",
    sample: bool = False,
) -> SignUp:
    """Make an account that has proven nothing yet, and its workspace, ready to use. Raises SubdomainTaken.

    Where the setup of the workspace stops, it is gone on with by itself, and its address says so until then.

    The same happens for an address that somebody has proven: only the mail says so, and offers that account to take
    the new workspace over.
    """
    with transaction.atomic():
        user = account_create(email=email, password=password, locale=locale)
        tenant = workspace_reserve(
            owner=user, company=company, subdomain=subdomain, locale=locale, currency=currency, time_zone=time_zone
        )
        send_verification(user)
    return SignUp(user=user, tenant=_finish_signup(tenant, user, sample=sample))


def _finish_signup(tenant: Tenant, owner: User, *, sample: bool) -> TenantRef:
    with shared():
        problem = setup_finish(tenant)
        tenant.refresh_from_db()
        ref = tenant.ref()
        if sample and not problem:
            Tenant.objects.filter(pk=tenant.pk).update(has_sample=True)
            transaction.on_commit(partial(sample_request, ref, user_id=owner.pk), robust=True)
    return ref


def send_verification(user: User) -> None:
    """Mail the link that proves the address, or, where another account has proven it, the one to take over.

    The mail names nothing that was typed at sign-up: whoever typed it may have given a stranger's address.
    """
    owner = verified_user(user.email)
    context: dict[str, Any] = {"email": user.email}
    if owner is not None and owner.pk == user.pk:
        return
    if owner is None:
        key = EmailConfirmationHMAC(address_of(user)).key
        context["link"] = public_url(f"/verify/{key}/")
        mail_queue("account/mail/verify", to=user.email, locale=user.locale, context=context)
        return
    context["link"] = public_url(f"/take-over/{take_over_token(user)}/")
    mail_queue("account/mail/known", to=user.email, locale=owner.locale or user.locale, context=context)


def proof_address(key: str) -> EmailAddress | None:
    """The address that a link proves, proven already or not; None for a forged or expired one."""
    try:
        days = account_settings.EMAIL_CONFIRMATION_EXPIRE_DAYS
        pk = signing.loads(key, max_age=days * 24 * 3600, salt=account_settings.SALT)
        return EmailAddress.objects.select_related("user").filter(pk=pk).first()
    except (signing.BadSignature, ValueError, TypeError):
        return None


def take_over_token(duplicate: User) -> str:
    return signing.dumps(str(duplicate.pk), salt=TAKE_OVER_SALT)


def take_over_user(token: str) -> User | None:
    """The account whose workspace a link offers; None for a forged, expired or used one."""
    try:
        pk = UUID(signing.loads(token, max_age=TAKE_OVER_SECONDS, salt=TAKE_OVER_SALT))
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return User.objects.filter(pk=pk).first()


def take_over(*, duplicate: User, by: User) -> list[TenantRef]:
    """Give all that ``duplicate`` has to the account that proved the same address, and end the duplicate.

    Both must carry the same address, proven by ``by`` only; LookupError otherwise. Sessions and keys of the duplicate
    end: whoever signed up with somebody else's address keeps nothing.
    """
    with transaction.atomic():
        locked = User.objects.select_for_update().filter(pk=duplicate.pk).first()
        proven = verified_user(duplicate.email)
        if locked is None or proven is None or proven.pk != by.pk or locked.pk == by.pk:
            raise LookupError("Not a duplicate of this account.")
        moved = []
        secrets_drop_since(locked, EVER)
        for membership in Membership.objects.select_related("tenant").filter(user=locked):
            if Membership.objects.filter(user=by, tenant=membership.tenant).exists():
                continue
            ref = membership.tenant.ref()
            with tenant_scope(ref):
                member_user_change(ref, old_user=locked, new_user=by)
            with shared():
                membership_move(membership, to=by)
            moved.append(ref)
        sessions_end(user_id=locked.pk)
        account_end(locked)
    return moved
