"""Search texts and sort keys of rows that were written by an earlier fold, made anew: for migrations.

Everything is read from the columns by SQL, in batches that each lock their rows in the order of their ids and commit:
so writers wait for a moment at most, and what they write meanwhile is read. No part of a statement is typed by anybody.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from crm.records.fields.parsing import ADDRESS_PARTS
from crm.records.fields.phones import phone_read
from crm.records.query.expressions import ListedValues, SearchForm
from crm.records.query.folding import SPACED, UMLAUT
from crm.workspace.text.folding import Fold, FoldSpelled

BATCH_SIZE = 500
SEARCH_LIMIT = 60_000
NIL = UUID(int=0)
WITH_LETTERS = (
    "EXISTS (SELECT FROM jsonb_array_elements(phones) AS one WHERE one ->> 'value' ~ '[^-0-9+()./[:space:]]')"
)
MENTION = r"'@\[([^\[\]\n]{1,120})\]\(member:[0-9a-fA-F-]{36}\)', '@\1', 'g'"


def listed(column: str) -> str:
    """The values of EMAILS or PHONES with their keys."""
    values = ListedValues.template % {"expressions": column}
    return f"{values} || ' ' || array_to_string({column}_keys, ' ')"


def address(column: str) -> str:
    return f"concat_ws(' ', {', '.join(f"{column} ->> '{part}'" for part in ADDRESS_PARTS)})"


def refold(editor: BaseDatabaseSchemaEditor, table: str, title: str, *texts: str, also: str = "false") -> None:
    """Give a table's rows their search text of these SQL expressions, and their sort key of the title.

    Rows in plain ASCII have both already, unless they are long, or ``also`` (SQL) says that they are to be made too.
    """
    source = f"regexp_replace(concat_ws(' ', {', '.join((title, *texts))}), {MENTION})"
    each = "regexp_split_to_table(normalize(source, NFC), '\\s+') AS word"
    other = FoldSpelled.template % {"expressions": "word"}
    words = f"(SELECT string_agg({other}, ' ') FROM {each} WHERE word ~ '{UMLAUT.pattern}')"  # noqa: S608
    statement = f"""
        UPDATE {{table}} AS row
        SET search_text = left(made.search_text, {2 * SEARCH_LIMIT}), sort_name = made.sort_name
        FROM (
            SELECT id, {searched(f"left({folded('source')}, {SEARCH_LIMIT}) || ' ' || coalesce({words}, '')")}
                AS search_text,
                left(btrim(regexp_replace({folded("left(title, 400)")}, '\\s+', ' ', 'g')), 200) AS sort_name
            FROM (
                SELECT id, {source} AS source, regexp_replace({title}, {MENTION}) AS title
                FROM {{table}} WHERE id = ANY(%s) ORDER BY id FOR UPDATE
            ) AS locked
        ) AS made
        WHERE row.id = made.id
    """  # noqa: S608
    where = (
        f"octet_length({source}) <> char_length({source}) OR char_length({source}) > 19000 OR {source} ~ '`' OR {also}"
    )
    for ids in batches(editor, table, where):
        with transaction.atomic(using=editor.connection.alias), editor.connection.cursor() as cursor:
            cursor.execute(sql(statement, table), [ids])


def rekey_phones(editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Give phone numbers with an extension or other letters the keys that they have now."""
    for ids in batches(editor, table, WITH_LETTERS):
        with transaction.atomic(using=editor.connection.alias), editor.connection.cursor() as cursor:
            locked = sql("SELECT id, phones FROM {table} WHERE id = ANY(%s) ORDER BY id FOR UPDATE", table)
            cursor.execute(locked, [ids])
            for id, phones in cursor.fetchall():
                values = orjson.loads(phones) if isinstance(phones, str) else phones
                keys = dict.fromkeys(key for one in values for key in phone_read(one["value"], None).keys)
                cursor.execute(sql("UPDATE {table} SET phones_keys = %s WHERE id = %s", table), [list(keys), id])


def batches(editor: BaseDatabaseSchemaEditor, table: str, where: str) -> Iterator[list[Any]]:
    """The ids of the rows of a condition, in their order."""
    last: Any = NIL
    while True:
        with editor.connection.cursor() as cursor:
            statement = f"SELECT id FROM {{table}} WHERE id > %s AND ({where}) ORDER BY id LIMIT %s"  # noqa: S608
            cursor.execute(sql(statement, table), [last, BATCH_SIZE])
            ids = [id for (id,) in cursor.fetchall()]
        if not ids:
            return
        yield ids
        last = ids[-1]


def sql(statement: str, table: str) -> str:
    return statement.replace("{table}", f'"{table}"')


def folded(expression: str) -> str:
    return Fold.template % {"expressions": expression}


def searched(expression: str) -> str:
    return SearchForm.template % {"text": expression, "spaced": f"'{SPACED.pattern}'"}
