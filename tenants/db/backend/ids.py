"""Ids as Postgres sends them, made into UUID objects: a page has hundreds, and uuid.UUID checks what needs no check."""

from typing import Any
from uuid import UUID, SafeUUID

from psycopg2.extensions import new_array_type, new_type, register_type

OID, ARRAY_OID = 2950, 2951
_make, _put, _safety = object.__new__, object.__setattr__, SafeUUID.unknown


def uuid_of(text: Any, cursor: Any = None) -> UUID | None:
    """The UUID of Postgres's text for one, which is always well formed."""
    if text is None:
        return None
    made = _make(UUID)
    _put(made, "int", int(text.replace("-", ""), 16))
    _put(made, "is_safe", _safety)
    return made


UUID_TYPE: Any = new_type((OID,), "UUID", uuid_of)
UUID_ARRAY_TYPE: Any = new_array_type((ARRAY_OID,), "UUID[]", UUID_TYPE)


def register(connection: Any) -> None:
    register_type(UUID_TYPE, connection)
    register_type(UUID_ARRAY_TYPE, connection)
