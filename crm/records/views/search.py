"""The page of the search, and records to choose from in a combobox."""

from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from crm.records.access.visibility import may_read
from crm.records.display.presenting import expanded, record_url, row_subtitle, row_title
from crm.records.display.responses import handle_record_errors, record_type_or_404
from crm.records.lists.list_address import clean_search
from crm.records.read import reading
from crm.records.schema.field import MEMBER_TARGET
from crm.records.schema.registry import registry
from crm.workspace.models import Member
from crm.workspace.people.selectors import active_members
from crm.workspace.text.folding import holds_words
from tenants.http import MemberRequest
from tenants.web.access import MEMBER, access, needs_noun

SEARCH_LIMIT = 20


@access(needs_noun("view"))
@require_GET
@handle_record_errors
def record_options(request: MemberRequest, noun: str) -> HttpResponseBase:
    """Records to choose from, for a combobox."""
    record_type = record_type_or_404(noun)
    fields = (
        record_type.title,
        *(
            (record_type.subtitle,)
            if record_type.subtitle and may_read(request.actor, record_type, record_type.subtitle)
            else ()
        ),
    )
    search_text = clean_search(request.GET.get("q", ""))
    sort = (record_type.title,) if record_type.title_field.sortable and not search_text else record_type.default_sort
    query = reading.Query(
        fields=fields, sort=sort, search=search_text, limit=SEARCH_LIMIT, expand=expanded(record_type, fields)
    )
    options = [
        {"id": row["id"], "title": row_title(record_type, row), "hint": row_subtitle(record_type, row)}
        for row in reading.page(request.actor, record_type, query).rows
    ]
    return _options(request, options)


@access(MEMBER)
@require_GET
@handle_record_errors
def references(request: MemberRequest) -> HttpResponseBase:
    """Records of any type to choose from, or of the ``types`` asked for, for a combobox of references."""
    text = clean_search(request.GET.get("q", ""))
    types = frozenset(filter(None, request.GET.get("types", "").split(",")))
    people = active_members() if MEMBER_TARGET in types and text.strip() else Member.objects.none()
    options: list[dict[str, Any]] = [
        {"id": f"{MEMBER_TARGET}:{member.pk}", "title": member.name, "hint": _("Member")}
        for member in people.filter(holds_words("name", text))[:SEARCH_LIMIT]
    ]
    hits = reading.search_all(request.actor, text, limit=SEARCH_LIMIT, only=types) if types != {MEMBER_TARGET} else []
    options += [
        {
            "id": f"{hit.type}:{hit.id}",
            "title": hit.title,
            "hint": " · ".join(filter(None, (hit.subtitle, str(registry.get(hit.type).label)))),
        }
        for hit in hits
        if registry.get(hit.type).in_sidebar
    ]
    return _options(request, options)


def _options(request: MemberRequest, options: list[dict[str, Any]]) -> HttpResponse:
    list_id = request.headers.get("HX-Target", "")
    context = {"options": options, "list_id": list_id if list_id.replace("-", "").replace("_", "").isalnum() else "o"}
    return render(request, "components/options.html", context)


@access(MEMBER)
@require_GET
@handle_record_errors
def search(request: MemberRequest) -> HttpResponseBase:
    text = clean_search(request.GET.get("q", ""))
    hits = reading.search_all(request.actor, text, limit=SEARCH_LIMIT, texts=True) if text else []
    groups: dict[str, list[Any]] = {}
    for hit in hits:
        groups.setdefault(hit.type, []).append((hit, record_url(hit.type, hit.id)))
    context = {"text": text, "groups": [(registry.get(slug), found) for slug, found in groups.items()]}
    name = "records/search.html#results" if request.htmx and request.htmx.target == "results" else "records/search.html"
    return render(request, name, context)
