"""Forms by which operators look into billing and change it."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.models import Plan, StripeEvent
from console.forms import Line, ReasonForm


class EventFilter(forms.Form):
    q = Line(label=_("Type or id"), max_length=80, required=False)
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("Any")), *StripeEvent.State.choices])
    tenant = forms.UUIDField(label=_("Workspace's id"), required=False)
    before = forms.UUIDField(required=False, widget=forms.HiddenInput)


class OptionalReasonForm(ReasonForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, is_needed=False, **kwargs)


class SuspendForm(forms.Form):
    note = Line(
        label=_("Reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The people of the workspace read it."),
    )


def moment_field(**options: Any) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(widget=widget, **options)


class TrialForm(ReasonForm):
    until = moment_field(label=_("Ends (UTC)"))
    field_order = ("until", "why")


class ContractForm(ReasonForm):
    plan = forms.ModelChoiceField(label=_("Plan"), queryset=Plan.objects.all(), empty_label=None)
    until = moment_field(label=_("Until (UTC)"), required=False, help_text=_("Empty: for good."))
    seats = forms.IntegerField(
        label=_("Seats"), required=False, min_value=1, max_value=100_000, help_text=_("Empty: as many as the plan has.")
    )
    field_order = ("plan", "until", "seats", "why")


class CouponForm(ReasonForm):
    """``instead_of`` is the coupon that runs as the form is shown: it says so, and the new one takes its place."""

    code = Line(label=_("Promotion code"), max_length=80)
    instead_of = Line(max_length=200, required=False, widget=forms.HiddenInput)
    field_order = ("code", "why")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if running := self.get_initial_for_field(self.fields["instead_of"], "instead_of"):
            self.fields["code"].help_text = _("It takes the place of the coupon that runs: %(coupon)s.") % {
                "coupon": running
            }
