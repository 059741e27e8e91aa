"""Settings → Security: whether members need a second factor."""

from typing import cast

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from crm.workspace.people.selectors import active_members
from tenants.actors import Actor
from tenants.http import Request
from tenants.web.access import access, needs
from tenants.workspaces.settings import (
    SecondFactorRefused,
    second_factor_release,
    second_factor_require,
    second_factor_state,
)

GRACE = (
    (0, gettext_lazy("at once")),
    (3, gettext_lazy("in 3 days")),
    (7, gettext_lazy("in 7 days")),
    (14, gettext_lazy("in 14 days")),
    (30, gettext_lazy("in 30 days")),
)


class RequireForm(forms.Form):
    days = forms.TypedChoiceField(
        label=gettext_lazy("Nobody enters without"), choices=GRACE, coerce=int, initial=7, required=True
    )


@require_http_methods(["GET", "HEAD", "POST"])
@access(needs("workspace", "settings"))
def security(request: Request) -> HttpResponse:
    actor = cast(Actor, request.actor)
    form = RequireForm(request.POST if request.method == "POST" and "days" in request.POST else None)
    if request.method == "POST" and request.POST.get("release") == "1":
        second_factor_release(actor)
        messages.success(request, _("Members need no second factor any more."))
        return redirect("settings:security")
    if request.method == "POST" and form.is_valid():
        try:
            second_factor_require(actor, days=form.cleaned_data["days"])
        except SecondFactorRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Members without a second factor are led to set one up."))
            return redirect("settings:security")
    state = second_factor_state(actor)
    members = list(active_members())
    context = {
        "form": form,
        "state": state,
        "holds": state.since is not None and state.since <= timezone.now(),
        "mine": actor.member_id not in state.without,
        "without": [one for one in members if one.id in state.without],
        "members": len(members),
    }
    return render(request, "workspace/security.html", context, status=422 if form.errors else 200)
