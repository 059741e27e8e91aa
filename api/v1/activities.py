"""What is done with series, and how guests answer meetings: verbs beside the routes that every noun has."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from api.params import unknown_parameter
from api.v1.members import shaped, text
from api.v1.records import RecordView, expected_version
from api.views import ONE
from crm.activities import services
from crm.activities.series.following import series_follow


class ActivityView(RecordView):
    parameters = ONE
    keys: frozenset[str] = frozenset()

    def given(self, request: Request) -> dict[str, Any]:
        body = self.body_or_nothing(request)
        for name in body:
            if name not in self.keys:
                raise unknown_parameter(str(name), self.keys)
        return dict(body)


class RecordSkip(ActivityView):
    """``POST /v1/<nouns>/<id>/skip``: leave out this time of a series."""

    def post(self, request: Request, record_id: UUID) -> Response:
        self.require_right("delete")
        self.given(request)
        services.occurrence_skip(self.actor, noun=self.noun, id=record_id, source="api")
        return Response(status=204)


class RecordEndSeries(ActivityView):
    """``POST /v1/<nouns>/<id>/end-series``: nothing comes after this one."""

    def post(self, request: Request, record_id: UUID) -> Response:
        self.require_right("edit")
        self.given(request)
        services.series_end(self.actor, noun=self.noun, id=record_id, source="api")
        return self.answer_write(request, record_id)


class RecordFollowing(RecordView):
    """``PATCH /v1/<nouns>/<id>/following``: change this time of a series and all that come after it."""

    parameters = ONE
    whole = False

    def patch(self, request: Request, record_id: UUID) -> Response:
        self.require_right("edit")
        series_follow(
            self.actor,
            noun=self.noun,
            id=record_id,
            values=self.body(request),
            whole=self.whole,
            if_version=expected_version(request),
            source="api",
        )
        return self.answer_write(request, record_id)


class RecordSeries(RecordFollowing):
    """``PATCH /v1/<nouns>/<id>/series``: change all times of a series that are not done."""

    whole = True


class RecordReply(ActivityView):
    """``POST /v1/meetings/<id>/reply``: answer a meeting as its guest, who needs no right to edit it."""

    keys = frozenset({"reply", "following"})

    def post(self, request: Request, record_id: UUID) -> Response:
        body = self.given(request)
        services.meeting_reply(
            self.actor,
            id=record_id,
            reply=text(body, "reply"),
            following=shaped(body, "following", bool),
            source="api",
        )
        return self.answer_write(request, record_id)
