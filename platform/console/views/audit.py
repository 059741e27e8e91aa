"""What operators looked at and did."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from console.access import page
from console.auditing import entry_page
from console.forms import AuditFilter
from tenants.http import Request


@page
def audit(request: Request) -> HttpResponse:
    form = AuditFilter(request.GET)
    form.is_valid()
    chosen = {name: value for name, value in form.cleaned_data.items() if value}
    before = chosen.pop("before", None)
    found = entry_page(**chosen, before=before)
    more = f"{reverse('console:audit')}?{urlencode({**chosen, 'before': str(found.next)})}" if found.next else ""
    context = {"form": form, "page": found, "next": more, "narrowed": bool(chosen)}
    template = "console/audit.html#rows" if request.htmx and before else "console/audit.html"
    return render(request, template, context, status=422 if form.errors else 200)
