from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("workspace", "0009_notices_of_changes"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="notification",
            index=models.Index(
                condition=models.Q(change_id__isnull=False), fields=["change_id"], name="notification_change"
            ),
        ),
    ]
