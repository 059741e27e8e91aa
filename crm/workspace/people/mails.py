"""The mails a workspace sends."""

from crm.workspace.models import Invitation, Member
from tenants.actors import Actor
from tenants.names import name_mailed
from tenants.work.mail import mail_queue
from tenants.workspaces.address_change import Moved
from tenants.workspaces.hosts import public_url, tenant_host, tenant_url


def invitation(actor: Actor, invitation: Invitation) -> None:
    """Queue the mail for an invitation whose plain token is known; it goes after the commit.

    It is signed by the member who invites, also where a key of theirs does: the key's name says nothing to an outsider.
    """
    by = invitation.invited_by
    mail_queue(
        "workspace/mail/invitation",
        to=invitation.email,
        locale=actor.locale,
        context={
            "workspace": name_mailed(actor.tenant.name),
            "inviter": name_mailed(by.name if by is not None else actor.tenant.name),
            "role": name_mailed(str(invitation.role)),
            "team": name_mailed(invitation.team.name) if invitation.team else "",
            "email": invitation.email,
            "expires_at": invitation.expires_at,
            "link": public_url(f"/invitations/{invitation.token}/"),
        },
    )


def address_changed(moved: Moved, member: Member) -> None:
    """Queue the mail that says where the workspace is now; it goes after the commit."""
    mail_queue(
        "workspace/mail/address",
        to=member.email,
        locale=member.locale or moved.tenant.locale,
        context={
            "workspace": moved.tenant.name,
            "host": tenant_host(moved.tenant),
            "old": moved.old,
            "until": moved.until,
            "link": tenant_url(moved.tenant),
        },
    )
