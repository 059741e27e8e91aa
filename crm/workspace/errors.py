"""What a person can do wrong with members and invitations. Each has a status, a code and a message for people."""

from django.utils.functional import Promise


class WorkspaceError(Exception):
    status = 422

    def __init__(self, code: str, message: str | Promise, *, field: str = "") -> None:
        super().__init__(str(message))
        self.code = code
        self.message = message
        self.field = field


class NotAllowed(WorkspaceError):
    status = 403


class NotFound(WorkspaceError):
    status = 404


class Conflict(WorkspaceError):
    status = 409
