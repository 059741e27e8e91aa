"""Announcements: those there were, one more, and the end of one."""

import json
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.access import page, step
from console.announcing import announce, announcement_end, announcements_made
from console.auditing import operator_of
from console.forms import AnnouncementForm, ReasonForm
from console.views.steps import step_page
from tenants.http import Request
from tenants.models import Announcement
from tenants.workspaces.announcements import audience_of


@page
def announcements(request: Request) -> HttpResponse:
    return render(request, "console/announcements.html", {"rows": announcements_made(), "now": timezone.now()})


@step
def announcement_new(request: Request) -> HttpResponseBase:
    """Says first how many workspaces will see it; sent again for the same audience and number, it is shown there."""
    form = AnnouncementForm(request.POST or None)
    count, counted = None, ""
    if request.method == "POST" and form.is_valid():
        chosen = {name: form.cleaned_data[name] for name in ("plans", "states", "ids")}
        to = audience_of(**chosen)
        count = to.count()
        counted = json.dumps([count, chosen], default=str)
        if not count:
            form.add_error(None, _("No workspace in service fits that."))
        elif request.POST.get("counted") == counted:
            made = announce(
                operator_of(request),
                texts=form.texts,
                language=settings.LANGUAGES[0][0],
                until=form.cleaned_data["until"],
                to=to,
                audience={**chosen, "ids": [str(one) for one in chosen["ids"]]},
            )
            messages.success(
                request, ngettext("Shown in %(n)d workspace.", "Shown in %(n)d workspaces.", made) % {"n": made}
            )
            return redirect("console:announcements")
    context = {"form": form, "count": count, "counted": counted}
    return render(request, "console/announcement_new.html", context, status=422 if form.errors else 200)


@step
def announcement_stop(request: Request, announcement_id: UUID) -> HttpResponseBase:
    found = Announcement.objects.filter(id=announcement_id).first()
    if found is None:
        raise Http404
    form = ReasonForm(request.POST or None, is_needed=False)
    if request.method == "POST" and form.is_valid():
        if announcement_end(operator_of(request), found, reason=form.reason):
            messages.success(request, _("It is shown no more."))
        return redirect("console:announcements")
    return step_page(
        request,
        None,
        form,
        title=_("End the announcement"),
        text=str(found),
        button=_("Show it no more"),
        cancel=reverse("console:announcements"),
    )
