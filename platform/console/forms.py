"""Forms of the console."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from console.models import AuditEntry
from console.workspaces import HEALTH, access_states, plan_names
from tenants.models import Tenant


class Line(forms.CharField):
    """A line or some of text in which nothing is that a database does not take."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(str(value or "").replace("\x00", "")))


class WorkspaceFilter(forms.Form):
    q = Line(label=_("Search"), max_length=200, required=False)
    state = forms.ChoiceField(label=_("State"), required=False)
    access = forms.ChoiceField(label=_("Billing"), required=False)
    plan = forms.ChoiceField(label=_("Plan"), required=False)
    health = forms.ChoiceField(label=_("Health"), required=False)
    after = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["q"].widget.attrs |= {
            "type": "search",
            "data-search": "",
            "placeholder": _("Name, address, member's email or id"),
        }
        anything = ("", _("Any"))
        offered: dict[str, list[tuple[str, Any]]] = {
            "state": [anything, *Tenant.State.choices],
            "access": [anything, *((one, one.replace("_", " ")) for one in access_states())],
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
