from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ActivitiesConfig(AppConfig):
    name = "crm.activities"
    label = "activities"
    verbose_name = _("Activities")

    def ready(self) -> None:
        from crm.activities import handlers, notification_kinds, page_sections, timers, types  # noqa: F401
        from crm.activities.calendar.feeds import feed_drop_since
        from crm.records.events.dispatch import on
        from crm.records.lists.record_page import part_register
        from tenants.hooks import member_secrets_drop

        member_secrets_drop.register(feed_drop_since)
        timers.register()
        part_register("series", page_sections.series, slot="header", order=20)
        part_register("guests", page_sections.guests, slot="header", order=30)
        part_register("reply", page_sections.reply, slot="header", order=40)
        part_register("activity", page_sections.activity, slot="centre", order=10)
        on("*.created", "*.updated", name="assignments", handler=handlers.assignment_told)
        on("*.created", "*.updated", name="mentions", handler=handlers.mentions_told)
        on("meeting.*", name="invitations", handler=handlers.invitation_told)
        on("meeting.replied", name="replies", handler=handlers.reply_told)
        on("settings.updated", "member.updated", name="clocks", handler=handlers.clocks_followed)
