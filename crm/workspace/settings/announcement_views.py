"""Taking an announcement of the operator off one's pages."""

from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_POST

from tenants.accounts.session_handover import safe_path
from tenants.http import MemberRequest
from tenants.web.access import MEMBER, access
from tenants.workspaces.announcements import announcement_dismiss


@require_POST
@access(MEMBER, writes_unpaid=True)
def announcement_hide(request: MemberRequest, announcement_id: UUID) -> HttpResponse:
    """Takes it off this member's pages; an operator on a visit takes it off nobody's."""
    if request.actor.visitor or not announcement_dismiss(request.actor, announcement_id):
        raise Http404
    return HttpResponseRedirect(safe_path(request.POST.get("next")))
