from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        from billing.accounts.services import account_provision
        from billing.checkout.seat_sales import SeatSales
        from billing.plans.offers import plan_offering
        from billing.seats import seats_changed
        from tenants.workspaces.limits import plan_with
        from tenants.workspaces.memberships import members_changed
        from tenants.workspaces.provisioning import provisioner_register
        from tenants.workspaces.seat_offers import seat_seller

        members_changed.register(seats_changed)
        plan_with.register(plan_offering)
        seat_seller.register(SeatSales)
        provisioner_register("billing", account_provision, order=30)
