from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ActivitiesConfig(AppConfig):
    name = "crm.activities"
    label = "activities"
    verbose_name = _("Activities")

    def ready(self) -> None:
        from crm.activities import kinds, types  # noqa: F401
        from crm.activities.feeds import feed_drop_since
        from tenants.hooks import member_secrets_drop

        member_secrets_drop.register(feed_drop_since)
