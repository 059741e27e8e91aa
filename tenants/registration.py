"""How a higher floor gives a lower one what only it has: by a typed call in its app's ``ready()``.

A :class:`Hook` is one function, a :class:`Table` things of one sort by their names. Neither goes by the order in which
apps are installed.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import update_wrapper

from django.core.exceptions import ImproperlyConfigured


class NotRegistered(ImproperlyConfigured):
    """No installed app does what was asked for."""


class Hook[**P, R]:
    """A function that a lower floor calls and one app above it provides. Made by decorating a function, which gives
    the types and the docstring, and runs where no app has registered: it raises NotRegistered or does without."""

    __name__: str

    def __init__(self, declared: Callable[P, R]) -> None:
        self._declared = declared
        self._provided: Callable[P, R] | None = None
        update_wrapper(self, declared)

    def register(self, provided: Callable[P, R]) -> None:
        """Have ``provided`` do the work. Raises ImproperlyConfigured when something else does it already."""
        if self._provided is not None:
            raise ImproperlyConfigured(f"{self.__module__}.{self.__name__} is registered already.")
        self._provided = provided

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return (self._provided or self._declared)(*args, **kwargs)


class Table[T](Mapping[str, T]):
    """What apps have registered of one sort, in the order of the names."""

    def __init__(self, what: str) -> None:
        """``what`` says in the singular what is registered, for messages: ``timer``."""
        self.what = what
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> None:
        """Raises ImproperlyConfigured when the name is taken."""
        if name in self._entries:
            raise ImproperlyConfigured(f"There is a {self.what} named {name!r} already.")
        self._entries[name] = entry

    def __getitem__(self, name: str) -> T:
        try:
            return self._entries[name]
        except KeyError:
            raise KeyError(f"There is no {self.what} named {name!r}.") from None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
