"""``/v1/invitations``: who is invited and has not come yet. For keys with ``member:write`` whose maker may invite."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import not_found
from api.v1.members import PeopleView, cursor_of, known, limit_of, text
from crm.records.access.visibility import require_scope
from crm.workspace.people import selectors
from crm.workspace.people.invitation_services import invitation_resend, invitation_revoke, invitation_send
from tenants import rate_limits

FIELDS = ("email", "role", "team", "manager")


class InvitationView(PeopleView):
    component = "Invitation"

    def check_scope(self, request: Request) -> None:
        """Addresses of people who are not here yet are for those only who may invite, to read them too."""
        super().check_scope(request)
        require_scope(self.actor, "workspace", "members")
        if not self.actor.can("workspace", "members"):
            raise not_found()

    def row(self, invitation_id: UUID) -> dict[str, Any]:
        rows, _more = selectors.invitation_rows(invitation_id=invitation_id)
        if not rows:
            raise not_found()
        return rows[0]


class InvitationList(InvitationView):
    parameters = frozenset({"limit", "cursor"})

    def get(self, request: Request) -> Response:
        rows, next_cursor = selectors.invitation_rows(after=cursor_of(request), limit=limit_of(request))
        return Response({"data": rows, "next_cursor": next_cursor})

    def post(self, request: Request) -> Response:
        """Send one: the link in the mail holds for seven days."""
        body = known(self.body(request), FIELDS)
        rate_limits.count("invite", str(self.actor.tenant.id))
        sent = invitation_send(
            self.actor,
            email=text(body, "email"),
            role=text(body, "role", default="member"),
            team=text(body, "team"),
            manager=text(body, "manager"),
        )
        return Response(self.row(sent.id), status=201)


class InvitationDetail(InvitationView):
    writes_unpaid = True

    def get(self, request: Request, invitation_id: UUID) -> Response:
        return Response(self.row(invitation_id))

    def delete(self, request: Request, invitation_id: UUID) -> Response:
        """Revoke it: its link is dead."""
        self.row(invitation_id)
        invitation_revoke(self.actor, invitation_id=invitation_id)
        return Response(status=204)


class InvitationResend(InvitationView):
    """Sends it again with a new link and seven new days; the old link is dead."""

    takes_body = False

    def post(self, request: Request, invitation_id: UUID) -> Response:
        self.row(invitation_id)
        rate_limits.count("invite", str(self.actor.tenant.id))
        invitation_resend(self.actor, invitation_id=invitation_id)
        return Response(self.row(invitation_id))
