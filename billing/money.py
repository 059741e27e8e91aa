"""Amounts as Stripe counts them, in the smallest coin of a currency, and as we do."""

from dataclasses import dataclass
from decimal import Decimal

WITHOUT_COINS = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
)
THOUSANDTHS = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))


def decimals(currency: str) -> int:
    """How many decimals an amount has at Stripe, by https://docs.stripe.com/currencies.

    It is not what people write: a króna has no coins in use, and Stripe counts hundredths of it all the same.
    """
    return 0 if currency in WITHOUT_COINS else 3 if currency in THOUSANDTHS else 2


@dataclass(frozen=True, slots=True)
class Money:
    """``amount`` has as many decimals as the currency at Stripe; ``currency`` is its code in capitals."""

    amount: Decimal
    currency: str

    @classmethod
    def of_coins(cls, coins: int, currency: str) -> "Money":
        code = currency.upper()
        return cls(Decimal(coins).scaleb(-decimals(code)), code)

    @property
    def coins(self) -> int:
        """The amount in the smallest coin. Raises ValueError where it has fractions of one."""
        scaled = self.amount.scaleb(decimals(self.currency))
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{self.amount} {self.currency} has fractions of a coin.")
        return int(scaled)
