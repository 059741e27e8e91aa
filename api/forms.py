"""The form that makes an API key."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.records.types import registry
from tenants.actors import Actor

READ_ONLY = {"event", "member"}
EXPIRIES = [("", _("Never")), ("30", _("In 30 days")), ("90", _("In 90 days")), ("365", _("In a year"))]


def scope_choices(actor: Actor) -> list[tuple[str, str]]:
    """The scopes that this actor's role can give to a key."""
    nouns = [rt.slug for rt in registry.all()] + sorted(READ_ONLY)
    choices = []
    for noun in nouns:
        if actor.can(noun, "view"):
            choices.append((f"{noun}:read", f"{noun}:read"))
        if noun not in READ_ONLY and any(actor.can(noun, action) for action in ("create", "edit", "delete")):
            choices.append((f"{noun}:write", f"{noun}:write"))
    return choices


class ApiKeyForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("What will use it: website, import, reports."))
    expires = forms.ChoiceField(label=_("Ends"), choices=EXPIRIES, required=False)
    scopes = forms.MultipleChoiceField(
        label=_("May"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one: a key without scopes may do nothing.")},
    )

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = scope_choices(actor)
        field.initial = [value for value, _label in scope_choices(actor) if value.split(":")[0] in EVERYDAY]


EVERYDAY = {"company", "contact", "deal", "task", "note", "pipeline", "stage", "member", "event"}
