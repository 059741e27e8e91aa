"""``GET /v1/events``: everything that happened, in the order of its position, as far back as the plan shows it."""

from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import missing_scope
from api.params import whole_number
from api.views import ApiView
from crm.records.events import feed
from crm.records.fields.parsing import as_json


class EventList(ApiView):
    noun = "event"
    component = "Event"
    parameters = frozenset({"cursor", "limit"})

    def check_scope(self, request: Request) -> None:
        """The scope is enough: events are no record type of a role's, and each is shown by what it tells of."""
        if self.actor.scopes is not None and "event:read" not in self.actor.scopes:
            raise missing_scope("event:read")

    def get(self, request: Request) -> Response:
        limit = whole_number(request.query_params.get("limit"), param="limit", lowest=1, highest=500, default=50)
        after = whole_number(request.query_params.get("cursor"), param="cursor", lowest=0, highest=2**62, default=0)
        page = feed.feed(self.actor, after=after, limit=limit)
        return Response(
            {
                "data": page.rows,
                "next_cursor": str(page.position),
                "has_more": page.has_more,
                "since": as_json(page.since),
            }
        )
