"""Forms of the settings pages of members and of oneself."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.workspace.colors import COLORS
from crm.workspace.configuration import Configuration, Span
from crm.workspace.currencies.forms import EXAMPLE_AMOUNT
from crm.workspace.errors import WorkspaceError
from crm.workspace.models import Member
from crm.workspace.settings.services import MAX_ESCALATION, holiday_regions, spans_read, spans_text
from crm.workspace.text import formats
from tenants.actors import TenantRef
from tenants.names import NameRefused, name_read


def time_zone_choices(blank: Any) -> list[tuple[str, Any]]:
    return [("", blank), *((name, name.replace("_", " ")) for name in sorted(available_timezones()) if "/" in name)]


def format_choices(blank: Any) -> dict[str, list[tuple[str, Any]]]:
    """The number, date and time formats, each written in itself; the blank one follows something else."""
    number, day, clock = Decimal("1234567.89"), date(timezone.localdate().year, 12, 31), time(17, 30)

    def shown(chosen: formats.Formats, write: Callable[[], str]) -> str:
        with formats.override(chosen):
            return write()

    by = formats.Formats
    return {
        "number_format": [
            ("", blank),
            *((one, shown(by(numbers=one), lambda: formats.number_text(number))) for one in formats.NUMBER_FORMATS),
        ],
        "date_format": [
            ("", blank),
            *((one, shown(by(dates=one), lambda: formats.date_text(day))) for one in formats.DATE_FORMATS),
        ],
        "time_format": [
            ("", blank),
            *((one, shown(by(times=one), lambda: formats.time_text(clock))) for one in formats.TIME_FORMATS),
        ],
    }


def examples(chosen: formats.Formats) -> dict[str, str]:
    """A number, an amount, a day and a moment, written so."""
    with formats.override(chosen):
        now = timezone.now()
        return {
            "example_number": formats.number_text(1234567),
            "example_money": formats.money_text(EXAMPLE_AMOUNT, "EUR"),
            "example_date": formats.date_text(timezone.localtime(now).date()),
            "example_moment": formats.moment_text(now),
        }


class FormatsForm(forms.Form):
    """How numbers, days and times are written."""

    number_format = forms.ChoiceField(label=_("Numbers"), required=False)
    date_format = forms.ChoiceField(label=_("Dates"), required=False)
    time_format = forms.ChoiceField(label=_("Times"), required=False)
    blank: Any = _("As the language")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in format_choices(self.blank).items():
            choose(self, name, choices)


def choose(form: forms.Form, name: str, choices: Sequence[tuple[Any, Any]]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices


class PersonalForm(FormatsForm):
    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    color = forms.ChoiceField(label=_("Colour"), choices=[(color, color) for color in COLORS], required=False)
    locale = forms.ChoiceField(label=_("Language"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)

    field_order = ("name", "color", "locale", "time_zone")
    blank = _("As the workspace")

    def __init__(self, *args: Any, member: Member, **kwargs: Any) -> None:
        named = ("name", "color", "locale", "time_zone", "number_format", "date_format", "time_format")
        kwargs["initial"] = {slug: getattr(member, slug) for slug in named}
        super().__init__(*args, **kwargs)
        choose(self, "locale", [("", self.blank), *settings.LANGUAGES])
        choose(self, "time_zone", time_zone_choices(self.blank))

    def clean_color(self) -> str:
        return str(self.cleaned_data["color"] or self.initial["color"])


class WorkspaceForm(FormatsForm):
    name = forms.CharField(label=_("Name"), max_length=120)
    locale = forms.ChoiceField(label=_("Language"), help_text=_("Of all who chose none of their own."))
    time_zone = forms.ChoiceField(label=_("Time zone"))
    week_start = forms.TypedChoiceField(label=_("First day of the week"), required=False, coerce=int, empty_value=None)

    field_order = ("name", "locale", "time_zone")

    def __init__(self, *args: Any, tenant: TenantRef, configuration: Configuration, **kwargs: Any) -> None:
        week_start = configuration.week_start
        kwargs["initial"] = {
            "name": tenant.name,
            "locale": tenant.locale,
            "time_zone": tenant.time_zone,
            "number_format": configuration.number_format,
            "date_format": configuration.date_format,
            "time_format": configuration.time_format,
            "week_start": "" if week_start is None else week_start,
        }
        super().__init__(*args, **kwargs)
        choose(self, "locale", list(settings.LANGUAGES))
        choose(self, "time_zone", [("UTC", "UTC"), *time_zone_choices("")[1:]])
        choose(self, "week_start", [("", self.blank), *enumerate(formats.weekday_names())])

    def clean_name(self) -> str:
        try:
            return name_read(str(self.cleaned_data["name"]), longest=120)
        except NameRefused as refusal:
            raise forms.ValidationError(refusal.message, code=refusal.code) from None


class LogoForm(forms.Form):
    logo = forms.FileField(
        label=_("Picture"),
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
        help_text=_("PNG, JPEG or WebP, up to 2 MB. Square ones fit best."),
    )


class HoursForm(forms.Form):
    """A line a weekday, such as ``9:00–12:30, 13:30–17:00``; empty is a day off."""

    def __init__(self, *args: Any, hours: Mapping[int, tuple[Span, ...]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        first, names = formats.week_start(), formats.weekday_names()
        for day in (*range(first, 7), *range(first)):
            self.fields[f"day_{day}"] = forms.CharField(
                label=names[day],
                required=False,
                max_length=120,
                initial=spans_text(hours.get(day, ())),
                widget=forms.TextInput(attrs={"placeholder": _("Day off"), "autocomplete": "off"}),
            )

    def clean(self) -> dict[str, Any]:
        self.hours: dict[int, tuple[Span, ...]] = {}
        for day in range(7):
            try:
                self.hours[day] = spans_read(self.cleaned_data.get(f"day_{day}", ""))
            except WorkspaceError as error:
                self.add_error(f"day_{day}", str(error.message))
        return self.cleaned_data


class EscalationForm(forms.Form):
    escalation_hours = forms.IntegerField(
        label=_("Hours until a manager is told"),
        help_text=_("Counted from when a task or a call was due."),
        min_value=1,
        max_value=MAX_ESCALATION,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )


class HolidayForm(forms.Form):
    on = forms.DateField(label=_("Day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    name = forms.CharField(label=_("Name"), max_length=80)


class HolidayPlaceForm(forms.Form):
    country = forms.ChoiceField(label=_("Country"))
    region = forms.ChoiceField(label=_("Region"), required=False)

    def __init__(self, *args: Any, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = formats.babel_locale().territories
        known = sorted(((code, str(names.get(code, code))) for code in holiday_regions()), key=lambda one: one[1])
        choose(self, "country", [("", _("Choose…")), *known])
        regions = holiday_regions().get(country, [])
        choose(self, "region", [("", _("The whole country")), *((one, one) for one in regions)])


class AddressForm(forms.Form):
    subdomain = forms.CharField(
        label=_("New address"),
        max_length=63,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    confirm = forms.CharField(
        label=_("The present address, to be sure"),
        max_length=63,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, present: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.present = present

    def clean_confirm(self) -> str:
        if str(self.cleaned_data["confirm"]).strip().lower() != self.present:
            raise forms.ValidationError(_("Type %(address)s here.") % {"address": self.present}, code="confirm")
        return self.present

    def clean_subdomain(self) -> str:
        return str(self.cleaned_data["subdomain"]).strip().lower()
