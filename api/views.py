"""What every route of the API shares: the key, the tenant, the limits, the answer's shape."""

from collections.abc import Mapping
from typing import Any, ClassVar

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.views import APIView

from api.authentication import KeyAuthentication, authenticate
from api.encoding import MEDIA_TYPE, AlwaysJson, JsonParser, JsonRenderer, dumps
from api.errors import ApiError, as_api_error, error_body, handle, missing_scope, not_found
from api.limits import spend
from api.params import refuse_repeated, refuse_unknown, unknown_parameter
from tenants.actors import Actor
from tenants.db.scopes import WorkspaceBehind, tenant_scope
from tenants.web.access import API_KEY
from tenants.workspaces.entitlements import require_open, require_writable

READING = {"GET", "HEAD"}

log = structlog.get_logger(__name__)


class ApiView(APIView):
    """A route for requests with an API key.

    ``noun`` is the record type's slug whose scope the route needs: ``<noun>:read`` to read, ``<noun>:write`` to
    write; "" for routes any key may use. ``reads_by_post`` says that POST on this route only reads, ``writes_unpaid``
    that it writes in a read-only workspace too. ``component`` is the schema of what a route takes and answers with that
    is of no record type; ``answers`` says otherwise of the latter: method → status → schema.
    """

    access = API_KEY
    noun: ClassVar[str] = ""
    reads_by_post: ClassVar[bool] = False
    writes_unpaid: ClassVar[bool] = False
    component: ClassVar[str] = ""
    answers: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    takes_body: ClassVar[bool] = True
    parameters: ClassVar[frozenset[str]] = frozenset()

    authentication_classes = [KeyAuthentication]
    permission_classes = []
    renderer_classes = [JsonRenderer]
    parser_classes = [JsonParser]
    content_negotiation_class = AlwaysJson
    metadata_class = None

    actor: Actor

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request_id: str = getattr(request, "request_id", "")
        try:
            key, tenant = authenticate(request)
            require_open(tenant)
            with tenant_scope(tenant):
                actor = key.actor(request_id)
                allowance = spend(tenant, write=not self._reads(request))
                self.actor = actor
                request.actor = actor  # type: ignore[attr-defined]
                response = super().dispatch(request, *args, **kwargs)
        except Exception as problem:
            error = as_api_error(problem)
            if error.status >= 500 and not isinstance(problem, WorkspaceBehind):
                log.exception("api.failed", request_id=request_id)
            return plain_error(error, request_id)
        for name, value in (("Request-Id", request_id), *allowance.headers().items()):
            response.headers.setdefault(name, value)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if "\x00" in request.META.get("QUERY_STRING", "") or "%00" in request.META.get("QUERY_STRING", ""):
            raise ApiError(400, "nul_byte", _("NUL bytes are not text; take them out of the query string."))
        self.check_scope(request)
        if not self._reads(request) and not self.writes_unpaid:
            require_writable(self.actor.tenant)
        super().initial(request, *args, **kwargs)
        refuse_unknown(request.query_params, self.parameters if request.method in READING else ONE)
        refuse_repeated(request.query_params)
        if not self.takes_body and request.method == "POST":
            for name in self.body_or_nothing(request):
                raise unknown_parameter(name, ())

    def check_scope(self, request: Request) -> None:
        """A key without the scope is told which; a role that may not see the noun finds nothing there."""
        if not self.noun:
            return
        reading = self._reads(request)
        scope = f"{self.noun}:{'read' if reading else 'write'}"
        if self.actor.scopes is not None and scope not in self.actor.scopes:
            raise missing_scope(scope)
        if reading and not self.actor.can(self.noun, "view"):
            raise not_found()

    def _reads(self, request: HttpRequest | Request) -> bool:
        return request.method in READING or (request.method == "POST" and self.reads_by_post)

    def get_exception_handler(self) -> Any:
        return handle

    def body(self, request: Request) -> Mapping[str, Any]:
        """The request's JSON object. Raises ApiError 400 for anything else."""
        if not request.META.get("CONTENT_LENGTH", "0").strip("0"):
            raise ApiError(400, "empty_body", _("The body is empty; a JSON object is expected."))
        data = request.data
        if not isinstance(data, dict):
            raise ApiError(400, "invalid_body", _("The body must be a JSON object."))
        return data

    def body_or_nothing(self, request: Request) -> Mapping[str, Any]:
        """As ``body``, where a request without one is as good as an empty object."""
        return self.body(request) if request.META.get("CONTENT_LENGTH", "0").strip("0") else {}


ANY: frozenset[str] = frozenset({"*"})
ONE: frozenset[str] = frozenset({"fields", "expand"})


def plain_error(error: ApiError, request_id: str) -> HttpResponse:
    """An error outside DRF's own machinery, in the same shape."""
    return HttpResponse(
        dumps(error_body(error, request_id)),
        status=error.status,
        content_type=MEDIA_TYPE,
        headers={**error.headers, "Request-Id": request_id},
    )


class NotThere(ApiView):
    """Any other path under /api/: the API's own 404."""

    parameters = ANY

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise not_found()
