"""Pages by key: a list goes on after the last row seen, so that no row repeats or is skipped while others change.

The id is always the last thing sorted by. Rows without a value come last, whichever the direction. A cursor is signed
and good only for the workspace, actor's list, filter and sort that it was made for.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db.models import BooleanField, Case, F, Func, IntegerField, OrderBy, Q, QuerySet, TextField, Value, When
from django.db.models.functions import NullIf
from django.db.models.lookups import Exact, GreaterThan, IsNull, LessThan
from django.utils.translation import gettext as _

from crm.records.errors import BadCursor, BadQuery
from crm.records.schema.field import SYSTEM_FIELDS, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType, nearest
from crm.workspace.text.folding import Fold

MAX_LIMIT = 500
MAX_SORTS = 4
SIGNATURE = 12


@dataclass(frozen=True, slots=True)
class SortKey:
    """One thing sorted by: a column, or else an expression. It is null for rows without a value when ``nullable``."""

    slug: str
    descending: bool
    expression: Any
    nullable: bool
    kind: Kind
    column: str = ""

    def order(self) -> OrderBy:
        return OrderBy(
            self.expression,
            descending=self.descending,
            nulls_last=True if self.nullable and self.descending else None,
        )


def sortable_fields(record_type: RecordType, hidden: frozenset[str] = frozenset()) -> list[str]:
    declared = [one.slug for one in record_type.shown_fields if one.sortable and one.slug not in hidden]
    return [*declared, *(slug for slug, one in SYSTEM_FIELDS.items() if one.sortable)]


def sort_keys(record_type: RecordType, sort: Sequence[str], hidden: frozenset[str] = frozenset()) -> list[SortKey]:
    """What the rows are sorted by, ending with the id. Raises BadQuery for a field that cannot be sorted by, such as
    one that is ``hidden`` from the reader."""
    wanted = tuple(sort) or record_type.default_sort
    if len(wanted) > MAX_SORTS:
        raise BadQuery(_("A list is sorted by %(most)d fields at most.") % {"most": MAX_SORTS}, param="sort")
    known = sortable_fields(record_type, hidden)
    keys = []
    seen: set[str] = set()
    for one in wanted:
        slug = one.removeprefix("-")
        if slug not in known:
            raise BadQuery(
                _("%(noun)s cannot be sorted by “%(field)s”.")
                % {"noun": str(record_type.label_plural), "field": slug if len(slug) <= 60 else f"{slug[:59]}…"},
                param="sort",
                nearest=nearest(slug, known),
                code="unknown_field",
            )
        if slug not in seen:
            seen.add(slug)
            keys.append(sort_key(record_type, slug, one.startswith("-")))
    return [*keys, SortKey("id", keys[-1].descending, F("id"), False, Kind.RELATION, "id")]


def sort_key(record_type: RecordType, slug: str, descending: bool) -> SortKey:
    field = record_type.field(slug)
    column = record_type.sort_column(slug)
    nullable = record_type.model_class._meta.get_field(column).null
    if slug == record_type.title:
        return SortKey(slug, descending, F(column), False, Kind.TEXT, column)
    if field.kind is Kind.CHOICE:
        return SortKey(slug, descending, choice_rank(column, field), True, Kind.INTEGER)
    if field.kind in {Kind.TEXT, Kind.URL, Kind.CURRENCY}:
        return SortKey(
            slug, descending, NullIf(Fold(F(column)), Value(""), output_field=TextField(null=True)), True, Kind.TEXT
        )
    return SortKey(slug, descending, F(column), nullable, field.kind, column)


def choice_rank(column: str, field: Field) -> Case:
    """Choices sort in the order they are declared in."""
    ranks = [When(**{column: choice.value}, then=Value(rank)) for rank, choice in enumerate(field.choices)]
    return Case(*ranks, default=None, output_field=IntegerField(null=True))


class Row(Func):
    """A row comparison, which an index over the same columns answers."""

    template = "(%(expressions)s)"


class RowBeyond(Func):
    template = "%(expressions)s"
    output_field = BooleanField()


VALUE_TYPES: dict[Kind, type] = {Kind.DATETIME: datetime, Kind.TEXT: str, Kind.RELATION: UUID}


def plain(keys: Sequence[SortKey]) -> bool:
    """Whether one row comparison says what comes after a row."""
    return len({key.descending for key in keys}) == 1 and not any(key.nullable for key in keys)


def value_types(keys: Sequence[SortKey]) -> tuple[type, ...] | None:
    """What a cursor's values are, where a statement can be prepared for them."""
    if not plain(keys) or not all(key.kind in VALUE_TYPES for key in keys):
        return None
    return tuple(VALUE_TYPES[key.kind] for key in keys)


def beyond(keys: Sequence[SortKey], values: Sequence[Any]) -> Q:
    """The rows that come after the one with these values."""
    if plain(keys):
        return Q(
            RowBeyond(
                Row(*(key.expression for key in keys), output_field=TextField()),
                Row(*map(Value, values), output_field=TextField()),
                arg_joiner=" < " if keys[0].descending else " > ",
            )
        )
    after = Q()
    equal = Q()
    for key, value in zip(keys, values, strict=True):
        if value is None:
            tie = Q(IsNull(key.expression, True))
        else:
            step = Q((LessThan if key.descending else GreaterThan)(key.expression, Value(value)))
            if key.nullable:
                step |= Q(IsNull(key.expression, True))
            after |= equal & step if equal else step
            tie = Q(Exact(key.expression, Value(value)))
        equal = equal & tie if equal else tie
    return after


def ordered(rows: QuerySet[Any], keys: Sequence[SortKey], after: Sequence[Any] | None) -> QuerySet[Any]:
    """The rows in order, from the one after ``after`` on."""
    if after is not None:
        rows = rows.filter(beyond(keys, after))
    return rows.order_by(*(key.order() for key in keys))


# -- cursors -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def signing_key(secret: str) -> bytes:
    return hashlib.sha256(b"rapport.cursor:" + secret.encode()).digest()


def signature(payload: bytes, bound_to: bytes) -> bytes:
    text = len(bound_to).to_bytes(4, "big") + bound_to + payload
    return hmac.digest(signing_key(settings.SECRET_KEY), text, "sha256")[:SIGNATURE]


def binding(*parts: Any) -> bytes:
    """What a cursor belongs to, as bytes."""
    return orjson.dumps(parts, default=str, option=orjson.OPT_SORT_KEYS)


def encode(values: Sequence[Any], bound_to: bytes) -> str:
    payload = orjson.dumps([as_text(value) for value in values])
    return base64.urlsafe_b64encode(signature(payload, bound_to) + payload).rstrip(b"=").decode()


def decode(cursor: str, keys: Sequence[SortKey], bound_to: bytes) -> list[Any]:
    """The values of the last row seen. Raises BadCursor for one that was not made here, or for another list."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadCursor from None
    given, payload = raw[:SIGNATURE], raw[SIGNATURE:]
    if not hmac.compare_digest(given, signature(payload, bound_to)):
        raise BadCursor
    return [from_text(key.kind, value) for key, value in zip(keys, orjson.loads(payload), strict=True)]


def as_text(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int) else str(value)


def from_text(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case Kind.DATETIME:
            return datetime.fromisoformat(value)
        case Kind.DATE:
            return date.fromisoformat(value)
        case Kind.DECIMAL | Kind.MONEY | Kind.PERCENT:
            return Decimal(value)
        case Kind.RELATION | Kind.MEMBER:
            return UUID(value)
    return value
