"""The base of every record, and what is noted of every change."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import UUID7
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.workspace.auditing import AUDITED
from tenants.db.stamped import StampedModel


class Record(StampedModel):
    """A row of a record type. Written by ``crm.records.write.gate`` and nothing else.

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

    @property
    def takes_back(self) -> bool:
        """Whether it took something back; taking that back did it again, and so on."""
        return self.undo_of is not None and not self.undo_of.takes_back


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
            models.Index(fields=["id"], condition=models.Q(record_type__in=AUDITED), name="event_audited"),
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
    """Something to be done about a record at a time, once. ``kind`` is one of ``timers.kinds``."""

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


class Job(StampedModel):
    """Long work of one member, done in chunks by ``crm.records.jobs.jobs``; ``kind`` is one of ``jobs.kinds``.

    ``params`` and ``place`` are the runner's own: what was asked for, and where it goes on. ``done`` of ``total`` rows
    have been dealt with, ``skipped`` of them left as they were; ``problems`` tells of the first of these why. Its
    changes are one ``change_set``; ``undo_of`` is the job whose changes this one takes back. ``next_at`` is when a
    worker looks at it (again).
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Underway")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    kind = models.CharField(max_length=40)
    title = models.CharField(max_length=200)
    noun = models.CharField(max_length=40, default="")
    params = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    place = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    problems = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    result = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    error = models.TextField(default="")
    failures = models.PositiveSmallIntegerField(default=0)
    change_set = models.ForeignKey(ChangeSet, models.PROTECT, null=True, related_name="jobs")
    undo_of = models.ForeignKey("self", models.PROTECT, null=True, related_name="undone_by")
    member = models.ForeignKey("workspace.Member", models.PROTECT, related_name="+")
    actor_kind = models.CharField(max_length=20)
    actor_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=64, default="")
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(state__in=["queued", "running"]), name="job_open"),
            models.Index(fields=["member", "-id"], name="job_of_member"),
        ]

    @property
    def is_open(self) -> bool:
        return self.state in {self.State.QUEUED, self.State.RUNNING}


class JobChunk(StampedModel):
    """The next rows of a job, fixed when it was started; gone when they are dealt with."""

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    job = models.ForeignKey(Job, models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    noun = models.CharField(max_length=40)
    ids = ArrayField(models.UUIDField())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="job_chunk_once")]


class SavedView(StampedModel):
    """How somebody looks at the records of a noun: kept by name, for themselves, their team or everyone.

    ``columns`` are ``{"field"}`` in order, ``footers`` a field slug to how it is summed up; ``card_fields``
    and ``quick`` are what a board shows on its cards and which of its quick filters are on.
    """

    class Layout(models.TextChoices):
        LIST = "list", _("List")
        BOARD = "board", _("Board")

    class Sharing(models.TextChoices):
        PRIVATE = "private", _("Only me")
        TEAM = "team", _("My team")
        EVERYONE = "everyone", _("Everyone")

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    noun = models.CharField(max_length=40)
    layout = models.CharField(max_length=5, choices=Layout, default=Layout.LIST)
    name = models.CharField(max_length=80)
    sharing = models.CharField(max_length=8, choices=Sharing, default=Sharing.PRIVATE)
    owner = models.ForeignKey("workspace.Member", models.PROTECT, related_name="+")
    filter = models.JSONField(default=dict)
    sort = models.JSONField(default=list)
    columns = models.JSONField(default=list)
    grouping = models.CharField(max_length=60, default="", blank=True)
    footers = models.JSONField(default=dict)
    card_fields = models.JSONField(default=list)
    quick = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    owner_before = models.ForeignKey("workspace.Member", models.SET_NULL, null=True, related_name="+")
    handed_over_by = models.ForeignKey(ChangeSet, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["noun", "sharing"], name="saved_view_noun")]

    def __str__(self) -> str:
        return self.name


class ViewChoice(StampedModel):
    """What one member made of the views of one noun: the tabs in their order, the first to open, their columns.

    ``tabs`` are keys of views, built-in or saved; ``columns`` are those of the built-in views.
    """

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    member = models.ForeignKey("workspace.Member", models.CASCADE, related_name="+")
    noun = models.CharField(max_length=40)
    tabs = models.JSONField(default=list)
    hidden = models.JSONField(default=list)
    default = models.CharField(max_length=40, default="", blank=True)
    columns = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["member", "noun"], name="view_choice_once")]
