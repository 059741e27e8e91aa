"""Forms of the settings pages of pipelines. The write gate judges what was entered; these only ask for it."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.records.errors import Invalid
from crm.records.types import COLORS, Choice, registry
from crm.sales.models import Stage
from crm.sales.rules import OPEN, demandable_fields


class GateForm(forms.Form):
    """A form whose errors come from the write gate."""

    def refuse(self, error: Invalid) -> None:
        """Show what the gate said beside the fields it spoke of."""
        for one in error.errors:
            self.add_error(one.field if one.field in self.fields else None, str(one.message))


class NameForm(GateForm):
    name = forms.CharField(label=_("Name"), max_length=100, required=False)


class StageForm(GateForm):
    name = forms.CharField(label=_("Name"), max_length=100, required=False)
    kind = forms.ChoiceField(
        label=_("Kind"),
        help_text=_("Deals in a won or lost stage are closed. The kind cannot change while deals stand in the stage."),
    )
    probability = forms.CharField(
        label=_("Probability in percent"),
        max_length=10,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text=_("What a deal that comes into this stage is given. Won is always 100, lost always 0."),
    )
    stale_days = forms.CharField(
        label=_("Days until stale"),
        max_length=10,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        help_text=_("A deal that stays longer is marked on the board. Empty: never."),
    )
    color = forms.ChoiceField(label=_("Colour"), required=False)
    required_fields = forms.MultipleChoiceField(label=_("A deal needs, to come into this stage"), required=False)

    def __init__(self, *args: Any, stage: Stage | None = None, **kwargs: Any) -> None:
        if stage is not None:
            kwargs["initial"] = stage_values(stage)
        super().__init__(*args, **kwargs)
        kinds: tuple[Choice, ...] = registry.get("stage").field("kind").choices
        self._choose("kind", [(one.value, one.label) for one in kinds])
        self._choose("color", [(color, color) for color in COLORS])
        deal = registry.get("deal")
        self._choose("required_fields", [(slug, deal.field(slug).label) for slug in demandable_fields()])
        self.fields["kind"].initial = OPEN

    def _choose(self, name: str, choices: list[tuple[Any, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @property
    def colors(self) -> tuple[str, ...]:
        return COLORS

    @property
    def demands(self) -> list[dict[str, Any]]:
        """The fields a stage may demand, each with whether it is ticked."""
        ticked = set(self["required_fields"].value() or [])
        field = self.fields["required_fields"]
        assert isinstance(field, forms.ChoiceField)
        return [{"slug": slug, "label": label, "ticked": slug in ticked} for slug, label in field.choices]  # type: ignore[misc, union-attr]


def stage_values(stage: Stage) -> Mapping[str, Any]:
    return {
        "name": stage.name,
        "kind": stage.kind,
        "probability": f"{stage.probability.normalize():f}",
        "stale_days": "" if stage.stale_days is None else str(stage.stale_days),
        "color": stage.color,
        "required_fields": stage.required_fields,
    }
