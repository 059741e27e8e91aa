"""Search over all types at once, for the palette."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F, IntegerField, QuerySet, TextField, Value
from django.db.models.functions import Cast

from crm.records.access.targets import target_rows, target_type, titles
from crm.records.access.visibility import may_read, visible
from crm.records.query.expressions import Like, literal
from crm.records.query.folding import SHORT, SPACED, escape_like, sort_key
from crm.records.query.operands import MAX_TEXT
from crm.records.query.search_text import MAX_TERMS, search_q
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.mentions import plain
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.text.folding import fold, sought
from tenants.actors import Actor, Scope

EXCERPT = 120
EXCERPT_FROM = 60_000
WORDS_BEFORE = 4


@dataclass(frozen=True, slots=True)
class Hit:
    type: str
    id: UUID
    title: str
    subtitle: str = ""


def searchable_types(actor: Actor, *, texts: bool) -> list[RecordType]:
    """Types that the actor may look at and that have a place of their own, with ``texts`` also those that are only to
    be found."""
    found = (
        record_type for record_type in registry.all() if record_type.in_sidebar or (texts and record_type.in_search)
    )
    return [record_type for record_type in found if actor.scope(record_type.slug, "view") is not Scope.NONE]


def search_all(
    actor: Actor, text: str, limit: int = 8, *, only: Collection[str] = (), texts: bool = False
) -> list[Hit]:
    """The best hits among all types: first names that begin with the text, then whatever contains its words.

    One or two characters are looked for at the beginning of names only, unless they are words, as Chinese ones are.
    ``only`` names the types to look among; ``texts`` looks through notes too.
    """
    start = sort_key(text)
    types = [
        record_type for record_type in searchable_types(actor, texts=texts) if not only or record_type.slug in only
    ]
    too_much = len(text) > MAX_TEXT or len(set(text.split())) > MAX_TERMS
    if not start or not types or too_much or "\0" in text:
        return []
    parts = [part(actor, record_type, order, start, limit) for order, record_type in enumerate(types)]
    if len(start) >= SHORT or SPACED.search(start):
        parts += [part(actor, record_type, order, None, limit, text) for order, record_type in enumerate(types)]
    first, *others = parts
    found = first.union(*others, all=True) if others else first
    seen: dict[UUID, tuple[int, int, int, str]] = {}
    places: dict[tuple[int, int], int] = {}
    for rank, order, id, title in found:
        if id not in seen:
            place = places[rank, order] = places.get((rank, order), 0) + 1
            seen[id] = (rank, place, order, title)
    best = sorted(seen, key=lambda id: seen[id])[:limit]
    subtitles = subtitles_of(actor, types, [(seen[id][2], id) for id in best])
    return [Hit(types[seen[id][2]].slug, id, excerpt(seen[id][3], text), subtitles.get(id, "")) for id in best]


def part(
    actor: Actor, record_type: RecordType, order: int, start: str | None, limit: int, text: str = ""
) -> QuerySet[Any, Any]:
    """The hits of one type, as rank, type, id and title."""
    rows = visible(actor, record_type)
    if start is not None:
        rows = rows.filter(Like(F("sort_name"), literal(f"{escape_like(start)}%"))).order_by("sort_name", "pk")
    else:
        rows = rows.filter(search_q(actor, record_type, text)).order_by("-created_at", "-pk")
    found: QuerySet[Any, Any] = rows.annotate(
        hit_rank=Value(0 if start is not None else 1, IntegerField()),
        hit_type=Value(order, IntegerField()),
        hit_title=Cast(record_type.title, TextField()),
    ).values_list("hit_rank", "hit_type", "pk", "hit_title")
    return found[:limit]


def subtitles_of(actor: Actor, types: list[RecordType], hits: list[tuple[int, UUID]]) -> dict[UUID, str]:
    """The second line of the hits, in one query a type among them."""
    found: dict[UUID, str] = {}
    for order in {order for order, _id in hits}:
        record_type = types[order]
        one = subtitle_field(record_type)
        if one is None or not may_read(actor, record_type, one.slug):
            continue
        ids = [id for at, id in hits if at == order]
        if one.kind is Kind.REFERENCE:
            found |= reference_titles(actor, record_type, one, ids)
            continue
        if one.kind in {Kind.RELATION, Kind.MEMBER}:
            target = target_type(one.target)
            rows = record_type.model_class._default_manager.filter(
                pk__in=ids, **{f"{one.slug}__in": target_rows(actor, target)}
            )
            pairs = rows.values_list("pk", f"{one.slug}__{target.title}")
        else:
            pairs = record_type.model_class._default_manager.filter(pk__in=ids).values_list("pk", one.column)
        found |= {pk: subtitle_text(one.kind, value) for pk, value in pairs}
    return found


def subtitle_field(record_type: RecordType) -> Field | None:
    """What tells a hit from others: of a note the record that it is about."""
    if record_type.subtitle:
        return record_type.field(record_type.subtitle)
    return (
        next((one for one in record_type.fields if one.kind is Kind.REFERENCE), None) if record_type.in_search else None
    )


def reference_titles(actor: Actor, record_type: RecordType, one: Field, ids: list[UUID]) -> dict[UUID, str]:
    rows = record_type.model_class._default_manager.filter(pk__in=ids).values_list(
        "pk", f"{one.slug}_type", f"{one.slug}_id"
    )
    places = {pk: (name, id) for pk, name, id in rows if id}
    known = titles(actor, places.values())
    return {pk: known.get(place, "") for pk, place in places.items()}


def excerpt(title: str, text: str) -> str:
    """What a hit is called; of a long text the part in which the first of the words was found."""
    words = plain(title[:EXCERPT_FROM]).split()
    whole = " ".join(words)
    if len(whole) <= EXCERPT:
        return whole
    forms = sought((text.split() or [""])[0]).forms
    at = next((place for place, word in enumerate(words) if any(form in fold(word) for form in forms)), 0)
    first = max(0, at - WORDS_BEFORE)
    part = " ".join(words[first:])
    return f"{'…' if first else ''}{part if len(part) <= EXCERPT else f'{part[:EXCERPT]}…'}"


def subtitle_text(kind: Kind, value: object) -> str:
    if kind in {Kind.EMAILS, Kind.PHONES}:
        return str(value[0]["value"]) if isinstance(value, list) and value else ""
    return "" if value is None else str(value)
