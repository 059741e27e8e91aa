"""The first page that anybody sees."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tenants.http import Request
from tenants.web.access import PUBLIC, access


@access(PUBLIC)
@require_safe
def landing(request: Request) -> HttpResponse:
    return render(request, "public/landing.html")
