"""Screens of undo: what it takes back is said, and asked where that goes beyond what the page shows."""

import re
from datetime import timedelta
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import reswap, retarget

from crm.records.display.responses import handle_record_errors, redirect_to, return_url, toast
from crm.records.errors import NotFound
from crm.records.events.changes import Told, change_told, is_within, origin_text, told
from crm.records.jobs import bulk, jobs
from crm.records.views.jobs import underway
from crm.records.write import undo as undoing
from tenants.http import MemberRequest
from tenants.ids import id_of
from tenants.web.access import MEMBER, access

PAGE = 50
FRESH = timedelta(minutes=10)
"""How long the last thing one did is taken back without asking."""
SHOWN_AT_MOST = 2000
IDENTITY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@access(MEMBER)
@require_POST
@handle_record_errors
def undo(request: MemberRequest, change_set: UUID) -> HttpResponseBase:
    """Take a change back. What is of several records, or of people, is asked about first (``sure``), unless the button
    stood beside the words of what was done (``told``); people always."""
    found = change_told(request.actor, change_set)
    asks = found.is_of_people or (found.count > 1 and "told" not in request.POST)
    if asks and "sure" not in request.POST:
        return _asked(request, found)
    return _take_back(request, found)


@access(MEMBER)
@require_POST
@handle_record_errors
def undo_last(request: MemberRequest) -> HttpResponseBase:
    """Take back the last thing the member did: at once if it was just now and is of nothing but the records that the
    page shows (``shown``, their ids), else it is asked."""
    actor = request.actor
    latest = undoing.last_own(actor)
    if latest is None:
        response = HttpResponse(status=204)
        return toast(response, _("There is nothing of yours to undo."), kind="info")
    found = change_told(actor, latest)
    shown = [UUID(one) for one in IDENTITY.findall(request.POST.get("shown", ""))[:SHOWN_AT_MOST]]
    is_last = undoing.is_last(actor, latest)
    is_fresh = found.change_set.at > timezone.now() - FRESH
    if is_last and is_fresh and not found.is_of_people and is_within(latest, shown):
        return _take_back(request, found)
    return _asked(request, found, is_last=is_last)


@access(MEMBER)
@require_POST
@handle_record_errors
def job_undo(request: MemberRequest, job: UUID) -> HttpResponseBase:
    """Take back all that a job did, in the background. Its line says what that is; people are asked about."""
    found = jobs.job_get(request.actor, job)
    if found.change_set_id is None:
        raise NotFound
    if "sure" not in request.POST:
        did = change_told(request.actor, found.change_set_id)
        if did.is_of_people:
            return _asked(request, did)
    return _begin(request, found.change_set_id)


@access(MEMBER)
@require_GET
@handle_record_errors
def own_changes(request: MemberRequest) -> HttpResponseBase:
    """What the member changed, the newest first, each with the way back as long as there is one."""
    rows = undoing.own_doings(request.actor)
    if before := request.GET.get("before", ""):
        last = id_of(before)
        if last is None:
            raise NotFound
        rows = rows.filter(pk__lt=last)
    found = list(rows[: PAGE + 1])
    more = f"?before={found[PAGE - 1].pk}" if len(found) > PAGE else ""
    changes = [one for one in told(request.actor, found[:PAGE]) if one.lines]
    return render(request, "records/changes.html", {"changes": changes, "more": more})


def _asked(request: MemberRequest, found: Told, *, is_last: bool = True) -> HttpResponse:
    """Say what would go back, and ask."""
    again = origin_text(request.actor, found.change_set) if found.takes_back else ""
    url = return_url(request, reverse("settings:changes"))
    context = {"told": found, "again": again, "is_last": is_last, "next": url}
    if not request.htmx:
        return render(request, "records/undo.html", context)
    return retarget(reswap(render(request, "records/undo.html#ask", context), "innerHTML"), "#dialog-content")


def _take_back(request: MemberRequest, found: Told) -> HttpResponse:
    if bulk.is_many(found.change_set.pk):
        return _begin(request, found.change_set.pk)
    made = undoing.undo(request.actor, found.change_set.pk).change_set.pk
    url = return_url(request, reverse("home"))
    if found.takes_back:
        origin = origin_text(request.actor, found.change_set)
        response = redirect_to(request, url, _("Done again: %(what)s.") % {"what": origin}, undo=made)
    else:
        response = redirect_to(request, url, _("Undone: %(what)s.") % {"what": found.text}, redo=made)
    if request.htmx:
        response["HX-Refresh"] = "true"
        del response["HX-Redirect"]
    return response


def _begin(request: MemberRequest, change_set_id: UUID) -> HttpResponse:
    """Take back what is too much for one request, in the background."""
    job = bulk.undo_start(request.actor, change_set_id)
    url = return_url(request, reverse("records:jobs"))
    message = _("%(what)s. This goes on in the background.") % {"what": job.title}
    return underway(redirect_to(request, url, message), request)
