"""``POST /v1/change-sets/<id>/undo``: takes back everything that one change did, or says what stands in the way.

A change of very many records is taken back in the background: 202 with a job.
"""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from api.v1.jobs import accepted
from api.views import ApiView
from crm.records.jobs import bulk
from crm.records.write.undo import undo


class ChangeSetUndo(ApiView):
    answers: ClassVar[Mapping[str, Mapping[str, str]]] = {"POST": {"200": "Undone", "202": "Job"}}
    takes_body = False

    def post(self, request: Request, change_set_id: UUID) -> Response:
        if bulk.is_many(change_set_id):
            return accepted(bulk.undo_start(self.actor, change_set_id))
        change = undo(self.actor, change_set_id, source="api")
        return Response(
            {
                "change_set": change.change_set.id,
                "undo_of": change_set_id,
                "records": [{"type": event.record_type, "id": event.record_id} for event in change.events],
            }
        )
