"""What views answer with: toasts, redirects that htmx follows, and errors as pages or as messages."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect, reswap, retarget, trigger_client_event

from crm.records.access.visibility import may_write
from crm.records.errors import Invalid, NotFound, RecordError, UndoConflict, UnknownType
from crm.records.schema.field import Field, Text
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from tenants.actors import Actor
from tenants.http import MemberRequest

MAX_SAID = 3

type View[**P] = Callable[Concatenate[Any, P], HttpResponseBase]


def record_type_or_404(plural: str) -> RecordType:
    """The record type of a path, or a 404 page."""
    try:
        return registry.by_plural(plural)
    except UnknownType:
        raise Http404 from None


def writable_field_or_404(actor: Actor, record_type: RecordType, slug: str) -> Field:
    """A field that the actor may write, or a 404 page."""
    found = record_type.by_slug.get(slug)
    if found is None or not may_write(actor, record_type, found):
        raise Http404
    return found


def undo_url(change_set_id: UUID | None) -> str:
    return reverse("records:undo", args=[change_set_id]) if change_set_id else ""


def toast(
    response: HttpResponse,
    message: object,
    *,
    kind: str = "success",
    undo: UUID | None = None,
    link: tuple[str, str] = ("", ""),
) -> HttpResponse:
    """Have the page say something once the answer is there; ``undo`` is the change-set to offer an undo for, ``link``
    the address and the words of a page that helps."""
    detail = {"message": str(message), "kind": kind, "undo_url": undo_url(undo)}
    if link[0]:
        detail |= {"link_url": link[0], "link_label": link[1]}
    trigger_client_event(response, "toast", detail)
    return response


def redirect_to(
    request: MemberRequest, url: str, message: object = "", *, undo: UUID | None = None, redo: UUID | None = None
) -> HttpResponse:
    """Go to another page, where the message is shown, with a way back (``undo``) or forth again (``redo``)."""
    if message:
        way = f"redo:{undo_url(redo)}" if redo else f"undo:{undo_url(undo)}" if undo else ""
        messages.success(request, str(message), extra_tags=way)
    return HttpResponseClientRedirect(url) if request.htmx else HttpResponseRedirect(url)


def return_url(request: MemberRequest, fallback: str) -> str:
    """Where the reader came from, if that is a page of this host."""
    for candidate in (request.POST.get("next", ""), request.headers.get("Referer", "")):
        if candidate and url_has_allowed_host_and_scheme(candidate, {request.get_host()}, request.is_secure()):
            return candidate
    return fallback


def handle_record_errors[**P](view: View[P]) -> View[P]:
    """Show what a person can cause as a page, to htmx as a toast; what is not visible is a 404 page."""

    @wraps(view)
    def guarded(request: MemberRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except NotFound as error:
            raise Http404 from error
        except RecordError as error:
            return refused(request, error)

    return guarded


def refused(request: MemberRequest, error: RecordError) -> HttpResponse:
    context: dict[str, Any] = {"error": error, "conflicts": error.conflicts if isinstance(error, UndoConflict) else []}
    if not request.htmx:
        return render(request, "records/refused.html", context, status=error.status)
    if isinstance(error, UndoConflict):
        response = render(request, "records/refused.html#conflicts", context, status=error.status)
        return retarget(reswap(response, "innerHTML"), "#dialog-content")
    response = HttpResponse(status=error.status)
    return toast(reswap(response, "none"), error_text(error), kind="error")


def error_text(error: RecordError) -> Text:
    """What is wrong, where no form is there to say it beside its fields: each thing once, and not too many."""
    problems = dict.fromkeys(str(one.message) for one in error.errors) if isinstance(error, Invalid) else {}
    return " ".join(list(problems)[:MAX_SAID]) or error.message
