"""Which of the databases a request of the naive reference is about."""

from contextvars import ContextVar
from typing import Any

size: ContextVar[str] = ContextVar("size", default="small")


class SizeRouter:
    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return size.get() if model._meta.app_label == "reference" else None

    db_for_write = db_for_read
