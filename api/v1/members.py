"""``/v1/members``: who works here, in which role, team and under whom; what becomes of their work when they leave."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import ApiError, not_found
from api.params import whole_number
from api.views import ApiView
from crm.records.access.field_rights import require_sight
from crm.records.access.visibility import require_scope
from crm.records.jobs.ownership_transfer import held_at_all, held_types, member_hand_over
from crm.workspace.people import selectors
from crm.workspace.people.member_services import member_reactivate, member_update


def cursor_of(request: Request) -> UUID | None:
    try:
        raw = request.query_params.get("cursor")
        return UUID(raw) if raw else None
    except ValueError as error:
        raise ApiError(400, "bad_cursor", _("This cursor does not belong to this list."), param="cursor") from error


def limit_of(request: Request) -> int:
    return whole_number(request.query_params.get("limit"), param="limit", lowest=1, highest=500, default=50)


def known(body: Mapping[str, Any], names: Iterable[str]) -> Mapping[str, Any]:
    """The body, if it names nothing else. Raises ApiError 400."""
    for name in body:
        if name not in names:
            message = _("There is no field %(name)s.") % {"name": str(name)[:80]}
            raise ApiError(400, "unknown_field", message, param=str(name)[:80])
    return body


def text(body: Mapping[str, Any], name: str, *, default: str = "") -> str:
    """A text of the body; null and what is not there are the default. Raises ApiError 400 for anything else."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise ApiError(400, "invalid_parameter", _("%(param)s must be text.") % {"param": name}, param=name)
    return value


def identity(value: Any, name: str) -> UUID:
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError) as error:
        raise ApiError(400, "invalid_parameter", _("%(param)s must be an id.") % {"param": name}, param=name) from error


def shaped[T](body: Mapping[str, Any], name: str, shape: type[T]) -> T:
    """An object or list of the body, empty when it is not there. Raises ApiError 400 for anything else."""
    if name not in body:
        return shape()
    value = body[name]
    if not isinstance(value, shape) or (isinstance(value, bool) and shape is not bool):
        message = _("%(param)s has another shape.") % {"param": name}
        raise ApiError(400, "invalid_parameter", message, param=name)
    return value


class PeopleView(ApiView):
    """Of who works here. What is changed is answered with too, so that takes the scope to read as well."""

    noun = "member"

    def check_scope(self, request: Request) -> None:
        super().check_scope(request)
        require_sight(self.actor, self.noun)


class MemberView(PeopleView):
    component = "Member"

    def row(self, member_id: UUID) -> dict[str, Any]:
        row = selectors.member_row(member_id)
        if row is None:
            raise not_found()
        return row


class MemberList(MemberView):
    parameters = frozenset({"limit", "cursor"})

    def get(self, request: Request) -> Response:
        rows, next_cursor = selectors.member_rows(after=cursor_of(request), limit=limit_of(request))
        return Response({"data": rows, "next_cursor": next_cursor})


class MemberDetail(MemberView):
    def get(self, request: Request, record_id: UUID) -> Response:
        return Response(self.row(record_id))

    def patch(self, request: Request, record_id: UUID) -> Response:
        """Change role (by its slug), team and manager (by id, null for none)."""
        self.row(record_id)
        body = known(self.body(request), ("role", "team", "manager"))
        places: dict[str, Any] = {name: text(body, name) or None for name in ("team", "manager") if name in body}
        member_update(self.actor, member_id=record_id, role=text(body, "role") if "role" in body else None, **places)
        return Response(self.row(record_id))


class MemberDeactivate(MemberView):
    """Ends sessions and keys and gives what is open to others, as one change.

    ``to`` takes over everything, ``takers`` says otherwise by noun (null: it stays); ``closed`` are nouns of which
    closed records go too; ``manager`` follows for the reports, ``heads`` maps team ids to their next head.
    """

    component = "HandOver"
    writes_unpaid = True

    def post(self, request: Request, record_id: UUID) -> Response:
        self.row(record_id)
        body = known(self.body(request), ("to", "takers", "closed", "manager", "heads"))
        given, heads, closed = shaped(body, "takers", dict), shaped(body, "heads", dict), shaped(body, "closed", list)
        holdable = [record_type.slug for record_type in held_at_all()]
        for param, nouns in (("closed", closed), ("takers", list(given))):
            if unknown := next((str(noun) for noun in nouns if noun not in holdable), None):
                message = _("There are no records of the kind %(noun)s that are somebody's.") % {"noun": unknown[:40]}
                raise ApiError(422, "unknown_noun", message, param=param)
        takers: dict[str, UUID | None] = {}
        if body.get("to") is not None:
            for record_type in held_at_all():
                require_scope(self.actor, record_type.slug)
            takers = dict.fromkeys(
                (record_type.slug for record_type in held_types(self.actor)), identity(body["to"], "to")
            )
        takers |= {noun: None if one is None else identity(one, "takers") for noun, one in given.items()}
        done = member_hand_over(
            self.actor,
            member_id=record_id,
            takers={noun: one for noun, one in takers.items() if one},
            closed_too=set(closed),
            manager_id=text(body, "manager") or None,
            heads={
                identity(team, "heads"): None if one is None else identity(one, "heads") for team, one in heads.items()
            },
        )
        answer = {
            **self.row(record_id),
            "change_set": done.change_set.pk,
            "handed_over": done.counts,
            "job": done.job.pk if done.job else None,
        }
        return Response(answer, status=202 if done.job else 200)


class MemberReactivate(MemberView):
    """Lets a deactivated member in again, with the role from before."""

    takes_body = False

    def post(self, request: Request, record_id: UUID) -> Response:
        self.row(record_id)
        member_reactivate(self.actor, member_id=record_id)
        return Response(self.row(record_id))
