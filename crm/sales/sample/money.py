"""What the sample's customers pay, in whatever currency a workspace counts."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

EUROS = {
    code: Decimal(euros)
    for code, euros in {
        "EUR": "1", "USD": "0.92", "GBP": "1.15", "CHF": "1.06", "PLN": "0.235", "SEK": "0.089", "NOK": "0.085",
        "DKK": "0.134", "CZK": "0.04", "HUF": "0.0025", "RON": "0.2", "BGN": "0.511", "ISK": "0.0067",
        "UAH": "0.022", "TRY": "0.022", "RUB": "0.01", "JPY": "0.0061", "CNY": "0.128", "KRW": "0.00066",
        "INR": "0.011", "IDR": "0.000056", "THB": "0.027", "VND": "0.000036", "PHP": "0.016", "MYR": "0.21",
        "SGD": "0.69", "HKD": "0.118", "TWD": "0.029", "AUD": "0.6", "NZD": "0.55", "CAD": "0.67",
        "MXN": "0.05", "BRL": "0.165", "ARS": "0.00065", "CLP": "0.00096", "COP": "0.00022", "PEN": "0.24",
        "ZAR": "0.05", "NGN": "0.0006", "KES": "0.0071", "EGP": "0.018", "MAD": "0.093", "ILS": "0.25",
        "AED": "0.25", "SAR": "0.245", "QAR": "0.25", "KWD": "2.98", "BHD": "2.44", "OMR": "2.39", "JOD": "1.3",
        "PKR": "0.0033", "BDT": "0.0077",
    }.items()
}  # fmt: skip
"""About how many euros a unit is worth, to make amounts of a likely size; no sum is ever converted by these."""


@dataclass(frozen=True, slots=True)
class Money:
    """What the sample's customers pay in: their own currency where the workspace has a rate for it, else its own.

    So that sums are whole in whatever currency a workspace counts, and no rate is made up.
    """

    own: str
    rated: Collection[str] = ()

    def amount(self, euros: float, currency: str) -> tuple[str, str]:
        """A currency, and about as much of it as the euros, with three digits that count."""
        code = currency if currency in self.rated else self.own
        units = Decimal(euros) / EUROS.get(code, Decimal(1))
        step = Decimal(1).scaleb(max(units.adjusted() - 2, 0))
        return code, f"{max(units // step, Decimal(1)) * step:f}"
