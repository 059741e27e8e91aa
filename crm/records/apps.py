"""The engine that every noun runs on."""

from django.apps import AppConfig


class RecordsConfig(AppConfig):
    name = "crm.records"
    label = "records"

    def ready(self) -> None:
        from crm.records import checks, tasks, wakeups  # noqa: F401
        from crm.records.access import role_nouns
        from crm.records.display import presenting
        from crm.records.events import feed, timers
        from crm.records.jobs import bulk, export, jobs, notification_kinds, ownership_transfer  # noqa: F401
        from crm.records.lists import view_services
        from crm.records.read import currencies_used, reading
        from crm.records.schema.registry import registry
        from crm.records.write import undo
        from crm.workspace import hooks, permissions
        from tenants.hooks import record_type_of
        from tenants.work.wakeups import work_register

        work_register(wakeups.TIMERS, tasks.timers_fire, queue="timers", together=20)
        work_register(wakeups.EVENTS, tasks.events_drain, queue="interactive", nudged=wakeups.NUDGE_PAUSE)
        jobs.register("bulk", bulk.step)
        jobs.register("undo", bulk.undo_step)
        jobs.register("hand_over", ownership_transfer.step)
        jobs.register("export", export.export_step, reads=True)
        timers.register("export_expired", export.export_expired, unpaid=True)
        undo.taken_back_too.add("owners of views", view_services.views_back)
        hooks.event_note.register(feed.note)
        hooks.currencies_used.register(currencies_used.currencies_used)
        hooks.record_titles.register(reading.titles)
        hooks.records_in_sight.register(reading.visible_q)
        hooks.record_owner.register(reading.owner_of)
        hooks.record_address.register(presenting.record_url)
        permissions.role_nouns.register(role_nouns.role_nouns)
        record_type_of.register(lambda plural: registry.by_plural(plural).slug)
