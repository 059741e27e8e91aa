"""What the conditions of the query language are made of in SQL, where Django has no word for it."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db.models import BooleanField, Func, Q, TextField, Value


class NotTrue(Func):
    """True where its condition is false or unknown."""

    output_field = BooleanField()
    arity = 1

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        try:
            sql, params = compiler.compile(self.source_expressions[0])
        except EmptyResultSet:
            raise FullResultSet from None
        except FullResultSet:
            raise EmptyResultSet from None
        return f"(({sql}) IS NOT TRUE)", tuple(params)


class StartsWith(Func):
    function = "starts_with"
    arity = 2
    output_field = BooleanField()


class Overlap(Func):
    template = "(%(expressions)s)"
    arg_joiner = " && "
    output_field = BooleanField()
    arity = 2


class TextArray(Func):
    template = "ARRAY[%(expressions)s]::text[]"


class JsonHas(Func):
    template = "(%(expressions)s)"
    arg_joiner = " @> "
    output_field = BooleanField()
    arity = 2


class JsonText(Func):
    template = "to_jsonb(%(expressions)s::text)"
    arity = 1


def literal(text: str) -> Value:
    return Value(text, output_field=TextField())


def false() -> Q:
    return Q(Value(False, output_field=BooleanField()))


def negated(condition: Any) -> Q:
    return Q(NotTrue(condition))


class KeyLike(Func):
    """Whether one of the keys is like a pattern."""

    template = "EXISTS (SELECT FROM unnest(%(keys)s) AS key WHERE ltrim(key, '+') LIKE %(pattern)s)"
    output_field = BooleanField()
    arity = 2

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        (keys_sql, keys_params), (like_sql, like_params) = map(compiler.compile, self.source_expressions)
        return self.template % {"keys": keys_sql, "pattern": like_sql}, (*keys_params, *like_params)


def join_any(conditions: Iterable[Q]) -> Q:
    found = list(conditions)
    if not found:
        return false()
    first, *more = found
    for one in more:
        first |= one
    return first


class SearchForm(Func):
    """``folding.search_form`` of a folded text, in SQL."""

    template = "(' ' || btrim(regexp_replace(regexp_replace(%(text)s, %(spaced)s, ' \\1 ', 'g'), '\\s+', ' ', 'g')))"
    output_field = TextField()
    arity = 2

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        (text, text_params), (spaced, spaced_params) = map(compiler.compile, self.source_expressions)
        return self.template % {"text": text, "spaced": spaced}, (*text_params, *spaced_params)


class ListedValues(Func):
    """The values of a JSON list of ``{"value", "label"}``, one behind the other."""

    template = (
        "coalesce((SELECT string_agg(one ->> 'value', ' ') FROM jsonb_array_elements(%(expressions)s) AS one), '')"
    )
    output_field = TextField()
    arity = 1


class Joined(Func):
    """A text array as one text."""

    template = "coalesce(array_to_string(%(expressions)s, ' '), '')"
    output_field = TextField()
    arity = 1


class Like(Func):
    template = "(%(expressions)s)"
    arg_joiner = " LIKE "
    arity = 2
    output_field = BooleanField()
