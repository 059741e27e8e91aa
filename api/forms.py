"""The form that makes an API key."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.records.schema.registry import registry
from crm.workspace.permissions import ACTIVITY_NOUNS
from tenants.actors import POWER_SCOPES, Actor

OTHER_LABELS = {
    "member": _("Members and teams"),
    "event": _("Events"),
    "audit": _("Audit, in the events"),
    "settings": _("Settings of the workspace"),
}
EVERYDAY = {"member", "event", "company", "contact", "deal", *ACTIVITY_NOUNS, "pipeline", "stage"}
EXPIRIES = [("", _("Never")), ("30", _("In 30 days")), ("90", _("In 90 days")), ("365", _("In a year"))]


def is_everyday(scope: str) -> bool:
    """Whether a new key has it unless somebody says otherwise: what changes who works here is asked for."""
    return scope.partition(":")[0] in EVERYDAY and scope not in POWER_SCOPES.values()


def scope_choices(actor: Actor) -> list[tuple[str, str]]:
    """The scopes that this actor's role can give to a key."""
    scopes = []
    for record_type in registry.all():
        if actor.can(record_type.slug, "view"):
            scopes.append(f"{record_type.slug}:read")
        if any(actor.can(record_type.slug, action) for action in ("create", "edit", "delete")):
            scopes.append(f"{record_type.slug}:write")
    scopes += ["event:read", *(["member:read"] if actor.can("member", "view") else [])]
    scopes += [scope for power, scope in POWER_SCOPES.items() if actor.can("workspace", power)]
    return [(scope, scope) for scope in scopes]


@dataclass(frozen=True, slots=True)
class ScopeBox:
    """One box to tick; ``value`` is the scope, such as ``deal:read``."""

    value: str
    ticked: bool


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """A noun and its boxes, None where the role has no such right to give."""

    label: str
    read: ScopeBox | None
    write: ScopeBox | None


class ApiKeyForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("What will use it: website, import, reports."))
    expires = forms.ChoiceField(label=_("Ends"), choices=EXPIRIES, required=False)
    scopes = forms.MultipleChoiceField(
        label=_("May"),
        error_messages={"required": _("Choose at least one: a key without scopes may do nothing.")},
    )

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = scope_choices(actor)
        field.initial = [value for value, _label in scope_choices(actor) if is_everyday(value)]

    def scope_rows(self) -> list[ScopeRow]:
        """The scopes as a table: one row a noun, reading and writing beside each other."""
        ticked = set(self["scopes"].value() or ())
        offered = {value for value, _label in scope_choices(self.actor)}
        labels = {record_type.slug: record_type.label_plural for record_type in registry.all()} | OTHER_LABELS
        rows = []
        for noun, label in labels.items():
            boxes = [
                ScopeBox(value, value in ticked) if (value := f"{noun}:{right}") in offered else None
                for right in ("read", "write")
            ]
            if any(boxes):
                rows.append(ScopeRow(str(label), *boxes))
        return rows
