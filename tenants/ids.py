"""Reading the ids that people and programs send."""

from uuid import UUID


def id_of(value: object) -> UUID | None:
    """The id that a value is or spells; None for what is no id."""
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
