"""Refusals in Stripe's shape: ``{"error": {type, code, message, param, …}}`` with the status that the library goes
by.
"""

from typing import Any


class Refused(Exception):
    """What the caller is told instead of an answer.

    ``keeps`` says that what was done until then stays done, as after a card that a bank declined; otherwise it is
    undone.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        keeps: bool = False,
        more: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.kind, self.code, self.param = message, status, kind, code, param
        self.keeps, self.more, self.headers = keeps, more or {}, headers or {}

    def body(self, request_id: str) -> dict[str, Any]:
        said = {"type": self.kind, "code": self.code, "param": self.param, "message": self.message, **self.more}
        if self.code:
            said["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        said["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": {name: value for name, value in said.items() if value is not None}}


class NotValid(Refused):
    """Parameters that are refused before the work began: Stripe keeps no answer for the idempotency key then."""


def missing(noun: str, identity: str, param: str = "id", *, status: int = 404) -> Refused:
    """No such object. As the object of the address it is a 404, named by a parameter it is a 400."""
    return Refused(f"No such {noun}: '{identity}'", status=status, code="resource_missing", param=param)


def declined(message: str, code: str, decline_code: str | None, **more: Any) -> Refused:
    told = {name: value for name, value in {"decline_code": decline_code, **more}.items() if value is not None}
    return Refused(message, status=402, kind="card_error", code=code, keeps=True, more=told)
