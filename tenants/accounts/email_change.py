"""A person's change of email: confirmed by the new mailbox, told to the old one, which can undo it for a week."""

from datetime import timedelta
from uuid import UUID

from allauth.account.models import EmailAddress
from django.core import signing
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.accounts import services
from tenants.accounts.api_keys import secrets_drop_since
from tenants.accounts.browsers import Visit
from tenants.accounts.security_log import Kind, account_event
from tenants.accounts.two_factor import factors_drop_since
from tenants.db.scopes import tenant_scope
from tenants.hooks import member_email_follow
from tenants.models import EmailChange, User
from tenants.work.mail import mail_queue
from tenants.workspaces import memberships
from tenants.workspaces.hosts import public_url

CONFIRM_SALT = "email-change"
CONFIRM_LIFE = timedelta(days=1)
UNDO_SALT = "email-undo"
UNDO_LIFE = timedelta(days=7)


class AddressRefused(Exception):
    """A change of address that cannot be; the text is for people."""


def email_change_ask(user: User, email: str) -> EmailChange:
    """Mail a link to the new address, to be opened by who is signed in here. A later one ends it.

    Says the same whether or not somebody has proven that address, who then is told by mail.
    """
    email = email.strip().lower()
    if not services.is_verified(user.pk):
        raise AddressRefused(_("Confirm your present address first, by the link in the mail we sent you."))
    if email == user.email:
        raise AddressRefused(_("That is your address already."))
    with transaction.atomic():
        EmailChange.objects.filter(user=user, confirmed_at=None, ended_at=None).update(ended_at=timezone.now())
        change = EmailChange.objects.create(user=user, old_email=user.email, new_email=email)
        link = public_url(f"/account/email/confirm/{signing.dumps(str(change.pk), salt=CONFIRM_SALT)}/")
        taken = services.verified_user(email) is not None
        template = "account/mail/email_taken" if taken else "account/mail/email_confirm"
        mail_queue(
            template, to=email, locale=user.locale, context={"email": email, "old_email": user.email, "link": link}
        )
    return change


def pending_change(user: User) -> EmailChange | None:
    since = timezone.now() - CONFIRM_LIFE
    return EmailChange.objects.filter(user=user, confirmed_at=None, ended_at=None, created_at__gt=since).first()


def email_change_cancel(user: User) -> None:
    EmailChange.objects.filter(user=user, confirmed_at=None, ended_at=None).update(ended_at=timezone.now())


def _read(token: str, salt: str, life: timedelta) -> EmailChange | None:
    try:
        pk = UUID(signing.loads(token, salt=salt, max_age=life))
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        return None
    return EmailChange.objects.select_related("user").filter(pk=pk, ended_at=None).first()


def change_to_confirm(token: str) -> EmailChange | None:
    """The change of a mailed link; None for a forged, old, used or replaced one."""
    change = _read(token, CONFIRM_SALT, CONFIRM_LIFE)
    return change if change is not None and change.confirmed_at is None else None


def change_to_undo(token: str) -> EmailChange | None:
    change = _read(token, UNDO_SALT, UNDO_LIFE)
    return change if change is not None and change.confirmed_at is not None else None


def _locked(change: EmailChange) -> EmailChange | None:
    """The change with its user, both locked; None when it was replaced or undone meanwhile."""
    User.objects.select_for_update().get(pk=change.user_id)
    return EmailChange.objects.select_related("user").filter(pk=change.pk, ended_at=None).first()


def email_change_confirm(change: EmailChange, visit: Visit) -> bool:
    """Make the new address the account's; False when somebody else has proven it meanwhile."""
    with transaction.atomic():
        held = _locked(change)
        if held is None or held.confirmed_at is not None or held.user.email != held.old_email:
            return False
        if not _address_set(held.user, held.new_email):
            return False
        held.confirmed_at = timezone.now()
        held.save(update_fields=["confirmed_at"])
        link = public_url(f"/account/email/undo/{signing.dumps(str(held.pk), salt=UNDO_SALT)}/")
        account_event(held.user, Kind.EMAIL_CHANGED, visit, detail=f"{held.old_email} → {held.new_email}")
        mail_queue(
            "account/mail/email_changed",
            to=held.old_email,
            locale=held.user.locale,
            context={
                "email": held.old_email,
                "new_email": held.new_email,
                "link": link,
                "device": visit.device or _("Unknown browser"),
                "address": visit.address or _("address unknown"),
            },
        )
    return True


def email_change_undo(change: EmailChange, visit: Visit) -> bool:
    """Give the account back to the old address and sign out everywhere; False when somebody else has proven it.

    This change and all after it end, so that whoever made them cannot undo in turn, and so do the factors, keys and
    calendar addresses that were made since: they would open the account or what it sees again, or keep its owner out.
    """
    with transaction.atomic():
        held = _locked(change)
        if held is None or held.confirmed_at is None:
            return False
        if held.user.email != held.old_email and not _address_set(held.user, held.old_email):
            return False
        later = EmailChange.objects.filter(Q(pk=held.pk) | Q(created_at__gte=held.created_at), user=held.user)
        later.update(ended_at=timezone.now())
        factors_drop_since(held.user, held.created_at)
        secrets_drop_since(held.user, held.created_at)
        services.sessions_end(user_id=held.user_id)
        account_event(held.user, Kind.EMAIL_RESTORED, visit, detail=held.old_email)
    return True


def _address_set(user: User, email: str) -> bool:
    """Put a proven address in the place of the account's, here and in every workspace."""
    if services.verified_user(email) is not None:
        return False
    try:
        with transaction.atomic():
            EmailAddress.objects.filter(user=user).delete()
            EmailAddress.objects.create(user=user, email=email, primary=True, verified=True)
    except IntegrityError:
        return False
    user.email = email
    user.save(update_fields=["email"])
    for membership in memberships.memberships_built(user):
        ref = membership.tenant.ref()
        with tenant_scope(ref):
            member_email_follow(ref, user=user)
    return True
