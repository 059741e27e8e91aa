"""Settings → Support access: letting operators in, seeing who came, and ending it."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from tenants.accounts.session_handover import safe_path
from tenants.accounts.support_ends import consent_withdraw, visits_end
from tenants.http import MemberRequest
from tenants.web.access import MEMBER, access
from tenants.web.tenant_views import visit_leave
from tenants.workspaces.support import CONSENT_HOURS, consent_give, support_of


class ConsentForm(forms.Form):
    hours = forms.TypedChoiceField(
        label=gettext_lazy("For how long"),
        coerce=int,
        initial=4,
        choices=[(one, ngettext_lazy("%d hour", "%d hours", one) % one) for one in CONSENT_HOURS],
    )


@require_http_methods(["GET", "HEAD", "POST"])
@access(MEMBER, writes_unpaid=True, serves_suspended=True)
def support(request: MemberRequest) -> HttpResponse:
    actor = request.actor
    form = ConsentForm(request.POST if request.method == "POST" and "hours" in request.POST else None)
    if request.method == "POST" and request.POST.get("withdraw") == "1":
        consent_withdraw(actor)
        messages.success(request, _("Support comes in no more without a written reason."))
        return redirect("settings:support")
    if request.method == "POST" and form.is_valid():
        consent_give(actor, hours=form.cleaned_data["hours"])
        messages.success(request, _("Support may come in as you."))
        return redirect("settings:support")
    consent, visits = support_of(actor)
    context = {"form": form, "consent": consent, "visits": visits, "sees_all": actor.can("workspace", "owners")}
    return render(request, "workspace/support.html", context, status=422 if form.errors else 200)


@require_POST
@access(MEMBER, writes_unpaid=True, serves_suspended=True)
def support_end(request: MemberRequest) -> HttpResponse:
    """Ends the visits that the member may end, at once; an operator's on a visit is that one."""
    if request.visit is not None:
        return visit_leave(request)
    if visits_end(request.actor):
        messages.success(request, _("Support has left."))
    else:
        messages.info(request, _("Support had left already."))
    return HttpResponseRedirect(safe_path(request.POST.get("next")))
