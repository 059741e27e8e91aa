"""Screens of activities: a record's timeline, the composer of notes and tasks, and ticking tasks off."""

from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import reswap, retarget, trigger_client_event

from crm.activities import parts, services
from crm.records import pages, reading, writing
from crm.records.answers import back, gone_to, record_type, shows_errors, toast
from crm.records.errors import Invalid
from crm.records.forms import other_errors, read_values
from crm.records.presenting import record_url, row_title
from crm.records.types import RecordType, registry
from crm.records.writing import Change
from tenants.access import access, needs, needs_noun
from tenants.http import MemberRequest


@access(needs_noun("view"))
@require_GET
@shows_errors
def activity(request: MemberRequest, noun: str, id: UUID) -> HttpResponseBase:
    rt = record_type(noun)
    row = pages.record_row(request.actor, rt, id)
    context = {
        "rt": rt,
        "title": row_title(rt, row),
        "url": record_url(rt.slug, id),
        "part": parts.activity_context(
            request.actor,
            rt,
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


@access(needs("note", "create"))
@require_POST
@shows_errors
def note_add(request: MemberRequest, noun: str, id: UUID) -> HttpResponseBase:
    rt = record_type(noun)
    reading.get_record(request.actor, rt, id)
    values = {"body": request.POST.get("body", ""), "about": {"type": rt.slug, "id": id}}
    try:
        change = writing.create(request.actor, registry.get("note"), values)
    except Invalid as error:
        return _note_refused(request, rt, id, error)
    return _composed(request, rt, id, change, _("Note added."))


def _note_refused(request: MemberRequest, rt: RecordType, id: UUID, error: Invalid) -> HttpResponse:
    context = {
        "rt": rt,
        "part": {"id": id, "rt": rt},
        "body": request.POST.get("body", ""),
        "errors": [str(one.message) for one in error.errors],
        "url": record_url(rt.slug, id),
    }
    name = "activities/activity.html#note_form" if request.htmx else "activities/note.html"
    response = render(request, name, context, status=error.status)
    return retarget(reswap(response, "outerHTML"), "#note-form") if request.htmx else response


@access(needs("task", "create"))
@require_POST
@shows_errors
def task_add(request: MemberRequest, noun: str, id: UUID) -> HttpResponseBase:
    rt = record_type(noun)
    reading.get_record(request.actor, rt, id)
    task = registry.get("task")
    values = read_values(request.actor, task, parts.TASK_FIELDS, request.POST)
    try:
        change = writing.create(request.actor, task, {**values, "about": {"type": rt.slug, "id": id}})
    except Invalid as error:
        context = {
            "rt": rt,
            "part": {
                "id": id,
                "rt": rt,
                "task_controls": parts.task_controls(request.actor, data=request.POST, error=error),
            },
            "errors": other_errors(error, parts.TASK_FIELDS),
            "url": record_url(rt.slug, id),
        }
        name = "activities/activity.html#task_form" if request.htmx else "activities/task.html"
        response = render(request, name, context, status=error.status)
        return retarget(reswap(response, "outerHTML"), "#task-form") if request.htmx else response
    return _composed(request, rt, id, change, _("Task added."))


def _composed(request: MemberRequest, rt: RecordType, id: UUID, change: Change, message: str) -> HttpResponse:
    if not request.htmx:
        return gone_to(request, record_url(rt.slug, id), message, undo=change.change_set.id)
    row = pages.record_row(request.actor, rt, id)
    context = {"rt": rt, "part": parts.activity_context(request.actor, rt, id, row=row)}
    response = render(request, "activities/activity.html#timeline", context)
    trigger_client_event(response, "record:changed", {"id": str(id)}, after="settle")
    return toast(response, message, undo=change.change_set.id)


@access(needs("task", "edit"))
@require_POST
@shows_errors
def task_toggle(request: MemberRequest, id: UUID) -> HttpResponseBase:
    """Tick a task off, or open it again."""
    done = request.POST.get("done") == "1"
    change = services.task_done(request.actor, task_id=id, done=done)
    message = _("Task done.") if done else _("Task opened again.")
    if not request.htmx:
        return gone_to(request, back(request, reverse("home")), message, undo=change.change_set.id)
    response = render(request, "activities/tick.html", {"id": id, "done": done, "name": change.record.name})
    trigger_client_event(response, "task:changed", {"id": str(id), "done": done}, after="settle")
    return toast(response, message, undo=change.change_set.id)
