"""``/v1/teams``: the tree of teams and their heads. Read with ``member:read``, changed with ``member:write``."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import not_found
from api.v1.members import PeopleView, cursor_of, known, limit_of, text
from crm.workspace.people import selectors
from crm.workspace.people.team_services import team_create, team_delete, team_update

FIELDS = ("name", "parent", "head")


class TeamView(PeopleView):
    component = "Team"

    def row(self, team_id: UUID) -> dict[str, Any]:
        rows, _more = selectors.team_rows(team_id=team_id)
        if not rows:
            raise not_found()
        return rows[0]


class TeamList(TeamView):
    parameters = frozenset({"limit", "cursor"})

    def get(self, request: Request) -> Response:
        rows, next_cursor = selectors.team_rows(after=cursor_of(request), limit=limit_of(request))
        return Response({"data": rows, "next_cursor": next_cursor})

    def post(self, request: Request) -> Response:
        body = known(self.body(request), FIELDS)
        values = {name: text(body, name) for name in FIELDS}
        return Response(self.row(team_create(self.actor, **values).id), status=201)


class TeamDetail(TeamView):
    def get(self, request: Request, team_id: UUID) -> Response:
        return Response(self.row(team_id))

    def patch(self, request: Request, team_id: UUID) -> Response:
        """Rename it, put it below another (null: at the top), give it a head (null: none)."""
        self.row(team_id)
        body = known(self.body(request), FIELDS)
        given: dict[str, Any] = {name: text(body, name) for name in FIELDS if name in body}
        team_update(self.actor, team_id=team_id, **given)
        return Response(self.row(team_id))

    def delete(self, request: Request, team_id: UUID) -> Response:
        """Its members are in the team above it then, and the teams below it too."""
        above = self.row(team_id)["parent"]
        team_delete(self.actor, team_id=team_id, move_to=above, children_to=above)
        return Response(status=204)
