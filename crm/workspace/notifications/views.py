"""Settings → Notifications: by which channels one is told of what, and when."""

from collections.abc import Iterator
from datetime import time
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.workspace.errors import WorkspaceError
from crm.workspace.models import Member, NotificationChoices
from crm.workspace.notifications.notify import Channel, choices_of, chosen, kinds
from crm.workspace.notifications.services import notification_choices_update
from crm.workspace.text.formats import time_text
from tenants.http import MemberRequest
from tenants.web.access import MEMBER, access

NO_MAIL = ""
MAILS = (
    (NO_MAIL, gettext_lazy("No mail")),
    (Channel.MAIL.value, gettext_lazy("At once")),
    (Channel.DIGEST.value, gettext_lazy("In the digest")),
)


def clock() -> forms.TimeInput:
    return forms.TimeInput(attrs={"type": "time"}, format="%H:%M")


class NotificationForm(forms.Form):
    only_mine = forms.BooleanField(
        label=gettext_lazy("Only what is mine"),
        help_text=gettext_lazy(
            "As a manager you are told of your people's work too. With this you are told of your own alone."
        ),
        required=False,
    )
    digest_days = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Days"),
        choices=[(day, name) for day, name in WEEKDAYS.items()],
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    digest_hour = forms.TypedChoiceField(label=gettext_lazy("Time"), coerce=int)
    quiet = forms.BooleanField(label=gettext_lazy("No mails at night"), required=False)
    quiet_from = forms.TimeField(label=gettext_lazy("From"), widget=clock())
    quiet_until = forms.TimeField(label=gettext_lazy("Until"), widget=clock())
    quiet_days_off = forms.BooleanField(label=gettext_lazy("No mails on days without working hours"), required=False)
    quiet_holidays = forms.BooleanField(label=gettext_lazy("No mails on the workspace's holidays"), required=False)

    def __init__(self, *args: Any, choices: NotificationChoices, **kwargs: Any) -> None:
        kwargs["initial"] = {name: getattr(choices, name) for name in self.base_fields}
        super().__init__(*args, **kwargs)
        hour = self.fields["digest_hour"]
        assert isinstance(hour, forms.TypedChoiceField)
        hour.choices = [(number, time_text(time(number))) for number in range(24)]
        for kind in kinds().values():
            ways = chosen(choices, kind.slug)
            mail = next((way.value for way in (Channel.MAIL, Channel.DIGEST) if way in ways), NO_MAIL)
            in_app = forms.BooleanField(
                label=_("%(kind)s: in the app") % {"kind": kind.label}, required=False, initial=Channel.IN_APP in ways
            )
            self.fields[f"in_app_{kind.slug}"] = in_app
            self.fields[f"mail_{kind.slug}"] = forms.ChoiceField(
                label=_("%(kind)s: by mail") % {"kind": kind.label}, choices=MAILS, required=False, initial=mail
            )

    def rows(self) -> Iterator[dict[str, Any]]:
        """A kind with its two controls."""
        for kind in kinds().values():
            yield {"kind": kind, "in_app": self[f"in_app_{kind.slug}"], "mail": self[f"mail_{kind.slug}"]}

    def channels(self) -> dict[str, list[str]]:
        """What was chosen for each kind."""
        return {
            slug: [
                *([Channel.IN_APP.value] if self.cleaned_data[f"in_app_{slug}"] else []),
                *([mail] if (mail := self.cleaned_data[f"mail_{slug}"]) else []),
            ]
            for slug in kinds()
        }


@access(MEMBER)
def notifications(request: MemberRequest) -> HttpResponse:
    actor = request.actor
    member = Member.objects.select_related("notification_choices").get(pk=cast(UUID, actor.member_id))
    form = NotificationForm(request.POST or None, choices=choices_of(member))
    if request.method == "POST" and form.is_valid():
        plain = {name: form.cleaned_data[name] for name in form.base_fields}
        try:
            notification_choices_update(actor, channels=form.channels(), **plain)
        except WorkspaceError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error.message))
        else:
            messages.success(request, _("Saved."))
            return redirect("settings:notifications")
    context = {"form": form, "member": member, "zone": actor.time_zone.key}
    return render(request, "workspace/notifications.html", context, status=422 if form.errors else 200)
