"""What operators looked at and did. It lies in the shared schema."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.db.fields import UUIDKey


class AuditEntry(models.Model):
    """One look or step of an operator. The application may add and read such rows, never change or remove them.

    Operator and workspace are named by value: an entry outlives both.
    """

    class Action(models.TextChoices):
        LOOKED = "looked", _("looked at")
        SUSPENDED = "suspended", _("suspended")
        RESUMED = "resumed", _("resumed")
        SETUP_FINISHED = "setup_finished", _("finished the setup")
        VISIT_STARTED = "visit_started", _("signed in as a member")
        VISIT_ENDED = "visit_ended", _("left a workspace")
        ANNOUNCED = "announced", _("announced")
        ANNOUNCEMENT_ENDED = "announcement_ended", _("ended an announcement")
        TRIAL_EXTENDED = "trial_extended", _("extended the trial")
        CONTRACT_GRANTED = "contract_granted", _("granted a plan by contract")
        CONTRACT_ENDED = "contract_ended", _("ended a contract")
        COUPON_APPLIED = "coupon_applied", _("applied a coupon")
        EVENT_REPLAYED = "event_replayed", _("replayed an event")
        RECONCILED = "reconciled", _("compared with Stripe")
        ATTENTION_DONE = "attention_done", _("looked after what needed an operator")
        REQUEST_FINISHED = "request_finished", _("finished a request to Stripe")
        BEGUN = "begun", _("began a step")
        STOPPED = "stopped", _("a step did not get through")
        OPERATOR_ADDED = "operator_added", _("made an operator")
        OPERATOR_REMOVED = "operator_removed", _("removed an operator")

    id = UUIDKey(verbose_name=_("id"))
    at = models.DateTimeField(_("at"), db_default=Now(), editable=False)
    operator_id = models.UUIDField(_("operator"), null=True)
    operator_email = models.CharField(_("operator's address"), max_length=254)
    action = models.CharField(_("action"), max_length=24, choices=Action.choices)
    tenant_id = models.UUIDField(_("workspace"), null=True)
    about = models.CharField(_("about"), max_length=300, blank=True, default="")
    reason = models.CharField(_("reason"), max_length=500, blank=True, default="")
    details = models.JSONField(_("details"), default=dict, blank=True)
    path = models.CharField(_("address of the page"), max_length=500, blank=True, default="")
    request_id = models.CharField(_("request"), max_length=64, blank=True, default="")
    address = models.CharField(_("network address"), max_length=45, blank=True, default="")
    device = models.CharField(_("device"), max_length=80, blank=True, default="")

    class Meta:
        verbose_name = _("entry of the audit")
        verbose_name_plural = _("entries of the audit")
        indexes = [models.Index(fields=["tenant_id", "-id"], name="console_audit_of_tenant")]

    def __str__(self) -> str:
        return f"{self.operator_email} · {self.action}"
