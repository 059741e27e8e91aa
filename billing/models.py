"""What was sold to whom, as Stripe says it, and what follows from it. All of it lies in the shared schema."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.db.fields import UUIDKey
from tenants.models import Tenant

LIVE = ("trialing", "active", "past_due", "unpaid", "paused")
"""Stripe's states of a subscription that exists: one that waits for its first payment or has ended is none of them."""


class Plan(models.Model):
    """What can be bought.

    ``limits`` are numbers by their names in tenants.workspaces.entitlements.LIMITS, ``features`` words.
    """

    code = models.SlugField(_("code"), primary_key=True, max_length=30)
    name = models.CharField(_("name"), max_length=60)
    rank = models.PositiveSmallIntegerField(_("place among the plans"), default=0)
    limits = models.JSONField(_("limits"), default=dict, blank=True)
    features = models.JSONField(_("features"), default=list, blank=True)
    is_sold = models.BooleanField(_("on sale"), default=True)

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ("rank", "code")

    def __str__(self) -> str:
        return self.name


class PlanPrice(models.Model):
    """The price of one seat of a plan for one interval in one currency."""

    class Interval(models.TextChoices):
        MONTH = "month", _("monthly")
        YEAR = "year", _("yearly")

    id = UUIDKey(verbose_name=_("id"))
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="prices", verbose_name=_("plan"))
    interval = models.CharField(_("interval"), max_length=5, choices=Interval.choices)
    currency = models.CharField(_("currency"), max_length=3)
    amount = models.DecimalField(_("amount a seat"), max_digits=12, decimal_places=2)
    lookup_key = models.CharField(_("lookup key"), max_length=60, unique=True)
    stripe_price_id = models.CharField(_("Stripe's price"), max_length=80, blank=True, default="", db_index=True)

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        constraints = [models.UniqueConstraint(fields=["plan", "interval", "currency"], name="plan_price_once")]

    def __str__(self) -> str:
        return self.lookup_key


class BillingAccount(models.Model):
    """Who pays for one workspace, how, and what that workspace may do for it.

    ``access_state`` and ``access_until`` are what billing.access made of everything here and of the subscription.
    ``seats_changed_at`` is set while Stripe may not know yet how many members there are. ``access_lost_at`` is when the
    workspace became read-only for good: the time until it is dropped runs from there.
    """

    id = UUIDKey(verbose_name=_("id"))
    tenant = models.OneToOneField(Tenant, models.PROTECT, related_name="billing_account", verbose_name=_("workspace"))
    customer_id = models.CharField(_("Stripe's customer"), max_length=80, null=True, blank=True, unique=True)
    livemode = models.BooleanField(_("real money"), default=False)
    currency = models.CharField(_("currency"), max_length=3, blank=True, default="")
    name = models.CharField(_("name on invoices"), max_length=150, blank=True, default="")
    email = models.EmailField(_("billing email"), max_length=254, blank=True, default="")
    address = models.JSONField(_("billing address"), default=dict, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True, default="")
    vat_id = models.CharField(_("VAT ID"), max_length=40, blank=True, default="")
    vat_status = models.CharField(_("state of the VAT ID"), max_length=20, blank=True, default="")
    card_brand = models.CharField(_("kind of card"), max_length=30, blank=True, default="")
    card_last4 = models.CharField(_("last digits of the card"), max_length=4, blank=True, default="")
    card_expires_on = models.DateField(_("card expires on"), null=True, blank=True)
    trial_plan = models.ForeignKey(
        Plan, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("trial")
    )
    trial_ends_at = models.DateTimeField(_("trial ends"), null=True, blank=True)
    contract_plan = models.ForeignKey(
        Plan, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("plan by contract")
    )
    contract_until = models.DateTimeField(_("contract ends"), null=True, blank=True)
    contract_seats = models.PositiveIntegerField(_("seats by contract"), null=True, blank=True)
    suspended_at = models.DateTimeField(_("suspended by an operator"), null=True, blank=True)
    suspended_note = models.CharField(_("reason that the workspace sees"), max_length=500, blank=True, default="")
    access_state = models.CharField(_("access"), max_length=20, default="pending")
    access_until = models.DateTimeField(_("changes by itself at"), null=True, blank=True, db_index=True)
    access_changed_at = models.DateTimeField(_("access since"), null=True, blank=True)
    access_lost_at = models.DateTimeField(_("read-only for good since"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("workspace dropped"), null=True, blank=True)
    cancel_reason = models.CharField(_("reason of cancelling"), max_length=40, blank=True, default="")
    cancel_comment = models.CharField(_("words about cancelling"), max_length=1000, blank=True, default="")
    seats_changed_at = models.DateTimeField(_("members changed"), null=True, blank=True, db_index=True)
    seats_attempts = models.PositiveIntegerField(_("tries to tell Stripe"), default=0)
    seats_error = models.CharField(_("why Stripe was not told"), max_length=500, blank=True, default="")
    needs_attention = models.CharField(_("for the operator"), max_length=500, blank=True, default="")
    synced_at = models.DateTimeField(_("as Stripe said at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("billing account")
        verbose_name_plural = _("billing accounts")

    def __str__(self) -> str:
        return str(self.tenant_id)

    def contract_at(self, now: datetime) -> Plan | None:
        """The plan that is agreed by contract at that time; None where there is no contract, or it is over."""
        return self.contract_plan if self.contract_until is None or now < self.contract_until else None


class Subscription(models.Model):
    """A subscription as Stripe told it last. ``grace_until`` is ours: until then a failed payment changes nothing.

    ``paid_quantity`` is the most seats that this period was charged for: billing.seats lowers ``quantity`` just before
    a renewal, and until then they can be used.
    """

    id = UUIDKey(verbose_name=_("id"))
    account = models.ForeignKey(
        BillingAccount, models.PROTECT, related_name="subscriptions", verbose_name=_("billing account")
    )
    stripe_id = models.CharField(_("Stripe's subscription"), max_length=80, unique=True)
    item_id = models.CharField(_("Stripe's item"), max_length=80, blank=True, default="")
    status = models.CharField(_("state at Stripe"), max_length=30)
    price = models.ForeignKey(PlanPrice, models.PROTECT, null=True, related_name="+", verbose_name=_("price"))
    quantity = models.PositiveIntegerField(_("seats"), default=1)
    paid_quantity = models.PositiveIntegerField(_("most seats in this period"), default=1, db_default=1)
    period_start = models.DateTimeField(_("period began"), null=True, blank=True)
    period_end = models.DateTimeField(_("paid until"), null=True, blank=True)
    trial_end = models.DateTimeField(_("trial ends"), null=True, blank=True)
    cancel_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    is_paused = models.BooleanField(_("paused"), default=False)
    past_due_since = models.DateTimeField(_("payment failed first at"), null=True, blank=True)
    grace_until = models.DateTimeField(_("grace until"), null=True, blank=True)
    coupon = models.CharField(_("coupon"), max_length=200, blank=True, default="")
    raw = models.JSONField(_("as fetched"), default=dict)
    synced_at = models.DateTimeField(_("fetched"))
    started_at = models.DateTimeField(_("began"))

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ("-started_at", "-id")
        constraints = [
            models.UniqueConstraint(fields=["account"], condition=Q(status__in=LIVE), name="subscription_one_live")
        ]

    def __str__(self) -> str:
        return self.stripe_id


class CheckoutAttempt(models.Model):
    """One way to Stripe's checkout and back; at most one is open an account."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        COMPLETED = "completed", _("completed")
        EXPIRED = "expired", _("expired")

    id = UUIDKey(verbose_name=_("id"))
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="checkouts", verbose_name=_("account"))
    price = models.ForeignKey(PlanPrice, models.PROTECT, related_name="+", verbose_name=_("price"))
    quantity = models.PositiveIntegerField(_("seats"))
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.OPEN)
    session_id = models.CharField(_("Stripe's session"), max_length=120, null=True, blank=True, unique=True)
    url = models.URLField(_("address"), max_length=2000, blank=True, default="")
    started_by = models.UUIDField(_("user"))
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(_("expires"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("checkout")
        verbose_name_plural = _("checkouts")
        constraints = [models.UniqueConstraint(fields=["account"], condition=Q(state="open"), name="checkout_one_open")]

    def __str__(self) -> str:
        return str(self.id)


class StripeRequest(models.Model):
    """A write to Stripe that was begun: its idempotency key outlives our restart, so that it is never done twice."""

    class State(models.TextChoices):
        BEGUN = "begun", _("begun")
        DONE = "done", _("done")
        REFUSED = "refused", _("refused")

    id = UUIDKey(verbose_name=_("id"))
    account = models.ForeignKey(
        BillingAccount, models.PROTECT, null=True, related_name="requests", verbose_name=_("billing account")
    )
    operation = models.CharField(_("operation"), max_length=60)
    idempotency_key = models.CharField(_("idempotency key"), max_length=120, unique=True)
    params = models.JSONField(_("parameters"), default=dict)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.BEGUN)
    result_id = models.CharField(_("what came of it"), max_length=120, blank=True, default="")
    error = models.CharField(_("error"), max_length=500, blank=True, default="")
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    done_at = models.DateTimeField(_("done"), null=True, blank=True)

    class Meta:
        verbose_name = _("request to Stripe")
        verbose_name_plural = _("requests to Stripe")
        indexes = [models.Index(fields=["created_at"], condition=Q(state="begun"), name="stripe_request_begun")]

    def __str__(self) -> str:
        return f"{self.operation} · {self.state}"


class StripeEvent(models.Model):
    """A webhook as it came: a hint that something changed. Each is kept once."""

    class State(models.TextChoices):
        NEW = "new", _("new")
        PROCESSING = "processing", _("in work")
        DONE = "done", _("done")
        FAILED = "failed", _("failed, tried again")
        DEAD = "dead", _("given up")

    id = UUIDKey(verbose_name=_("id"))
    stripe_id = models.CharField(_("Stripe's event"), max_length=80)
    livemode = models.BooleanField(_("real money"))
    type = models.CharField(_("type"), max_length=80)
    payload = models.JSONField(_("payload"))
    account = models.ForeignKey(
        BillingAccount, models.PROTECT, null=True, blank=True, related_name="events", verbose_name=_("billing account")
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.NEW)
    attempts = models.PositiveIntegerField(_("tries"), default=0)
    error = models.TextField(_("error"), blank=True, default="")
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True)
    happened_at = models.DateTimeField(_("happened"))
    received_at = models.DateTimeField(_("received"), db_default=Now(), editable=False)
    done_at = models.DateTimeField(_("done"), null=True, blank=True)

    class Meta:
        verbose_name = _("Stripe event")
        verbose_name_plural = _("Stripe events")
        constraints = [models.UniqueConstraint(fields=["livemode", "stripe_id"], name="stripe_event_once")]
        indexes = [
            models.Index(fields=["next_try_at"], condition=~Q(state="done"), name="stripe_event_open"),
            models.Index(fields=["account", "-received_at"], name="stripe_event_of_account"),
        ]

    def __str__(self) -> str:
        return f"{self.type} · {self.stripe_id}"


class SeatChange(models.Model):
    """A change of who is a member in a workspace, noted with it and taken away when Stripe's quantity is right.

    A row of its own and no mark on the account: whoever joins or leaves does not wait for who speaks with Stripe.
    """

    id = UUIDKey(verbose_name=_("id"))
    tenant = models.ForeignKey(Tenant, models.DB_CASCADE, related_name="+", verbose_name=_("workspace"))
    at = models.DateTimeField(_("at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("change of members")
        verbose_name_plural = _("changes of members")

    def __str__(self) -> str:
        return str(self.tenant_id)


class SeatLedger(models.Model):
    """How many members there were and how many seats were billed, each time either changed. Only added to."""

    id = UUIDKey(verbose_name=_("id"))
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="seats", verbose_name=_("account"))
    at = models.DateTimeField(_("at"), db_default=Now(), editable=False)
    members = models.PositiveIntegerField(_("members"))
    billed = models.PositiveIntegerField(_("seats billed"))
    reason = models.CharField(_("reason"), max_length=200)

    class Meta:
        verbose_name = _("change of seats")
        verbose_name_plural = _("changes of seats")
        ordering = ("-at", "-id")

    def __str__(self) -> str:
        return f"{self.members} · {self.billed}"


class SubscriptionChange(models.Model):
    """A change of what comes in a month, in one currency; the operator's figures are sums of these. Only added to."""

    class Kind(models.TextChoices):
        NEW = "new", _("new")
        EXPANSION = "expansion", _("more")
        CONTRACTION = "contraction", _("less")
        CHURN = "churn", _("lost")
        REACTIVATION = "reactivation", _("came back")

    id = UUIDKey(verbose_name=_("id"))
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="changes", verbose_name=_("account"))
    at = models.DateTimeField(_("at"))
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    currency = models.CharField(_("currency"), max_length=3)
    before = models.DecimalField(_("a month before"), max_digits=14, decimal_places=2)
    after = models.DecimalField(_("a month after"), max_digits=14, decimal_places=2)
    plan_before = models.CharField(_("plan before"), max_length=30, blank=True, default="")
    plan_after = models.CharField(_("plan after"), max_length=30, blank=True, default="")
    quantity = models.PositiveIntegerField(_("seats"))

    class Meta:
        verbose_name = _("change of a subscription")
        verbose_name_plural = _("changes of subscriptions")
        indexes = [models.Index(fields=["at"], name="subscription_change_at")]

    def __str__(self) -> str:
        return f"{self.kind} · {self.before} → {self.after} {self.currency}"


class InvoiceMirror(models.Model):
    """An invoice of Stripe's as it was fetched last. It stays when the workspace is dropped."""

    id = UUIDKey(verbose_name=_("id"))
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="invoices", verbose_name=_("account"))
    stripe_id = models.CharField(_("Stripe's invoice"), max_length=80, unique=True)
    number = models.CharField(_("number"), max_length=60, blank=True, default="")
    status = models.CharField(_("state"), max_length=20)
    reason = models.CharField(_("reason"), max_length=40, blank=True, default="")
    currency = models.CharField(_("currency"), max_length=3)
    subtotal = models.DecimalField(_("net"), max_digits=14, decimal_places=2)
    tax = models.DecimalField(_("tax"), max_digits=14, decimal_places=2)
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2)
    paid = models.DecimalField(_("paid"), max_digits=14, decimal_places=2)
    remaining = models.DecimalField(_("still to pay"), max_digits=14, decimal_places=2, default=0, db_default=0)
    refunded = models.DecimalField(_("paid back"), max_digits=14, decimal_places=2, default=0)
    is_disputed = models.BooleanField(_("disputed"), default=False)
    period_start = models.DateTimeField(_("from"), null=True, blank=True)
    period_end = models.DateTimeField(_("to"), null=True, blank=True)
    page_url = models.URLField(_("page"), max_length=2000, blank=True, default="")
    pdf_url = models.URLField(_("PDF"), max_length=2000, blank=True, default="")
    next_attempt_at = models.DateTimeField(_("next try to collect"), null=True, blank=True)
    issued_at = models.DateTimeField(_("issued"))
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    synced_at = models.DateTimeField(_("fetched"))

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        ordering = ("-issued_at", "-id")
        indexes = [models.Index(fields=["account", "-issued_at"], name="invoice_of_account")]

    def __str__(self) -> str:
        return self.number or self.stripe_id


class ReconcileRun(models.Model):
    """A comparison with Stripe. ``drift`` lists what was not as it should be: account, what, before, after."""

    class Kind(models.TextChoices):
        EVENTS = "events", _("missed events")
        FULL = "full", _("everything")

    id = UUIDKey(verbose_name=_("id"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    started_at = models.DateTimeField(_("began"))
    finished_at = models.DateTimeField(_("ended"), null=True, blank=True)
    position = models.CharField(_("how far it came"), max_length=80, blank=True, default="")
    looked_at = models.PositiveIntegerField(_("looked at"), default=0)
    drift = models.JSONField(_("drift"), default=list)
    error = models.TextField(_("error"), blank=True, default="")

    class Meta:
        verbose_name = _("comparison with Stripe")
        verbose_name_plural = _("comparisons with Stripe")
        ordering = ("-started_at", "-id")

    def __str__(self) -> str:
        return f"{self.kind} · {self.started_at}"


class BillingNotice(models.Model):
    """A message about money to whoever pays: one row a message, so that none is sent twice."""

    id = UUIDKey(verbose_name=_("id"))
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="notices", verbose_name=_("account"))
    kind = models.CharField(_("kind"), max_length=30)
    key = models.CharField(_("about"), max_length=120)
    sent_to = models.JSONField(_("sent to"), default=list)
    at = models.DateTimeField(_("at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = [models.UniqueConstraint(fields=["account", "kind", "key"], name="billing_notice_once")]

    def __str__(self) -> str:
        return f"{self.kind} · {self.key}"


class MailToSend(models.Model):
    """A mail about money that was written and that no mail server has taken yet."""

    id = UUIDKey(verbose_name=_("id"))
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="+", verbose_name=_("account"))
    message = models.JSONField(_("message"))
    written_at = models.DateTimeField(_("written at"), editable=False)
    due_at = models.DateTimeField(_("next try at"), db_index=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)

    class Meta:
        verbose_name = _("mail to be sent")
        verbose_name_plural = _("mails to be sent")

    def __str__(self) -> str:
        return f"{self.pk} · {self.due_at}"


class ClockShift(models.Model):
    """What the stand-in's clock was moved by. There is one row at most, and none where Stripe is real."""

    name = models.CharField(max_length=1, primary_key=True, default="", editable=False)
    seconds = models.BigIntegerField(_("seconds ahead"), default=0)

    class Meta:
        verbose_name = _("moved clock")
        verbose_name_plural = _("moved clocks")

    def __str__(self) -> str:
        return str(self.seconds)
