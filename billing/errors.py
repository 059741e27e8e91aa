"""What can go wrong with money, each with a message for people."""

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _


class BillingRefused(Exception):
    """Something that cannot be bought or changed this way; the message says why and what to do."""


class StripeAway(Exception):
    """Stripe did not answer, or could not: what was asked may have been done or not. Try again later."""

    def __init__(self, detail: str, *, has_answered: bool = False) -> None:
        """``has_answered``: an error came back, which Stripe repeats for the same idempotency key."""
        super().__init__(detail)
        self.has_answered = has_answered

    @property
    def message(self) -> str:
        return _("Stripe, which takes our payments, does not answer at the moment. Nothing is lost: try again soon.")


class AlreadyAsked(StripeAway):
    """The same was asked a moment ago, as by a second click, and Stripe is at work on it."""

    @property
    def message(self) -> str:
        return _("This was asked for a moment ago, and Stripe is at work on it. Look again in a moment.")


class StripeRefused(BillingRefused):
    """Stripe refused; ``code`` is its word for why, ``is_card`` where the bank or the card was the reason."""

    def __init__(self, message: str, *, code: str = "", param: str = "", is_card: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.is_card = is_card


class StripeMissing(StripeRefused):
    """What was named does not exist at Stripe."""


class AccountBusy(Exception):
    """Another request is fetching the same account or changing its subscription."""

    @property
    def message(self) -> str:
        return _("Another change of this subscription is being made. Look again in a moment.")


class AnswerAwaited(AccountBusy):
    """A change was sent to Stripe at ``since``, and no answer came; after ``until`` it is known what became of it."""

    def __init__(self, since: datetime, until: datetime) -> None:
        super().__init__()
        self.since, self.until = since, until

    @property
    def message(self) -> str:
        since, until = (date_format(timezone.localtime(one), "H:i") for one in (self.since, self.until))
        return _(
            "A change was sent to Stripe at {since}, and its answer has not come yet. Nothing else is changed until it "
            "is known what became of it, at {until} at the latest."
        ).format(since=since, until=until)
