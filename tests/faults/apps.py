from django.apps import AppConfig


class FaultsConfig(AppConfig):
    """An app of the tests, which registers what the product's own do."""

    name = "tests.faults"

    def ready(self) -> None:
        from crm.records.events.dispatch import on
        from tests.faults.counting import count

        on("*", name="count", handler=count)
