"""One shape for everything that goes wrong in the API."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from django.core.exceptions import SuspiciousOperation
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response

from crm.records.errors import BadCursor, BadQuery, Invalid, MissingScope, NotFound, RecordError, UndoConflict
from crm.workspace.errors import NotFound as NotThere
from crm.workspace.errors import WorkspaceError
from tenants.db.scopes import WorkspaceBehind
from tenants.outages import RETRY_SECONDS, is_outage
from tenants.rate_limits import TooMany
from tenants.workspaces.entitlements import NotEntitled

log = structlog.get_logger(__name__)

TYPES = {
    400: "invalid_request",
    401: "authentication_error",
    402: "payment_required",
    403: "permission_error",
    404: "not_found",
    405: "invalid_request",
    408: "invalid_request",
    409: "conflict",
    411: "invalid_request",
    412: "conflict",
    413: "invalid_request",
    415: "invalid_request",
    422: "validation_error",
    429: "rate_limit",
    500: "api_error",
    503: "api_error",
}


class ApiError(Exception):
    """An answer other than success.

    ``code`` is stable for programs, ``message`` is for people, ``param`` names what was wrong in the request,
    ``doc_url`` is the page that helps, and ``headers`` go onto the response.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        doc_url: str = "/settings/api/reference/",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.errors = list(errors)
        self.doc_url = doc_url
        self.headers = dict(headers or {})


def not_found() -> ApiError:
    """The one answer for what is not there and for what the key may not see."""
    return ApiError(404, "not_found", _("There is nothing here that this key may see."))


def missing_scope(scope: str) -> ApiError:
    return as_api_error(MissingScope(scope))


def error_body(error: ApiError, request_id: str) -> dict[str, Any]:
    """The JSON document of an error, as docs/api/errors.md describes it."""
    return {
        "error": {
            "type": TYPES.get(error.status, "invalid_request"),
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "request_id": request_id,
            "doc_url": error.doc_url,
            "errors": error.errors,
        }
    }


def as_api_error(exc: Exception) -> ApiError:
    """Translate what services, selectors and the framework raise; anything unknown becomes a 500."""
    if isinstance(exc, ApiError):
        return exc
    if isinstance(exc, NotFound | Http404 | exceptions.NotFound):
        return not_found()
    if isinstance(exc, WorkspaceError):
        if isinstance(exc, NotThere):
            return not_found()
        return ApiError(exc.status, exc.code, str(exc.message), param=exc.field or None)
    if isinstance(exc, RecordError):
        return _from_record_error(exc)
    if isinstance(exc, NotEntitled):
        return ApiError(exc.status, exc.code, exc.message, param=exc.param or None, doc_url=exc.where)
    if isinstance(exc, TooMany):
        message = _("Too many at once. Wait %(seconds)s seconds.") % {"seconds": exc.seconds}
        return ApiError(429, "rate_limited", message, headers={"Retry-After": str(exc.seconds)})
    if isinstance(exc, WorkspaceBehind):
        message = _("This workspace is being updated, and nothing was done. Ask again in a few seconds.")
        return ApiError(503, "being_updated", message, headers={"Retry-After": "3"})
    if isinstance(exc, exceptions.MethodNotAllowed):
        return ApiError(405, "method_not_allowed", str(exc.detail))
    if isinstance(exc, exceptions.UnsupportedMediaType):
        return ApiError(415, "unsupported_media_type", _("Send JSON with Content-Type: application/json."))
    if isinstance(exc, exceptions.APIException):
        return ApiError(exc.status_code, str(exc.default_code), str(exc.detail))
    if isinstance(exc, SuspiciousOperation):
        return ApiError(400, "bad_request", _("This request cannot be understood."))
    if is_outage(exc):
        message = _("We are away for a moment. Nothing was done by halves; try again in %(seconds)d seconds.")
        headers = {"Retry-After": str(RETRY_SECONDS)}
        return ApiError(503, "unavailable", message % {"seconds": RETRY_SECONDS}, headers=headers)
    return ApiError(500, "internal_error", _("Something went wrong on our side. We have been told; try again."))


def _from_record_error(exc: RecordError) -> ApiError:
    if isinstance(exc, Invalid):
        errors = [
            {"param": error.field, "code": error.code, "message": str(error.message), "index": error.index}
            for error in exc.errors
        ]
        first = exc.errors[0] if exc.errors else None
        return ApiError(exc.status, "invalid", str(exc.message), param=first.field if first else None, errors=errors)
    if isinstance(exc, MissingScope):
        return ApiError(exc.status, exc.code, str(exc.message), param=exc.scope)
    if isinstance(exc, UndoConflict):
        return ApiError(exc.status, exc.code, str(exc.message), errors=[c.as_dict() for c in exc.conflicts])
    if isinstance(exc, BadQuery):
        return ApiError(exc.status, exc.reason, str(exc.message), param=exc.param or None)
    param = exc.param if isinstance(exc, BadCursor) else None
    return ApiError(exc.status, exc.code, str(exc.message), param=param)


def handle(exc: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler."""
    error = as_api_error(exc)
    request_id = getattr(context["request"], "request_id", "")
    if error.status >= 500:
        log.exception("api.failed", exc_info=exc, request_id=request_id)
    return Response(error_body(error, request_id), status=error.status, headers=error.headers)
