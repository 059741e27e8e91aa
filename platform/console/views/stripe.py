"""Events of Stripe's, comparisons with it, and requests to it that got no answer."""

import json
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from billing.models import StripeEvent, StripeRequest
from console.access import page, step
from console.auditing import operator_of
from console.billing import overrides
from console.billing.forms import EventFilter
from console.billing.selectors import event_find, event_page, run_rows
from console.forms import ReasonForm
from console.views.billing import acted
from console.views.steps import step_page
from tenants.http import Request


@page
def events(request: Request) -> HttpResponse:
    form = EventFilter(request.GET)
    form.is_valid()
    chosen = {name: value for name, value in form.cleaned_data.items() if value}
    before = chosen.pop("before", None)
    found = event_page(**chosen, before=before)
    more = f"{reverse('console:events')}?{urlencode({**chosen, 'before': str(found.next)})}" if found.next else ""
    context = {"form": form, "page": found, "next": more, "narrowed": bool(chosen)}
    template = "console/events.html#rows" if request.htmx and before else "console/events.html"
    return render(request, template, context, status=422 if form.errors else 200)


def event_of(event_id: UUID) -> StripeEvent:
    found = event_find(event_id)
    if found is None:
        raise Http404
    return found


@page
def event(request: Request, event_id: UUID) -> HttpResponse:
    found = event_of(event_id)
    payload = json.dumps(found.payload, indent=2, ensure_ascii=False, sort_keys=True)
    return render(request, "console/event.html", {"event": found, "payload": payload})


@step
def event_replay(request: Request, event_id: UUID) -> HttpResponseBase:
    found = event_of(event_id)
    form = ReasonForm(request.POST or None, is_needed=False)
    if request.method == "POST" and form.is_valid():
        overrides.event_replay(operator_of(request), found, reason=form.reason)
        messages.success(request, _("The event is looked at again in a moment."))
        return redirect("console:event", event_id=found.id)
    text = _(
        "Its payload is only a hint: what it is about is fetched from Stripe again, so that nothing is done twice."
    )
    return step_page(
        request,
        None,
        form,
        title=_("Replay the event"),
        text=text,
        button=_("Replay"),
        cancel=reverse("console:event", args=[found.id]),
    )


@page
def drift(request: Request) -> HttpResponse:
    return render(request, "console/drift.html", {"rows": run_rows()})


@step
def reconcile(request: Request) -> HttpResponseBase:
    """Compares everything with Stripe, in the background."""
    form = ReasonForm(request.POST or None, is_needed=False)
    if request.method == "POST" and form.is_valid():
        overrides.reconcile_start(operator_of(request), reason=form.reason)
        messages.success(request, _("It has begun: this page shows how far it is and what it finds."))
        return redirect("console:drift")
    text = _("Missed events are fetched and every account is compared with Stripe. What differs is mended and listed.")
    return step_page(
        request,
        None,
        form,
        title=_("Compare with Stripe"),
        text=text,
        button=_("Begin"),
        cancel=reverse("console:drift"),
    )


@step
def request_finish(request: Request, request_id: UUID) -> HttpResponseBase:
    """Finds out at Stripe what became of a request that got no answer."""
    found = StripeRequest.objects.select_related("account__tenant").filter(id=request_id).first()
    if found is None:
        raise Http404
    tenant = found.account.tenant if found.account is not None else None
    form = ReasonForm(request.POST or None, is_needed=False)
    if request.method == "POST" and form.is_valid():
        done, state = acted(form, lambda: overrides.request_finish(operator_of(request), found, reason=form.reason))
        if done:
            was_done = state == StripeRequest.State.DONE
            messages.success(request, _("It was done.") if was_done else _("It was not done, and can be tried again."))
            return redirect("console:workspace", tenant.id) if tenant is not None else redirect("console:attention")
    text = _(
        "Stripe is asked what became of it. What can safely be sent again is sent again, with the same key, so that "
        "nothing is done twice; anything else counts as not done where Stripe does not have it."
    )
    return step_page(
        request,
        tenant,
        form,
        title=_("Finish the request"),
        text=text,
        button=_("Finish"),
        cancel=reverse("console:attention"),
    )
