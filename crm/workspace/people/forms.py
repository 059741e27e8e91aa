"""Forms of the settings pages of members and teams."""

from email.utils import getaddresses
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.workspace.models import Member, Role, Team
from crm.workspace.people.selectors import active_members, grantable_roles, teams
from tenants.actors import Actor

MAX_INVITED = 50
type Choices = list[tuple[str, Any]]


def team_choices(blank: Any, *, without: frozenset[Any] = frozenset()) -> Choices:
    """The tree of teams, each set in by its depth."""
    return [
        ("", blank),
        *((str(one.id), f"{'\u2003' * one.depth}{one.name}") for one in teams() if one.id not in without),
    ]


def member_choices(blank: Any, members: list[Member]) -> Choices:
    return [("", blank), *((str(one.id), one.name) for one in members)]


def choose(form: forms.Form, **choices: Choices) -> None:
    for name, offered in choices.items():
        field = form.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = offered


def role_choices(roles: list[Role]) -> Choices:
    return [(one.slug, one.label) for one in roles]


def addresses_in(text: str) -> list[str]:
    """The addresses of a text, one each, in their order: by line, comma or semicolon, bare or as ``Name <address>``."""
    found: dict[str, None] = {}
    for line in text.replace(";", "\n").replace(",", "\n").splitlines():
        for word in [address for _name, address in getaddresses([line])] if "<" in line else line.split():
            if word.strip():
                found.setdefault(word.strip().lower())
    return list(found)


class InviteForm(forms.Form):
    emails = forms.CharField(
        label=_("Email addresses"),
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "off", "inputmode": "email", "spellcheck": "false"}),
        help_text=_("One or more, by comma or line. Each gets a mail with a link that holds for seven days."),
    )
    role = forms.ChoiceField(label=_("Role"))
    team = forms.ChoiceField(label=_("Team"), required=False)
    manager = forms.ChoiceField(label=_("Manager"), required=False)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(
            self,
            role=role_choices(grantable_roles(actor)),
            team=team_choices(_("No team")),
            manager=member_choices(_("Nobody"), list(active_members())),
        )
        self.fields["role"].initial = "member"

    def clean_emails(self) -> list[str]:
        found = addresses_in(self.cleaned_data["emails"])
        if not found:
            raise forms.ValidationError(_("Name at least one address."), code="required")
        if len(found) > MAX_INVITED:
            raise forms.ValidationError(_("At most %(most)d at once."), code="too_many", params={"most": MAX_INVITED})
        return found


class MemberForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"))
    team = forms.ChoiceField(label=_("Team"), required=False)
    manager = forms.ChoiceField(
        label=_("Manager"), required=False, help_text=_("Is told when something of this member's is overdue.")
    )

    def __init__(self, *args: Any, actor: Actor, member: Member, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "role": member.role.slug,
            "team": str(member.team_id or ""),
            "manager": str(member.manager_id or ""),
        }
        super().__init__(*args, **kwargs)
        roles = grantable_roles(actor)
        if member.role_id not in {role.id for role in roles}:
            roles.append(member.role)
        managers = [one for one in active_members() if one.id != member.id]
        if member.manager is not None and member.manager_id not in {one.id for one in managers}:
            managers.append(member.manager)
        choose(
            self,
            role=role_choices(roles),
            team=team_choices(_("No team")),
            manager=member_choices(_("Nobody"), managers),
        )


class FilterForm(forms.Form):
    """Which members a list shows; what makes no sense is left out."""

    q = forms.CharField(required=False, max_length=100)
    role = forms.ChoiceField(required=False)
    team = forms.ChoiceField(required=False)
    state = forms.ChoiceField(
        required=False,
        choices=[("", _("Active")), ("deactivated", _("Deactivated")), ("all", _("Active and deactivated"))],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(
            self,
            role=[("", _("Every role")), *((one.slug, one.label) for one in Role.objects.order_by("name"))],
            team=team_choices(_("Every team")),
        )

    @property
    def chosen(self) -> dict[str, str]:
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


class TeamForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80)
    parent = forms.ChoiceField(label=_("Part of"), required=False)
    head = forms.ChoiceField(
        label=_("Head"),
        required=False,
        help_text=_("Reaches what this team and all teams below it have, as far as the role goes by team."),
    )

    def __init__(self, *args: Any, team: Team | None = None, **kwargs: Any) -> None:
        if team is not None:
            kwargs["initial"] = {
                "name": team.name,
                "parent": str(team.parent_id or ""),
                "head": str(team.head_id or ""),
            }
        super().__init__(*args, **kwargs)
        people = list(active_members())
        if team is not None and team.head is not None and team.head_id not in {one.id for one in people}:
            people.append(team.head)
        choose(
            self,
            parent=team_choices(_("Nothing: it stands at the top"), without=below(team)),
            head=member_choices(_("Nobody"), people),
        )


def below(team: Team | None) -> frozenset[Any]:
    """The ids of a team and of all below it."""
    if team is None:
        return frozenset()
    found = {team.id}
    for one in teams():
        if one.parent_id in found:
            found.add(one.id)
    return frozenset(found)


class TeamRemoveForm(forms.Form):
    move_to = forms.ChoiceField(label=_("Its members and the teams below it go to"), required=False)

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        kwargs["initial"] = {"move_to": str(team.parent_id or "")}
        super().__init__(*args, **kwargs)
        choose(self, move_to=team_choices(_("No team: members have none, teams stand at the top"), without=below(team)))


class TeamMemberForm(forms.Form):
    member = forms.ChoiceField(label=_("Add a member"))

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = [one for one in active_members().select_related("team") if one.team_id != team.id]
        choose(
            self,
            member=[
                ("", _("Choose")),
                *((str(one.id), f"{one.name} ({one.team.name})" if one.team else one.name) for one in others),
            ],
        )
