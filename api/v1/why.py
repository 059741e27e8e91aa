"""``GET /v1/<nouns>/<id>/why``: why somebody sees a record, and who else does."""

from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import ApiError, not_found
from api.v1.members import identity
from api.v1.records import RecordView
from crm.records.access.field_rights import require_sight
from crm.records.access.visibility import get_record
from crm.records.read.access_explanation import why


class RecordWhy(RecordView):
    """Of the member behind the key, or of another ``member`` for who looks after members. It names members, so it
    takes ``member:read``."""

    parameters = frozenset({"member"})

    def get(self, request: Request, record_id: UUID) -> Response:
        require_sight(self.actor, "member")
        get_record(self.actor, self.record_type, record_id, trashed="include")
        raw = request.query_params.get("member")
        of = identity(raw, "member") if raw else None
        if of == self.actor.member_id:
            of = None
        if of is not None and not self.actor.can("workspace", "members"):
            raise ApiError(403, "forbidden", _("The role behind this key may not do that."), param="member")
        found = why(self.actor, self.record_type, record_id, of=of)
        if found is None:
            raise not_found()
        answer = found.answer
        return Response(
            {
                "member": of or self.actor.member_id,
                "name": answer.name,
                "sees": answer.sees,
                "why": answer.why,
                "may": {action: may for action, (_label, may, _reach) in zip(ACTIONS, answer.may, strict=True)},
                "hidden_fields": answer.hidden,
                "others": [{"why": one.text, "names": one.names} for one in found.others],
            }
        )


ACTIONS = ("edit", "delete")
