"""Amounts as Stripe counts them, in the smallest coin of a currency, and as we do."""

from dataclasses import dataclass
from decimal import Decimal

from babel.numbers import get_currency_precision


@dataclass(frozen=True, slots=True)
class Money:
    """``amount`` has as many decimals as the currency; ``currency`` is its code in capitals."""

    amount: Decimal
    currency: str

    @classmethod
    def of_coins(cls, coins: int, currency: str) -> "Money":
        code = currency.upper()
        return cls(Decimal(coins).scaleb(-get_currency_precision(code)), code)

    @property
    def coins(self) -> int:
        """The amount in the smallest coin. Raises ValueError where it has fractions of one."""
        scaled = self.amount.scaleb(get_currency_precision(self.currency))
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{self.amount} {self.currency} has fractions of a coin.")
        return int(scaled)
