"""Pipelines, their stages, and the deals that move through them."""

from django.db import models
from django.db.models import F, JSONField, Q, Value

from crm.records.models import Record
from tenants.db.fields import UUIDKey
from tenants.db.stamped import StampedModel


class Pipeline(Record):
    name = models.CharField(max_length=100)
    is_default = models.BooleanField(default=False)
    archived = models.BooleanField(default=False, db_default=False)
    position = models.IntegerField(default=0)
    lost_reason_required = models.BooleanField(default=True, db_default=True)
    deal_fields = models.JSONField(default=list, db_default=Value([], JSONField()), blank=True)

    def __str__(self) -> str:
        return self.name


class Stage(Record):
    name = models.CharField(max_length=100)
    pipeline = models.ForeignKey(Pipeline, on_delete=models.PROTECT, related_name="stages")
    position = models.IntegerField(default=0)
    probability = models.DecimalField(max_digits=5, decimal_places=2, default=0)
    color = models.CharField(max_length=10, default="gray")
    kind = models.CharField(max_length=10, default="open")
    required_fields = models.JSONField(default=list, blank=True)
    stale_days = models.IntegerField(null=True, blank=True)
    guidance = models.TextField(blank=True, default="", db_default="")
    entry_condition = models.JSONField(default=dict, db_default=Value({}, JSONField()), blank=True)
    enter_from = models.JSONField(default=list, db_default=Value([], JSONField()), blank=True)

    def __str__(self) -> str:
        return self.name


class LostReason(Record):
    name = models.CharField(max_length=100)
    position = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.name


class PipelineLostReason(StampedModel):
    """A reason that can be given in a pipeline; one without any takes them all."""

    id = UUIDKey()
    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="reason_links")
    lost_reason = models.ForeignKey(LostReason, on_delete=models.CASCADE, related_name="pipeline_links")
    role = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pipeline", "lost_reason"], name="pipeline_reason_once")]

    def __str__(self) -> str:
        return self.role


def sorted_by(field: str) -> list[models.Index]:
    """What lists sorted by a field go by, up and down: rows without a value come last either way, see ``paging``."""
    down = F(field).desc(nulls_last=True)
    live = Q(deleted_at__isnull=True)
    return [
        models.Index(fields=[field, "id"], name=f"deal_{field}_up", condition=live),
        models.Index(down, F("id").desc(), name=f"deal_{field}_down", condition=live),
    ]


class Deal(Record):
    """``amount`` has the decimals of its ``currency``; ``probability`` is a percentage from 0 to 100."""

    name = models.CharField(max_length=200)
    company = models.ForeignKey(
        "people.Company", null=True, blank=True, on_delete=models.SET_NULL, related_name="deals"
    )
    amount = models.DecimalField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    owner = models.ForeignKey("workspace.Member", null=True, blank=True, on_delete=models.PROTECT, related_name="deals")
    pipeline = models.ForeignKey(Pipeline, on_delete=models.PROTECT, related_name="deals")
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, related_name="deals")
    expected_close = models.DateField(null=True, blank=True)
    closed_on = models.DateField(null=True, blank=True)
    source = models.CharField(max_length=30, blank=True, default="")
    probability = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    lost_reason = models.ForeignKey(LostReason, null=True, blank=True, on_delete=models.PROTECT, related_name="deals")
    stage_entered_at = models.DateTimeField()

    class Meta(Record.Meta):
        indexes = [
            *Record.Meta.indexes,
            models.Index(
                fields=["stage", "-stage_entered_at", "-id"], name="deal_board", condition=Q(deleted_at__isnull=True)
            ),
            *sorted_by("amount"),
            *sorted_by("expected_close"),
        ]

    def __str__(self) -> str:
        return self.name


class DealContact(StampedModel):
    """The part a contact plays in a deal."""

    id = UUIDKey()
    deal = models.ForeignKey(Deal, on_delete=models.CASCADE, related_name="contact_links")
    contact = models.ForeignKey("people.Contact", on_delete=models.CASCADE, related_name="deal_links")
    role = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deal", "contact"], name="deal_contact_once")]

    def __str__(self) -> str:
        return self.role
