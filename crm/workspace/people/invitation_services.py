"""Invitations by mail: sent, sent again, revoked and accepted."""

import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.workspace.actors import member_actor, proven_users
from crm.workspace.auditing import audit_note
from crm.workspace.errors import Conflict, NotAllowed, NotFound
from crm.workspace.models import Invitation, Member, Role, Team
from crm.workspace.notifications.kinds import INVITATION_ACCEPTED, SEAT_MISSING
from crm.workspace.notifications.notify import notify
from crm.workspace.people import mails
from crm.workspace.people.checks import (
    check_granting,
    check_people_power,
    check_placing,
    email_checked,
    find_manager,
    find_role,
    find_team,
    people_lock,
    require_seat,
)
from crm.workspace.people.member_services import member_create
from crm.workspace.people.selectors import active_members, owners
from tenants.actors import Actor, ActorKind, TenantRef
from tenants.models import User
from tenants.workspaces.limits import require_room

INVITATION_LIFE = timedelta(days=7)
TOKEN_BYTES = 32


def _require_seat_of_guest(tenant: TenantRef) -> None:
    """Raise LimitReached where the members alone take all seats.

    An open invitation held one; after a change to fewer seats it may be one of more than there are.
    """
    require_room(tenant, "seats", used=active_members().count())


def _need_verified(actor: Actor) -> None:
    if actor.kind is not ActorKind.MEMBER or actor.member_id is None:
        return
    if not proven_users(Member.objects.filter(id=actor.member_id).values_list("user_id", flat=True)):
        raise NotAllowed(
            "email_not_verified",
            _(
                "Confirm your own email address first: open the link in the mail we sent you when you signed up. "
                "Invitations can be sent after that."
            ),
        )


def _token_make(tenant_id: UUID) -> str:
    return urlsafe_b64encode(tenant_id.bytes + secrets.token_bytes(TOKEN_BYTES)).decode()


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def invitation_tenant_id(token: str) -> UUID | None:
    """Which tenant an invitation's token speaks of; None for one that we never made."""
    if len(token) != (16 + TOKEN_BYTES) * 4 // 3 or not token.isascii():
        return None
    try:
        return UUID(bytes=urlsafe_b64decode(token)[:16])
    except (Base64Error, ValueError):
        return None


def invitation_send(
    actor: Actor,
    *,
    email: str,
    role: Role | UUID | str,
    manager: Member | UUID | str | None = None,
    team: Team | UUID | str | None = None,
) -> Invitation:
    """Invite somebody by mail, for 7 days. The instance returned knows its plain ``token``."""
    check_people_power(actor, "members")
    with transaction.atomic():
        people_lock(actor)
        address = email_checked(email)
        chosen = find_role(role)
        check_granting(actor, chosen)
        boss = find_manager(manager)
        group = find_team(team)
        if group is not None:
            check_placing(actor, group, Member.objects.filter(email=address).first())
        _need_verified(actor)
        if Member.objects.filter(email__iexact=address, state=Member.State.ACTIVE).exists():
            raise Conflict("already_member", _("This address belongs to a member already."), field="email")
        waiting = Invitation.objects.select_for_update().filter(
            email__iexact=address, accepted_at=None, revoked_at=None
        )
        if (old := waiting.first()) is not None:
            if old.expires_at > timezone.now():
                raise Conflict(
                    "already_invited",
                    _("This address has an invitation already. You can send it again from the list."),
                    field="email",
                )
            old.revoked_at = timezone.now()
            old.save(update_fields=["revoked_at"])
        require_seat(actor.tenant)
        token = _token_make(actor.tenant.id)
        try:
            with transaction.atomic():
                invitation = Invitation.objects.create(
                    email=address,
                    role=chosen,
                    manager=boss,
                    team=group,
                    token_hash=_token_hash(token),
                    expires_at=timezone.now() + INVITATION_LIFE,
                    invited_by_id=actor.member_id,
                )
        except IntegrityError:
            raise Conflict(
                "already_invited", _("This address was invited just now, by somebody else."), field="email"
            ) from None
        invitation.token = token
        audit_note(actor, "invitation.sent", record_id=invitation.id, after=invitation.snapshot())
        mails.invitation(actor, invitation)
    return invitation


def _invitation_locked(invitation_id: UUID) -> Invitation:
    found = Invitation.objects.select_for_update(of=("self",)).select_related("role").filter(id=invitation_id).first()
    if found is None:
        raise NotFound("not_found", _("There is no such invitation."))
    if found.accepted_at is not None:
        raise Conflict("invitation_used", _("This invitation was accepted already."))
    if found.revoked_at is not None:
        raise Conflict("invitation_revoked", _("This invitation was revoked."))
    return found


def invitation_resend(actor: Actor, *, invitation_id: UUID) -> Invitation:
    """Send it again with a new link and a new 7 days; the old link ends. An expired one needs a free seat again.

    Raises LimitReached too where the members alone take all seats.
    """
    check_people_power(actor, "members")
    with transaction.atomic():
        people_lock(actor)
        invitation = _invitation_locked(invitation_id)
        check_granting(actor, invitation.role)
        _need_verified(actor)
        if invitation.expires_at <= timezone.now():
            require_seat(actor.tenant)
        else:
            _require_seat_of_guest(actor.tenant)
        invitation.token = _token_make(actor.tenant.id)
        invitation.token_hash = _token_hash(invitation.token)
        invitation.expires_at = timezone.now() + INVITATION_LIFE
        invitation.save(update_fields=["token_hash", "expires_at"])
        audit_note(actor, "invitation.resent", record_id=invitation.id, after=invitation.snapshot())
        mails.invitation(actor, invitation)
    return invitation


def invitation_revoke(actor: Actor, *, invitation_id: UUID) -> Invitation:
    check_people_power(actor, "members", unpaid=True)
    with transaction.atomic():
        invitation = _invitation_locked(invitation_id)
        check_granting(actor, invitation.role)
        invitation.revoked_at = timezone.now()
        invitation.save(update_fields=["revoked_at"])
        audit_note(actor, "invitation.revoked", record_id=invitation.id, before=invitation.snapshot())
    return invitation


def invitation_check(token: str, *, lock: bool = False) -> Invitation:
    """The open invitation of this token, inside the tenant's scope.

    Raises NotFound, or Conflict ``invitation_used``, ``invitation_revoked`` or ``invitation_expired``.
    """
    rows = Invitation.objects.select_related("role", "invited_by", "manager", "team").filter(
        token_hash=_token_hash(token)
    )
    invitation = (rows.select_for_update(of=("self",)) if lock else rows).first()
    if invitation is None:
        raise NotFound(
            "invitation_unknown",
            _("This invitation link is not complete, or a newer one was sent. Look for the latest mail."),
        )
    if invitation.accepted_at is not None:
        raise Conflict("invitation_used", _("This invitation was accepted already. Sign in to go on."))
    if invitation.revoked_at is not None:
        raise Conflict("invitation_revoked", _("This invitation was revoked. Ask the person who invited you."))
    if invitation.expires_at <= timezone.now():
        raise Conflict(
            "invitation_expired", _("This invitation has expired. Ask the person who invited you to send it again.")
        )
    return invitation


def invitation_hold(token: str) -> Invitation:
    """The open invitation, for nobody else until the transaction ends; whoever comes second finds it used.

    Take it before an account is made for it. Raises as ``invitation_check`` does.
    """
    people_lock()
    return invitation_check(token, lock=True)


def invitation_accept(tenant: TenantRef, token: str, user: User, *, name: str = "") -> Member:
    """Make the user a member by their invitation, inside the tenant's scope. Their email must be the invited one.

    Raises LimitReached where the members alone take all seats.
    """
    with transaction.atomic():
        invitation = invitation_hold(token)
        if user.email.lower() != invitation.email.lower():
            raise NotAllowed(
                "other_email",
                _("This invitation is for %(invited)s, and you are signed in as %(email)s.")
                % {"invited": invitation.email, "email": user.email},
            )
        if not Member.objects.filter(user_id=user.pk, state=Member.State.ACTIVE).exists():
            _require_seat_of_guest(tenant)
        manager = invitation.manager if invitation.manager and invitation.manager.is_active else None
        member = member_create(
            tenant=tenant,
            user_id=user.pk,
            email=user.email,
            name=name or user.name,
            role_slug=invitation.role.slug,
            manager=manager,
            team=invitation.team,
        )
        invitation.accepted_at = timezone.now()
        invitation.save(update_fields=["accepted_at"])
        audit_note(
            member_actor(tenant, member),
            "invitation.accepted",
            record_id=invitation.id,
            after=invitation.snapshot() | {"member": str(member.id)},
        )
        _accepted_told(invitation, member)
    return member


def seat_missing_notify(token: str) -> None:
    """Tell who invited and the owners, once for each mail to the guest, that the guest came and found no seat."""
    invitation = invitation_check(token)
    title = _("%(email)s wants to accept your invitation, and no seat is free.")
    body = _("Settings → Members: “Send again” shows what one more seat costs, and lets them in.")
    notify(
        {owner.pk for owner in owners()} | ({invitation.invited_by_id} - {None}),
        kind=SEAT_MISSING,
        key=f"seat_missing:{invitation.id}:{invitation.expires_at.timestamp():.0f}",
        title=lambda: str(title % {"email": invitation.email}),
        body=lambda: str(body),
    )


def _accepted_told(invitation: Invitation, member: Member) -> None:
    """Tell who invited that the invited came."""
    if invitation.invited_by_id is not None:
        notify(
            [invitation.invited_by_id],
            kind=INVITATION_ACCEPTED,
            key=f"invitation_accepted:{invitation.id}",
            title=lambda: str(_("%(name)s accepted your invitation and works here now.") % {"name": member.name}),
        )
