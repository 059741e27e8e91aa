"""The base of every record, and what is noted of every change."""

from django.contrib.postgres.indexes import GinIndex
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import UUID7
from django.utils import timezone

from tenants.stamped import StampedModel


class Record(StampedModel):
    """A row of a record type. Written by ``crm.records.writing`` and nothing else.

    ``search_text`` is the normalised text that searches look in, ``sort_name`` the folded title that names sort by.
    """

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        "workspace.Member", models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    is_sample = models.BooleanField(default=False, editable=False)
    search_text = models.TextField(default="", blank=True, editable=False)
    sort_name = models.CharField(max_length=200, default="", blank=True, editable=False)

    class Meta:
        abstract = True
        indexes = [
            GinIndex(fields=["search_text"], opclasses=["gin_trgm_ops"], name="%(class)s_search"),
            models.Index(fields=["created_at", "id"], name="%(class)s_created"),
            models.Index(fields=["updated_at", "id"], name="%(class)s_updated"),
            models.Index(fields=["sort_name", "id"], name="%(class)s_name"),
        ]


class ChangeSet(StampedModel):
    """Who changed things, from where, in which request and because of what."""

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    at = models.DateTimeField(default=timezone.now)
    actor_kind = models.CharField(max_length=20)
    actor_id = models.UUIDField(null=True)
    member = models.ForeignKey("workspace.Member", models.PROTECT, null=True, related_name="+")
    actor_label = models.CharField(max_length=200, default="")
    source = models.CharField(max_length=20)
    request_id = models.CharField(max_length=64, default="")
    cause_id = models.UUIDField(null=True)
    undo_of = models.ForeignKey("self", models.PROTECT, null=True, related_name="undone_by")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["undo_of"], name="changeset_undone_once")]


class Event(StampedModel):
    """One thing that happened to one record. ``before`` and ``after`` hold changed fields only, as JSON values.

    ``position`` is given by the drainer after the commit; readers go by it.
    """

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    change_set = models.ForeignKey(ChangeSet, models.PROTECT, related_name="events")
    type = models.CharField(max_length=80)
    record_type = models.CharField(max_length=40)
    record_id = models.UUIDField()
    before = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    after = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    at = models.DateTimeField(default=timezone.now)
    position = models.BigIntegerField(null=True, unique=True)

    class Meta:
        indexes = [
            models.Index(fields=["record_type", "record_id", "id"], name="event_record"),
            models.Index(fields=["id"], condition=models.Q(position__isnull=True), name="event_undrained"),
        ]


class HandlerPosition(StampedModel):
    """How far a reader of events has come. A failing one waits until ``retry_at`` and holds up no other."""

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    handler = models.CharField(max_length=100, unique=True)
    position = models.BigIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    error = models.TextField(default="")


class Timer(StampedModel):
    """Something to be done about a record at a time, once. ``kind`` names the handler in ``settings.TIMERS``."""

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    kind = models.CharField(max_length=60)
    record_type = models.CharField(max_length=40)
    record_id = models.UUIDField()
    due_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    error = models.TextField(default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "record_id"], name="timer_once")]
        indexes = [models.Index(fields=["due_at"], condition=models.Q(fired_at__isnull=True), name="timer_due")]
