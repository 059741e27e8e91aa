"""Stripe's published test cards and how each behaves."""

from dataclasses import dataclass

from embedded.stripe.errors import Refused


@dataclass(frozen=True)
class Card:
    """``behaviour``: ok, declined (``code`` and ``decline_code`` say why), attaches (fails when charged later), or
    authenticate (wants 3-D Secure; ``always`` says at each payment, else only until it was done once)."""

    number: str
    alias: str
    behaviour: str = "ok"
    brand: str = "visa"
    code: str = "card_declined"
    decline_code: str | None = "generic_decline"
    message: str = "Your card was declined."
    always: bool = False


CARDS = (
    Card("4242424242424242", "pm_card_visa"),
    Card("5555555555554444", "pm_card_mastercard", brand="mastercard"),
    Card("378282246310005", "pm_card_amex", brand="amex"),
    Card("4000000000000002", "pm_card_visa_chargeDeclined", "declined"),
    Card(
        "4000000000009995",
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "declined",
        decline_code="insufficient_funds",
        message="Your card has insufficient funds.",
    ),
    Card(
        "4000000000000069",
        "pm_card_chargeDeclinedExpiredCard",
        "declined",
        code="expired_card",
        decline_code=None,
        message="Your card has expired.",
    ),
    Card("4000000000000341", "pm_card_chargeCustomerFail", "attaches"),
    Card("4000002500003155", "pm_card_authenticationRequiredOnSetup", "authenticate"),
    Card("4000002760003184", "pm_card_authenticationRequired", "authenticate", always=True),
)


def card_by_number(number: str) -> Card:
    """The test card of that number, spaces or not; raises Refused for any other, as Stripe's test mode does."""
    plain = number.replace(" ", "").replace("-", "")
    for card in CARDS:
        if card.number == plain:
            return card
    raise Refused(
        "Your card number is incorrect. The stand-in takes Stripe's test cards only, such as 4242 4242 4242 4242.",
        status=402,
        kind="card_error",
        code="incorrect_number",
        param="number",
    )


def card_by_alias(alias: str) -> Card | None:
    return next((card for card in CARDS if card.alias == alias), None)
