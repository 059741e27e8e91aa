"""The billing portal: cards, billing details and invoices of one customer. Plan and quantity are not changed here."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from embedded.stripe.engine import wallet
from embedded.stripe.engine.tax_ids import tax_id_make
from embedded.stripe.errors import Refused
from embedded.stripe.pages.forms import CARD_FIELDS, Field, Person, card_typed, person_typed, test_cards
from embedded.stripe.pages.rendering import SELLER, Page, message, not_found, redirect, rendered
from embedded.stripe.pages.words import card_name, day, money
from embedded.stripe.resources import tax_ids
from embedded.stripe.store import Body, Store

MAX_INVOICES = 100
DONE = {
    "card": "The card is saved, and the next invoices are charged to it.",
    "default": "The next invoices are charged to this card.",
    "remove": "The card is removed.",
    "details": "The billing details are saved.",
    "untax": "The tax ID is removed.",
}


def portal_page(store: Store, identity: str, done: str, form: Mapping[str, str] | None) -> Page:
    """GET shows the portal (``done`` names what was just done); POST does the ``action``."""
    with store.transaction():
        session = store.peek(identity)
        if session is None or session["object"] != "billing_portal.session":
            return not_found()
        if session["_until"] < store.now():
            return message(
                "This page has expired",
                f"Go back to {SELLER} and open billing again.",
                link=session["return_url"] or "",
                link_text=f"Back to {SELLER}",
                status=HTTPStatus.GONE,
            )
        customer = store.peek(session["customer"])
        if customer is None or customer.get("deleted"):
            return message("Nothing to manage", "This customer was deleted.", status=HTTPStatus.GONE)
        if form is None:
            return Visit(store, session, customer).shown(notice=DONE.get(done, ""))
    try:
        with store.transaction():
            return Visit(store, session, store.get("customer", customer["id"])).do(form)
    except Refused as refused:
        with store.transaction():
            fresh = Visit(store, session, store.get("customer", customer["id"]))
            return fresh.shown(problem=refused.message, status=refused.status)


class Visit:
    """One request to the portal, within the store's transaction."""

    def __init__(self, store: Store, session: Body, customer: Body) -> None:
        self.store, self.session, self.customer = store, session, customer
        self.features = store.get("billing_portal.configuration", session["configuration"])["features"]
        self.only_card = (session.get("flow") or {}).get("type") == "payment_method_update"

    def may(self, feature: str) -> bool:
        return bool(self.features[feature]["enabled"])

    def do(self, form: Mapping[str, str]) -> Page:
        """Do what the form asks for, as far as the portal's configuration allows it. Raises Refused."""
        action = form.get("action", "")
        if action == "card" and self.may("payment_method_update"):
            typed = card_typed(form, self.store.now())
            if typed.card is None:
                return self.shown(card_fields=typed.fields, status=HTTPStatus.UNPROCESSABLE_ENTITY)
            method = wallet.method_make(self.store, typed.card, exp_month=typed.exp_month, exp_year=typed.exp_year)
            wallet.method_attach(self.store, method, self.customer["id"])
            wallet.default_replace(self.store, self.customer, method["id"])
            if self.only_card and (target := self._after()):
                return redirect(target)
        elif action in {"default", "remove"} and self.may("payment_method_update"):
            self._card_change(action, form.get("method", ""))
        elif action == "details" and self.may("customer_update"):
            person = self._person(form)
            fields = self._allowed(person.fields)
            if any(one.error for one in fields):
                return self.shown(customer_fields=fields, status=HTTPStatus.UNPROCESSABLE_ENTITY)
            if person.tax_id:
                tax_id_make(self.store, self.customer, *person.tax_id)
            changes = {"name": person.name, "address": person.address}
            allowed = {name: value for name, value in changes.items() if name in self._updates}
            self.store.update(self.customer, "customer.updated", **allowed)
        elif action == "untax" and "tax_id" in self._updates:
            tax_ids.delete(self.store, {}, self.customer["id"], form.get("tax_id", ""))
        else:
            return not_found()
        return redirect(f"/p/session/{self.session['id']}?done={action}")

    @property
    def _updates(self) -> list[str]:
        return self.features["customer_update"]["allowed_updates"] if self.may("customer_update") else []

    def _after(self) -> str:
        completion = (self.session["flow"] or {}).get("after_completion") or {}
        return str((completion.get("redirect") or {}).get("return_url") or self.session["return_url"] or "")

    def _card_change(self, action: str, identity: str) -> None:
        method = self.store.get("payment_method", identity)
        if method["customer"] != self.customer["id"]:
            raise Refused("No such card.", status=HTTPStatus.NOT_FOUND)
        if action == "default":
            wallet.default_replace(self.store, self.customer, identity)
        else:
            wallet.method_detach(self.store, method)

    def shown(
        self,
        *,
        card_fields: list[Field] | None = None,
        customer_fields: list[Field] | None = None,
        notice: str = "",
        problem: str = "",
        status: int = HTTPStatus.OK,
    ) -> Page:
        whole = not self.only_card
        may_edit = whole and self.may("customer_update")
        return rendered(
            "portal.html",
            status,
            return_url=self.session["return_url"] or "",
            notice=notice,
            problem=problem,
            subscriptions=self._subscriptions() if whole else None,
            may_pay=self.may("payment_method_update"),
            methods=self._methods(),
            card_fields=card_fields or CARD_FIELDS,
            test_cards=test_cards(),
            customer_fields=(customer_fields or self._known()) if may_edit else None,
            tax_ids=self.store.find("tax_id", customer=self.customer["id"]) if "tax_id" in self._updates else None,
            show_invoices=whole and self.may("invoice_history"),
            invoices=self._invoices(),
        )

    def _subscriptions(self) -> list[dict[str, str]]:
        found = []
        for one in self.store.find("subscription", customer=self.customer["id"]):
            if one["status"] in {"canceled", "incomplete_expired"}:
                continue
            item = one["items"]["data"][0]
            product = self.store.peek(item["price"]["product"]) or {}
            amount = money(item["price"]["unit_amount"] * item["quantity"], one["currency"])
            end = day(item["current_period_end"])
            verb = "Ends" if one["cancel_at_period_end"] or one["cancel_at"] else "Renews"
            what = f"{product.get('name', '')}, {item['quantity']} seats"
            found.append(
                {
                    "what": f"{what}: {amount} each {item['price']['recurring']['interval']}",
                    "when": f"{verb} on {end} ({one['status'].replace('_', ' ')})",
                }
            )
        return found

    def _methods(self) -> list[dict[str, Any]]:
        used = self.customer["invoice_settings"]["default_payment_method"]
        return [
            {"id": one["id"], "name": card_name(one), "last4": one["card"]["last4"], "is_default": one["id"] == used}
            for one in self.store.find("payment_method", customer=self.customer["id"])
        ]

    def _person(self, form: Mapping[str, str]) -> Person:
        """What was typed, and what is known already of that which may not be typed."""
        known = {**(self.customer["address"] or {}), "name": self.customer["name"]}
        values = {name: value or "" for name, value in known.items()} | dict(form)
        return person_typed(values, whole_address=False, tax_id="tax_id" in self._updates)

    def _known(self) -> list[Field]:
        return [replace(one, error="") for one in self._allowed(self._person({}).fields)]

    def _allowed(self, fields: list[Field]) -> list[Field]:
        return [one for one in fields if (one.name if one.name in {"name", "tax_id"} else "address") in self._updates]

    def _invoices(self) -> list[dict[str, str]]:
        found = [one for one in self.store.find("invoice", customer=self.customer["id"]) if one["status"] != "draft"]
        return [
            {
                "id": one["id"],
                "date": day(one["created"]),
                "number": one["number"],
                "amount": money(one["total"], one["currency"]),
                "status": one["status"],
            }
            for one in found[: -MAX_INVOICES - 1 : -1]
        ]
