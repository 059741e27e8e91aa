"""Whom one may mention: members by name, each with whether they could see what they are mentioned in."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from crm.records.lists.list_address import clean_search
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.actors import member_actor
from crm.workspace.models import Member
from crm.workspace.people.selectors import active_members
from crm.workspace.text.folding import holds_words
from tenants.actors import Scope, TenantRef
from tenants.http import MemberRequest
from tenants.ids import id_of
from tenants.web.access import MEMBER, access

MAX_SHOWN = 8


@access(MEMBER)
@require_GET
def mentions(request: MemberRequest) -> HttpResponse:
    """Options for ``?q=``; with ``?noun=&id=`` of a record those who may not see it are marked."""
    found = active_members().select_related("role")
    words = clean_search(request.GET.get("q", ""))
    if words:
        found = found.filter(holds_words("name", words))
    place, author = _place(request), request.actor.member_id
    options = [
        {"id": one.pk, "name": one.name, "color": one.color, "sees": _sees(request.tenant, author, one, place)}
        for one in found[:MAX_SHOWN]
    ]
    return render(request, "records/mentions.html", {"options": options})


def _place(request: MemberRequest) -> tuple[RecordType, UUID] | None:
    """The record in the address, if there is one that the asking member may see."""
    slug, id = request.GET.get("noun", ""), id_of(request.GET.get("id", ""))
    if slug not in registry or id is None:
        return None
    record_type = registry.get(slug)
    return (record_type, id) if record_type.visible_to(request.actor).filter(pk=id).exists() else None


def _sees(tenant: TenantRef, author: UUID | None, member: Member, place: tuple[RecordType, Any] | None) -> bool:
    """Whether a note that ``author`` writes about the record would be in a member's sight."""
    if place is None:
        return True
    actor = member_actor(tenant, member)
    record_type, id = place
    if (reach := actor.scope("note", "view")) is not Scope.ALL:
        return actor.reaches(reach, author)
    return record_type.shows_all_to(actor) or record_type.visible_to(actor).filter(pk=id).exists()
