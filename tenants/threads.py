"""Threads that speak for the same tenant as the one that started them."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from django.db import connections

from tenants.scopes import scope_copy, scope_resume


def in_scope[**P, R](work: Callable[P, R]) -> Callable[P, R]:
    """``work``, to be called in another thread: in the scope of now, with connections that are closed at its end."""
    scope, context = scope_copy(), copy_context()

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        def scoped() -> R:
            try:
                with scope_resume(scope):
                    return work(*args, **kwargs)
            finally:
                connections.close_all()

        return context.copy().run(scoped)

    return run


def run_together(work: Iterable[Callable[[], Any]], threads: int = 4) -> list[Any]:
    """Run each of ``work`` in a thread, in the scope of now; gives their results in order, raises the first error."""
    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(in_scope(one)) for one in work]]
