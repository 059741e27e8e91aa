"""Seats sold in the step that needs them: rooms below ask by tenants.workspaces.seat_offers."""

from collections.abc import Callable
from functools import wraps

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing import clock
from billing.accounts.services import NoAccount, account_of
from billing.checkout import changes
from billing.errors import AccountBusy, BillingRefused, StripeAway
from billing.models import BillingAccount, PlanPrice, Subscription
from billing.money import Money
from billing.seats import subscription_live
from billing.subscriptions.seat_sync import quantity_set, seats_note
from billing.subscriptions.sync import subscription_sync
from tenants.actors import Actor
from tenants.db.scopes import shared, tenant_scope
from tenants.hooks import audit_note
from tenants.permission_checks import check
from tenants.workspaces.seat_offers import SeatOffer, SeatsNotSold


def _told[**P, T](work: Callable[P, T]) -> Callable[P, T]:
    """Whatever keeps money from moving is told as SeatsNotSold."""

    @wraps(work)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            with shared():
                return work(*args, **kwargs)
        except NoAccount:
            raise SeatsNotSold(_("This workspace has no plan yet. Choose one first.")) from None
        except BillingRefused as refusal:
            raise SeatsNotSold(str(refusal)) from refusal
        except (StripeAway, AccountBusy) as problem:
            raise SeatsNotSold(problem.message) from problem

    return guarded


class SeatSales:
    """Sells seats of the plan that a workspace has, to who may pay. See tenants.workspaces.seat_offers.SeatSeller."""

    def refusal(self, actor: Actor) -> str:
        try:
            self._sold_one_more(actor)
        except SeatsNotSold as refusal:
            return refusal.message
        return ""

    @_told
    def _sold_one_more(self, actor: Actor) -> None:
        subscription, price = _sold(account_of(actor.tenant.id))
        _require_sold(price, subscription.paid_quantity + 1)

    @_told
    def offer(self, actor: Actor, extra: int) -> SeatOffer:
        check(actor, "workspace", "billing")
        account = account_of(actor.tenant.id)
        subscription, price = _sold(account)
        seats = subscription.paid_quantity + extra
        _require_sold(price, seats)
        if subscription.quantity < subscription.paid_quantity:
            # Lowered for the renewal: what is paid for already is not paid again.
            quantity_set(account, subscription, subscription.paid_quantity, "none")
            subscription_sync(account.id, wait=False)
        preview = changes.change_preview(account, price, seats)
        return SeatOffer(
            extra=extra,
            seats=seats,
            due_now=preview.due_now.amount,
            per_period=preview.next.amount,
            currency=preview.due_now.currency,
            interval=price.interval,
            priced_at=preview.proration_date,
        )

    @_told
    def buy(self, actor: Actor, offer: SeatOffer) -> None:
        check(actor, "workspace", "billing")
        account = account_of(actor.tenant.id)
        subscription_sync(account.id, wait=False)
        subscription, price = _sold(account)
        if subscription.paid_quantity >= offer.seats:
            return
        if subscription.paid_quantity + offer.extra != offer.seats or price.interval != offer.interval:
            raise SeatsNotSold(_("Something was changed since the price was shown. This is the price now."))
        changes.change_apply(account, price, offer.seats, offer.priced_at, Money(offer.due_now, offer.currency))
        seats_note(account, billed=offer.seats, reason=f"bought by {actor.email or actor.label}"[:200])
        with tenant_scope(actor.tenant), transaction.atomic():
            audit_note(
                actor,
                "billing.seats_changed",
                record_id=account.id,
                before={"seats": subscription.paid_quantity},
                after={"seats": offer.seats},
            )


def _sold(account: BillingAccount) -> tuple[Subscription, PlanPrice]:
    """What seats can be added to. Raises SeatsNotSold with what to do first."""
    if account.contract_at(clock.now()) is not None:
        raise SeatsNotSold(_("Your seats are agreed by contract. Ask us for more, and we change it."))
    subscription = subscription_live(account)
    if subscription is None:
        raise SeatsNotSold(_("More seats come with a plan. Choose one first, for as many seats as you need."))
    if subscription.price is None:
        raise SeatsNotSold(_("Your plan was agreed with us. Ask us for more seats."))
    return subscription, subscription.price


def _require_sold(price: PlanPrice, seats: int) -> None:
    most = price.plan.limits.get("seats")
    if most is not None and seats > most:
        text = ngettext(
            "%(plan)s has %(most)d seat at most. Choose a larger plan first.",
            "%(plan)s has %(most)d seats at most. Choose a larger plan first.",
            most,
        )
        raise SeatsNotSold(text % {"plan": price.plan.name, "most": most})
