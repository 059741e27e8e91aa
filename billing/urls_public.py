"""Paths of billing on the public host."""

from django.urls import path

from billing.views.pricing import pricing
from billing.webhooks import webhook

urlpatterns = [
    path("pricing/", pricing, name="pricing"),
    path("billing/webhooks/stripe/", webhook, name="stripe_webhook"),
]
