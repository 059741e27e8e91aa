"""Paths of Settings → Billing on a workspace's host."""

from django.urls import path

from billing.views import account, overview, plan

app_name = "billing"
urlpatterns = [
    path("", overview.index, name="index"),
    path("invoices/", overview.invoices, name="invoices"),
    path("next/", account.upcoming, name="next"),
    path("plans/", plan.plans, name="plans"),
    path("change/<slug:price>/", plan.change, name="change"),
    path("return/<uuid:attempt_id>/", plan.returned, name="returned"),
    path("portal/", account.portal, name="portal"),
    path("contact/", account.contact, name="contact"),
    path("coupon/", account.coupon, name="coupon"),
    path("cancel/", account.leave, name="leave"),
    path("cancel/undo/", account.stay, name="stay"),
]
