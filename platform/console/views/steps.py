"""What operators do to one workspace: each a form with a reason, shown first and sent then."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from console.access import step
from console.auditing import Action, operator_of, step_noted
from console.forms import ReasonForm, VisitForm
from console.views.workspaces import tenant_of
from console.workspaces import visits
from tenants.accounts.session_handover import entry_url
from tenants.http import Request
from tenants.models import Tenant
from tenants.web.pages import leads_to_workspaces
from tenants.workspaces.finishing import UNFINISHED, setup_finish
from tenants.workspaces.support import SupportRefused


class SetupStopped(RuntimeError):
    """A setup that an operator went on with has stopped again; says why."""


def step_page(request: Request, tenant: Tenant | None, form: forms.Form, **words: Any) -> HttpResponse:
    """The form of a step: ``title``, ``text`` on what follows, and what the button says."""
    context = {"tenant_shown": tenant, "form": form, **words}
    return render(request, "console/step.html", context, status=422 if form.errors else 200)


def back(tenant: Tenant, request: Request, said: str) -> HttpResponseRedirect:
    messages.success(request, said)
    return redirect("console:workspace", tenant_id=tenant.id)


@step
def setup(request: Request, tenant_id: UUID) -> HttpResponseBase:
    """Goes on with a setup that stopped."""
    tenant = tenant_of(tenant_id)
    if tenant.state not in UNFINISHED:
        raise Http404
    form = ReasonForm(request.POST or None, is_needed=False)
    if request.method == "POST" and form.is_valid():
        try:
            with step_noted(operator_of(request), Action.SETUP_FINISHED, tenant_id=tenant.id, reason=form.reason):
                if problem := setup_finish(tenant):
                    raise SetupStopped(problem)
        except SetupStopped as stopped:
            form.add_error(None, _("It stopped again: %(problem)s") % {"problem": stopped})
        else:
            return back(tenant, request, _("The workspace is ready."))
    return step_page(
        request,
        tenant,
        form,
        title=_("Finish the setup"),
        text=_("It goes on where it stopped. What was done is not done again."),
        button=_("Go on"),
    )


@step
@leads_to_workspaces
def visit(request: Request, tenant_id: UUID) -> HttpResponseBase:
    """Goes into the workspace as one of its members."""
    tenant = tenant_of(tenant_id)
    form = VisitForm(request.POST or None, initial={"member": request.GET.get("member", "")}, tenant=tenant)
    if request.method == "POST" and form.is_valid():
        try:
            visits.visit_start(
                operator_of(request),
                tenant,
                user_id=UUID(form.cleaned_data["member"]),
                reason=form.cleaned_data["reason"],
            )
        except SupportRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            return HttpResponseRedirect(entry_url(tenant.ref()))
    return step_page(
        request,
        tenant,
        form,
        title=_("Sign in as a member"),
        text=_(
            "For an hour at most. Every page of the workspace says that you are there and why is in its audit. "
            "You see what the member sees; second factors, keys, members, roles and billing are closed to you."
        ),
        button=_("Sign in"),
        kind="danger-fill",
    )


@step
def visit_end(request: Request, tenant_id: UUID) -> HttpResponseBase:
    """Ends the visits of operators in the workspace, this operator's or another's."""
    tenant = tenant_of(tenant_id)
    form = ReasonForm(request.POST or None, is_needed=False)
    if request.method == "POST" and form.is_valid():
        count = visits.visits_end(operator_of(request), tenant, reason=form.reason)
        return back(tenant, request, _("The visit is over.") if count else _("It was over already."))
    return step_page(request, tenant, form, title=_("End the visit"), text=_("It is over at once."), button=_("End it"))
