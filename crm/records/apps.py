"""The engine that every noun runs on."""

from django.apps import AppConfig


class RecordsConfig(AppConfig):
    name = "crm.records"
    label = "records"

    def ready(self) -> None:
        from crm.records import checks, kinds  # noqa: F401
