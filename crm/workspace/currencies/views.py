"""Settings → Currencies: those in use, their rates by hand and from a file, and the workspace's own."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from crm.workspace.configuration import workspace_settings
from crm.workspace.currencies import services
from crm.workspace.currencies.files import MAX_BYTES, Line, day_of, sheet_read
from crm.workspace.currencies.forms import CurrencyForm, RateFileForm, RateForm, currency_label
from crm.workspace.currencies.services import Fate
from crm.workspace.errors import Conflict, NotFound, WorkspaceError
from crm.workspace.hooks import currencies_used
from crm.workspace.models import ExchangeRate
from crm.workspace.text.formats import date_text, rate_text
from tenants.http import MemberRequest
from tenants.web.access import access, needs

SETTINGS = needs("workspace", "settings")
FORM = ["GET", "POST"]
SHOWN_OF_EACH = 50
PER_PAGE = 100


def refused(form: forms.Form, error: WorkspaceError) -> None:
    form.add_error(error.field if error.field in form.fields else None, str(error.message))


def _page(request: MemberRequest, *, status: int = 200, **given: Any) -> HttpResponse:
    actor = request.actor
    rows = services.currency_rows(actor)
    offered = [row.code for row in rows if row.offered]
    context = {
        "own": actor.tenant.currency,
        "rows": [(row, currency_label(row.code)) for row in rows],
        "rate_form": RateForm(codes=[row.code for row in rows], initial={"on": services.today(actor)}),
        "currency_form": CurrencyForm(own=actor.tenant.currency, without=offered),
        "own_form": CurrencyForm(own=actor.tenant.currency, prefix="own"),
        "file_form": RateFileForm(),
        "most_mb": MAX_BYTES // 1024 // 1024,
        **given,
    }
    return render(request, "workspace/currencies.html", context, status=status)


@access(SETTINGS)
@require_http_methods(FORM)
def currencies(request: MemberRequest) -> HttpResponse:
    """All of it; a POST sets a rate."""
    if request.method == "GET":
        return _page(request)
    codes = [row.code for row in services.currency_rows(request.actor)]
    form = RateForm(request.POST, codes=codes)
    if form.is_valid():
        try:
            found = services.exchange_rate_set(request.actor, **form.cleaned_data)
        except WorkspaceError as error:
            refused(form, error)
        else:
            messages.success(request, _rate_set(request, found))
            return redirect("settings:currencies")
    return _page(request, rate_form=form, status=422)


def _rate_set(request: MemberRequest, found: ExchangeRate) -> str:
    """What was read is shown, so that a slip of a sign is seen."""
    return _("The rate of %(currency)s is set: %(rate)s %(own)s from %(day)s.") % {
        "currency": found.currency,
        "rate": rate_text(found.rate),
        "own": request.actor.tenant.currency,
        "day": date_text(found.on),
    }


@access(SETTINGS)
@require_POST
def currency_use(request: MemberRequest) -> HttpResponse:
    form = CurrencyForm(request.POST, own=request.actor.tenant.currency)
    if form.is_valid():
        try:
            services.currency_add(request.actor, currency=form.cleaned_data["currency"])
        except WorkspaceError as error:
            refused(form, error)
        else:
            messages.success(request, _("%(currency)s is in use.") % form.cleaned_data)
            return redirect("settings:currencies")
    return _page(request, currency_form=form, status=422)


def _code(request: MemberRequest, code: str) -> str:
    """A currency that is in use here or has rates or amounts."""
    known = {*workspace_settings(request.actor.tenant).currencies, *currencies_used(request.actor)}
    if code == request.actor.tenant.currency or (
        code not in known and not ExchangeRate.objects.filter(currency=code).exists()
    ):
        raise Http404
    return code


@access(SETTINGS)
@require_http_methods(FORM)
def currency(request: MemberRequest, code: str) -> HttpResponse:
    """The rates of one currency, the latest first; a POST sets one, or corrects that of the same day."""
    code, actor = _code(request, code), request.actor
    rates = ExchangeRate.objects.filter(currency=code).order_by("-on")
    initial: dict[str, Any] = {"on": request.GET.get("on") or services.today(actor)}
    if request.GET.get("on") and (found := _of_day(code, request.GET["on"])):
        initial["rate"] = found.rate
    form = RateForm(request.POST or None, codes=[], currency=code, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            found = services.exchange_rate_set(actor, currency=code, **form.cleaned_data)
        except WorkspaceError as error:
            refused(form, error)
        else:
            messages.success(request, _rate_set(request, found))
            return redirect("settings:currency", code)
    page = Paginator(rates, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "code": code,
        "label": currency_label(code),
        "own": actor.tenant.currency,
        "page": page,
        "form": form,
        "correcting": "rate" in initial,
    }
    return render(request, "workspace/currency.html", context, status=422 if form.errors else 200)


def _of_day(code: str, day: str) -> ExchangeRate | None:
    on = day_of(day[:10])
    return None if on is None else ExchangeRate.objects.filter(currency=code, on=on).first()


@access(SETTINGS)
@require_http_methods(FORM)
def currency_remove(request: MemberRequest, code: str) -> HttpResponse:
    """Say what it means, then offer the currency no longer."""
    actor = request.actor
    if code not in workspace_settings(actor.tenant).currencies or code == actor.tenant.currency:
        raise Http404
    if request.method == "POST":
        try:
            services.currency_remove(actor, currency=code, knowing=request.POST.get("knowing") == "1")
        except NotFound:
            raise Http404 from None
        except Conflict:
            pass
        else:
            messages.success(request, _("%(currency)s is no longer offered.") % {"currency": code})
            return redirect("settings:currencies")
    context = {
        "code": code,
        "label": currency_label(code),
        "used": currencies_used(actor).get(code, 0),
        "rates": ExchangeRate.objects.filter(currency=code).count(),
    }
    return render(request, "workspace/currency_remove.html", context, status=409 if request.method == "POST" else 200)


@access(SETTINGS)
@require_POST
def rate_remove(request: MemberRequest, rate_id: UUID) -> HttpResponse:
    try:
        gone = services.exchange_rate_remove(request.actor, rate_id=rate_id)
    except NotFound:
        raise Http404 from None
    messages.success(request, _("The rate is removed."))
    return redirect("settings:currency", gone.currency)


@access(SETTINGS)
@require_POST
def rate_file(request: MemberRequest) -> HttpResponse:
    """What a file would add, change and be refused, line by line, before anything is taken."""
    actor = request.actor
    form = RateFileForm(request.POST, request.FILES)
    if form.is_valid():
        wanted = [row.code for row in services.currency_rows(actor)]
        try:
            if form.cleaned_data["file"].size > MAX_BYTES:
                raise WorkspaceError(
                    "too_large",
                    _("This file is too large: at most %(size)d MB.") % {"size": MAX_BYTES // 1024 // 1024},
                    field="file",
                )
            sheet = sheet_read(form.cleaned_data["file"].read(), own=actor.tenant.currency, wanted=wanted)
        except WorkspaceError as error:
            refused(form, error)
        else:
            judged = services.lines_judged(actor, sheet.lines)
            by_fate = {fate: [one for one in judged if one.fate is fate] for fate in Fate}
            good = [*by_fate[Fate.ADDED], *by_fate[Fate.CHANGED]]
            context = {
                "sheet": sheet,
                "own": actor.tenant.currency,
                "name": form.cleaned_data["file"].name,
                "counts": {fate.value: len(found) for fate, found in by_fate.items()},
                "parts": [(fate.value, found[:SHOWN_OF_EACH], len(found)) for fate, found in by_fate.items() if found],
                "shown": SHOWN_OF_EACH,
                "good": len(good),
                "lines": "\n".join(f"{one.currency};{one.on};{one.rate}" for one in good),
            }
            return render(request, "workspace/rate_file.html", context)
    return _page(request, file_form=form, status=422)


@access(SETTINGS)
@require_POST
def rate_take(request: MemberRequest) -> HttpResponse:
    """Take what the page before has shown. It is judged again: somebody may have set a rate meanwhile."""
    sent = request.POST.get("lines", "")
    try:
        lines: list[Line] = sheet_read(sent.encode(), own=request.actor.tenant.currency, wanted=()).lines
        counts = services.exchange_rates_import(request.actor, lines=lines)
    except WorkspaceError as error:
        messages.error(request, str(error.message))
        return redirect("settings:currencies")
    count = counts[Fate.ADDED] + counts[Fate.CHANGED]
    messages.success(
        request,
        ngettext("%(count)d rate is taken over.", "%(count)d rates are taken over.", count) % {"count": count},
    )
    return redirect("settings:currencies")


@access(SETTINGS)
@require_http_methods(FORM)
def currency_own(request: MemberRequest) -> HttpResponse:
    """Say what another currency of the workspace means for its rates and sums, then change it."""
    actor = request.actor
    data = request.POST if request.method == "POST" else request.GET
    form = CurrencyForm(data, own=actor.tenant.currency, prefix="own")
    if not form.is_valid():
        return _page(request, own_form=form, status=422)
    code = form.cleaned_data["currency"]
    if request.method == "POST":
        services.workspace_currency_change(actor, currency=code)
        messages.success(request, _("Sums are in %(currency)s from now on.") % {"currency": code})
        return HttpResponseRedirect(reverse("settings:currencies"))
    context = {
        "own": actor.tenant.currency,
        "code": code,
        "label": currency_label(code),
        "effect": services.rebase_preview(actor, code),
        "used": currencies_used(actor).get(actor.tenant.currency, 0),
    }
    return render(request, "workspace/currency_own.html", context)
