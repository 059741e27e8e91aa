"""The command palette: go to a page, find a record, create one."""

from dataclasses import dataclass

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from crm.records.display.presenting import record_url
from crm.records.read import reading
from crm.records.schema.registry import registry
from crm.records.templatetags.navigation import Entry, navigation_of
from crm.workspace.text.folding import fold
from tenants.http import Request
from tenants.web.access import MEMBER, access

HITS = 8
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Line:
    label: str
    icon: str
    href: str
    hint: str = ""
    hotkey: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    label: str
    lines: list[Line]


def _commands(entries: list[Entry], text: str) -> list[Line]:
    """Those whose words begin with the words that were typed."""
    wanted = fold(text).split()
    return [
        Line(one.label, one.icon, one.href, hotkey=one.hotkey)
        for one in entries
        if all(any(word.startswith(part) for word in fold(one.label).split()) for part in wanted)
    ]


@access(MEMBER)
@require_GET
def palette(request: Request) -> HttpResponse:
    """The palette's lines for ``q``, as a partial; without htmx the search page."""
    actor = request.actor
    assert actor is not None
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    if not request.htmx:
        return HttpResponseRedirect(f"{reverse('records:search')}?{urlencode({'q': text})}")
    navigation = navigation_of(actor, request.path)
    found = [
        Line(hit.title or _("Untitled"), registry.get(hit.type).icon, record_url(hit.type, hit.id), hit.subtitle)
        for hit in (reading.search_all(actor, text, HITS, texts=True) if text else [])
    ]
    places = [*navigation.main, *navigation.records, *(navigation.settings if text else [])]
    groups = [
        Group(_("Records"), found),
        Group(_("Create"), _commands(navigation.create, text)),
        Group(_("Go to"), _commands(places, text)),
    ]
    if text:
        everywhere = Line(_("Search everywhere for “%(text)s”") % {"text": text}, "search", _search_address(text))
        groups.append(Group(_("Search"), [everywhere]))
    return render(request, "records/palette.html", {"groups": [one for one in groups if one.lines]})


def _search_address(text: str) -> str:
    return f"{reverse('records:search')}?{urlencode({'q': text})}"
