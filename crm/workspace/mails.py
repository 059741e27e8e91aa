"""The mails a workspace sends."""

from crm.workspace.models import Invitation
from tenants.actors import Actor
from tenants.hosts import public_url
from tenants.mails import mail_queue


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
            "expires_at": invitation.expires_at,
            "link": public_url(f"/invitations/{invitation.token}/"),
        },
    )
