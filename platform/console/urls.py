"""The operator's pages, on the public host."""

from django.urls import path

from console.views import announcements, attention, audit, billing, figures, setups, steps, stripe, workspaces

app_name = "console"
urlpatterns = [
    path("", workspaces.workspaces, name="workspaces"),
    path("workspaces/<uuid:tenant_id>/", workspaces.workspace, name="workspace"),
    path("workspaces/<uuid:tenant_id>/setup/", steps.setup, name="setup"),
    path("workspaces/<uuid:tenant_id>/visit/", steps.visit, name="visit"),
    path("workspaces/<uuid:tenant_id>/visit/end/", steps.visit_end, name="visit_end"),
    *billing.urlpatterns,
    path("figures/", figures.figures, name="figures"),
    path("figures/revenue/", figures.revenue, name="revenue"),
    path("figures/movements/", figures.movements, name="movements"),
    path("figures/trials/", figures.trials, name="trials"),
    path("figures/churn/", figures.churn, name="churn"),
    path("figures/unpaid/", figures.unpaid, name="unpaid"),
    path("figures/seats/", figures.seats, name="seats"),
    path("events/", stripe.events, name="events"),
    path("events/<uuid:event_id>/", stripe.event, name="event"),
    path("events/<uuid:event_id>/replay/", stripe.event_replay, name="event_replay"),
    path("drift/", stripe.drift, name="drift"),
    path("drift/reconcile/", stripe.reconcile, name="reconcile"),
    path("requests/<uuid:request_id>/finish/", stripe.request_finish, name="request_finish"),
    path("attention/", attention.attention, name="attention"),
    path("setups/", setups.setups, name="setups"),
    path("announcements/", announcements.announcements, name="announcements"),
    path("announcements/new/", announcements.announcement_new, name="announcement_new"),
    path("announcements/<uuid:announcement_id>/end/", announcements.announcement_stop, name="announcement_stop"),
    path("audit/", audit.audit, name="audit"),
]
