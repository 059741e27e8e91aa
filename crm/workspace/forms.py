"""Forms of the settings pages of members and of oneself."""

from typing import Any
from zoneinfo import available_timezones

from babel.core import get_global
from babel.numbers import get_currency_name
from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from crm.workspace.formats import babel_locale
from crm.workspace.models import Member, Role
from crm.workspace.selectors import active_members, grantable_roles
from tenants.actors import Actor, TenantRef


def time_zone_choices(blank: Any) -> list[tuple[str, Any]]:
    return [("", blank), *((name, name.replace("_", " ")) for name in sorted(available_timezones()) if "/" in name)]


def currency_choices(own: str) -> list[tuple[str, str]]:
    """All currencies in use today with their names in the reader's language, and the workspace's own."""
    locale = babel_locale()
    codes = {
        own,
        *(
            code
            for land in get_global("territory_currencies").values()
            for code, _from, until, tender in land
            if until is None and tender
        ),
    }
    return sorted(
        ((code, f"{code} · {get_currency_name(code, locale=locale)}") for code in codes), key=lambda one: one[0]
    )


class InviteForm(forms.Form):
    email = forms.EmailField(
        label=_("Email"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off", "inputmode": "email"})
    )
    role = forms.ChoiceField(label=_("Role"))
    manager = forms.ChoiceField(label=_("Manager"), required=False)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose(self, grantable_roles(actor), list(active_members()))
        self.fields["role"].initial = "member"


class MemberForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"))
    manager = forms.ChoiceField(label=_("Manager"), required=False)

    def __init__(self, *args: Any, actor: Actor, member: Member, **kwargs: Any) -> None:
        kwargs["initial"] = {"role": member.role.slug, "manager": str(member.manager_id or "")}
        super().__init__(*args, **kwargs)
        roles = grantable_roles(actor)
        if member.role_id not in {role.id for role in roles}:
            roles.append(member.role)
        _choose(self, roles, [one for one in active_members() if one.id != member.id])


def _choose(form: forms.Form, roles: list[Role], managers: list[Member]) -> None:
    role, manager = form.fields["role"], form.fields["manager"]
    assert isinstance(role, forms.ChoiceField)
    assert isinstance(manager, forms.ChoiceField)
    role.choices = [(one.slug, one.label) for one in roles]
    manager.choices = [("", _("Nobody")), *((str(one.id), one.name) for one in managers)]


class PersonalForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    locale = forms.ChoiceField(label=_("Language"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)

    def __init__(self, *args: Any, member: Member, **kwargs: Any) -> None:
        kwargs["initial"] = {"name": member.name, "locale": member.locale, "time_zone": member.time_zone}
        super().__init__(*args, **kwargs)
        language, zone = self.fields["locale"], self.fields["time_zone"]
        assert isinstance(language, forms.ChoiceField)
        assert isinstance(zone, forms.ChoiceField)
        language.choices = [("", _("As the workspace")), *settings.LANGUAGES]
        zone.choices = time_zone_choices(_("As the workspace"))


class WorkspaceForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120)
    currency = forms.ChoiceField(
        label=_("Currency"), help_text=_("What new amounts are in, unless somebody says otherwise.")
    )
    locale = forms.ChoiceField(label=_("Language"))
    time_zone = forms.ChoiceField(label=_("Time zone"))

    def __init__(self, *args: Any, tenant: TenantRef, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "name": tenant.name,
            "currency": tenant.currency,
            "locale": tenant.locale,
            "time_zone": tenant.time_zone,
        }
        super().__init__(*args, **kwargs)
        currency, language, zone = (self.fields[name] for name in ("currency", "locale", "time_zone"))
        assert isinstance(currency, forms.ChoiceField)
        assert isinstance(language, forms.ChoiceField)
        assert isinstance(zone, forms.ChoiceField)
        currency.choices = currency_choices(tenant.currency)
        language.choices = list(settings.LANGUAGES)
        zone.choices = [("UTC", "UTC"), *time_zone_choices("")[1:]]

    def clean_name(self) -> str:
        name = " ".join(str(self.cleaned_data["name"]).split())
        if not name or not name.isprintable():
            raise forms.ValidationError(_("A name is needed."), code="required")
        return name
