"""Screens of the calendar: its pages, putting an activity at another time, and the feed for other calendars."""

from datetime import date, timedelta
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from crm.activities.calendar import feeds
from crm.activities.calendar.layout import SPANS, Period, Span
from crm.activities.calendar.pages import calendar_page, nouns_shown, whose
from crm.activities.calendar.services import activity_move
from crm.activities.rules import DAY, WHEN
from crm.records.display.responses import handle_record_errors, record_type_or_404, redirect_to, toast
from crm.records.schema.registry import registry
from crm.workspace.text.formats import week_start
from tenants.actors import Actor
from tenants.http import MemberRequest, Request
from tenants.rate_limits import limited
from tenants.web.access import MEMBER, PUBLIC, access, needs_noun

FIRST_YEAR, LAST_YEAR = 1970, 2200
SPAN_LABELS = {
    "day": (gettext_lazy("Day"), "d"),
    "week": (gettext_lazy("Week"), "w"),
    "month": (gettext_lazy("Month"), "y"),
}


@access(MEMBER)
@require_GET
@handle_record_errors
def calendar(request: MemberRequest) -> HttpResponseBase:
    """A day, a week or a month; the address says which, whose and of what."""
    actor = request.actor
    nouns = nouns_shown(actor)
    if not nouns:
        raise Http404
    today = timezone.now().astimezone(actor.time_zone).date()
    span: Span = next((one for one in SPANS if one == request.GET.get("span")), "week")
    period = Period.around(span, read_day(request.GET.get("date", ""), today), week_start())
    people = whose(actor)
    who = next((value for value, _label in people if value == request.GET.get("who")), people[0][0])
    asked = [one for one in nouns if one in request.GET.getlist("show")] or nouns
    kept = {"who": who, "show": asked if asked != nouns else []}

    address = reverse("activities:calendar")

    def url(span: str, day: str) -> str:
        return f"{address}?{urlencode({'span': span, 'date': day, **kept}, doseq=True)}"

    here = url(span, period.anchor.isoformat())
    new_meeting = reverse("records:new", args=["meetings"]) if actor.can("meeting", "create") else ""
    page = calendar_page(
        actor,
        period,
        member_ids=members_of(request, who),
        nouns=asked,
        day_url=url("day", "DAY").replace("DAY", "{day}"),
    )
    context = {
        "page": page,
        "period": period,
        "title": page.title,
        "columns": page.columns,
        "hours": page.hours,
        "first_hour": page.first_hour,
        "more": page.more,
        "has_earlier": page.has_earlier,
        "zone": actor.time_zone.key,
        "here": here,
        "today_url": url(span, today.isoformat()),
        "before_url": url(span, period.turned(-1).isoformat()),
        "after_url": url(span, period.turned(1).isoformat()),
        "spans": [(one, *SPAN_LABELS[one], url(one, period.anchor.isoformat())) for one in SPANS],
        "people": people,
        "who": who,
        "nouns": [(registry.get(one), one in asked) for one in nouns],
        "new_meeting_url": new_meeting,
        "new_url": f"{new_meeting}?{urlencode({'next': here, **next_begin(actor, period, today)})}"
        if new_meeting
        else "",
    }
    name = "activities/calendar.html#calendar" if request.htmx else "activities/calendar.html"
    return render(request, name, context)


def next_begin(actor: Actor, period: Period, today: date) -> dict[str, str]:
    """When a new meeting most likely begins: at the next full hour, or so on the first of the days that are shown."""
    soon = timezone.now().astimezone(actor.time_zone) + timedelta(hours=1)
    day = soon.date() if period.first <= today < period.end else period.anchor
    return {"starts_at.day": day.isoformat(), "starts_at.time": f"{soon:%H}:00", "minutes": "60"}


def read_day(text: str, today: date) -> date:
    """The day that is asked for; today for what is none, or lies where nobody plans."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return today
    return day if FIRST_YEAR < day.year < LAST_YEAR else today


def members_of(request: MemberRequest, who: str) -> list[UUID] | None:
    if who == "all":
        return None
    if who == "me":
        return [request.actor.member_id] if request.actor.member_id else []
    return [UUID(who)]


@access(needs_noun("edit"))
@require_POST
@handle_record_errors
def calendar_move(request: MemberRequest, noun: str, id: UUID) -> HttpResponseBase:
    """Put an activity on another day, at another time or of another length."""
    record_type = record_type_or_404(noun)
    if record_type.slug not in WHEN:
        raise Http404
    sent = request.POST
    try:
        day = date.fromisoformat(sent.get("day", ""))
        minute, minutes, version = (
            int(sent[name]) if sent.get(name) else None for name in ("minute", "minutes", "version")
        )
    except ValueError:
        raise Http404 from None
    change = activity_move(
        request.actor,
        noun=record_type.slug,
        id=id,
        day=day,
        minute=minute,
        all_day=sent.get("all_day") == "1",
        minutes=None if minutes is None else min(max(minutes, 1), 31 * DAY),
        seen_version=version,
    )
    message = _("%(name)s moved.") % {"name": change.record.name}
    if not request.htmx:
        return redirect_to(request, reverse("activities:calendar"), message, undo=change.change_set.id)
    return toast(HttpResponse(status=204), message, undo=change.change_set.id)


@access(MEMBER, writes_unpaid=True)
@require_http_methods(["GET", "POST"])
@handle_record_errors
def calendar_feed(request: MemberRequest) -> HttpResponseBase:
    """Make, renew or stop the secret address at which other calendars read one's activities."""
    address = ""
    if request.method == "POST":
        if request.POST.get("action") == "stop":
            feeds.feed_stop(request.actor)
            return redirect_to(request, reverse("activities:calendar_feed"), _("The feed has stopped."))
        token = feeds.feed_make(request.actor)
        address = request.build_absolute_uri(reverse("activities:calendar_ics", args=[token]))
    context = {"feed": feeds.feed_of(request.actor), "address": address}
    response = render(request, "activities/feed.html", context)
    response["Cache-Control"] = "no-store"
    return response


@access(PUBLIC)
@require_GET
@limited("calendar_feed", methods=("GET",))
def calendar_ics(request: Request, token: str) -> HttpResponseBase:
    """The feed itself (RFC 5545), for whoever knows its address."""
    found = feeds.feed_read(request.tenant, token) if request.tenant is not None else None
    if found is None:
        raise Http404
    if request.headers.get("If-None-Match") == found.etag:
        return HttpResponse(status=304, headers={"ETag": found.etag})
    return HttpResponse(
        found.body,
        content_type="text/calendar; charset=utf-8",
        headers={
            "ETag": found.etag,
            "Cache-Control": "private, max-age=300",
            "Content-Disposition": 'inline; filename="rapport.ics"',
        },
    )
