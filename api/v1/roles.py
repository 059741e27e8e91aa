"""``/v1/roles``: what each role may do. For keys with ``member:read`` and ``member:write``, whose maker looks after
members."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import not_found
from api.views import ApiView
from crm.records.access.field_rights import require_sight
from crm.workspace.models import Role


def role_body(role: Role) -> dict[str, Any]:
    """``permissions`` is noun × action → scope; ``*`` is any noun not named, ``workspace`` holds the powers."""
    granted = role.matrix()
    return {
        "id": role.pk,
        "slug": role.slug,
        "name": role.label,
        "description": role.description,
        "is_fixed": role.is_fixed,
        "permissions": granted.to_json(),
        "fields": {noun: dict(rights) for noun, rights in granted.fields.items()},
    }


class RoleView(ApiView):
    noun = "member"
    component = "Role"

    def check_scope(self, request: Request) -> None:
        super().check_scope(request)
        require_sight(self.actor, "role")


class RoleList(RoleView):
    def get(self, request: Request) -> Response:
        roles = Role.objects.order_by("-is_fixed", "name", "pk")
        return Response({"data": [role_body(role) for role in roles], "next_cursor": None})


class RoleDetail(RoleView):
    def get(self, request: Request, role_id: UUID) -> Response:
        role = Role.objects.filter(id=role_id).first()
        if role is None:
            raise not_found()
        return Response(role_body(role))
