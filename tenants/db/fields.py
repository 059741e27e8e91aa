"""Keys that Postgres makes."""

from typing import Any

from django.db import models
from django.db.models.functions import UUID7


class UUIDv7(UUID7):
    """Postgres 18's ``uuidv7()``, as a column default."""


class UUIDKey(models.UUIDField):  # type: ignore[type-arg]
    """A primary key that the database fills in with a time-ordered UUID, so that no two tenants share one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["primary_key"] = True
        kwargs["editable"] = False
        kwargs["db_default"] = UUIDv7()
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        for made in ("primary_key", "editable", "db_default"):
            kwargs.pop(made, None)
        return name, path, list(args), kwargs


class CurrentUser(models.Func):
    """The role that speaks."""

    template = "CURRENT_USER"
    arity = 0
    output_field = models.TextField()
