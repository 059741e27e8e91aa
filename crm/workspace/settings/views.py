"""Settings → Workspace: name, picture, language and formats; working hours and holidays; the address."""

from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from crm.workspace.configuration import formats_of, workspace_settings
from crm.workspace.errors import NotFound, WorkspaceError
from crm.workspace.models import Holiday
from crm.workspace.settings import services
from crm.workspace.settings.forms import (
    AddressForm,
    EscalationForm,
    FormatsForm,
    HolidayForm,
    HolidayPlaceForm,
    HoursForm,
    LogoForm,
    WorkspaceForm,
    examples,
)
from crm.workspace.settings.logos import logo_read, logo_set
from crm.workspace.text import formats
from tenants import rate_limits
from tenants.http import MemberRequest
from tenants.rate_limits import limited
from tenants.web.access import MEMBER, access, needs
from tenants.workspaces.address_change import old_addresses
from tenants.workspaces.hosts import api_url, tenant_host, tenant_url
from tenants.workspaces.settings import workspace_update

SETTINGS = needs("workspace", "settings")
FORM = ["GET", "POST"]
YEARS_AHEAD = 3
PICTURE_SECONDS = 365 * 24 * 3600


def _refused(form: forms.Form, error: WorkspaceError) -> None:
    form.add_error(error.field if error.field in form.fields else None, str(error.message))


# --- name, picture, formats -------------------------------------------------------------------------------------------


def _workspace_page(request: MemberRequest, *, status: int = 200, **given: Any) -> HttpResponse:
    tenant = request.actor.tenant
    configuration = workspace_settings(tenant)
    context = {
        "form": WorkspaceForm(tenant=tenant, configuration=configuration),
        "logo_form": LogoForm(),
        "logo": configuration.logo,
        **examples(formats_of(configuration)),
        **given,
    }
    return render(request, "workspace/workspace.html", context, status=status)


@access(SETTINGS)
@require_http_methods(FORM)
def workspace(request: MemberRequest) -> HttpResponse:
    if request.method == "GET":
        return _workspace_page(request)
    actor = request.actor
    form = WorkspaceForm(request.POST, tenant=actor.tenant, configuration=workspace_settings(actor.tenant))
    if not form.is_valid():
        return _workspace_page(request, form=form, status=422)
    own = {slug: form.cleaned_data[slug] for slug in ("name", "locale", "time_zone")}
    workspace_update(actor, **own)
    services.formats_update(actor, **{slug: value for slug, value in form.cleaned_data.items() if slug not in own})
    messages.success(request, _("Saved."))
    return redirect("settings:workspace")


@access(MEMBER)
@require_GET
def formats_example(request: MemberRequest) -> HttpResponse:
    """What the formats chosen in a form would look like."""
    form = FormatsForm(request.GET)
    form.is_valid()
    workspace = formats_of(workspace_settings(request.actor.tenant))
    own = (form.cleaned_data.get(slug, "") for slug in ("number_format", "date_format", "time_format"))
    numbers, dates, times = own
    if request.GET.get("of") == "member":
        chosen = formats.Formats(
            numbers=numbers or workspace.numbers, dates=dates or workspace.dates, times=times or workspace.times
        )
    else:
        chosen = formats.Formats(numbers=numbers, dates=dates, times=times)
    language = request.GET.get("locale", "")
    with translation.override(language if language in dict(settings.LANGUAGES) else translation.get_language()):
        return render(request, "workspace/formats.html#example", examples(chosen))


@access(SETTINGS)
@require_POST
def logo(request: MemberRequest) -> HttpResponse:
    """Take a picture, or away with the one there is."""
    if "remove" in request.POST:
        logo_set(request.actor, upload=None)
        messages.success(request, _("The picture is removed."))
        return redirect("settings:workspace")
    form = LogoForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            logo_set(request.actor, upload=form.cleaned_data["logo"])
        except WorkspaceError as error:
            _refused(form, error)
        else:
            messages.success(request, _("The picture is taken over."))
            return redirect("settings:workspace")
    return _workspace_page(request, logo_form=form, status=422)


@access(MEMBER, serves_suspended=True)
@require_safe
def logo_file(request: MemberRequest, picture: str, size: int) -> HttpResponse:
    """The workspace's picture, for its members. Another picture has another address, so browsers may keep it."""
    tenant = request.actor.tenant
    known = workspace_settings(tenant).logo
    data = logo_read(tenant.id, known, size) if known and picture == known else None
    if data is None:
        raise Http404
    answer = HttpResponse(data, content_type="image/png")
    answer["Cache-Control"] = f"private, max-age={PICTURE_SECONDS}, immutable"
    answer["Content-Disposition"] = "inline; filename=logo.png"
    return answer


# --- working hours and holidays ---------------------------------------------------------------------------------------


def _years() -> range:
    """Those of which public holidays are offered."""
    this = timezone.localdate().year
    return range(this, this + YEARS_AHEAD)


def _hours_page(request: MemberRequest, *, status: int = 200, **given: Any) -> HttpResponse:
    configuration = workspace_settings(request.actor.tenant)
    today = timezone.localdate()
    country = request.GET.get("country", configuration.holiday_country)
    region = request.GET.get("region", configuration.holiday_region if "country" not in request.GET else "")
    if region not in services.holiday_regions().get(country, ()):
        region = ""
    suggestions = services.holiday_suggestions(country, region, _years())
    context = {
        "form": HoursForm(hours=configuration.working_hours),
        "escalation_form": EscalationForm(initial={"escalation_hours": configuration.escalation_hours}),
        "holidays": Holiday.objects.filter(on__gte=today.replace(month=1, day=1)).order_by("on"),
        "holiday_form": HolidayForm(),
        "place_form": HolidayPlaceForm(country=country, initial={"country": country, "region": region}),
        "country": country if country in services.holiday_regions() else "",
        "region": region,
        "suggestions": [one for one in suggestions if not one.present and one.on >= today],
        "known": sum(one.present for one in suggestions),
        "time_zone": request.actor.tenant.time_zone.replace("_", " "),
        **given,
    }
    return render(request, "workspace/hours.html", context, status=status)


@access(SETTINGS)
@require_http_methods(FORM)
def hours(request: MemberRequest) -> HttpResponse:
    """When people work here, and the days on which nobody does; a POST sets the hours."""
    if request.method == "GET":
        return _hours_page(request)
    form = HoursForm(request.POST, hours={})
    if form.is_valid():
        services.working_hours_set(request.actor, hours=form.hours)
        messages.success(request, _("Saved."))
        return redirect("settings:hours")
    return _hours_page(request, form=form, status=422)


@access(SETTINGS)
@require_POST
def escalation(request: MemberRequest) -> HttpResponse:
    form = EscalationForm(request.POST)
    if form.is_valid():
        services.escalation_set(request.actor, hours=form.cleaned_data["escalation_hours"])
        messages.success(request, _("Saved."))
        return redirect("settings:hours")
    return _hours_page(request, escalation_form=form, status=422)


@access(SETTINGS)
@require_POST
def holiday_new(request: MemberRequest) -> HttpResponse:
    form = HolidayForm(request.POST)
    if form.is_valid():
        try:
            services.holidays_add(request.actor, days=[(form.cleaned_data["on"], form.cleaned_data["name"])])
        except WorkspaceError as error:
            _refused(form, error)
        else:
            messages.success(request, _("%(name)s is a holiday.") % form.cleaned_data)
            return redirect("settings:hours")
    return _hours_page(request, holiday_form=form, status=422)


@access(SETTINGS)
@require_POST
def holiday_take(request: MemberRequest) -> HttpResponse:
    """Take the chosen suggestions of a place over."""
    country, region = request.POST.get("country", ""), request.POST.get("region", "")
    chosen = {day for text in request.POST.getlist("on") if (day := _day(text))}
    offered = services.holiday_suggestions(country, region, _years())
    days = [(one.on, one.name) for one in offered if one.on in chosen and not one.present]
    try:
        count = services.holidays_add(request.actor, days=days) if days else 0
        if offered:
            services.holiday_place_set(request.actor, country=country, region=region)
    except WorkspaceError as error:
        messages.error(request, str(error.message))
        return redirect("settings:hours")
    said = ngettext("%(count)d holiday is added.", "%(count)d holidays are added.", count) % {"count": count}
    messages.success(request, said)
    return redirect("settings:hours")


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


@access(SETTINGS)
@require_POST
def holiday_remove(request: MemberRequest, holiday_id: UUID) -> HttpResponse:
    try:
        services.holiday_remove(request.actor, holiday_id=holiday_id)
    except NotFound:
        raise Http404 from None
    messages.success(request, _("The holiday is removed."))
    return redirect("settings:hours")


# --- the address ------------------------------------------------------------------------------------------------------


@limited("workspace")
@access(SETTINGS)
@require_http_methods(FORM)
def address(request: MemberRequest) -> HttpResponse:
    """Another subdomain, confirmed by typing the present one.

    The answer is a page that leads on: the content security policy lets no form end on another host.
    """
    actor = request.actor
    form = AddressForm(request.POST or None, present=actor.tenant.subdomain)
    if request.method == "POST" and form.is_valid():
        try:
            # Only a change counts; one too many is rolled back.
            with transaction.atomic():
                moved = services.address_change(actor, subdomain=form.cleaned_data["subdomain"])
                rate_limits.count("subdomain", str(actor.tenant.id))
        except WorkspaceError as error:
            _refused(form, error)
        else:
            context = {"host": tenant_host(moved.tenant), "url": tenant_url(moved.tenant), "moved": moved}
            return render(request, "workspace/address_changed.html", context)
    context = {
        "form": form,
        "host": tenant_host(actor.tenant),
        "old": old_addresses(actor),
        "api_here": tenant_url(actor.tenant, "/api/v1"),
        "api_url": api_url("/api/v1"),
    }
    return render(request, "workspace/address.html", context, status=422 if form.errors else 200)
