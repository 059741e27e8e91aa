"""Paths of Settings → Billing on a workspace's host."""

from django.urls import path

from billing.views import overview

app_name = "billing"
urlpatterns = [
    path("", overview.index, name="index"),
    path("invoices/", overview.invoices, name="invoices"),
]
