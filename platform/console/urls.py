"""The operator's pages, on the public host."""

from django.urls import path

from console.views import announcements, attention, audit, billing, figures, setups, steps, workspaces

app_name = "console"
urlpatterns = [
    path("", workspaces.workspaces, name="workspaces"),
    path("workspaces/<uuid:tenant_id>/", workspaces.workspace, name="workspace"),
    path("workspaces/<uuid:tenant_id>/setup/", steps.setup, name="setup"),
    path("workspaces/<uuid:tenant_id>/visit/", steps.visit, name="visit"),
    path("workspaces/<uuid:tenant_id>/visit/end/", steps.visit_end, name="visit_end"),
    path("workspaces/<uuid:tenant_id>/suspend/", billing.suspend, name="suspend"),
    path("workspaces/<uuid:tenant_id>/resume/", billing.resume, name="resume"),
    path("workspaces/<uuid:tenant_id>/trial/", billing.trial_extend, name="trial_extend"),
    path("workspaces/<uuid:tenant_id>/contract/", billing.contract, name="contract"),
    path("workspaces/<uuid:tenant_id>/contract/end/", billing.contract_end, name="contract_end"),
    path("workspaces/<uuid:tenant_id>/coupon/", billing.coupon, name="coupon"),
    path("workspaces/<uuid:tenant_id>/fetch/", billing.account_reconcile, name="account_reconcile"),
    path("workspaces/<uuid:tenant_id>/attention/", billing.attention_done, name="attention_done"),
    path("figures/", figures.figures, name="figures"),
    path("figures/revenue/", figures.revenue, name="revenue"),
    path("figures/movements/", figures.movements, name="movements"),
    path("figures/trials/", figures.trials, name="trials"),
    path("figures/churn/", figures.churn, name="churn"),
    path("figures/unpaid/", figures.unpaid, name="unpaid"),
    path("figures/seats/", figures.seats, name="seats"),
    path("events/", billing.events, name="events"),
    path("events/<uuid:event_id>/", billing.event, name="event"),
    path("events/<uuid:event_id>/replay/", billing.event_replay, name="event_replay"),
    path("drift/", billing.drift, name="drift"),
    path("drift/reconcile/", billing.reconcile, name="reconcile"),
    path("attention/", attention.attention, name="attention"),
    path("setups/", setups.setups, name="setups"),
    path("announcements/", announcements.announcements, name="announcements"),
    path("announcements/new/", announcements.announcement_new, name="announcement_new"),
    path("announcements/<uuid:announcement_id>/end/", announcements.announcement_stop, name="announcement_stop"),
    path("audit/", audit.audit, name="audit"),
]
