"""Forms of the public host. Passwords are never given back; everything else that was typed is."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from tenants.models import User
from tenants.names import NameRefused, name_read
from tenants.workspaces.subdomains import subdomain_refusal

PASSWORD_MAX = 200


def password_field(**options: Any) -> forms.CharField:
    autocomplete = options.pop("autocomplete", "new-password")
    return forms.CharField(
        strip=False,
        max_length=PASSWORD_MAX,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": autocomplete}),
        **{"label": _("Password")} | options,
    )


def email_field(label: Any = None, **attributes: Any) -> forms.EmailField:
    widget = forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email", **attributes})
    return forms.EmailField(label=label or _("Email"), max_length=254, widget=widget)


class Cleaned(forms.Form):
    """A form that judges names and passwords."""

    def _named(self, name: str) -> str:
        try:
            return name_read(str(self.cleaned_data.get(name, "")), longest=120)
        except NameRefused as refusal:
            raise ValidationError(refusal.message, code=refusal.code) from None

    def _checked_password(self, name: str, user: User) -> None:
        password = self.cleaned_data.get(name)
        if password:
            try:
                validate_password(password, user)
            except ValidationError as error:
                self.add_error(name, error)


class WorkspaceForm(Cleaned):
    company = forms.CharField(
        label=_("Company"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "organization"})
    )
    subdomain = forms.CharField(
        label=_("Address"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    sample = forms.BooleanField(
        label=_("Start with sample data"),
        help_text=_("A small business to look around in. One click clears it."),
        required=False,
    )
    time_zone = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput(attrs={"data-time-zone": ""}))

    def clean_company(self) -> str:
        return self._named("company")

    def clean_subdomain(self) -> str:
        name = str(self.cleaned_data["subdomain"]).strip().lower()
        refusal = subdomain_refusal(name)
        if refusal:
            raise ValidationError(refusal, code="subdomain")
        return name

    def clean_time_zone(self) -> str:
        zone = str(self.cleaned_data["time_zone"])
        return zone if zone in available_timezones() else "UTC"


class SignUpForm(WorkspaceForm):
    email = email_field(_("Work email"))
    password = password_field(help_text=_("At least 10 characters. A few words make a good one."))

    field_order = ("email", "company", "subdomain", "password", "sample", "time_zone")

    def clean(self) -> dict[str, Any]:
        self._checked_password(
            "password", User(email=self.cleaned_data.get("email", ""), name=self.cleaned_data.get("company", ""))
        )
        return self.cleaned_data


class SignInForm(Cleaned):
    email = email_field(autofocus=True, autocomplete="username webauthn")
    password = password_field(autocomplete="current-password")


class ResetForm(Cleaned):
    email = email_field(autofocus=True)


class NewPasswordForm(Cleaned):
    password = password_field(
        label=_("New password"), help_text=_("At least 10 characters. A few words make a good one.")
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean(self) -> dict[str, Any]:
        self._checked_password("password", self.user)
        return self.cleaned_data


class JoinForm(Cleaned):
    """What somebody new says of themselves who accepts an invitation."""

    name = forms.CharField(label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password = password_field(help_text=_("At least 10 characters. A few words make a good one."))

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean_name(self) -> str:
        return self._named("name")

    def clean(self) -> dict[str, Any]:
        self._checked_password("password", User(email=self.email, name=self.cleaned_data.get("name", "")))
        return self.cleaned_data


class CodeForm(Cleaned):
    code = forms.CharField(
        label=_("Code"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )


class PasskeyNameForm(Cleaned):
    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("By which you know it again, such as the device it is on.")
    )

    def clean_name(self) -> str:
        return self._named("name")


class EmailForm(Cleaned):
    email = email_field(_("New email"), autofocus=True)
