"""The mails a workspace sends."""

from crm.workspace.models import Invitation, Member
from tenants.actors import Actor
from tenants.hosts import public_url, tenant_host, tenant_url
from tenants.mails import mail_queue
from tenants.moving import Moved


def invitation(actor: Actor, invitation: Invitation) -> None:
    """Queue the mail for an invitation whose plain token is known; it goes after the commit."""
    mail_queue(
        "workspace/mail/invitation",
        to=invitation.email,
        locale=actor.locale,
        context={
            "workspace": actor.tenant.name,
            "inviter": actor.label,
            "role": invitation.role,
            "team": invitation.team,
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
