"""Workspaces whose setup stopped."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from console.access import page
from tenants.http import Request
from tenants.workspaces.finishing import unfinished


@page
def setups(request: Request) -> HttpResponse:
    return render(request, "console/setups.html", {"rows": unfinished(), "now": timezone.now()})
