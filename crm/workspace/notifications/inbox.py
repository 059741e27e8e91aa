"""The inbox: what a member has been told, a line a record and kind, and the number of what they have not read yet."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from crm.workspace.hooks import record_address
from crm.workspace.models import Notification
from crm.workspace.notifications.mailing import seen
from crm.workspace.notifications.notify import Kind, kinds
from crm.workspace.notifications.selectors import notifications_of, unread_count
from crm.workspace.notifications.services import notifications_mark_read, notifications_mark_unread
from tenants.actors import Actor
from tenants.http import MemberRequest, Request
from tenants.ids import id_of
from tenants.web.access import MEMBER, PUBLIC, access

PAGE = 40
MATES_SHOWN = 5
STOP_POLLING = 286
GROUP = ("kind", "record_type", "record_id")


@dataclass(slots=True)
class Line:
    """The newest notification of a record and kind, with older ones of the same. ``standing`` is what the reader has
    answered, where something can be answered still."""

    head: Notification
    standing: str = ""
    more: int = 0
    unread: bool = False
    mates: list[Notification] = field(default_factory=list)

    @property
    def at(self) -> datetime:
        return self.head.created_at

    @property
    def kind(self) -> Kind | None:
        return kinds().get(self.head.kind)


def _before(cursor: str) -> Q:
    """Rows older than the one the cursor names; all rows for a cursor that means nothing."""
    at, _, id = cursor.partition("~")
    try:
        moment, row = datetime.fromisoformat(at), UUID(id)
    except ValueError:
        return Q()
    if moment.tzinfo is None:
        return Q()
    return Q(created_at__lt=moment) | Q(created_at=moment, id__lt=row)


def heads(found: QuerySet[Notification]) -> QuerySet[Notification]:
    """The newest of each record and kind, the newest first; what is of no record stands alone."""
    newer = found.filter(
        Q(created_at__gt=OuterRef("created_at")) | Q(created_at=OuterRef("created_at"), id__gt=OuterRef("id")),
        **{name: OuterRef(name) for name in GROUP},
    )
    return found.filter(~Exists(newer)).order_by("-created_at", "-id")


def lines(actor: Actor, found: QuerySet[Notification], rows: Sequence[Notification]) -> list[Line]:
    """Rows with what else there is of the same record and kind, in one query, and one more a type of record."""
    rows = seen(actor, rows)
    standings = answered(actor, rows)
    made = {row.id: Line(row, standings.get(row.id, ""), unread=row.read_at is None) for row in rows}
    by_group = {tuple(getattr(row, name) for name in GROUP): made[row.id] for row in rows if row.record_id}
    if by_group:
        mates = found.filter(
            kind__in={row.kind for row in rows}, record_id__in={row.record_id for row in rows if row.record_id}
        ).annotate(
            place=Window(RowNumber(), partition_by=list(GROUP), order_by=[F("created_at").desc(), F("id").desc()]),
            together=Window(Count("id"), partition_by=list(GROUP)),
            unread=Window(Count("id", filter=Q(read_at=None)), partition_by=list(GROUP)),
        )
        for mate in mates.filter(place__lte=MATES_SHOWN + 1).order_by("place"):
            line = by_group.get(tuple(getattr(mate, name) for name in GROUP))
            if line is None:
                continue
            line.more = mate.together - 1
            line.unread = bool(mate.unread)
            if mate.id != line.head.id:
                line.mates.append(mate)
    return list(made.values())


def answered(actor: Actor, rows: Sequence[Notification]) -> dict[UUID, str]:
    """What has been answered to those of the notifications that can be answered, of several of a record to the newest:
    one query a way of answering."""
    asked: dict[Callable[..., Mapping[UUID, str]], dict[UUID, UUID]] = {}
    for row in sorted(rows, key=lambda row: row.created_at):
        kind = kinds().get(row.kind)
        if kind is not None and kind.standing is not None and row.record_id:
            asked.setdefault(kind.standing, {})[row.record_id] = row.id
    return {
        of_record[record_id]: standing
        for found, of_record in asked.items()
        for record_id, standing in found(actor, list(of_record)).items()
    }


@access(MEMBER)
@require_GET
def inbox(request: MemberRequest) -> HttpResponse:
    """The newest first, by day; a partial of further rows for htmx."""
    actor = request.actor
    unread_only = request.GET.get("show") == "unread"
    kind = request.GET.get("kind", "")
    cursor = request.GET.get("before", "")
    found = notifications_of(actor)
    if unread_only:
        found = found.filter(read_at=None)
    if kind in kinds():
        found = found.filter(kind=kind)
    rows = list(heads(found).filter(_before(cursor))[: PAGE + 1])
    more = rows[PAGE - 1] if len(rows) > PAGE else None
    shown = lines(actor, notifications_of(actor), rows[:PAGE])
    context = {
        "days": [(day, list(of)) for day, of in groupby(shown, key=lambda one: timezone.localdate(one.at))],
        "unread_only": unread_only,
        "kind": kinds().get(kind),
        "kinds": kinds().values(),
        "today": timezone.localdate(),
        "next": f"{more.created_at.isoformat()}~{more.id}" if more else "",
    }
    return render(request, "workspace/inbox.html#rows" if cursor and request.htmx else "workspace/inbox.html", context)


@access(MEMBER)
@require_GET
def inbox_open(request: MemberRequest, id: UUID) -> HttpResponse:
    """Read one, with what else there is of its record and kind, and go to what it tells of."""
    found = notifications_of(request.actor).filter(id=id).first()
    if found is None:
        raise Http404
    notifications_mark_read(request.actor, ids=together(request.actor, [found.id]))
    if not found.record_type:
        return HttpResponseRedirect(reverse("inbox"))
    try:
        return HttpResponseRedirect(record_address(found.record_type, found.record_id))
    except (LookupError, NoReverseMatch):
        return HttpResponseRedirect(reverse("inbox"))


@access(MEMBER, writes_unpaid=True)
@require_POST
def inbox_read(request: MemberRequest) -> HttpResponse:
    """Mark the lines of the ids in the form as read, or all when it names none."""
    ids = _ids(request)
    if ids or not request.POST.getlist("id"):
        notifications_mark_read(request.actor, ids=together(request.actor, ids) if ids else None)
    return _marked(request, ids)


@access(MEMBER, writes_unpaid=True)
@require_POST
def inbox_unread(request: MemberRequest) -> HttpResponse:
    """Mark the ids in the form as unread again."""
    ids = _ids(request)
    notifications_mark_unread(request.actor, ids=ids)
    return _marked(request, ids)


def _ids(request: MemberRequest) -> list[UUID]:
    return [found for value in request.POST.getlist("id") if (found := id_of(value))]


def together(actor: Actor, ids: Iterable[UUID]) -> list[UUID]:
    """The actor's notifications that stand in the same lines as these."""
    own = notifications_of(actor)
    condition = Q()
    for row in own.filter(id__in=list(ids)):
        condition |= Q(**{name: getattr(row, name) for name in GROUP}) if row.record_id else Q(id=row.id)
    return list(own.filter(condition).values_list("id", flat=True)) if condition else []


def _marked(request: MemberRequest, ids: Sequence[UUID]) -> HttpResponse:
    """The line as it stands now for htmx, else the inbox."""
    if request.htmx and len(ids) == 1:
        own = notifications_of(request.actor)
        rows = list(own.filter(id=ids[0]))
        if rows:
            line = lines(request.actor, own, rows)[0]
            response = render(request, "workspace/inbox.html#line", {"line": line})
            return trigger_client_event(response, "inbox:changed", after="settle")
    return HttpResponseRedirect(reverse("inbox"))


@access(PUBLIC)
@require_GET
def inbox_badge(request: Request) -> HttpResponse:
    """The number of unread notifications, polled by every page.

    Once the session has ended it answers 286, which ends the polling, and leaves the page as it is: somebody may be
    writing in it.
    """
    actor = request.actor
    context = {"count": unread_count(actor) if actor else 0, "polling": actor is not None}
    return render(request, "workspace/inbox_badge.html", context, status=200 if actor else STOP_POLLING)
