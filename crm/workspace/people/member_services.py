"""Changes to the members of a workspace."""

from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from crm.workspace.actors import system_actor
from crm.workspace.colors import COLORS
from crm.workspace.errors import Conflict, NotAllowed, NotFound, WorkspaceError
from crm.workspace.models import Member, Role, Team
from crm.workspace.people.checks import (
    LONGEST_NAME,
    check_granting,
    check_people_power,
    check_placing,
    email_checked,
    find_manager,
    find_role,
    find_team,
    name_checked,
    note_member,
    people_lock,
    require_seat,
)
from crm.workspace.people.selectors import owners, present_members
from crm.workspace.text.formats import DATE_FORMATS, NUMBER_FORMATS, TIME_FORMATS
from tenants.accounts import services
from tenants.actors import Actor, TenantRef
from tenants.db.scopes import shared
from tenants.models import User
from tenants.workspaces import memberships
from tenants.workspaces.entitlements import require_writable


def name_from_email(email: str) -> str:
    """A first guess at a person's name: ``jane.doe@example.com`` → ``Jane Doe``."""
    local = email.partition("@")[0].partition("+")[0]
    words = [word for word in local.replace("_", ".").replace("-", ".").split(".") if word]
    return " ".join(word[:1].upper() + word[1:] for word in words)[:120] or email[:120]


def color_for(user_id: UUID) -> str:
    return COLORS[1 + user_id.int % (len(COLORS) - 1)]


LAST_OWNER = _("The last owner stays. Make somebody else an owner first, then try again.")


def is_last_owner(member: Member) -> bool:
    return member.role.is_owner and set(owners().values_list("id", flat=True)) == {member.id}


def _keep_last_owner(member: Member) -> None:
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
    """Make the user a member here and note them in the shared index of who is where; safe to repeat.

    A user who was deactivated before becomes active again, with the given role.
    """
    require_writable(tenant)
    with transaction.atomic():
        people_lock()
        role = find_role(role_slug)
        member = Member.objects.select_for_update().filter(user_id=user_id).first()
        before = None
        if member is None:
            member = Member(user_id=user_id, color=color_for(user_id))
        elif member.is_active:
            return member
        else:
            before = member.snapshot()
        member.email = email_checked(email)
        member.name = name_checked(name or name_from_email(email), longest=LONGEST_NAME)
        member.role, member.manager, member.team, member.state = role, manager, team, Member.State.ACTIVE
        member.save()
        with shared():
            memberships.membership_set(tenant_id=tenant.id, user_id=user_id, active=True, member_id=member.id)
        note_member(
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
    """Change a member's role, manager or team (``manager=None`` takes them away, the default leaves them; so ``team``).

    ``leaving``: somebody else leaves, which happens in a workspace that is not paid for too. Raises NotAllowed beyond
    the actor's own reach and Conflict for the last owner.
    """
    check_people_power(actor, "members", unpaid=leaving)
    with transaction.atomic():
        people_lock(actor)
        member = _member_locked(member_id)
        before = member.snapshot()
        if role is not None and (wanted := find_role(role)).id != member.role_id:
            check_granting(actor, member.role)
            check_granting(actor, wanted)
            _keep_last_owner(member)
            member.role = wanted
        if not isinstance(manager, bool):
            member.manager = find_manager(manager, of=member)
        if not isinstance(team, bool):
            chosen = find_team(team)
            if (chosen.id if chosen else None) != member.team_id:
                check_placing(actor, chosen, member)
            member.team = chosen
        after = member.snapshot()
        if after != before:
            member.save(update_fields=["role", "manager", "team"])
            note_member(actor, "member.updated", member, before, after, change_set)
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
    """Change what a member says of themselves. What is empty is as the workspace has it; an empty colour stays."""
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
            note_member(actor, "member.updated", member, before, member.snapshot())
    return member


def member_deactivate(actor: Actor, *, member_id: UUID, change_set: object | None = None) -> Member:
    """Shut a member out: their sessions end, their keys sleep. What they had stays theirs (see ``leaving``).

    Waits for what is becoming theirs at this moment, and what would become theirs later is refused.
    """
    check_people_power(actor, "members", unpaid=True)
    with transaction.atomic():
        people_lock(actor)
        member = _member_locked(member_id)
        if not member.is_active:
            return member
        check_granting(actor, member.role)
        _keep_last_owner(member)
        before = member.snapshot()
        member.state = Member.State.DEACTIVATED
        member.save(update_fields=["state"])
        with shared():
            memberships.membership_set(tenant_id=actor.tenant.id, user_id=member.user_id, active=False)
            services.sessions_end(user_id=member.user_id, tenant_id=actor.tenant.id)
        note_member(actor, "member.deactivated", member, before, member.snapshot(), change_set)
    return member


def member_reactivate(actor: Actor, *, member_id: UUID, change_set: object | None = None) -> Member:
    """Let a deactivated member in again, with the role they had; their keys wake."""
    check_people_power(actor, "members")
    with transaction.atomic():
        people_lock(actor)
        member = _member_locked(member_id)
        if member.is_active:
            return member
        check_granting(actor, member.role)
        require_seat(actor.tenant)
        before = member.snapshot()
        member.state = Member.State.ACTIVE
        member.save(update_fields=["state"])
        with shared():
            memberships.membership_set(tenant_id=actor.tenant.id, user_id=member.user_id, active=True)
        note_member(actor, "member.reactivated", member, before, member.snapshot(), change_set)
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
    """The person has proven another address: their member carries it, inside the tenant's scope."""
    with transaction.atomic():
        member = Member.objects.select_for_update().select_related("role").filter(user_id=user.pk).first()
        if member is not None and member.email != user.email:
            before = member.snapshot()
            member.email = user.email
            member.save(update_fields=["email"])
            note_member(system_actor(tenant), "member.updated", member, before, member.snapshot())
