"""Settings → Pipelines, and Settings → Sample data."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from crm.records.display.presenting import record_url
from crm.records.display.responses import handle_record_errors, redirect_to, toast
from crm.records.errors import Invalid, NotFound, VersionConflict
from crm.records.models import Job
from crm.records.read import reading
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.gate import Change
from crm.sales import selectors, services
from crm.sales.models import Pipeline, Stage
from crm.sales.pipelines import impact, stage_entry_rules
from crm.sales.pipelines.forms import (
    Difference,
    EntryRows,
    GateForm,
    NameForm,
    NewPipelineForm,
    PipelineForm,
    StageForm,
    pipeline_values,
    stage_values,
)
from crm.sales.sample import loading
from crm.workspace.people.plan_needs import room_need
from tenants.actors import Actor
from tenants.http import MemberRequest
from tenants.ids import id_of
from tenants.web.access import access, needs

SETTINGS = needs("workspace", "settings")
SAMPLE = needs("workspace", "sample_data")
FORM = ["GET", "POST"]
PIPELINE, STAGE, LOST_REASON = "pipeline", "stage", "lost_reason"
MAX_SHOWN = 10


def _done(request: MemberRequest, message: str, change: Change | None, url: str = "") -> HttpResponse:
    undo = change.change_set.pk if change and change.events else None
    return redirect_to(request, url or reverse("settings:pipelines"), message, undo=undo)


def _page_of(pipeline_id: UUID) -> str:
    return reverse("settings:pipeline", args=[pipeline_id])


def _written(form: GateForm, write: Callable[[], Change], now: Callable[[], Mapping[str, Any]]) -> Change | None:
    """Write what a form says; None when the gate refused it or somebody was quicker, which the form then shows."""
    if not form.is_valid():
        return None
    try:
        return write()
    except Invalid as error:
        form.refuse(error)
    except VersionConflict as error:
        form.changed_meanwhile(now(), error)
    return None


def _status(form: GateForm) -> int:
    return 422 if form.errors else 412 if form.differences else 200


def _in_order(request: MemberRequest) -> list[str]:
    """The ids in the order that was sent; without scripts, one of them goes a place up or down."""
    ids = request.POST.getlist("id")
    for name, by in (("up", -1), ("down", 1)):
        moved = request.POST.get(name, "")
        if moved in ids:
            place = ids.index(moved)
            ids.remove(moved)
            ids.insert(max(place + by, 0), moved)
    return ids


def _ordered(request: MemberRequest, change: Change | None, url: str) -> HttpResponse:
    if not request.htmx:
        return _done(request, "", change, url)
    response = HttpResponse(status=204)
    return toast(response, _("The order is saved."), undo=change.change_set.pk) if change else response


# --- pipelines -------------------------------------------------------------------------------------------------------


def _overview(request: MemberRequest, *, status: int = 200, **forms: Any) -> HttpResponse:
    actor = request.actor
    counts = selectors.deal_counts(actor)
    by_pipeline: dict[UUID, list[Any]] = {}
    for stage in selectors.all_stages(actor):
        by_pipeline.setdefault(stage.pipeline_id, []).append(stage)

    def rows(found: list[selectors.PipelineRef]) -> list[dict[str, Any]]:
        return [
            {
                "pipeline": one,
                "stages": by_pipeline.get(one.id, ()),
                "count": sum(counts.get(stage.pk, 0) for stage in by_pipeline.get(one.id, ())),
            }
            for one in found
        ]

    live = selectors.pipelines(actor)
    context = {
        "pipelines": rows(live),
        "archived": rows(selectors.pipelines(actor, archived=True)),
        "reasons": reading.page(actor, registry.get(LOST_REASON), reading.Query(limit=100)).rows,
        "pipeline_form": NewPipelineForm(pipelines=[(one.id, one.name) for one in live]),
        "reason_form": NameForm(),
        "need": room_need(actor, "pipelines"),
        **forms,
    }
    return render(request, "sales/settings/pipelines.html", context, status=status)


@access(SETTINGS)
@require_http_methods(FORM)
@handle_record_errors
def pipelines(request: MemberRequest) -> HttpResponseBase:
    """All pipelines and the reasons for losing; a POST adds a pipeline, with the usual stages or like another."""
    if request.method == "GET":
        return _overview(request)
    choices = [(one.id, one.name) for one in selectors.pipelines(request.actor)]
    form = NewPipelineForm(request.POST, pipelines=choices)

    def write() -> Change:
        name, like = form.cleaned_data["name"], form.cleaned_data["like"]
        if like:
            return services.pipeline_copy(request.actor, pipeline_id=like, name=name)
        return services.pipeline_create(request.actor, name=name)

    change = _written(form, write, dict)
    if change is None:
        return _overview(request, status=422, pipeline_form=form)
    return _done(request, _("The pipeline is there, with stages to begin with."), change, _page_of(change.id))


@access(SETTINGS)
@require_POST
@handle_record_errors
def pipelines_order(request: MemberRequest) -> HttpResponseBase:
    change = services.pipelines_order(request.actor, pipeline_ids=_in_order(request))
    return _ordered(request, change, reverse("settings:pipelines"))


@access(SETTINGS)
@require_http_methods(FORM)
@handle_record_errors
def pipeline_edit(request: MemberRequest, id: UUID) -> HttpResponseBase:
    """A pipeline with its stages; a POST changes its own settings."""
    actor, record_type = request.actor, registry.get(PIPELINE)
    pipeline = reading.get_record(actor, record_type, id, action="edit")
    form = PipelineForm(actor, request.POST or None, record=pipeline)

    def write() -> Change:
        return gate.update(actor, record_type, pipeline.pk, form.values, seen_version=form.seen_version)

    def now() -> Mapping[str, Any]:
        return pipeline_values(actor, reading.get_record(actor, record_type, id))

    if request.method == "POST":
        change = _written(form, write, now)
        if change is not None:
            return _done(request, _("Saved."), change, _page_of(id))
    counts = selectors.deal_counts(actor)
    stages = selectors.stages(actor, pipeline.pk)
    groups = [
        {
            "kind": kind,
            "stages": [
                {"stage": one, "count": counts.get(one.id, 0), "asks": _asks(actor, one)}
                for one in stages
                if one.kind == kind
            ],
        }
        for kind in selectors.KIND_ORDER
    ]
    context = {"form": form, "pipeline": pipeline, "kinds": groups}
    return render(request, "sales/settings/pipeline.html", context, status=_status(form))


def _asks(actor: Actor, stage: selectors.StageRef) -> list[str]:
    """What a deal needs to come into a stage, in words."""
    deal, record_type = registry.get("deal"), registry.get(STAGE)
    demanded = record_type.field("required_fields").redact(actor, stage.required_fields)
    condition = record_type.field("entry_condition").redact(actor, stage.entry_condition)
    needs = [str(deal.field(slug).label) for slug in demanded if deal.has_field(slug)]
    return needs + (stage_entry_rules.words(actor, condition) if condition else [])


@access(SETTINGS)
@require_POST
@handle_record_errors
def pipeline_default(request: MemberRequest, id: UUID) -> HttpResponseBase:
    change = gate.update(request.actor, registry.get(PIPELINE), id, {"is_default": True})
    return _done(request, _("New deals start in this pipeline now."), change, _page_of(id))


@access(SETTINGS)
@require_http_methods(FORM)
@handle_record_errors
def pipeline_archive(request: MemberRequest, id: UUID) -> HttpResponseBase:
    """Show what archiving a pipeline means with the moves as chosen, then do it."""
    actor = request.actor
    sent = request.POST if request.method == "POST" else request.GET
    asked = {name: str(value) for name, value in sent.items() if name.startswith("to-")}
    moves = {_id(name.removeprefix("to-")): _id(value) if value else None for name, value in asked.items()}
    effect = impact.pipeline_archive_preview(actor, pipeline_id=id, moves=moves if asked else None)
    errors: list[str] = []
    if request.method == "POST":
        try:
            done = services.pipeline_archive_start(
                actor, pipeline_id=id, moves={stage: target for stage, target in moves.items() if target}
            )
        except Invalid as error:
            errors = list(dict.fromkeys(str(one.message) for one in error.errors))[:MAX_SHOWN]
        else:
            if isinstance(done, Job):
                return redirect_to(
                    request,
                    reverse("settings:pipelines"),
                    _("Its deals are being moved. You are told when it is done."),
                )
            return _done(request, _("The pipeline is archived."), done)
    context = {"effect": effect, "errors": errors}
    name = "sales/settings/pipeline_archive.html"
    name += "#effect" if request.htmx and request.method == "GET" else ""
    return render(request, name, context, status=422 if errors else 200)


def _id(text: str) -> UUID:
    found = id_of(text)
    if found is None:
        raise NotFound
    return found


@access(SETTINGS)
@require_POST
@handle_record_errors
def pipeline_restore(request: MemberRequest, id: UUID) -> HttpResponseBase:
    change = services.pipeline_restore(request.actor, pipeline_id=id)
    return _done(request, _("The pipeline is in use again."), change)


@access(SETTINGS)
@require_POST
@handle_record_errors
def pipeline_remove(request: MemberRequest, id: UUID) -> HttpResponseBase:
    change = gate.trash(request.actor, registry.get(PIPELINE), id)
    return _done(request, _("The pipeline is in the trash."), change)


# --- stages ----------------------------------------------------------------------------------------------------------


@access(SETTINGS)
@require_http_methods(FORM)
@handle_record_errors
def stage_new(request: MemberRequest, id: UUID) -> HttpResponseBase:
    pipeline = reading.get_record(request.actor, registry.get(PIPELINE), id, action="edit")
    return _stage_page(request, pipeline, None)


@access(SETTINGS)
@require_http_methods(FORM)
@handle_record_errors
def stage_edit(request: MemberRequest, id: UUID) -> HttpResponseBase:
    stage = reading.get_record(request.actor, registry.get(STAGE), id, action="edit")
    return _stage_page(request, stage.pipeline, stage)


def _stage_page(request: MemberRequest, pipeline: Pipeline, stage: Stage | None) -> HttpResponse:
    """The form of a stage, new or there already; its rule of entry is filled in row by row."""
    actor, record_type = request.actor, registry.get(STAGE)
    data = request.POST if request.method == "POST" else None
    form = StageForm(actor, data, stage=stage, others=selectors.stages(actor, pipeline.pk))
    rows = EntryRows(actor, data, form.initial.get("entry_condition", {}))

    def write() -> Change:
        values = {**form.values, "entry_condition": condition}
        if stage is None:
            return services.stage_create(actor, pipeline_id=pipeline.pk, values=values)
        return gate.update(actor, record_type, stage.pk, values, seen_version=form.seen_version)

    def now() -> Mapping[str, Any]:
        assert stage is not None
        return stage_values(actor, reading.get_record(actor, record_type, stage.pk))

    condition = None
    if data is not None and not rows.is_underway:
        condition = rows.condition()
        change = _written(form, write, now) if condition is not None else None
        if form.conflict:
            theirs = now()["entry_condition"]
            if "entry_condition" in form.conflict.fields:
                told = ["; ".join(stage_entry_rules.words(actor, one)) or "–" for one in (theirs, condition or {})]
                form.differences = [*form.differences, Difference(_("The stage takes only deals where"), *told)]
            elif "entry_condition" in form.conflict.kept:
                rows = EntryRows(actor, None, theirs)
        if change is not None:
            return _done(request, _("Saved.") if stage else _("The stage is there."), change, _page_of(pipeline.pk))
    status = 200 if data is None or rows.is_underway else 422 if condition is None else _status(form)
    context = {"form": form, "entry": rows, "stage": stage, "pipeline": pipeline, "underway": rows.is_underway}
    return render(request, "sales/settings/stage.html", context, status=status)


@access(SETTINGS)
@require_POST
@handle_record_errors
def stages_order(request: MemberRequest, id: UUID) -> HttpResponseBase:
    """The stages of one kind of a pipeline, in a new order."""
    change = services.stages_order(request.actor, pipeline_id=id, stage_ids=_in_order(request))
    return _ordered(request, change, _page_of(id))


@access(SETTINGS)
@require_http_methods(FORM)
@handle_record_errors
def stage_remove(request: MemberRequest, id: UUID) -> HttpResponseBase:
    """Show what removing a stage means, then do it."""
    effect = impact.stage_remove_preview(request.actor, stage_id=id)
    errors: list[str] = []
    if request.method == "POST":
        try:
            change = services.stage_remove(request.actor, stage_id=id, move_to=request.POST.get("move_to") or None)
        except Invalid as error:
            errors = list(dict.fromkeys(str(one.message) for one in error.errors))[:MAX_SHOWN]
        else:
            return _done(request, _("The stage is gone."), change, _page_of(effect.stage.pipeline_id))
    targets = [(target, effect.lacking.get(target.id, 0)) for target in effect.targets]
    context = {"effect": effect, "targets": targets, "errors": errors, "chosen": request.POST.get("move_to", "")}
    return render(request, "sales/settings/stage_remove.html", context, status=422 if errors else 200)


# --- reasons for losing ----------------------------------------------------------------------------------------------


@access(SETTINGS)
@require_POST
@handle_record_errors
def lost_reason_new(request: MemberRequest) -> HttpResponseBase:
    form = NameForm(request.POST)
    change = _written(form, lambda: gate.create(request.actor, registry.get(LOST_REASON), form.values), dict)
    if change is None:
        return _overview(request, status=422, reason_form=form)
    return _done(request, _("The reason is there."), change)


@access(SETTINGS)
@require_POST
@handle_record_errors
def lost_reasons_order(request: MemberRequest) -> HttpResponseBase:
    change = services.lost_reasons_order(request.actor, reason_ids=_in_order(request))
    return _ordered(request, change, reverse("settings:pipelines"))


@access(SETTINGS)
@require_http_methods(FORM)
@handle_record_errors
def lost_reason_edit(request: MemberRequest, id: UUID) -> HttpResponseBase:
    actor, record_type = request.actor, registry.get(LOST_REASON)
    reason = reading.get_record(actor, record_type, id, action="edit")
    form = NameForm(request.POST or None, record=reason)

    def write() -> Change:
        return gate.update(actor, record_type, reason.pk, form.values, seen_version=form.seen_version)

    if request.method == "POST":
        change = _written(form, write, lambda: {"name": reading.get_record(actor, record_type, id).name})
        if change is not None:
            return _done(request, _("Saved."), change)
    context = {"form": form, "reason": reason}
    return render(request, "sales/settings/lost_reason.html", context, status=_status(form))


@access(SETTINGS)
@require_POST
@handle_record_errors
def lost_reason_remove(request: MemberRequest, id: UUID) -> HttpResponseBase:
    change = gate.trash(request.actor, registry.get(LOST_REASON), id)
    return _done(request, _("The reason is in the trash. Deals that were lost for it keep it."), change)


# --- sample data -----------------------------------------------------------------------------------------------------


@access(SAMPLE)
@require_http_methods(FORM)
@handle_record_errors
def sample_data(request: MemberRequest) -> HttpResponseBase:
    """Load the sample data, or clear it; what stays because something real rests on it is named."""
    here = reverse("settings:data")
    if request.method == "POST" and request.POST.get("do") == "load":
        count = loading.sample_load(request.actor)
        message = ngettext("%(count)d sample record is there.", "%(count)d sample records are there.", count)
        message = message % {"count": count} if count else _("The sample data is there already.")
        return redirect_to(request, here, message)
    kept: list[dict[str, Any]] = []
    if request.method == "POST" and request.POST.get("do") == "clear":
        cleared = loading.sample_clear(request.actor)
        message = ngettext("%(count)d sample record is gone.", "%(count)d sample records are gone.", cleared.cleared)
        told = message % {"count": cleared.cleared} if cleared.cleared else _("There is no sample data to clear.")
        gone = redirect_to(request, here, told, undo=cleared.change_set_id)
        if not cleared.kept:
            return gone
        kept = [
            {"label": registry.get(one.type).label, "title": one.title, "url": record_url(one.type, one.id)}
            for one in cleared.kept
        ]
    context = {"present": loading.sample_present(request.actor), "kept": kept}
    return render(request, "sales/settings/data.html", context)
