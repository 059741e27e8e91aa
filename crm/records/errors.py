"""What a person can cause: each error has a status, a code and a message to show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

type Text = str | Promise


class RecordError(Exception):
    """Base of all errors of the engine that are the caller's to show."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "error"
    message: Text = _("This could not be done.")

    def __init__(self, message: Text = "") -> None:
        if message:
            self.message = message
        super().__init__(message)

    def __str__(self) -> str:
        return str(self.message)


class NotFound(RecordError):
    status = 404
    code = "not_found"
    message = _("There is nothing here, or you may not see it.")


class Forbidden(RecordError):
    status = 403
    code = "forbidden"
    message = _("Your role does not allow this.")


class MissingScope(RecordError):
    """An API key may not do what is asked, or not read all that it touches, though the role behind it may."""

    status = 403
    code = "missing_scope"

    def __init__(self, scope: str) -> None:
        message = _("This key has no scope %(scope)s. Make a key that has it under Settings → API.")
        super().__init__(message % {"scope": scope})
        self.scope = scope


class HolderGone(RecordError):
    """A member was deactivated while something was becoming theirs."""

    status = 409
    code = "member_deactivated"
    message = _("Somebody named in this was deactivated just now, so nothing is saved. Load the page again.")


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of the row at ``index``; ``field`` is empty when it concerns the whole row."""

    field: str
    code: str
    message: Text
    index: int = 0


class Invalid(RecordError):
    """All that is wrong with the values of a write, collected."""

    status = 422
    code = "invalid"
    message = _("Some values need another look.")

    def __init__(self, errors: Sequence[FieldError], message: Text = "") -> None:
        super().__init__(message)
        self.errors = list(errors)

    def __str__(self) -> str:
        return "; ".join(f"{error.field or '*'}[{error.index}]: {error.message}" for error in self.errors)

    def by_field(self, index: int = 0) -> dict[str, list[Text]]:
        """Messages of one row by field slug."""
        found: dict[str, list[Text]] = {}
        for error in self.errors:
            if error.index == index:
                found.setdefault(error.field, []).append(error.message)
        return found


class VersionConflict(RecordError):
    """Somebody wrote meanwhile: ``by`` whom, as far as is known; ``fields`` were written by both, ``kept`` are those
    that only the other one wrote, of what was sent."""

    status = 412
    code = "version_conflict"
    message = _("Somebody changed this in the meantime. Look at the new state and try again.")

    def __init__(
        self,
        record_id: UUID,
        expected: int,
        found: int,
        *,
        fields: Sequence[str] = (),
        kept: Sequence[str] = (),
        by: str = "",
    ) -> None:
        super().__init__()
        self.fields, self.kept, self.by = fields, kept, by
        self.record_id = record_id
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True)
class UndoProblem:
    """Why one record (or one field of it) cannot go back to what it was."""

    record_type: str
    record_id: UUID | None
    title: str
    field: str
    code: str
    message: Text
    expected: Any = None
    found: Any = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "record_type": self.record_type,
            "record_id": self.record_id,
            "title": self.title,
            "field": self.field,
            "code": self.code,
            "message": str(self.message),
        }


class UndoConflict(RecordError):
    status = 409
    code = "undo_conflict"
    message = _("This cannot be undone: things have changed since.")

    def __init__(self, conflicts: Sequence[UndoProblem] = (), message: Text = "") -> None:
        super().__init__(message)
        self.conflicts = list(conflicts)


class BadQuery(RecordError):
    """A query names something unknown, or uses it wrongly; ``nearest`` is the name probably meant."""

    status = 400
    code = "bad_query"
    message = _("This query cannot be understood.")

    def __init__(self, message: Text = "", *, param: str = "", nearest: str = "", code: str = "") -> None:
        super().__init__(message)
        self.param = param
        self.nearest = nearest
        self.reason = code or self.code


class BadCursor(RecordError):
    status = 400
    code = "bad_cursor"
    message = _("This cursor does not belong to this list.")

    def __init__(self, message: Text = "", *, param: str = "cursor") -> None:
        super().__init__(message)
        self.param = param


class UnknownType(KeyError):
    """No record type has this name: a programming error, or a path that somebody typed."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
