"""Workspaces whose setup stopped."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from console.access import page
from tenants.finishing import unfinished
from tenants.http import Request


@page
def setups(request: Request) -> HttpResponse:
    return render(request, "console/setups.html", {"rows": unfinished(), "now": timezone.now()})
