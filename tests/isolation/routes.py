"""Every route there is, and addresses for each with the ids of given records."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import URLPattern, URLResolver, get_resolver


@dataclass(frozen=True)
class Route:
    urlconf: str
    path: str
    view: Any
    parameters: frozenset[str]


def routes(urlconf: str) -> list[Route]:
    return list(_walk(urlconf, get_resolver(urlconf), "", frozenset()))


def _walk(urlconf: str, resolver: URLResolver, before: str, given: frozenset[str]) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        path, parameters = before + str(entry.pattern), given | frozenset(entry.pattern.converters)
        if isinstance(entry, URLPattern):
            yield Route(urlconf, path, entry.callback, parameters)
        else:
            yield from _walk(urlconf, entry, path, parameters)


@dataclass(frozen=True)
class Thing:
    """A record by the plural that stands in URLs."""

    plural: str
    id: UUID
    field: str


def addresses(route: Route, things: list[Thing], others: dict[str, Any]) -> list[str]:
    """The route's paths: one for each thing where it names a noun, else one; empty where we know no value.

    ``others`` are values of further parameters, such as ``change_set``.
    """
    found = []
    for thing in things if route.parameters & {"noun", "id", "record_id", "field"} else things[:1]:
        text = route.path
        values: dict[str, str] = {name: str(value) for name, value in others.items()}
        values |= {"noun": thing.plural, "id": str(thing.id), "record_id": str(thing.id), "field": thing.field}
        if "noun" not in route.parameters and f"{thing.plural}/" not in text and "record_id" in route.parameters:
            continue
        for kind in ("uuid", "slug", "str", "int"):
            for name in route.parameters:
                if name in values:
                    text = text.replace(f"<{kind}:{name}>", values[name])
        if "<" not in text and "^" not in text:
            found.append("/" + text)
    return found
