"""Tasks and notes, on any record."""

from django.db import models
from django.db.models import Q

from crm.records.models import Record


class Task(Record):
    name = models.CharField(max_length=200)
    due_at = models.DateTimeField(null=True, blank=True)
    assignee = models.ForeignKey(
        "workspace.Member", null=True, blank=True, on_delete=models.PROTECT, related_name="tasks"
    )
    done = models.BooleanField(default=False)
    done_at = models.DateTimeField(null=True, blank=True)
    about_type = models.CharField(max_length=40, blank=True, default="")
    about_id = models.UUIDField(null=True, blank=True)
    description = models.TextField(blank=True, default="")
    priority = models.CharField(max_length=10, blank=True, default="")

    class Meta(Record.Meta):
        indexes = [
            *Record.Meta.indexes,
            models.Index(fields=["about_id", "due_at"], name="task_about", condition=Q(deleted_at__isnull=True)),
            models.Index(
                fields=["assignee", "due_at"], name="task_open", condition=Q(deleted_at__isnull=True, done=False)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Note(Record):
    """``author`` of a note is the member who created it."""

    body = models.TextField()
    about_type = models.CharField(max_length=40)
    about_id = models.UUIDField()

    class Meta(Record.Meta):
        indexes = [
            *Record.Meta.indexes,
            models.Index(fields=["about_id", "created_at"], name="note_about", condition=Q(deleted_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.body[:80]
