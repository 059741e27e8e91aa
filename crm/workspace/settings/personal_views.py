"""Settings → Personal."""

from typing import cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _

from crm.workspace.colors import COLORS
from crm.workspace.configuration import reader_formats
from crm.workspace.errors import WorkspaceError
from crm.workspace.models import Member
from crm.workspace.people import member_services
from crm.workspace.people.selectors import members
from crm.workspace.settings.forms import PersonalForm, examples
from tenants.actors import Actor
from tenants.http import Request
from tenants.web.access import MEMBER, access


def _actor(request: Request) -> Actor:
    return cast(Actor, request.actor)


def _refused(form: forms.Form, error: WorkspaceError) -> None:
    form.add_error(error.field if error.field in form.fields else None, str(error.message))


def _member(member_id: UUID) -> Member:
    member = members().filter(id=member_id).first()
    if member is None:
        raise Http404
    return member


@access(MEMBER)
def personal(request: Request) -> HttpResponse:
    actor = _actor(request)
    member = _member(cast(UUID, actor.member_id))
    form = PersonalForm(request.POST or None, member=member)
    if request.method == "POST" and form.is_valid():
        try:
            changed = member_services.member_profile_update(actor, **form.cleaned_data)
        except WorkspaceError as error:
            _refused(form, error)
        else:
            with translation.override(changed.locale or actor.tenant.locale):
                messages.success(request, _("Saved."))
            return redirect("settings:personal")
    context = {"form": form, "member": member, "colors": COLORS, **examples(reader_formats(actor))}
    return render(request, "workspace/personal.html", context, status=422 if form.errors else 200)
