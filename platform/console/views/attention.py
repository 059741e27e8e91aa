"""What waits for an operator."""

from django.http import HttpResponse
from django.shortcuts import render

from console.access import page
from console.billing.attention import attention as found
from tenants.http import Request


@page
def attention(request: Request) -> HttpResponse:
    return render(request, "console/attention.html", {"found": found()})
