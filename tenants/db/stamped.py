"""Instances that know their schema, so that none is read in one tenant and saved in another."""

from collections.abc import Iterable
from typing import Any, ClassVar, Self

from django.db import DEFAULT_DB_ALIAS, connections, models


class WrongSchema(RuntimeError):
    """An object of one schema was about to be written in another."""


def schema_of_connection(using: str | None) -> str | None:
    return getattr(connections[using or DEFAULT_DB_ALIAS], "schema_name", None)


def check_stamps(instances: Iterable[models.Model], using: str | None = None) -> None:
    """Raise WrongSchema when one of ``instances`` was read or saved in another schema than the connection's."""
    schema = schema_of_connection(using)
    for instance in instances:
        stamp = getattr(instance._state, "schema", None)
        if stamp is not None and stamp != schema:
            raise WrongSchema(f"{instance._meta.label} of {stamp} cannot be written in {schema}.")


class StampedQuerySet[M: models.Model](models.QuerySet[M]):
    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        wanted = list(objs)
        check_stamps(wanted, self.db)
        made = super().bulk_create(wanted, *args, **kwargs)
        for instance in made:
            instance._state.schema = schema_of_connection(self.db)  # type: ignore[attr-defined]
        return made

    def bulk_update(self, objs: Iterable[M], fields: Iterable[str], batch_size: int | None = None) -> int:
        wanted = list(objs)
        check_stamps(wanted, self.db)
        return super().bulk_update(wanted, fields, batch_size)


class StampedManager[M: models.Model](models.Manager[M]):
    """The manager of ``StampedQuerySet``."""

    def get_queryset(self) -> StampedQuerySet[M]:
        return StampedQuerySet(self.model, using=self._db, hints=self._hints)  # type: ignore[attr-defined]


class StampedModel(models.Model):
    """A row of a tenant; refuses to be saved, deleted or refreshed in another one's schema."""

    objects: ClassVar[StampedManager[Self]] = StampedManager()

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any, **kwargs: Any) -> Self:
        instance = super().from_db(db, field_names, values, **kwargs)
        instance._state.schema = schema_of_connection(db)  # type: ignore[attr-defined]
        return instance

    def save_base(self, raw: bool = False, *args: Any, using: str | None = None, **kwargs: Any) -> None:
        check_stamps((self,), using)
        super().save_base(raw, *args, using=using, **kwargs)  # type: ignore[misc]
        self._state.schema = schema_of_connection(using)  # type: ignore[attr-defined]

    def delete(self, using: Any = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        check_stamps((self,), using)
        return super().delete(using=using, keep_parents=keep_parents)

    def refresh_from_db(self, using: str | None = None, *args: Any, **kwargs: Any) -> None:
        check_stamps((self,), using)
        super().refresh_from_db(using, *args, **kwargs)
