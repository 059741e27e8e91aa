"""``POST /v1/change-sets/<id>/undo``: takes back everything that one change did, or says what stands in the way."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from api.views import ApiView
from crm.records.undo import undo


class ChangeSetUndo(ApiView):
    def post(self, request: Request, change_set_id: UUID) -> Response:
        change = undo(self.actor, change_set_id, source="api")
        return Response(
            {
                "change_set": change.change_set.id,
                "undo_of": change_set_id,
                "records": [{"type": event.record_type, "id": event.record_id} for event in change.events],
            }
        )
