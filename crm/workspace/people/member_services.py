"""Changes to members, invitations and notifications of one workspace."""

import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.workspace.auditing import audit_note
from crm.workspace.colors import COLORS
from crm.workspace.errors import Conflict, NotAllowed, NotFound, WorkspaceError
from crm.workspace.hooks import event_note
from crm.workspace.models import Invitation, Member, Role, Team
from crm.workspace.notifications.kinds import INVITATION_ACCEPTED, SEAT_MISSING
from crm.workspace.notifications.notify import notify
from crm.workspace.people import mails
from crm.workspace.people.selectors import (
    active_members,
    member_actor,
    owners,
    present_members,
    reached_teams,
    seats,
    system_actor,
)
from crm.workspace.permissions import covers
from crm.workspace.text.formats import DATE_FORMATS, NUMBER_FORMATS, TIME_FORMATS
from tenants import accounts
from tenants.actors import Actor, ActorKind, TenantRef
from tenants.entitlements import require_writable
from tenants.limits import require_room
from tenants.locks import advisory_lock
from tenants.models import User
from tenants.names import NameRefused, name_read
from tenants.scopes import shared

INVITATION_LIFE = timedelta(days=7)
TOKEN_BYTES = 32
LONGEST_NAME = 120


def name_from_email(email: str) -> str:
    """A first guess at a person's name: ``jane.doe@example.com`` → ``Jane Doe``."""
    local = email.partition("@")[0].partition("+")[0]
    words = [word for word in local.replace("_", ".").replace("-", ".").split(".") if word]
    return " ".join(word[:1].upper() + word[1:] for word in words)[:120] or email[:120]


def color_for(user_id: UUID) -> str:
    return COLORS[1 + user_id.int % (len(COLORS) - 1)]


def _note(
    actor: Actor,
    type_: str,
    member: Member,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    change_set: object | None = None,
) -> None:
    event_note(
        actor,
        type=type_,
        record_type="member",
        record_id=member.id,
        before=dict(before or {}),
        after=dict(after),
        change_set=change_set,
    )


def _need(actor: Actor, power: str, *, unpaid: bool = False) -> None:
    """Raises NotAllowed and WorkspaceClosed; the latter not where it is done without being paid for (``unpaid``)."""
    if not actor.can("workspace", power):
        raise NotAllowed("forbidden", _("You may not change members of this workspace."))
    if not unpaid:
        require_writable(actor.tenant)


def name_checked(name: str, *, longest: int) -> str:
    """A name as it is kept. Raises WorkspaceError for one that cannot be."""
    try:
        return name_read(name, longest=longest)
    except NameRefused as refusal:
        raise WorkspaceError(refusal.code, refusal.message, field="name") from None


def _clean_email(email: str) -> str:
    cleaned = email.strip().lower()
    try:
        validate_email(cleaned)
    except ValidationError:
        cleaned = ""
    if not cleaned or len(cleaned) > 254 or not cleaned.isprintable():
        raise WorkspaceError("invalid_email", _("That is not an email address."), field="email")
    return cleaned


def _role(role: Role | UUID | str) -> Role:
    if isinstance(role, Role):
        return role
    found = None
    if isinstance(role, UUID):
        found = Role.objects.filter(id=role).first()
    elif role and "\x00" not in role and len(role) <= 40:
        found = Role.objects.filter(slug=role).first()
        if found is None:
            try:
                found = Role.objects.filter(id=UUID(role)).first()
            except ValueError:
                found = None
    if found is None:
        raise WorkspaceError("unknown_role", _("Choose one of the roles."), field="role")
    return found


def _manager(manager: Member | UUID | str | None, *, of: Member | None = None) -> Member | None:
    if manager is None or manager == "":
        return None
    if not isinstance(manager, Member):
        try:
            manager_id = manager if isinstance(manager, UUID) else UUID(str(manager))
        except ValueError:
            manager_id = None
        found = Member.objects.filter(id=manager_id, state=Member.State.ACTIVE).first() if manager_id else None
        if found is None:
            raise WorkspaceError("unknown_manager", _("Choose an active member as manager."), field="manager")
        manager = found
    if of is not None:
        chain, seen = manager, set[UUID]()
        while chain is not None and chain.id not in seen:
            if chain.id == of.id:
                raise WorkspaceError(
                    "manager_circle", _("Nobody can be, even by way of others, their own manager."), field="manager"
                )
            seen.add(chain.id)
            chain = Member.objects.filter(id=chain.manager_id).first() if chain.manager_id else None  # type: ignore[assignment]
    return manager


def find_team(team: Team | UUID | str | None, *, field: str = "team") -> Team | None:
    """The team meant by an id, None for none. Raises WorkspaceError for one that is not there."""
    if isinstance(team, Team):
        return team
    if team is None or team == "":
        return None
    try:
        found = Team.objects.filter(id=team if isinstance(team, UUID) else UUID(str(team))).first()
    except ValueError:
        found = None
    if found is None:
        raise WorkspaceError("unknown_team", _("Choose one of the teams."), field=field)
    return found


def _may_place(actor: Actor, team: Team | None, member: Member | None = None) -> None:
    """Who reaches no further than his teams puts people into these only: nobody grants more than he has.

    Nor does he take a ``member`` in from elsewhere, or out of there, and with him what is his.
    """
    if not actor.permissions.by_team or actor.member_id is None:
        return
    own = Member.objects.filter(id=actor.member_id).values_list("team_id", flat=True).first()
    reached = reached_teams(actor.member_id, own)
    if member is not None and member.id != actor.member_id and member.team_id not in reached:
        raise NotAllowed(
            "team_beyond_own",
            _("Your role reaches as far as your own team, so you cannot move somebody who is elsewhere."),
            field="team",
        )
    if team is not None and team.id not in reached:
        raise NotAllowed(
            "team_beyond_own",
            _("Your role reaches as far as your own team, so you cannot put people into another."),
            field="team",
        )


def _may_grant(actor: Actor, role: Role) -> None:
    if not covers(actor.permissions, role.matrix()):
        raise NotAllowed(
            "role_beyond_own", _("You cannot give or take a role that may do more than your own."), field="role"
        )


def people_lock(actor: Actor | None = None) -> None:
    """One at a time changes who works here and how they stand to each other, until the end of the transaction.

    Taken before any row: the last owner, circles of managers and seats are told from many rows, and two who change
    each other would wait for each other. Raises NotAllowed for an actor who was deactivated while he waited.
    """
    advisory_lock("people")
    if actor is None or actor.member_id is None:
        return
    if not Member.objects.filter(id=actor.member_id, state=Member.State.ACTIVE).exists():
        raise NotAllowed("deactivated", _("You are not an active member of this workspace any more."))


LAST_OWNER = _("The last owner stays. Make somebody else an owner first, then try again.")


def is_last_owner(member: Member) -> bool:
    return member.role.is_owner and set(owners().values_list("id", flat=True)) == {member.id}


def _not_last_owner(member: Member) -> None:
    if is_last_owner(member):
        raise Conflict("last_owner", LAST_OWNER, field="role")


def _member_locked(member_id: UUID) -> Member:
    found = present_members().select_for_update(of=("self",)).select_related("role").filter(id=member_id)
    member = found.first()
    if member is None:
        raise NotFound("not_found", _("There is no such member."))
    return member


def member_create(
    *,
    tenant: TenantRef,
    user_id: UUID,
    email: str,
    name: str = "",
    role_slug: str = "member",
    manager: Member | None = None,
    team: Team | None = None,
    actor: Actor | None = None,
) -> Member:
    """Make the user a member here and note him in the shared index of who is where; safe to repeat.

    A user who was deactivated before becomes active again, with the given role.
    """
    require_writable(tenant)
    with transaction.atomic():
        people_lock()
        role = _role(role_slug)
        member = Member.objects.select_for_update().filter(user_id=user_id).first()
        before = None
        if member is None:
            member = Member(user_id=user_id, color=color_for(user_id))
        elif member.is_active:
            return member
        else:
            before = member.snapshot()
        member.email = _clean_email(email)
        member.name = name_checked(name or name_from_email(email), longest=LONGEST_NAME)
        member.role, member.manager, member.team, member.state = role, manager, team, Member.State.ACTIVE
        member.save()
        with shared():
            accounts.membership_set(tenant_id=tenant.id, user_id=user_id, active=True, member_id=member.id)
        _note(
            actor or system_actor(tenant),
            "member.reactivated" if before else "member.created",
            member,
            before,
            member.snapshot(),
        )
    return member


def member_update(
    actor: Actor,
    *,
    member_id: UUID,
    role: Role | UUID | str | None = None,
    manager: Member | UUID | str | bool | None = False,
    team: Team | UUID | str | bool | None = False,
    change_set: object | None = None,
    leaving: bool = False,
) -> Member:
    """Change a member's role, manager or team (``manager=None`` takes him away, the default leaves him; so ``team``).

    ``leaving``: somebody else leaves, which happens in a workspace that is not paid for too. Raises NotAllowed beyond
    the actor's own reach and Conflict for the last owner.
    """
    _need(actor, "members", unpaid=leaving)
    with transaction.atomic():
        people_lock(actor)
        member = _member_locked(member_id)
        before = member.snapshot()
        if role is not None and (wanted := _role(role)).id != member.role_id:
            _may_grant(actor, member.role)
            _may_grant(actor, wanted)
            _not_last_owner(member)
            member.role = wanted
        if not isinstance(manager, bool):
            member.manager = _manager(manager, of=member)
        if not isinstance(team, bool):
            chosen = find_team(team)
            if (chosen.id if chosen else None) != member.team_id:
                _may_place(actor, chosen, member)
            member.team = chosen
        after = member.snapshot()
        if after != before:
            member.save(update_fields=["role", "manager", "team"])
            _note(actor, "member.updated", member, before, after, change_set)
    return member


def member_profile_update(
    actor: Actor,
    *,
    name: str,
    time_zone: str = "",
    locale: str = "",
    color: str = "",
    number_format: str = "",
    date_format: str = "",
    time_format: str = "",
) -> Member:
    """Change what a member says of himself. What is empty is as the workspace has it; an empty colour stays."""
    if actor.member_id is None:
        raise NotAllowed("forbidden", _("Only a member has personal settings."))
    require_writable(actor.tenant)
    if time_zone:
        try:
            ZoneInfo(time_zone)
        except (KeyError, ValueError, OSError):
            raise WorkspaceError("unknown_time_zone", _("Choose a time zone."), field="time_zone") from None
    if locale and locale not in dict(settings.LANGUAGES):
        raise WorkspaceError("unknown_language", _("Choose a language."), field="locale")
    chosen = {
        "color": (color, COLORS),
        "number_format": (number_format, NUMBER_FORMATS),
        "date_format": (date_format, DATE_FORMATS),
        "time_format": (time_format, TIME_FORMATS),
    }
    for field, (value, known) in chosen.items():
        if value and value not in known:
            raise WorkspaceError("unknown_choice", _("Choose one of these."), field=field)
    values = {
        "name": name_checked(name, longest=LONGEST_NAME),
        "time_zone": time_zone,
        "locale": locale,
        "number_format": number_format,
        "date_format": date_format,
        "time_format": time_format,
        **({"color": color} if color else {}),
    }
    with transaction.atomic():
        member = _member_locked(actor.member_id)
        before = member.snapshot()
        for field, new in values.items():
            setattr(member, field, new)
        member.save(update_fields=list(values))
        if member.snapshot() != before:
            _note(actor, "member.updated", member, before, member.snapshot())
    return member


def member_deactivate(actor: Actor, *, member_id: UUID, change_set: object | None = None) -> Member:
    """Shut a member out: his sessions end, his keys sleep. What he had stays his: see ``leaving`` for all of it.

    Waits for what is becoming his at this moment, and what would become his later is refused.
    """
    _need(actor, "members", unpaid=True)
    with transaction.atomic():
        people_lock(actor)
        member = _member_locked(member_id)
        if not member.is_active:
            return member
        _may_grant(actor, member.role)
        _not_last_owner(member)
        before = member.snapshot()
        member.state = Member.State.DEACTIVATED
        member.save(update_fields=["state"])
        with shared():
            accounts.membership_set(tenant_id=actor.tenant.id, user_id=member.user_id, active=False)
            accounts.sessions_end(user_id=member.user_id, tenant_id=actor.tenant.id)
        _note(actor, "member.deactivated", member, before, member.snapshot(), change_set)
    return member


def member_reactivate(actor: Actor, *, member_id: UUID, change_set: object | None = None) -> Member:
    """Let a deactivated member in again, with the role he had; his keys wake."""
    _need(actor, "members")
    with transaction.atomic():
        people_lock(actor)
        member = _member_locked(member_id)
        if member.is_active:
            return member
        _may_grant(actor, member.role)
        _need_seat(actor.tenant)
        before = member.snapshot()
        member.state = Member.State.ACTIVE
        member.save(update_fields=["state"])
        with shared():
            accounts.membership_set(tenant_id=actor.tenant.id, user_id=member.user_id, active=True)
        _note(actor, "member.reactivated", member, before, member.snapshot(), change_set)
    return member


def member_user_change(tenant: TenantRef, *, old_user: User, new_user: User) -> None:
    """Put another account behind a member, inside the tenant's scope: the take-over of a workspace."""
    require_writable(tenant)
    with transaction.atomic():
        member = Member.objects.select_for_update().filter(user_id=old_user.pk).first()
        if member is None:
            raise NotFound("not_found", _("There is no such member."))
        if Member.objects.filter(user_id=new_user.pk).exists():
            raise Conflict("already_member", _("That account is a member of this workspace already."))
        member.user_id, member.email = new_user.pk, new_user.email
        member.save(update_fields=["user_id", "email"])


def member_email_follow(tenant: TenantRef, *, user: User) -> None:
    """The person has proven another address: his member carries it, inside the tenant's scope."""
    with transaction.atomic():
        member = Member.objects.select_for_update().select_related("role").filter(user_id=user.pk).first()
        if member is not None and member.email != user.email:
            before = member.snapshot()
            member.email = user.email
            member.save(update_fields=["email"])
            _note(system_actor(tenant), "member.updated", member, before, member.snapshot())


def _need_seat(tenant: TenantRef) -> None:
    """Raise LimitReached unless one more may be invited or let in again. Called with ``people_lock`` held."""
    require_room(tenant, "seats", used=seats(tenant).used)


def _need_seat_of_guest(tenant: TenantRef) -> None:
    """Raise LimitReached where the members alone take all seats.

    An open invitation held one; after a change to fewer seats it may be one of more than there are.
    """
    require_room(tenant, "seats", used=active_members().count())


def proven_users(user_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the users who have proven their address; nobody else is mailed what others wrote."""
    wanted = list(user_ids)
    with shared():
        return accounts.verified_among(wanted)


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
    _need(actor, "members")
    with transaction.atomic():
        people_lock(actor)
        address = _clean_email(email)
        chosen = _role(role)
        _may_grant(actor, chosen)
        boss = _manager(manager)
        group = find_team(team)
        if group is not None:
            _may_place(actor, group, Member.objects.filter(email=address).first())
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
        _need_seat(actor.tenant)
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
    _need(actor, "members")
    with transaction.atomic():
        people_lock(actor)
        invitation = _invitation_locked(invitation_id)
        _may_grant(actor, invitation.role)
        _need_verified(actor)
        if invitation.expires_at <= timezone.now():
            _need_seat(actor.tenant)
        else:
            _need_seat_of_guest(actor.tenant)
        invitation.token = _token_make(actor.tenant.id)
        invitation.token_hash = _token_hash(invitation.token)
        invitation.expires_at = timezone.now() + INVITATION_LIFE
        invitation.save(update_fields=["token_hash", "expires_at"])
        audit_note(actor, "invitation.resent", record_id=invitation.id, after=invitation.snapshot())
        mails.invitation(actor, invitation)
    return invitation


def invitation_revoke(actor: Actor, *, invitation_id: UUID) -> Invitation:
    _need(actor, "members", unpaid=True)
    with transaction.atomic():
        invitation = _invitation_locked(invitation_id)
        _may_grant(actor, invitation.role)
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
    """Make the user a member by his invitation, inside the tenant's scope. His email must be the invited one.

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
            _need_seat_of_guest(tenant)
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
