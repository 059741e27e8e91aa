"""The search text of a row: what it is made of, and the condition that a typed search is on it."""

from collections.abc import Sequence
from typing import Any

from django.db.models import F, Q, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Concat
from django.utils.translation import gettext as _

from crm.records.access.visibility import hidden_slugs
from crm.records.errors import BadQuery
from crm.records.fields.normalising import region_of
from crm.records.fields.parsing import ADDRESS_PARTS
from crm.records.models import Record
from crm.records.query.expressions import Joined, Like, ListedValues, SearchForm, join_any, literal
from crm.records.query.folding import SPACED, search_form, search_patterns, sort_key
from crm.records.query.operands import MAX_TEXT
from crm.records.schema import mentions
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.workspace.text.folding import Fold, FoldSpelled
from tenants.actors import Actor

MAX_TERMS = 40
SEARCH_LIMIT = 60_000
SEARCHED = {Kind.TEXT, Kind.LONG_TEXT, Kind.URL, Kind.CHOICE}


def derive(record_type: RecordType, record: Record) -> list[str]:
    """Set what searches and sorting look at."""
    parts: list[str] = []
    for one in record_type.fields:
        if not one.searchable:
            continue
        value = getattr(record, one.column)
        if one.kind in SEARCHED:
            parts.append(mentions.plain(str(value or "")))
        elif one.kind is Kind.ADDRESS:
            parts.extend(value.values())
        elif one.keys_column:
            parts.extend(item["value"] for item in value)
            parts.extend(getattr(record, one.keys_column))
    record.search_text = search_form(parts, SEARCH_LIMIT)
    record.sort_name = sort_key(mentions.plain(str(getattr(record, record_type.title) or ""))[:400])
    return ["search_text", "sort_name"]


def search_q(actor: Actor, record_type: RecordType, text: str) -> Q:
    """Rows whose search text has every term; one or two characters are looked for at the beginning of words.

    ``search_text`` has what all may search. Where the role hides a searched field, each term must be in one of the
    others too, so that nobody finds a record by what they may not read.
    """
    if len(text) > MAX_TEXT or "\0" in text:
        raise BadQuery(_("This text cannot be searched for."), param="search", code="bad_value")
    places: list[Any] = [F("search_text")]
    hidden = hidden_slugs(actor, record_type)
    if any(one.searchable and one.slug in hidden for one in record_type.fields):
        places.append(searched_text([one for one in record_type.fields if one.searchable and one.slug not in hidden]))
    if len(set(text.split())) > MAX_TERMS:
        message = _("Search for %(most)d words at most.") % {"most": MAX_TERMS}
        raise BadQuery(message, param="search", code="too_many")
    condition = Q()
    has_phones = any(one.searchable and one.kind is Kind.PHONES for one in record_type.fields)
    for group in search_patterns(text, region_of(actor.tenant), has_phones=has_phones):
        for place in places:
            condition &= join_any(Q(Like(place, literal(pattern))) for pattern in group)
    return condition


def searched_text(fields: Sequence[Field]) -> "SearchForm":
    """What these fields give to the search text of a row, in the same form, with all of it spelled out behind."""
    parts: list[Any] = []
    for one in fields:
        if one.kind is Kind.ADDRESS:
            parts += [Coalesce(KeyTextTransform(key, one.column), literal("")) for key in ADDRESS_PARTS]
        elif one.keys_column:
            parts += [ListedValues(F(one.column)), Joined(F(one.keys_column))]
        else:
            parts.append(Coalesce(Cast(F(one.column), TextField()), literal("")))
    spaced: list[Any] = [part for pair in zip(parts, [literal(" ")] * len(parts), strict=True) for part in pair]
    whole = Concat(literal(""), literal(""), *spaced, output_field=TextField())
    both = Concat(Fold(whole), literal(" "), FoldSpelled(whole), output_field=TextField())
    return SearchForm(both, literal(SPACED.pattern))
