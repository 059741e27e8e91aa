"""Settings → Audit."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from crm.records.errors import NotFound
from crm.records.events import audit
from crm.workspace.people.forms import choose
from crm.workspace.people.plan_needs import feature_need
from crm.workspace.people.selectors import present_members
from crm.workspace.text.folding import BY_NAME
from tenants.http import MemberRequest
from tenants.web.access import MEMBER, access
from tenants.workspaces.limits import plan_with


class AuditForm(forms.Form):
    member = forms.ChoiceField(label=_("Person"), required=False)
    kind = forms.ChoiceField(label=_("Kind"), required=False)
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("Until"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    before = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = present_members().order_by("state", BY_NAME, "id").values_list("id", "name")
        choose(
            self,
            member=[("", _("Everybody")), *((str(key), name) for key, name in people)],
            kind=[("", _("Everything")), *((slug, label) for slug, (label, _nouns) in audit.KINDS.items())],
        )


@access(MEMBER)
@require_GET
def audit_page(request: MemberRequest) -> HttpResponse:
    """Who did what, for those who may see it; to others there is no such page."""
    if not request.actor.can("workspace", "audit"):
        raise Http404
    need = feature_need(request.actor, "audit_log")
    if need is not None:
        return render(request, "people/audit.html", {"need": need}, status=402)
    form = AuditForm(request.GET)
    form.is_valid()
    chosen = {name: value for name, value in form.cleaned_data.items() if value}
    member = chosen.pop("member", None)
    try:
        page = audit.audit_page(request.actor, member_id=UUID(member) if member else None, **chosen)
    except NotFound:
        raise Http404 from None
    kept = {
        name: form.data.get(name, "") for name in ("member", "kind", "since", "until") if form.cleaned_data.get(name)
    }
    more = f"{reverse('settings:audit')}?{urlencode({**kept, 'before': str(page.next)})}" if page.next else ""
    days = request.actor.tenant.limits.get("history_days", 0)
    plan = plan_with("history_days", days) if page.is_cut else ""
    context = {
        "form": form,
        "plan": plan,
        "page": page,
        "next": more,
        "narrowed": bool(kept),
        "later": "before" in chosen,
    }
    template = "people/audit.html#rows" if request.htmx and "before" in chosen else "people/audit.html"
    return render(request, template, context, status=422 if form.errors else 200)
