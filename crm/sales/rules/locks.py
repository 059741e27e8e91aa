"""Who waits for whom at pipelines and stages."""

from collections.abc import Iterable
from uuid import UUID

from crm.sales.models import Pipeline, Stage


def lock_pipelines(ids: Iterable[UUID]) -> None:
    """Wait for deals on their way into these pipelines, and keep others out until the end of the transaction."""
    list(Pipeline.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk").values_list("pk"))


def lock_pipelines_shared(ids: Iterable[UUID]) -> None:
    """Keep other admins from these pipelines until the end of the transaction; deals still come and go."""
    list(Pipeline.objects.select_for_update(no_key=True).filter(pk__in=list(ids)).order_by("pk").values_list("pk"))


def stages_lock(ids: Iterable[UUID]) -> None:
    """Wait for deals on their way into these stages, and keep others out until the end of the transaction."""
    list(Stage.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk").values_list("pk"))
