"""What a resource is to the server: routes, each a method, an address, the parameters it takes and the function that
answers.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from embedded.stripe.params import Schema
from embedded.stripe.store import Body, Store


@dataclass(frozen=True)
class Route:
    """``answer(store, params, *ids)`` with the ids of the address in their order; ``expand`` is taken by every
    route.
    """

    method: str
    path: str
    answer: Callable[..., Body]
    params: Schema = field(default_factory=dict)

    def matches(self, method: str, path: str) -> tuple[str, ...] | None:
        if method != self.method:
            return None
        found = re.fullmatch(re.sub(r"\{\w+\}", "([^/]+)", self.path), path)
        return found.groups() if found else None


def retrieving(kind: str) -> Callable[[Store, Body, str], Body]:
    def answer(store: Store, _params: Body, identity: str) -> Body:
        return store.get(kind, identity)

    return answer


def listing_of(kind: str, url: str, *filters: str) -> Callable[[Store, Body], Body]:
    """A list narrowed by those parameters that are fields of the object."""

    def answer(store: Store, params: Body) -> Body:
        equal: dict[str, Any] = {name: params[name] for name in filters if name in params}
        return store.page(kind, params, url, **equal)

    return answer
