"""The inbox: what a member has been told, and the number of what he has not read yet."""

from datetime import datetime
from itertools import groupby
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.http import require_GET, require_POST

from crm.workspace.models import Notification
from crm.workspace.selectors import unread_count
from crm.workspace.services import notifications_mark_read
from tenants.access import MEMBER, PUBLIC, access
from tenants.actors import Actor
from tenants.http import Request

PAGE = 40
STOP_POLLING = 286


def _own(actor: Actor) -> QuerySet[Notification]:
    if actor.member_id is None:
        return Notification.objects.none()
    return Notification.objects.filter(member_id=actor.member_id)


def _before(cursor: str) -> Q:
    """Rows older than the one the cursor names; all rows for a cursor that means nothing."""
    at, _, id = cursor.partition("~")
    try:
        moment, row = datetime.fromisoformat(at), UUID(id)
    except ValueError:
        return Q()
    if moment.tzinfo is None:
        return Q()
    return Q(created_at__lt=moment) | Q(created_at=moment, id__lt=row)


@access(MEMBER)
@require_GET
def inbox(request: Request) -> HttpResponse:
    """The newest first, by day; a partial of further rows for htmx."""
    actor = request.actor
    assert actor is not None
    unread_only = request.GET.get("show") == "unread"
    cursor = request.GET.get("before", "")
    found = _own(actor).filter(_before(cursor))
    if unread_only:
        found = found.filter(read_at=None)
    rows = list(found.order_by("-created_at", "-id")[: PAGE + 1])
    more = rows[PAGE - 1] if len(rows) > PAGE else None
    days = [(day, list(of)) for day, of in groupby(rows[:PAGE], key=lambda one: timezone.localdate(one.created_at))]
    context = {
        "days": days,
        "unread_only": unread_only,
        "today": timezone.localdate(),
        "next": f"{more.created_at.isoformat()}~{more.id}" if more else "",
    }
    return render(request, "workspace/inbox.html#rows" if cursor and request.htmx else "workspace/inbox.html", context)


@access(MEMBER)
@require_GET
def inbox_open(request: Request, id: UUID) -> HttpResponse:
    """Read one and go to the record it tells of."""
    actor = request.actor
    assert actor is not None
    found = _own(actor).filter(id=id).first()
    if found is None:
        raise Http404
    notifications_mark_read(actor, ids=[found.id])
    if not found.record_type or found.record_id is None:
        return HttpResponseRedirect(reverse("inbox"))
    try:
        return HttpResponseRedirect(import_string(settings.RECORD_ADDRESS)(found.record_type, found.record_id))
    except (LookupError, NoReverseMatch):
        return HttpResponseRedirect(reverse("inbox"))


@access(MEMBER)
@require_POST
def inbox_read(request: Request) -> HttpResponse:
    """Mark the ids in the form as read, or all when it names none."""
    actor = request.actor
    assert actor is not None
    ids = []
    for value in request.POST.getlist("id"):
        try:
            ids.append(UUID(value))
        except ValueError:
            continue
    if ids or not request.POST.getlist("id"):
        notifications_mark_read(actor, ids=ids or None)
    return HttpResponseRedirect(reverse("inbox"))


@access(PUBLIC)
@require_GET
def inbox_badge(request: Request) -> HttpResponse:
    """The number of unread notifications, polled by every page.

    Once the session has ended it answers 286, which ends the polling, and leaves the page as it is: somebody may be
    writing in it.
    """
    actor = request.actor
    context = {"count": unread_count(actor) if actor else 0, "polling": actor is not None}
    return render(request, "workspace/inbox_badge.html", context, status=200 if actor else STOP_POLLING)
