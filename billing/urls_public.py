"""Paths of billing on the public host."""

from django.urls import path

from billing.views.pricing import pricing

urlpatterns = [path("pricing/", pricing, name="pricing")]
