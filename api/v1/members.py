"""``GET /v1/members``: who works here, to name as owners and assignees. Read only."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import not_found
from api.params import whole_number
from api.views import ApiView
from crm.workspace import selectors


class MemberList(ApiView):
    noun = "member"
    parameters = frozenset({"limit", "cursor"})

    def get(self, request: Request) -> Response:
        limit = whole_number(request.query_params.get("limit"), param="limit", lowest=1, highest=500, default=50)
        rows, next_cursor = selectors.member_rows(
            self.actor, after=request.query_params.get("cursor") or None, limit=limit
        )
        return Response({"data": rows, "next_cursor": next_cursor})


class MemberDetail(ApiView):
    noun = "member"

    def get(self, request: Request, record_id: UUID) -> Response:
        row = selectors.member_row(self.actor, record_id)
        if row is None:
            raise not_found()
        return Response(row)
