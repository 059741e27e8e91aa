"""Settings → Pipelines, and Settings → Sample data."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from crm.records import reading, writing
from crm.records.answers import gone_to, shows_errors
from crm.records.errors import Invalid
from crm.records.presenting import record_url
from crm.records.types import registry
from crm.records.writing import Change
from crm.sales import sample, selectors, services
from crm.sales.forms import NameForm, StageForm
from tenants.access import access, needs
from tenants.http import MemberRequest

SETTINGS = needs("workspace", "settings")
SAMPLE = needs("workspace", "sample_data")
FORM = ["GET", "POST"]
PIPELINE, STAGE, LOST_REASON = "pipeline", "stage", "lost_reason"


def _done(request: MemberRequest, message: str, change: Change | None, url: str = "") -> HttpResponse:
    undo = change.change_set.pk if change and change.events else None
    return gone_to(request, url or reverse("settings:pipelines"), message, undo=undo)


def _labels(slugs: list[str]) -> list[Any]:
    deal = registry.get("deal")
    return [deal.field(slug).label for slug in slugs if deal.has_field(slug)]


def _overview(request: MemberRequest, *, status: int = 200, **forms: Any) -> HttpResponse:
    actor = request.actor
    counts = selectors.deal_counts(actor)
    pipelines = [
        {
            "pipeline": pipeline,
            "stages": [
                {"stage": stage, "count": counts.get(stage.id, 0), "demands": _labels(stage.required_fields)}
                for stage in selectors.stages(actor, pipeline.id)
            ],
        }
        for pipeline in selectors.pipelines(actor)
    ]
    reasons = reading.page(actor, registry.get(LOST_REASON), reading.Query(limit=100)).rows
    context = {
        "pipelines": pipelines,
        "reasons": reasons,
        "pipeline_form": NameForm(),
        "reason_form": NameForm(),
        **forms,
    }
    return render(request, "sales/settings/pipelines.html", context, status=status)


@access(SETTINGS)
@require_http_methods(FORM)
@shows_errors
def pipelines(request: MemberRequest) -> HttpResponseBase:
    """All pipelines with their stages and the reasons for losing; a POST adds a pipeline."""
    if request.method == "GET":
        return _overview(request)
    form = NameForm(request.POST)
    if form.is_valid():
        try:
            change = services.pipeline_create(request.actor, name=form.cleaned_data["name"])
        except Invalid as error:
            form.refuse(error)
        else:
            return _done(request, _("The pipeline is there, with stages to begin with."), change)
    return _overview(request, status=422, pipeline_form=form)


@access(SETTINGS)
@require_http_methods(FORM)
@shows_errors
def pipeline_edit(request: MemberRequest, id: UUID) -> HttpResponseBase:
    """Rename a pipeline, or make it the default."""
    rt = registry.get(PIPELINE)
    pipeline = reading.get_record(request.actor, rt, id, action="edit")
    form = NameForm(request.POST or None, initial={"name": pipeline.name})
    if request.method == "POST" and form.is_valid():
        values = {"is_default": True} if "make_default" in request.POST else {"name": form.cleaned_data["name"]}
        try:
            change = writing.update(request.actor, rt, pipeline.pk, values)
        except Invalid as error:
            form.refuse(error)
        else:
            return _done(request, _("Saved."), change)
    context = {"form": form, "pipeline": pipeline}
    return render(request, "sales/settings/pipeline.html", context, status=422 if form.errors else 200)


@access(SETTINGS)
@require_POST
@shows_errors
def pipeline_remove(request: MemberRequest, id: UUID) -> HttpResponseBase:
    change = writing.trash(request.actor, registry.get(PIPELINE), id)
    return _done(request, _("The pipeline is in the trash."), change)


@access(SETTINGS)
@require_http_methods(FORM)
@shows_errors
def stage_new(request: MemberRequest, id: UUID) -> HttpResponseBase:
    pipeline = reading.get_record(request.actor, registry.get(PIPELINE), id, action="edit")
    form = StageForm(request.POST or None, initial={"color": "gray", "kind": "open"})
    if request.method == "POST" and form.is_valid():
        try:
            change = services.stage_create(request.actor, pipeline_id=pipeline.pk, values=form.cleaned_data)
        except Invalid as error:
            form.refuse(error)
        else:
            return _done(request, _("The stage is there."), change)
    context = {"form": form, "pipeline": pipeline}
    return render(request, "sales/settings/stage.html", context, status=422 if form.errors else 200)


@access(SETTINGS)
@require_http_methods(FORM)
@shows_errors
def stage_edit(request: MemberRequest, id: UUID) -> HttpResponseBase:
    rt = registry.get(STAGE)
    stage = reading.get_record(request.actor, rt, id, action="edit")
    form = StageForm(request.POST or None, stage=stage)
    if request.method == "POST" and form.is_valid():
        try:
            change = writing.update(request.actor, rt, stage.pk, form.cleaned_data)
        except Invalid as error:
            form.refuse(error)
        else:
            return _done(request, _("Saved."), change)
    context = {"form": form, "stage": stage, "pipeline": stage.pipeline}
    return render(request, "sales/settings/stage.html", context, status=422 if form.errors else 200)


@access(SETTINGS)
@require_POST
@shows_errors
def stage_shift(request: MemberRequest, id: UUID) -> HttpResponseBase:
    """One place up or down among the open stages."""
    change = services.stage_shift(request.actor, stage_id=id, by=-1 if request.POST.get("to") == "up" else 1)
    return _done(request, "", change, f"{reverse('settings:pipelines')}#stage-{id}")


@access(SETTINGS)
@require_http_methods(FORM)
@shows_errors
def stage_remove(request: MemberRequest, id: UUID) -> HttpResponseBase:
    """Show what removing a stage means, then do it."""
    effect = selectors.stage_remove_preview(request.actor, stage_id=id)
    errors: list[str] = []
    if request.method == "POST":
        try:
            change = services.stage_remove(request.actor, stage_id=id, move_to=request.POST.get("move_to") or None)
        except Invalid as error:
            errors = list(dict.fromkeys(str(one.message) for one in error.errors))
        else:
            return _done(request, _("The stage is gone."), change)
    targets = [(target, effect.lacking.get(target.id, 0)) for target in effect.targets]
    context = {"effect": effect, "targets": targets, "errors": errors, "chosen": request.POST.get("move_to", "")}
    return render(request, "sales/settings/stage_remove.html", context, status=422 if errors else 200)


@access(SETTINGS)
@require_POST
@shows_errors
def lost_reason_new(request: MemberRequest) -> HttpResponseBase:
    form = NameForm(request.POST)
    if form.is_valid():
        try:
            change = writing.create(request.actor, registry.get(LOST_REASON), {"name": form.cleaned_data["name"]})
        except Invalid as error:
            form.refuse(error)
        else:
            return _done(request, _("The reason is there."), change)
    return _overview(request, status=422, reason_form=form)


@access(SETTINGS)
@require_http_methods(FORM)
@shows_errors
def lost_reason_edit(request: MemberRequest, id: UUID) -> HttpResponseBase:
    rt = registry.get(LOST_REASON)
    reason = reading.get_record(request.actor, rt, id, action="edit")
    form = NameForm(request.POST or None, initial={"name": reason.name})
    if request.method == "POST" and form.is_valid():
        try:
            change = writing.update(request.actor, rt, reason.pk, {"name": form.cleaned_data["name"]})
        except Invalid as error:
            form.refuse(error)
        else:
            return _done(request, _("Saved."), change)
    context = {"form": form, "reason": reason}
    return render(request, "sales/settings/lost_reason.html", context, status=422 if form.errors else 200)


@access(SETTINGS)
@require_POST
@shows_errors
def lost_reason_remove(request: MemberRequest, id: UUID) -> HttpResponseBase:
    change = writing.trash(request.actor, registry.get(LOST_REASON), id)
    return _done(request, _("The reason is in the trash. Deals that were lost for it keep it."), change)


@access(SAMPLE)
@require_http_methods(FORM)
@shows_errors
def sample_data(request: MemberRequest) -> HttpResponseBase:
    """Load the sample data, or clear it; what stays because something real rests on it is named."""
    here = reverse("settings:data")
    if request.method == "POST" and request.POST.get("do") == "load":
        count = sample.sample_load(request.actor)
        message = ngettext("%(count)d sample record is there.", "%(count)d sample records are there.", count)
        return gone_to(request, here, message % {"count": count})
    kept: list[dict[str, Any]] = []
    if request.method == "POST" and request.POST.get("do") == "clear":
        cleared = sample.sample_clear(request.actor)
        message = ngettext("%(count)d sample record is gone.", "%(count)d sample records are gone.", cleared.cleared)
        gone = gone_to(request, here, message % {"count": cleared.cleared}, undo=cleared.change_set_id)
        if not cleared.kept:
            return gone
        kept = [
            {"label": registry.get(one.type).label, "title": one.title, "url": record_url(one.type, one.id)}
            for one in cleared.kept
        ]
    context = {"present": sample.sample_present(request.actor), "kept": kept}
    return render(request, "sales/settings/data.html", context)
