"""More seats, bought in the step that needs them: what billing sells to rooms that know nothing of billing."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from tenants.actors import Actor
from tenants.registration import Hook


@dataclass(frozen=True, slots=True)
class SeatOffer:
    """``extra`` seats for ``due_now``; from then on ``per_period`` is paid for all ``seats``, tax included.

    ``interval`` is month or year, ``priced_at`` the second (Unix time) by which the price was made.
    """

    extra: int
    seats: int
    due_now: Decimal
    per_period: Decimal
    currency: str
    interval: str
    priced_at: int


class SeatsNotSold(Exception):
    """No more seats can be had this way now; ``message`` says why and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SeatSeller(Protocol):
    def refusal(self, actor: Actor) -> str:
        """Why one more seat cannot be had, and what to do; empty where ``offer`` would be asked for its price."""

    def offer(self, actor: Actor, extra: int) -> SeatOffer:
        """What so many more seats cost. Raises SeatsNotSold."""

    def buy(self, actor: Actor, offer: SeatOffer) -> None:
        """Buy what was offered, for that price; nothing where it was bought already. Raises SeatsNotSold."""


@Hook
def seat_seller() -> SeatSeller | None:
    """Who sells seats; None where nobody does."""
    return None
