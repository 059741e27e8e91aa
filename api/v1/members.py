"""``GET /v1/members``: who works here, to name as owners and assignees. Read only."""

from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import ApiError, not_found
from api.params import whole_number
from api.views import ApiView
from crm.workspace import selectors


def _cursor(raw: str | None) -> UUID | None:
    try:
        return UUID(raw) if raw else None
    except ValueError as error:
        raise ApiError(400, "bad_cursor", _("This cursor does not belong to this list."), param="cursor") from error


class MemberList(ApiView):
    noun = "member"
    parameters = frozenset({"limit", "cursor"})

    def get(self, request: Request) -> Response:
        limit = whole_number(request.query_params.get("limit"), param="limit", lowest=1, highest=500, default=50)
        rows, next_cursor = selectors.member_rows(after=_cursor(request.query_params.get("cursor")), limit=limit)
        return Response({"data": rows, "next_cursor": next_cursor})


class MemberDetail(ApiView):
    noun = "member"

    def get(self, request: Request, record_id: UUID) -> Response:
        row = selectors.member_row(record_id)
        if row is None:
            raise not_found()
        return Response(row)
