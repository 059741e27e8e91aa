"""The kinds of fields, and the families of kinds that several rooms ask for."""

from enum import StrEnum


class Kind(StrEnum):
    TEXT = "text"
    LONG_TEXT = "long_text"
    EMAILS = "emails"
    PHONES = "phones"
    URL = "url"
    INTEGER = "integer"
    DECIMAL = "decimal"
    MONEY = "money"
    CURRENCY = "currency"
    PERCENT = "percent"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    CHOICE = "choice"
    ADDRESS = "address"
    RELATION = "relation"
    MEMBER = "member"
    LINKS = "links"
    REFERENCE = "reference"
    REFERENCES = "references"
    JSON_LIST = "json_list"
    CONDITION = "condition"


FOREIGN_KEYS = frozenset({Kind.RELATION, Kind.MEMBER})
"""Their column is ``<slug>_id``."""
REFERRING = frozenset({Kind.REFERENCE, Kind.REFERENCES})
"""They name records of several types."""
KEYED = frozenset({Kind.EMAILS, Kind.PHONES})
"""An array of normalised keys stands beside them."""
NUMERIC = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.MONEY, Kind.PERCENT})
DATED = frozenset({Kind.DATE, Kind.DATETIME})
SEVERAL = frozenset({Kind.EMAILS, Kind.PHONES, Kind.LINKS, Kind.REFERENCES, Kind.JSON_LIST})
"""They hold a list."""
SORTABLE = frozenset(Kind) - SEVERAL - {Kind.LONG_TEXT, Kind.ADDRESS, Kind.REFERENCE, Kind.CONDITION}
UNIQUE = frozenset({Kind.TEXT, Kind.URL, Kind.INTEGER}) | KEYED
"""No two records may have the same, where the field says so."""
