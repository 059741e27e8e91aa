"""Forms of the console."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.access import State
from billing.plans.catalog import PLANS
from billing.plans.wording import STATES
from console.models import AuditEntry
from console.workspaces.selectors import HEALTH, SORTS, plan_names
from console.workspaces.visits import visit_choices
from tenants.models import Tenant


class Line(forms.CharField):
    """A line or some of text in which nothing is that a database does not take."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(str(value or "").replace("\x00", "")))


class WorkspaceFilter(forms.Form):
    q = Line(label=_("Search"), max_length=200, required=False, widget=forms.SearchInput)
    state = forms.ChoiceField(label=_("State"), required=False)
    access = forms.ChoiceField(label=_("Billing"), required=False)
    plan = forms.ChoiceField(label=_("Plan"), required=False)
    health = forms.ChoiceField(label=_("Health"), required=False)
    sort = forms.ChoiceField(label=_("Order"), required=False, choices=list(SORTS.items()))
    after = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["q"].widget.attrs |= {
            "data-search": "",
            "placeholder": _("Name, address, member's email or id"),
        }
        anything = ("", _("Any"))
        offered: dict[str, list[tuple[str, Any]]] = {
            "state": [anything, *Tenant.State.choices],
            "access": [anything, *STATES.items()],
            "plan": [anything, *((one, one) for one in plan_names())],
            "health": [anything, *HEALTH.items()],
        }
        for name, choices in offered.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices


class AuditFilter(forms.Form):
    operator = Line(label=_("Operator"), max_length=254, required=False)
    action = forms.ChoiceField(label=_("Action"), required=False)
    tenant = forms.UUIDField(label=_("Workspace's id"), required=False)
    steps = forms.BooleanField(label=_("Steps only"), required=False)
    before = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["action"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("Any")), *AuditEntry.Action.choices]


class ReasonForm(forms.Form):
    """Why an operator does something; ``told`` says where the workspace sees it."""

    why = Line(label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, is_needed: bool = True, told: Any = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["why"].required = is_needed
        self.fields["why"].help_text = told or _("For the audit of the console.")

    @property
    def reason(self) -> str:
        return str(self.cleaned_data["why"])


class VisitForm(forms.Form):
    member = forms.ChoiceField(label=_("As"))
    reason = Line(
        label=_("Reason"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The workspace reads it. Needed where the member has not agreed."),
    )

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["member"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(str(one.user.pk), label) for one, label in visit_choices(tenant)]


class AnnouncementForm(forms.Form):
    """``text_<language>`` are the words in each language of the product, the first of them needed."""

    until = forms.DateTimeField(
        label=_("Shown until (UTC)"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    plans = forms.MultipleChoiceField(
        label=_("Plans"), required=False, widget=forms.CheckboxSelectMultiple, help_text=_("None chosen: any.")
    )
    states = forms.MultipleChoiceField(
        label=_("States of billing"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: any."),
    )
    ids = Line(
        label=_("Workspaces by id"),
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One a line. Alone they are the only ones, with a plan or state they come on top."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        texts = {
            f"text_{code}": Line(
                label=_("Words in %(language)s") % {"language": name},
                max_length=600,
                required=place == 0,
                widget=forms.Textarea(attrs={"rows": 3, "lang": code}),
            )
            for place, (code, name) in enumerate(settings.LANGUAGES)
        }
        self.fields = {**texts, **self.fields}
        plans = dict.fromkeys([*(plan.name for plan in PLANS), *plan_names()])
        offered: dict[str, list[tuple[str, Any]]] = {
            "plans": [(one, one) for one in plans],
            "states": [(str(state), label) for state, label in STATES.items() if state is not State.DELETED],
        }
        for name, choices in offered.items():
            field = self.fields[name]
            assert isinstance(field, forms.MultipleChoiceField)
            field.choices = choices

    def clean_until(self) -> datetime:
        until: datetime = self.cleaned_data["until"]
        if until <= timezone.now():
            raise forms.ValidationError(_("Choose a time to come."))
        return until

    def clean_ids(self) -> list[UUID]:
        try:
            return [UUID(one) for one in self.cleaned_data["ids"].split()]
        except ValueError:
            raise forms.ValidationError(_("Write ids of workspaces, one a line.")) from None

    @property
    def texts(self) -> dict[str, str]:
        values = {code: self.cleaned_data.get(f"text_{code}", "") for code, _name in settings.LANGUAGES}
        return {code: text for code, text in values.items() if text}
