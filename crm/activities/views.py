"""Screens of activities: a record's timeline, the composer, ticking off with what is next, and series."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import reswap, retarget, trigger_client_event

from crm.activities import page_sections, rules, services
from crm.activities.series.following import series_follow
from crm.activities.visibility import PLANNED
from crm.records.display.controls import is_sent, other_errors, read_values, with_companions
from crm.records.display.presenting import record_url, row_title
from crm.records.display.responses import handle_record_errors, record_type_or_404, redirect_to, return_url, toast
from crm.records.errors import Invalid, RecordError
from crm.records.fields.parsing import BadValue, parse
from crm.records.lists import record_page
from crm.records.read import reading
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate
from tenants.actors import Actor
from tenants.http import MemberRequest
from tenants.ids import id_of
from tenants.web.access import access, needs, needs_noun

DONE = {
    "task": gettext_lazy("Task done."),
    "call": gettext_lazy("Call done."),
    "meeting": gettext_lazy("Meeting held."),
}
OPENED = {
    "task": gettext_lazy("Task opened again."),
    "call": gettext_lazy("Call opened again."),
    "meeting": gettext_lazy("Meeting opened again."),
}


@access(needs_noun("view"))
@require_GET
@handle_record_errors
def activity(request: MemberRequest, noun: str, id: UUID) -> HttpResponseBase:
    record_type = record_type_or_404(noun)
    row = record_page.record_row(request.actor, record_type, id)
    context = {
        "record_type": record_type,
        "title": row_title(record_type, row),
        "url": record_url(record_type.slug, id),
        "part": page_sections.activity_context(
            request.actor,
            record_type,
            id,
            kind=request.GET.get("kind", ""),
            cursor=request.GET.get("cursor") or None,
            row=row,
        ),
    }
    name = "activities/activity.html"
    if request.htmx:
        name += "#items" if request.htmx.target == "timeline-more" else "#timeline"
    return render(request, name, context)


# -- composing ---------------------------------------------------------------------------------------------------------


@access(needs_noun("view"))
@require_POST
@handle_record_errors
def activity_add(request: MemberRequest, noun: str, id: UUID, what: str) -> HttpResponseBase:
    """Add a note, task, call, email or meeting to a record; the write gate asks whether they may."""
    record_type, made = record_type_or_404(noun), registry.get(what)
    reading.get_record(request.actor, record_type, id)
    sent = [slug for slug in sum(page_sections.COMPOSED[what], ()) if is_sent(made.field(slug), request.POST)]
    if "outcome" in request.POST and "outcome" in made.by_slug:
        sent.append("outcome")
    values = read_values(request.actor, made, with_companions(made, sent), request.POST)
    values = {slug: value for slug, value in values.items() if value not in ("", None) or made.by_slug[slug].required}
    added = str(page_sections.ADDED[what])
    if what == "call" and is_to_come(request.actor, values.get("starts_at")):
        # The buttons that save are those of outcomes; a call that is only planned has none.
        values.pop("outcome", None)
        added = _("Call planned.")
    try:
        change = gate.create(request.actor, made, {**values, "about": {"type": record_type.slug, "id": id}})
    except Invalid as error:
        return _refused(request, record_type, id, what, error)
    if not request.htmx:
        return redirect_to(request, record_url(record_type.slug, id), added, undo=change.change_set.id)
    row = record_page.record_row(request.actor, record_type, id)
    context = {
        "record_type": record_type,
        "part": page_sections.activity_context(request.actor, record_type, id, row=row),
    }
    response = render(request, "activities/activity.html#timeline", context)
    trigger_client_event(response, "record:changed", {"id": str(id)}, after="settle")
    return toast(response, added, undo=change.change_set.id)


def is_to_come(actor: Actor, typed: Any) -> bool:
    """Whether the time that was typed is understood and lies ahead."""
    try:
        when = parse(registry.get("call").field("starts_at"), typed, actor)
    except BadValue:
        return False
    return when is not None and when > timezone.now() + rules.SLACK


def _refused(request: MemberRequest, record_type: RecordType, id: UUID, what: str, error: Invalid) -> HttpResponse:
    row = record_page.record_row(request.actor, record_type, id)
    shown = with_companions(registry.get(what), sum(page_sections.COMPOSED[what], ()))
    composer = page_sections.composer(
        request.actor, record_type, row, what, data=request.POST, error=error, errors=other_errors(error, shown)
    )
    context = {
        "record_type": record_type,
        "part": {"id": id, "record_type": record_type},
        "composer": composer,
        "url": record_url(record_type.slug, id),
    }
    name = "activities/activity.html#composer_form" if request.htmx else "activities/composer.html"
    response = render(request, name, context, status=error.status)
    return retarget(reswap(response, "outerHTML"), f"#{what}-form") if request.htmx else response


# -- ticking off -------------------------------------------------------------------------------------------------------


def planned_type(noun: str) -> RecordType:
    record_type = record_type_or_404(noun)
    if record_type.slug not in PLANNED:
        raise Http404
    return record_type


@access(needs_noun("edit"))
@require_POST
@handle_record_errors
def done_toggle(request: MemberRequest, noun: str, id: UUID) -> HttpResponseBase:
    """Tick a task, a call or a meeting off, or open it again."""
    record_type = planned_type(noun)
    done = request.POST.get("done") == "1"
    change = services.activity_done(request.actor, noun=record_type.slug, id=id, done=done)
    message = (DONE if done else OPENED)[record_type.slug]
    if not request.htmx:
        return redirect_to(request, return_url(request, reverse("home")), message, undo=change.change_set.id)
    context = {"noun": noun, "id": id, "done": done, "name": record_type.title_of(change.record)}
    response = render(request, "activities/tick.html", context)
    trigger_client_event(response, "task:changed", {"id": str(id), "done": done}, after="settle")
    if done and change.events and change.record.about_id and not change.record.series:
        url = f"{reverse('activities:next', args=[noun, id])}?change={change.change_set.id}"
        trigger_client_event(response, "activity:done", {"url": url}, after="settle")
    return toast(response, message, undo=change.change_set.id)


@access(needs_noun("edit"))
@require_http_methods(["GET", "POST"])
@handle_record_errors
def next_plan(request: MemberRequest, noun: str, id: UUID) -> HttpResponseBase:
    """What came of an activity, and what is next: one change together with the tick before it."""
    record_type = planned_type(noun)
    actor = request.actor
    row = record_page.record_row(actor, record_type, id)
    if "outcome" in request.GET:
        row = {**row, "outcome": request.GET["outcome"]}
    what = request.POST.get("what", request.GET.get("what", "task"))
    what = what if what in page_sections.NEXT and actor.can(what, "create") else ""
    error: RecordError | None = None
    if (
        request.method == "POST"
        and not request.POST.get("plan")
        and request.POST.get("outcome", "") in ("", row["outcome"])
    ):
        closed = trigger_client_event(HttpResponse(status=204), "dialog:close", {})
        return closed if request.htmx else redirect_to(request, return_url(request, record_url(record_type.slug, id)))
    if request.method == "POST":
        try:
            change = services.activity_followed(
                actor,
                noun=record_type.slug,
                id=id,
                change_id=id_of(request.POST.get("change", "")),
                outcome=request.POST.get("outcome", ""),
                next_noun=what if request.POST.get("plan") else "",
                next_values=_next_values(request, what) if what else None,
            )
        except Invalid as found:
            error = found
        else:
            url = return_url(request, record_url(record_type.slug, id))
            if not request.htmx:
                return redirect_to(request, url, _("Saved."), undo=change.change_set.id)
            response = trigger_client_event(HttpResponse(status=204), "dialog:close", {})
            trigger_client_event(response, "task:changed", {"id": str(id), "done": True})
            return toast(response, _("Saved."), undo=change.change_set.id)
    context = {
        "record_type": record_type,
        "row": row,
        "title": row_title(record_type, row),
        "url": record_url(record_type.slug, id),
        "next": page_sections.next_form(actor, record_type, row, what, data=request.POST or None, error=error),
        "change": request.POST.get("change", request.GET.get("change", "")),
        "errors": other_errors(error, with_companions(registry.get(what), page_sections.NEXT[what])) if what else [],
    }
    template = "activities/next.html#form" if request.htmx else "activities/next.html"
    return render(request, template, context, status=error.status if error else 200)


def _next_values(request: MemberRequest, what: str) -> Mapping[str, Any]:
    record_type = registry.get(what)
    values = read_values(
        request.actor, record_type, with_companions(record_type, page_sections.NEXT[what]), request.POST
    )
    return {slug: value for slug, value in values.items() if value not in ("", None)}


# -- series ------------------------------------------------------------------------------------------------------------

SERIES = {
    "skip": (services.occurrence_skip, gettext_lazy("This time is left out.")),
    "end": (services.series_end, gettext_lazy("The series ends here.")),
    "follow": (series_follow, gettext_lazy("What follows is like this one now.")),
}


@access(needs_noun("edit"))
@require_POST
@handle_record_errors
def series_change(request: MemberRequest, noun: str, id: UUID) -> HttpResponseBase:
    """Leave out one time of a series, let it end, or have what follows be like this one."""
    record_type = planned_type(noun)
    act, message = SERIES.get(request.POST.get("act", ""), (None, ""))
    if act is None:
        raise Http404
    change = act(request.actor, noun=record_type.slug, id=id)
    gone = request.POST["act"] == "skip"
    url = reverse("records:list", args=[record_type.plural]) if gone else record_url(record_type.slug, id)
    return redirect_to(request, url, message, undo=change.change_set.id)


# -- invitations -------------------------------------------------------------------------------------------------------

ANSWERED = {
    "accepted": gettext_lazy("You come."),
    "tentative": gettext_lazy("Perhaps you come."),
    "declined": gettext_lazy("You do not come."),
}


@access(needs("meeting", "view"))
@require_POST
@handle_record_errors
def meeting_reply(request: MemberRequest, id: UUID) -> HttpResponseBase:
    """A guest's answer to a meeting."""
    answer = request.POST.get("reply", "")
    change = services.meeting_reply(request.actor, id=id, reply=answer, following=request.POST.get("following") == "1")
    message = ANSWERED[answer]
    if not request.htmx:
        return redirect_to(request, return_url(request, record_url("meeting", id)), message, undo=change.change_set.id)
    response = HttpResponse(status=204)
    trigger_client_event(response, "record:changed", {"id": str(id)})
    return toast(response, message)
