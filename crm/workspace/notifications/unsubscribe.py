"""The link in every mail of notifications that ends mails of that kind: one click, no sign-in."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from crm.workspace.models import Member
from crm.workspace.notifications.mailing import unsubscribe_read
from crm.workspace.notifications.notify import DIGEST, kinds
from crm.workspace.notifications.services import notification_mail_stop
from tenants.http import Request
from tenants.rate_limits import limited
from tenants.web.access import PUBLIC, access


@csrf_exempt
@never_cache
@limited("unsubscribe", methods=("GET", "POST"))
@access(PUBLIC, writes_unpaid=True, serves_suspended=True)
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: Request, token: str) -> HttpResponse:
    """Ask, and on POST stop: a mail program posts by itself, and what only looks at links changes nothing.

    The token is what proves the right; it says nothing else than whose mails of which kind.
    """
    found = unsubscribe_read(request.tenant, token) if request.tenant else None
    member = Member.objects.filter(pk=found[0]).first() if found else None
    if found is None or member is None:
        raise Http404
    kind = found[1]
    known = kinds().get(kind)
    if request.method == "POST":
        notification_mail_stop(member, kind=kind)
    context = {
        "stopped": request.method == "POST",
        "is_digest": kind == DIGEST,
        "label": known.label if known else kind,
        "email": member.email,
        "workspace": request.tenant.name if request.tenant else "",
    }
    return render(request, "workspace/unsubscribe.html", context)
