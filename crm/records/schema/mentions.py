"""Members mentioned in long texts, stored as ``@[Ann Lee](member:<id>)``: the id says who, the name what was typed."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from crm.workspace.models import Member

MENTION = re.compile(
    r"@\[([^\[\]\n]{1,120})\]\(member:([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    color: str


type People = Mapping[UUID, Person]


def mentioned(text: str) -> set[UUID]:
    """The ids that a text mentions, whether there are such members or not."""
    return {UUID(found[2]) for found in MENTION.finditer(text)} if "@[" in text else set()


def people(texts: Iterable[str]) -> People:
    """The members whom the texts mention, as they are called now: one query, and none where nobody is mentioned."""
    ids = set().union(*(mentioned(text) for text in texts))
    if not ids:
        return {}
    rows = Member.objects.filter(pk__in=ids).values_list("pk", "name", "color")
    return {pk: Person(name, color) for pk, name, color in rows}


def plain(text: str) -> str:
    """The text with names alone, as they were typed: for titles, mails and the search index."""
    return MENTION.sub(lambda found: f"@{found[1]}", text) if "@[" in text else text


def html(text: str, known: People) -> SafeString:
    """The text escaped, with a chip for each member it mentions; who is none is shown as they were typed."""
    parts: list[str] = []
    place = 0
    for found in MENTION.finditer(text):
        parts.append(escape(text[place : found.start()]))
        person = known.get(UUID(found[2]))
        if person is None:
            parts.append(escape(f"@{found[1]}"))
        else:
            parts.append(format_html('<span class="mention" data-color="{}">@{}</span>', person.color, person.name))
        place = found.end()
    parts.append(escape(text[place:]))
    return mark_safe("".join(parts))  # noqa: S308 - every part is escaped above
