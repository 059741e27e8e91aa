"""Columns that came later have a default, for a process of the release before that writes beside ours. Tasks that were
open before there were escalations get theirs."""

from django.db import migrations, models

ESCALATE = """
INSERT INTO records_timer (kind, record_type, record_id, due_at, failures, error)
SELECT 'task_escalation', 'task', id, due_at + interval '24 hours', 0, ''
FROM activities_task
WHERE NOT done AND deleted_at IS NULL AND assignee_id IS NOT NULL AND due_at > now() - interval '24 hours'
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [
        ("activities", "0004_calendar_feed"),
        ("records", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="call",
            name="also",
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AlterField(
            model_name="call",
            name="next_step",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AlterField(
            model_name="call",
            name="repeat",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AlterField(
            model_name="call",
            name="series",
            field=models.CharField(blank=True, db_default="", default="", max_length=36),
        ),
        migrations.AlterField(
            model_name="call",
            name="series_start",
            field=models.CharField(blank=True, db_default="", default="", max_length=16),
        ),
        migrations.AlterField(
            model_name="call",
            name="series_zone",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AlterField(
            model_name="email",
            name="also",
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AlterField(
            model_name="meeting",
            name="also",
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AlterField(
            model_name="meeting",
            name="next_step",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AlterField(
            model_name="meeting",
            name="outcome",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AlterField(
            model_name="meeting",
            name="repeat",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AlterField(
            model_name="meeting",
            name="series",
            field=models.CharField(blank=True, db_default="", default="", max_length=36),
        ),
        migrations.AlterField(
            model_name="meeting",
            name="series_start",
            field=models.CharField(blank=True, db_default="", default="", max_length=16),
        ),
        migrations.AlterField(
            model_name="meeting",
            name="series_zone",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AlterField(
            model_name="note",
            name="also",
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AlterField(
            model_name="task",
            name="also",
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AlterField(
            model_name="task",
            name="next_step",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AlterField(
            model_name="task",
            name="outcome",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AlterField(
            model_name="task",
            name="repeat",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AlterField(
            model_name="task",
            name="series",
            field=models.CharField(blank=True, db_default="", default="", max_length=36),
        ),
        migrations.AlterField(
            model_name="task",
            name="series_start",
            field=models.CharField(blank=True, db_default="", default="", max_length=16),
        ),
        migrations.AlterField(
            model_name="task",
            name="series_zone",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.RunSQL(ESCALATE, migrations.RunSQL.noop),
    ]
