"""Screens of work in the background: what is underway, in a corner of every page, and all of it on one page."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseStopPolling

from crm.records.display.presenting import record_url
from crm.records.display.responses import handle_record_errors, redirect_to, return_url, toast
from crm.records.errors import NotFound
from crm.records.jobs import jobs
from crm.records.models import ChangeSet, Job
from crm.records.read import reading
from crm.records.schema.registry import registry
from tenants.http import MemberRequest
from tenants.ids import id_of
from tenants.web.access import MEMBER, access

COOKIE = "work"
COOKIE_AGE = 60 * 60
LINGER = 15
PAGE = 50


def underway(response: HttpResponse, request: MemberRequest) -> HttpResponse:
    """Have the pages that follow show what is underway, as long as something is."""
    response.set_cookie(COOKIE, "1", max_age=COOKIE_AGE, samesite="Lax", secure=request.is_secure())
    return response


def shown(job: Job, undone: set[UUID]) -> dict[str, Any]:
    """A job as the templates want it."""
    over = not job.is_open and job.change_set_id is not None and bool(job.result.get("changed"))
    return {
        "job": job,
        "percent": 100 * job.done // job.total if job.total else None,
        "outcome": jobs.outcome(job),
        "may_cancel": job.is_open and job.kind != "undo" and job.cancelled_at is None,
        "runs_on": job.is_open and job.kind == "undo",
        "may_undo": over and job.change_set_id not in undone,
        "undone": job.change_set_id in undone,
        "download": reverse("records:export_file", args=[job.pk]) if job.result.get("file") else "",
    }


def listed(found: list[Job]) -> list[dict[str, Any]]:
    ids = [job.change_set_id for job in found if job.change_set_id]
    undone = set(ChangeSet.objects.filter(undo_of__in=ids).values_list("undo_of", flat=True)) if ids else set()
    return [shown(job, {one for one in undone if one is not None}) for job in found]


@access(MEMBER, serves_suspended=True)
@require_GET
@handle_record_errors
def job_list(request: MemberRequest) -> HttpResponseBase:
    """The work of the member (of everyone, for who has the settings), the newest first."""
    rows = jobs.jobs_of(request.actor)
    after = request.GET.get("after", "")
    if after:
        last = id_of(after)
        if last is None:
            raise NotFound
        rows = rows.filter(pk__lt=last)
    found = list(rows[: PAGE + 1])
    more = f"?after={found[PAGE - 1].pk}" if len(found) > PAGE else ""
    context = {"items": listed(found[:PAGE]), "more": more, "anything_open": any(job.is_open for job in found)}
    return render(request, "records/jobs.html", context)


@access(MEMBER, serves_suspended=True)
@require_GET
@handle_record_errors
def job_detail(request: MemberRequest, job: UUID) -> HttpResponseBase:
    """How far one came, and which rows were left as they were."""
    found = jobs.job_get(request.actor, job)
    told = [one for one in found.problems if one["id"] and one["noun"] in registry]
    titles = reading.titles(request.actor, {(one["noun"], UUID(one["id"])) for one in told})
    problems = [
        {
            "title": titles.get((one["noun"], UUID(one["id"])), ""),
            "url": record_url(one["noun"], one["id"]) if registry.get(one["noun"]).in_sidebar else "",
            "message": one["message"],
        }
        for one in told
    ]
    item = listed([found])[0]
    context = {"item": item, "problems": problems, "more_problems": found.skipped - len(found.problems)}
    if request.htmx and request.htmx.target == "job":
        return render(request, "records/job.html#progress", context, status=200 if found.is_open else 286)
    return render(request, "records/job.html", context)


@access(MEMBER, serves_suspended=True)
@require_GET
@handle_record_errors
def job_work(request: MemberRequest) -> HttpResponseBase:
    """The corner of every page: polled while something is underway, silent (286) after that."""
    own = Job.objects.filter(member=request.actor.member_id).select_related("change_set").order_by("-id")[:5]
    now = timezone.now()
    found = [
        job for job in own if job.is_open or (job.finished_at and (now - job.finished_at).total_seconds() < LINGER)
    ]
    if not found:
        response: HttpResponse = HttpResponseStopPolling()
        response.delete_cookie(COOKIE, samesite="Lax")
        return response
    return render(request, "records/jobs.html#work", {"items": listed(found)})


@access(MEMBER)
@require_POST
@handle_record_errors
def job_cancel(request: MemberRequest, job: UUID) -> HttpResponseBase:
    found = jobs.job_cancel(request.actor, job)
    message = _("Being stopped. What is done stays, and can be undone.")
    if request.htmx:
        return toast(HttpResponse(status=204), message, kind="info")
    return redirect_to(request, return_url(request, reverse("records:job", args=[found.pk])), message)
