"""Forms of the settings pages of pipelines. The write gate judges what was entered; these only ask for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.records.access.visibility import readable_fields
from crm.records.errors import BadQuery, Invalid, VersionConflict
from crm.records.lists import filtering
from crm.records.models import Record
from crm.records.schema.kinds import Kind
from crm.records.schema.registry import registry
from crm.sales.models import LostReason, Pipeline, Stage
from crm.sales.pipelines.stage_entry_rules import NEW
from crm.sales.rules.common import OPEN, demandable_fields
from crm.sales.selectors import StageRef
from crm.workspace.colors import COLORS
from tenants.actors import Actor


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that somebody else changed while this form was open."""

    label: str
    theirs: str
    mine: str


class GateForm(forms.Form):
    """A form whose errors come from the write gate, and that says so when somebody else was quicker."""

    version = forms.CharField(required=False, widget=forms.HiddenInput)
    differences: Sequence[Difference] = ()
    conflict: VersionConflict | None = None

    def refuse(self, error: Invalid) -> None:
        """Show what the gate said beside the fields it spoke of."""
        for one in error.errors:
            self.add_error(one.field if one.field in self.fields else None, str(one.message))

    @property
    def values(self) -> dict[str, Any]:
        """What was entered, by field slug."""
        return {slug: value for slug, value in self.cleaned_data.items() if slug != "version"}

    @property
    def seen_version(self) -> int | None:
        given = self.cleaned_data.get("version", "")
        return int(given) if given.isdecimal() and len(given) < 10 else None

    def changed_meanwhile(self, now: Mapping[str, Any], conflict: VersionConflict) -> None:
        """Show both values of what both changed, and take over what only the other one did; sent again, the form
        replaces what it shows."""
        self.conflict = conflict
        self.differences = [
            Difference(
                str(self.fields[slug].label), self.told(slug, now.get(slug)), self.told(slug, self.cleaned_data[slug])
            )
            for slug in conflict.fields
            if slug in self.fields
        ]
        assert isinstance(self.data, QueryDict)
        data = self.data.copy()
        for slug in conflict.kept:
            theirs = now.get(slug)
            if slug not in self.fields:
                continue
            if isinstance(theirs, bool):
                data.setlist(slug, ["on"] if theirs else [])
            else:
                data.setlist(slug, list(theirs) if isinstance(theirs, list | tuple) else [str(theirs)])
        data["version"] = str(conflict.found)
        self.data = data

    def told(self, slug: str, value: Any) -> str:
        """A value as this form would show it."""
        if isinstance(self.fields[slug], forms.ChoiceField):
            labels = {str(key): str(label) for key, label in self._choices(slug)}
            given = value if isinstance(value, list | tuple) else [value]
            return ", ".join(labels.get(str(one), str(one)) for one in given if one not in (None, "")) or "–"
        if isinstance(value, bool):
            return _("Yes") if value else _("No")
        return str(value or "–")

    def _choose(self, name: str, choices: Sequence[tuple[Any, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(choices)

    def ticks(self, name: str) -> list[dict[str, Any]]:
        """The choices of a field, each with whether it is ticked."""
        ticked = {str(one) for one in self[name].value() or []}
        return [
            {"value": value, "label": label, "ticked": str(value) in ticked} for value, label in self._choices(name)
        ]

    def _choices(self, name: str) -> list[tuple[Any, Any]]:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        return [(value, label) for value, label in field.choices]  # type: ignore[union-attr, misc]


def field_choices(actor: Actor) -> list[tuple[str, Any]]:
    deal = registry.get("deal")
    known = demandable_fields()
    return [
        (one.slug, one.label) for one in readable_fields(actor, deal) if one.slug in known and one.kind != Kind.CURRENCY
    ]


class NameForm(GateForm):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100, required=False)

    def __init__(self, *args: Any, record: Record | None = None, **kwargs: Any) -> None:
        if record is not None:
            kwargs["initial"] = {"name": str(record), "version": record.version}
        super().__init__(*args, **kwargs)


class NewPipelineForm(NameForm):
    like = forms.ChoiceField(label=gettext_lazy("Begin with"), required=False)

    def __init__(self, *args: Any, pipelines: Sequence[tuple[Any, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        copies = [(str(id), _("A copy of %(name)s") % {"name": name}) for id, name in pipelines]
        self._choose("like", [("", _("The usual stages")), *copies])


class PipelineForm(NameForm):
    lost_reason_required = forms.BooleanField(
        label=gettext_lazy("A lost deal needs a reason"),
        required=False,
        help_text=gettext_lazy("Asked when a deal goes to a lost stage, on screens and by the API."),
    )
    lost_reasons = forms.MultipleChoiceField(label=gettext_lazy("Reasons that can be given"), required=False)
    deal_fields = forms.MultipleChoiceField(label=gettext_lazy("Fields of its deals"), required=False)

    def __init__(self, actor: Actor, *args: Any, record: Pipeline, **kwargs: Any) -> None:
        super().__init__(*args, record=record, **kwargs)
        self.initial = pipeline_values(actor, record)
        reasons = LostReason.objects.filter(deleted_at=None).order_by("position", "pk").values_list("pk", "name")
        self._choose("lost_reasons", [(str(pk), name) for pk, name in reasons])
        self._choose("deal_fields", field_choices(actor))

    @property
    def values(self) -> dict[str, Any]:
        found = super().values
        return {**found, "lost_reasons": [{"id": one} for one in found["lost_reasons"]]}

    @property
    def reasons(self) -> list[dict[str, Any]]:
        return self.ticks("lost_reasons")

    @property
    def shown(self) -> list[dict[str, Any]]:
        return self.ticks("deal_fields")


class StageForm(GateForm):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100, required=False)
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        help_text=gettext_lazy(
            "Deals in a won or lost stage are closed. The kind cannot change while deals stand in the stage."
        ),
    )
    probability = forms.CharField(
        label=gettext_lazy("Probability in percent"),
        max_length=10,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text=gettext_lazy("What a deal that comes into this stage is given. Won is always 100, lost always 0."),
    )
    stale_days = forms.CharField(
        label=gettext_lazy("Days until stale"),
        max_length=10,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        help_text=gettext_lazy("A deal that stays longer is marked on the board. Empty: never."),
    )
    guidance = forms.CharField(
        label=gettext_lazy("Guidance"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("What to do in this stage. Shown on the board and on each of its deals."),
    )
    color = forms.ChoiceField(label=gettext_lazy("Colour"), required=False)
    required_fields = forms.MultipleChoiceField(
        label=gettext_lazy("A deal needs, to come into this stage"), required=False
    )
    enter_from = forms.MultipleChoiceField(label=gettext_lazy("It comes only from"), required=False)

    def __init__(
        self, actor: Actor, *args: Any, stage: Stage | None = None, others: Sequence[StageRef] = (), **kwargs: Any
    ) -> None:
        kwargs["initial"] = stage_values(actor, stage) if stage else {"color": "gray", "kind": OPEN}
        super().__init__(*args, **kwargs)
        kinds = registry.get("stage").field("kind").choices
        self._choose("kind", [(one.value, one.label) for one in kinds])
        self._choose("color", [(color, color) for color in COLORS])
        self._choose("required_fields", field_choices(actor))
        sources = [(str(one.id), one.name) for one in others if stage is None or one.id != stage.pk]
        known = {NEW, *(id for id, _name in sources)}
        kept = [
            (one, _("a stage of another pipeline")) for one in (stage.enter_from if stage else ()) if one not in known
        ]
        self._choose("enter_from", [(NEW, _("New deals")), *sources, *kept])

    @property
    def values(self) -> dict[str, Any]:
        """What was entered; a probability that was left as it was says nothing about another kind."""
        found = super().values
        if "kind" in self.changed_data and "probability" not in self.changed_data:
            del found["probability"]
        return found

    @property
    def colors(self) -> tuple[str, ...]:
        return COLORS

    @property
    def demands(self) -> list[dict[str, Any]]:
        return self.ticks("required_fields")

    @property
    def sources(self) -> list[dict[str, Any]]:
        return self.ticks("enter_from")


class EntryRows:
    """The condition of a stage as rows to fill in, part of the stage's form."""

    def __init__(self, actor: Actor, data: QueryDict | None, condition: Mapping[str, Any]) -> None:
        self.actor, self.data, self.deal = actor, data, registry.get("deal")
        self.paths = filtering.filterable(actor, self.deal)
        if data is None:
            self.match, self.rows = filtering.rows_of(actor, self.deal, condition)
        else:
            self.match, self.rows = filtering.rows_sent(actor, self.deal, data)
            if "add" in data and len(self.rows) < filtering.MAX_ROWS:
                self.rows.append(filtering.row(actor, self.deal, len(self.rows), "amount", "", []))

    @property
    def is_underway(self) -> bool:
        """Whether a row was added, dropped or changed, and nothing is to be saved yet."""
        return self.data is not None and bool({"add", "drop", "refresh"} & self.data.keys())

    def condition(self) -> dict[str, Any] | None:
        """The condition that the rows mean; None when one of them cannot be understood, which it then says."""
        try:
            return filtering.tree_of(self.actor, self.deal, self.match, self.rows)
        except BadQuery:
            return None


def pipeline_values(actor: Actor, pipeline: Pipeline) -> dict[str, Any]:
    reasons = pipeline.reason_links.order_by("pk").values_list("lost_reason_id", flat=True)
    return {
        "version": pipeline.version,
        "name": pipeline.name,
        "lost_reason_required": pipeline.lost_reason_required,
        "lost_reasons": [str(one) for one in reasons],
        "deal_fields": seen(actor, pipeline, "deal_fields"),
    }


def seen(actor: Actor, record: Pipeline | Stage, slug: str) -> Any:
    """What of a field the actor sees."""
    noun = registry.get("stage" if isinstance(record, Stage) else "pipeline")
    return noun.field(slug).redact(actor, getattr(record, slug))


def stage_values(actor: Actor, stage: Stage) -> dict[str, Any]:
    return {
        "version": stage.version,
        "name": stage.name,
        "kind": stage.kind,
        "probability": f"{stage.probability.normalize():f}",
        "stale_days": "" if stage.stale_days is None else str(stage.stale_days),
        "guidance": stage.guidance,
        "color": stage.color,
        "required_fields": seen(actor, stage, "required_fields"),
        "enter_from": stage.enter_from,
        "entry_condition": seen(actor, stage, "entry_condition"),
    }
