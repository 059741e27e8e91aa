"""The stand-in in a thread of the test's process, and what a test does to it."""

import json
from pathlib import Path
from typing import Any

import stripe

from embedded.stripe import clock
from embedded.stripe.control import Seen
from embedded.stripe.engine import checkout, refunding, wallet
from embedded.stripe.engine.cards import card_by_number
from embedded.stripe.faults import Fault
from embedded.stripe.server import Reply, Request, Server, serve
from tests.billing.standin.declared import answer_problems, parameter_problems

KEY = "sk_test_standin0000000000"
VISA = "4242424242424242"
DECLINED = "4000000000000002"
FAILS_LATER = "4000000000000341"
THREE_D_SECURE = "4000002500003155"


class StripeServer:
    """``url`` is for STRIPE_API_URL, ``key`` for STRIPE_SECRET_KEY; ``client`` asks as the unmodified library does.

    ``problems`` are those of all requests and answers so far that are not as the library declares them; a test that
    makes it say what Stripe never would switches ``is_judged`` off.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = KEY
        self.problems: list[str] = []
        self.is_judged = True
        self.server = self._serve(0)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def client(self) -> stripe.StripeClient:
        return stripe.StripeClient(self.key, base_addresses={"api": self.url}, max_network_retries=0)

    @property
    def now(self) -> int:
        return self.server.store.now()

    @property
    def requests(self) -> list[Seen]:
        """What was asked so far, the oldest first."""
        return self.server.journal.all()

    def forget_requests(self) -> None:
        self.server.journal.forget()

    def advance(self, *, seconds: int = 0, days: int = 0) -> int:
        """Move its clock forward; everything that falls due happens. Gives the new time."""
        return clock.advance(self.server.store, seconds + days * 86400)

    def fault(self, kind: str, match: str = "", *, times: int = 1, seconds: float = 0.0) -> None:
        """See embedded.stripe.faults: 500, 500_after, drop, cut, 429, delay."""
        self.server.faults.add(Fault(kind, match, times, seconds))

    def heal(self) -> None:
        self.server.faults.clear()

    def pay(self, session: str, card: str = VISA, **typed: Any) -> dict[str, Any]:
        """Do what a person does on the checkout page; raises embedded.stripe.errors.Refused where the bank does."""
        store = self.server.store
        with store.transaction():
            return checkout.submit(store, session, card, **{"name": "Ada Example", "country": "DE", **typed})

    def promotion(self, session: str, code: str) -> None:
        """Type a promotion code on the checkout page."""
        store = self.server.store
        with store.transaction():
            checkout.promotion(store, session, code)

    def authenticate(self, session: str, *, succeeded: bool = True) -> dict[str, Any]:
        store = self.server.store
        with store.transaction():
            return checkout.authenticate(store, session, succeeded=succeeded)

    def card_change(self, customer: str, card: str = VISA) -> str:
        """Do what a person does in the portal: the new card is what the customer's subscriptions are charged to."""
        store = self.server.store
        with store.transaction():
            method = wallet.method_attach(
                store, wallet.method_make(store, card_by_number(card), confirmed=True), customer
            )
            wallet.default_replace(store, store.get("customer", customer), method["id"])
            return str(method["id"])

    def deliver_to(self, url: str) -> str:
        """Register a webhook endpoint for every event and give its secret."""
        made = self.client.v1.webhook_endpoints.create({"url": url, "enabled_events": ["*"]})
        return str(made.secret)

    def after_retries(self, status: str) -> None:
        """What a subscription becomes after the last refused payment: canceled, unpaid or past_due."""
        with self.server.store.transaction():
            self.server.store.note_put("after_retries", status)

    def dispute(self, charge: str) -> str:
        store = self.server.store
        with store.transaction():
            return str(refunding.dispute(store, store.get("charge", charge))["id"])

    def dunning(self, after_retries: str) -> None:
        """What becomes of a subscription when its payment was tried for the last time: canceled, unpaid or past_due."""
        store = self.server.store
        with store.transaction():
            store.note_put("after_retries", after_retries)

    def restart(self) -> None:
        """Stop it and start it again over the same folder and port, as a process that came back."""
        port = int(self.url.rpartition(":")[2])
        self.server.close()
        self.server = self._serve(port)

    def _serve(self, port: int) -> Server:
        server = serve(port, self.folder)
        server.observe = self._judge
        return server

    def _judge(self, request: Request, reply: Reply) -> None:
        """Hold what went well against what the library declares; what was refused was meant to be wrong."""
        if reply.status == 200 and self.is_judged:
            asked, told = (request.method, request.path), json.loads(reply.body)
            found = parameter_problems(*asked, request.params) + answer_problems(*asked, told)
            self.problems += [f"{request.method} {request.path}: {problem}" for problem in found]

    def close(self) -> None:
        self.server.close()
