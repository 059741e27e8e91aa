"""Forms that give what one member has to others."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.records.jobs.ownership_transfer import Portion
from crm.workspace.models import Member, Team
from crm.workspace.people.forms import choose, member_choices
from crm.workspace.people.selectors import active_members

STAYS = "stays"


class GiveForm(forms.Form):
    """Who takes over: one for all, or for each noun another, or nobody.

    ``portions`` are what there is to give; ``rows`` pairs each with its fields for the page.
    """

    taker = forms.ChoiceField(label=_("Who takes over"), required=False)

    def __init__(
        self, *args: Any, giver: Member, portions: Sequence[Portion], suggested: str = "", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.portions = portions
        self.others = [one for one in active_members() if one.pk != giver.pk]
        choose(self, taker=member_choices(_("Nobody: it stays"), self.others))
        self.fields["taker"].initial = suggested
        for portion in portions:
            slug, noun = portion.record_type.slug, portion.record_type.label_plural
            field = forms.ChoiceField(label=_("%(nouns)s go to") % {"nouns": noun}, required=False)
            people = [(str(one.pk), one.name) for one in self.others]
            field.choices = [("", _("As chosen above")), (STAYS, _("Nobody: it stays")), *people]
            self.fields[f"taker_{slug}"] = field
            if portion.closed:
                label = _("and %(count)d closed") % {"count": portion.closed}
                self.fields[f"closed_{slug}"] = forms.BooleanField(label=label, required=False)

    @property
    def rows(self) -> Iterable[dict[str, Any]]:
        for portion in self.portions:
            slug = portion.record_type.slug
            closed = self[f"closed_{slug}"] if f"closed_{slug}" in self.fields else None
            yield {"portion": portion, "taker": self[f"taker_{slug}"], "closed": closed}

    @property
    def takers(self) -> dict[str, UUID]:
        """Noun → who takes it over; nouns that stay are not in it."""
        found = {}
        for portion in self.portions:
            slug = portion.record_type.slug
            chosen = self.cleaned_data[f"taker_{slug}"] or self.cleaned_data["taker"]
            if chosen and chosen != STAYS:
                found[slug] = UUID(chosen)
        return found

    @property
    def closed_too(self) -> set[str]:
        return {
            one.record_type.slug for one in self.portions if self.cleaned_data.get(f"closed_{one.record_type.slug}")
        }


class LeaveForm(GiveForm):
    """And who follows them as manager of their reports and head of their teams."""

    manager = forms.ChoiceField(label=_("New manager of those who report to them"), required=False)

    def __init__(
        self, *args: Any, giver: Member, reports: Sequence[Member], teams: Sequence[Team], **kwargs: Any
    ) -> None:
        super().__init__(*args, giver=giver, **kwargs)
        above = str(giver.manager_id) if giver.manager and giver.manager.is_active else ""
        self.reports, self.teams = reports, teams
        if reports:
            choose(self, manager=[("", _("Nobody")), *((str(one.pk), one.name) for one in self.others)])
            self.fields["manager"].initial = above
        else:
            del self.fields["manager"]
        for team in teams:
            field = forms.ChoiceField(label=_("New head of %(team)s") % {"team": team.name}, required=False)
            field.choices = member_choices(_("Nobody"), self.others)
            field.initial = above
            self.fields[f"head_{team.pk}"] = field

    @property
    def head_fields(self) -> list[Any]:
        return [self[f"head_{team.pk}"] for team in self.teams]

    @property
    def heads(self) -> dict[UUID, str]:
        return {team.pk: self.cleaned_data[f"head_{team.pk}"] for team in self.teams}
