from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

REPEATS = models.Q(deleted_at__isnull=True, done=False) & ~models.Q(repeat="")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("activities", "0007_found_as_typed"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="call",
            index=models.Index(condition=REPEATS, fields=["assignee"], name="call_repeats"),
        ),
        AddIndexConcurrently(
            model_name="task",
            index=models.Index(condition=REPEATS, fields=["assignee"], name="task_repeats"),
        ),
    ]
