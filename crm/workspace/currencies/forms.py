"""Forms of the settings page of currencies."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from babel.core import get_global
from babel.numbers import get_currency_name
from django import forms
from django.utils.translation import gettext_lazy as _

from crm.workspace.text.formats import babel_locale, separators, typed_text
from crm.workspace.text.numbers import PLAIN, decimal_in, scientific, two_readings

EXAMPLE_AMOUNT = Decimal("1234.5")


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
    return [(code, f"{code} · {get_currency_name(code, locale=locale)}") for code in sorted(codes)]


def currency_label(code: str) -> str:
    return f"{code} · {get_currency_name(code, locale=babel_locale())}"


class TypedNumberField(forms.DecimalField):
    """A number as the reader writes numbers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}), **kwargs)

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, str) or not value.strip():
            return super().to_python(value)
        found = decimal_in(value, separators(), PLAIN)
        if found is None and (found := scientific(value)) is None:
            problem = _("This must be a number, such as %(example)s.")
            raise forms.ValidationError(problem, code="invalid", params={"example": typed_text(EXAMPLE_AMOUNT)})
        return found

    def prepare_value(self, value: Any) -> Any:
        return typed_text(value) if isinstance(value, Decimal) else value


class RateField(TypedNumberField):
    """A rate: one of four digits is rare, so a sign that may part thousands or decimals is not guessed at."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and (readings := two_readings(value, separators())):
            problem = _("This can be read as %(whole)s or as %(part)s. Write the one that is meant.")
            raise forms.ValidationError(
                problem, code="ambiguous", params=dict(zip(("whole", "part"), readings, strict=True))
            )
        return super().to_python(value)


class RateForm(forms.Form):
    """A rate of a day; without ``currency`` it asks which currency it is of."""

    currency = forms.ChoiceField(label=_("Currency"))
    on = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    rate = RateField(label=_("Rate"))

    def __init__(self, *args: Any, codes: Sequence[str], currency: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if currency:
            del self.fields["currency"]
        else:
            field = self.fields["currency"]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [(code, currency_label(code)) for code in codes]


class CurrencyForm(forms.Form):
    """One of all currencies there are but these."""

    currency = forms.ChoiceField(label=_("Currency"))

    def __init__(self, *args: Any, own: str, without: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["currency"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("Choose…")), *(one for one in currency_choices(own) if one[0] not in {own, *without})]


class RateFileForm(forms.Form):
    file = forms.FileField(
        label=_("File"), widget=forms.FileInput(attrs={"accept": ".csv,.txt,.xml,text/csv,text/plain,text/xml"})
    )
