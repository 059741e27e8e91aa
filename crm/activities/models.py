"""Tasks, calls, meetings, emails logged by hand and notes, on any records."""

from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import UUID7, Now

from crm.records.models import Record
from tenants.db.fields import UUIDKey
from tenants.db.stamped import StampedModel

LIVE = Q(deleted_at__isnull=True)
OPEN = Q(deleted_at__isnull=True, done=False)
REPEATS = OPEN & ~Q(repeat="")


def indexes_for(*own: models.Index) -> list[models.Index]:
    """Those of every record and of every activity, and its own."""
    return [
        *Record.Meta.indexes,
        GinIndex(fields=["also"], opclasses=["jsonb_path_ops"], name="%(class)s_also"),
        *own,
    ]


class Activity(Record):
    """``about`` is the main record an activity is on, ``also`` are further ones: ``[{"type", "id"}]``."""

    about_type = models.CharField(max_length=40, blank=True, default="")
    about_id = models.UUIDField(null=True, blank=True)
    also = models.JSONField(default=list, db_default=models.Value([], models.JSONField()), blank=True)

    class Meta(Record.Meta):
        abstract = True


class Planned(Activity):
    """What somebody plans and does. In a ``series`` it is the ``occurrence``-th time its rule names.

    ``series_start`` is the local time of the first one, ``2026-03-02T09:00`` or a date for all-day ones, in
    ``series_zone``, of its part that begins with the number ``series_from`` (1 where there is none). ``plain`` is JSON:
    what the series has where this one differs.
    """

    name = models.CharField(max_length=200, blank=True)
    minutes = models.IntegerField(null=True, blank=True)
    reminder = models.IntegerField(null=True, blank=True)
    done = models.BooleanField(default=False)
    done_at = models.DateTimeField(null=True, blank=True)
    next_step = models.CharField(max_length=200, blank=True, default="", db_default="")
    description = models.TextField(blank=True, default="")
    repeat = models.CharField(max_length=200, blank=True, default="", db_default="")
    series = models.CharField(max_length=36, blank=True, default="", db_default="")
    series_start = models.CharField(max_length=16, blank=True, default="", db_default="")
    series_zone = models.CharField(max_length=64, blank=True, default="", db_default="")
    series_from = models.IntegerField(null=True, blank=True)
    plain = models.TextField(blank=True, default="", db_default="")
    occurrence = models.IntegerField(null=True, blank=True)

    class Meta(Activity.Meta):
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["series", "occurrence"],
                name="%(class)s_occurs_once",
                condition=Q(deleted_at__isnull=True) & ~Q(series=""),
            )
        ]

    def __str__(self) -> str:
        return self.name


def assignee(nouns: str) -> Any:
    return models.ForeignKey("workspace.Member", null=True, blank=True, on_delete=models.PROTECT, related_name=nouns)


class Task(Planned):
    """``due_on`` is the day of an all-day task; ``due_at`` is then the last second of it for its assignee."""

    due_at = models.DateTimeField(null=True, blank=True)
    due_on = models.DateField(null=True, blank=True)
    assignee = assignee("tasks")
    priority = models.CharField(max_length=10, blank=True, default="")
    outcome = models.TextField(blank=True, default="", db_default="")

    class Meta(Planned.Meta):
        indexes = indexes_for(
            models.Index(fields=["about_id", "due_at"], name="task_about", condition=LIVE),
            models.Index(fields=["assignee", "due_at"], name="task_open", condition=OPEN),
            models.Index(fields=["assignee"], name="task_repeats", condition=REPEATS),
        )


class Call(Planned):
    starts_at = models.DateTimeField(null=True, blank=True)
    assignee = assignee("calls")
    direction = models.CharField(max_length=10, blank=True, default="")
    phone = models.CharField(max_length=50, blank=True, default="")
    outcome = models.CharField(max_length=20, blank=True, default="")

    class Meta(Planned.Meta):
        indexes = indexes_for(
            models.Index(fields=["about_id", "starts_at"], name="call_about", condition=LIVE),
            models.Index(fields=["assignee", "starts_at"], name="call_agenda", condition=LIVE),
            models.Index(fields=["assignee"], name="call_repeats", condition=REPEATS),
        )


class Meeting(Planned):
    """``starts_on`` is the day of an all-day meeting; ``starts_at`` is then its beginning for its assignee."""

    starts_at = models.DateTimeField(null=True, blank=True)
    starts_on = models.DateField(null=True, blank=True)
    assignee = assignee("meetings")
    place = models.CharField(max_length=200, blank=True, default="")
    guests = models.JSONField(default=list, blank=True)
    outcome = models.TextField(blank=True, default="", db_default="")

    class Meta(Planned.Meta):
        indexes = indexes_for(
            models.Index(fields=["about_id", "starts_at"], name="meeting_about", condition=LIVE),
            models.Index(fields=["assignee", "starts_at"], name="meeting_agenda", condition=LIVE),
            GinIndex(fields=["guests"], opclasses=["jsonb_path_ops"], name="meeting_guests"),
        )


class Email(Activity):
    """A message that was sent or received elsewhere and is kept here by hand."""

    subject = models.CharField(max_length=200)
    direction = models.CharField(max_length=10, blank=True, default="")
    sent_at = models.DateTimeField(null=True, blank=True)
    assignee = assignee("emails")
    people = models.JSONField(default=list, blank=True)
    body = models.TextField(blank=True, default="")

    class Meta(Activity.Meta):
        indexes = indexes_for(
            models.Index(fields=["about_id", "sent_at"], name="email_about", condition=LIVE),
            models.Index(fields=["assignee", "sent_at"], name="email_agenda", condition=LIVE),
        )

    def __str__(self) -> str:
        return self.subject


class Note(Activity):
    """``author`` of a note is the member who created it."""

    body = models.TextField()

    class Meta(Activity.Meta):
        indexes = indexes_for(models.Index(fields=["about_id", "created_at"], name="note_about", condition=LIVE))

    def __str__(self) -> str:
        return self.body[:80]


class Place(StampedModel):
    """An activity on one of its records, kept by ``rules.places_kept``: what timelines and plans are read from.

    ``at`` is where it stands on the timeline, ``planned_at`` when something open is due; both are empty in the trash,
    and an open activity without a time is planned for ``UNDATED``.
    """

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    noun = models.CharField(max_length=40)
    activity_id = models.UUIDField()
    about_type = models.CharField(max_length=40)
    about_id = models.UUIDField()
    at = models.DateTimeField(null=True)
    planned_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["activity_id", "about_id"], name="place_once")]
        indexes = [
            models.Index(
                fields=["about_id", "-at", "-activity_id"], name="place_timeline", condition=Q(at__isnull=False)
            ),
            models.Index(
                fields=["about_id", "planned_at", "activity_id"],
                name="place_planned",
                condition=Q(planned_at__isnull=False),
            ),
            models.Index(fields=["about_type", "about_id"], name="place_about"),
        ]


class CalendarFeed(StampedModel):
    """The secret address at which other calendars read a member's activities. Only a hash of the secret is stored."""

    id = UUIDKey()
    member = models.OneToOneField("workspace.Member", on_delete=models.CASCADE, related_name="calendar_feed")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    read_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.member_id)
